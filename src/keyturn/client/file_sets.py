"""Puts the files of a set in their place: one at one moment, several together.

Several files are written into a folder of their own, to which a link then points: a reader that opens one of them before the
exchange and another after it may meet two states, one that opens the folder by the link meets one. So Kubernetes does it, too.
"""

import contextlib
import grp
import os
import pwd
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from keyturn.client.agent_config import FilePlan, SetPlan
from keyturn.client.files import write_file
from keyturn.errors import Misconfigured, Refused
from keyturn.kit.dataclasses import dataclass

_LINK = "..data"


@dataclass(frozen=True)
class Content:
    plan: FilePlan
    content: bytes


def is_there(plan: SetPlan, contents: Sequence[Content]) -> bool:
    """Say whether every file is there with its content and mode."""
    return all(_same(plan.directory / each.plan.name, each) for each in contents)


def exchange(plan: SetPlan, contents: Sequence[Content]) -> None:
    """Put all files in their place. Raises Refused when that cannot be done; then what was there still is."""
    try:
        plan.directory.mkdir(parents=True, exist_ok=True, mode=0o755)
        if len(contents) == 1:
            _write(plan.directory / contents[0].plan.name, contents[0])
            (plan.directory / _LINK).unlink(missing_ok=True)  # of a time when there were several
            _remove_older(plan.directory, keep=set())
        else:
            _exchange_folder(plan.directory, contents)
    except OSError as error:
        raise Refused(
            f"The files of '{plan.name}' cannot be written in {plan.directory}: {error.strerror or type(error).__name__}.",
            code="client.files",
            fix="Let the user that runs the agent write there, and look whether the disk is full.",
        ) from None


def owner_of(plan: FilePlan) -> tuple[int, int]:
    """Return the ids of owner and group; -1 for who runs the agent. Raises Misconfigured for one that is not known."""
    try:
        owner = pwd.getpwnam(plan.owner).pw_uid if plan.owner else -1
        group = grp.getgrnam(plan.group).gr_gid if plan.group else -1
    except KeyError as error:
        raise Misconfigured(
            f"The owner of the file '{plan.name}' is not known on this machine: {error.args[0]}.",
            code="client.agent_file",
            fix="Name a user and a group of this machine.",
        ) from None
    return owner, group


def _exchange_folder(directory: Path, contents: Sequence[Content]) -> None:
    link = directory / _LINK
    before = link.readlink().name if link.is_symlink() else None
    folder = directory / f"..{secrets.token_hex(8)}"
    folder.mkdir(mode=0o755)
    try:
        for each in contents:
            _write(folder / each.plan.name, each)
        _point(link, folder.name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    for each in contents:
        place, target = directory / each.plan.name, f"{_LINK}/{each.plan.name}"
        if not place.is_symlink() or str(place.readlink()) != target:
            _point(place, target)
    _remove_older(directory, keep={folder.name, before})


def _remove_older(directory: Path, keep: set[str | None]) -> None:
    """Remove folders of earlier exchanges. The one before stays until the next: a reader may be in it at this moment."""
    for path in directory.glob("..*"):
        if path.is_dir() and not path.is_symlink() and path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)


def _point(link: Path, target: str) -> None:
    aside = link.with_name(f"..{secrets.token_hex(8)}.link")
    aside.symlink_to(target)
    try:
        aside.replace(link)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _write(path: Path, content: Content) -> None:
    owner, group = owner_of(content.plan)
    write_file(path, content.content, mode=content.plan.mode, owner=owner, group=group)


def _same(path: Path, expected: Content) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        status = os.fstat(file.fileno())
        return status.st_mode & 0o777 == expected.plan.mode and file.read() == expected.content
    return False
