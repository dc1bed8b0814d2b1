"""Who else may use the files of the data folder, judged by their modes alone."""

import os
import shlex
import stat
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from keyturn.kit.dataclasses import dataclass

_OTHERS, _OTHERS_READ, _OTHERS_WRITE = 0o007, 0o004, 0o002
_SHARED = 0o077


class Reach(Enum):
    """Who may use a file besides its owner."""

    OWNER = "nobody"
    VOLUME = "this process's own group, as Kubernetes arranges it with fsGroup"
    OTHERS = "other users of the machine"


def reach(status: os.stat_result, folder: os.stat_result) -> Reach:
    """Say who may use what was found in the folder, or the folder itself.

    With fsGroup, Kubernetes gives all files of a volume to a group of the process, readable and writable, and marks the
    folders set-gid, at every mount. Anything wider, or for another group, was done by somebody else.
    """
    if not status.st_mode & _SHARED:
        return Reach.OWNER
    never = _OTHERS if stat.S_ISDIR(status.st_mode) else _OTHERS | stat.S_IXGRP
    ours = {os.getegid(), *os.getgroups()}
    arranged = status.st_gid in ours and folder.st_mode & stat.S_ISGID and folder.st_gid == status.st_gid
    return Reach.VOLUME if arranged and not status.st_mode & never else Reach.OTHERS


@dataclass(frozen=True)
class Shared:
    """A file or folder that is not its owner's alone, in a sentence, and what to do about it."""

    message: str
    fix: str


def shared_files(folder: Path, names: Iterable[str]) -> list[Shared]:
    """Return what of the folder, and of these files in it, others may use. What is not there is passed over."""
    looks = {path: _look(path) for path in (folder, *(folder / name for name in names))}
    above = looks[folder]
    if above is None:
        return []
    there = {path: status for path, status in looks.items() if status is not None}
    volume = [path for path, status in there.items() if reach(status, above) is Reach.VOLUME]
    wide = [_wide(path, status) for path, status in there.items() if reach(status, above) is Reach.OTHERS]
    return wide + ([_of_volume(volume, above)] if volume else [])


def _look(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None  # not there, or not to be looked at: opening it tells so


def _wide(path: Path, status: os.stat_result) -> Shared:
    mode, is_folder = stat.S_IMODE(status.st_mode), stat.S_ISDIR(status.st_mode)
    who = "EVERY user of this machine" if mode & _OTHERS else f"Every member of group {status.st_gid}"
    may = _may(mode, is_folder=is_folder)
    kind = "data folder" if is_folder else "file"
    right = "700" if is_folder else "600"
    return Shared(
        f"{who} may {may} the {kind} {path} (mode {mode:04o}).", f"Run: chmod {right} {shlex.quote(str(path))}"
    )


def _may(mode: int, *, is_folder: bool) -> str:
    bits = mode if mode & _OTHERS else mode >> 3
    if bits & _OTHERS_WRITE:
        return "add and remove files in" if is_folder else "change"
    if bits & _OTHERS_READ:
        return "list" if is_folder else "read"
    return "enter" if is_folder else "run"


def _of_volume(paths: list[Path], folder: os.stat_result) -> Shared:
    modes = ", ".join(f"{path} (mode {stat.S_IMODE(path.stat().st_mode):04o})" for path in paths)
    message = f"All programs of group {folder.st_gid} may use what the volume gave to it: {modes}."
    fix = (
        "Let no other program run with this group, or let the volume keep its modes: "
        f"fsGroupChangePolicy: OnRootMismatch, and once: chmod 700 {shlex.quote(str(paths[0]))}"
    )
    return Shared(message, fix)
