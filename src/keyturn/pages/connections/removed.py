"""The page of a deletion whose credentials are still being removed at the provider: each with its state, while it changes."""

from collections.abc import Sequence
from typing import ClassVar

from keyturn.errors import Forbidden, NotFound
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.connections.urls import REMOVAL, ConnectionPages, PageOfPlace
from keyturn.ports.manifest import Manifest
from keyturn.rotations.domain import RotationKind
from keyturn.rotations.removals import RemovalItem, Removals, RemovalStage
from keyturn.web.pages import PageRoute, get

_MARKS = {
    RemovalStage.WAITING: ("Waiting", "neutral", "clock"),
    RemovalStage.RESOLVING: ("Looked for", "info", "clock"),
    RemovalStage.REMOVING: ("Being removed", "info", "rotate"),
    RemovalStage.CONFIRMING: ("Being confirmed", "info", "rotate"),
    RemovalStage.REFUSED: ("Refused", "bad", "warning"),
    RemovalStage.REMOVED: ("Removed", "good", "check"),
    RemovalStage.NEVER_MADE: ("Never made", "neutral", "x"),
    RemovalStage.KEPT: ("Kept", "warn", "key"),
    RemovalStage.UNREADABLE: ("Unreadable", "bad", "warning"),
}
_SENTENCES = {
    RemovalStage.WAITING: "It is removed as soon as nobody relies on it any more.",
    RemovalStage.RESOLVING: "{service} was asked for it, and the answer was lost: whether it exists is being found out.",
    RemovalStage.REMOVING: "{service} is being asked to remove it.",
    RemovalStage.CONFIRMING: "{service} was asked to remove it. It counts as gone when two lists some time apart "
    "do not have it, and all of {service} knows of it.",
    RemovalStage.KEPT: "It still signs in: it was chosen to be kept.",
}


@dataclass(frozen=True)
class RemovalLine:
    """A credential with its state in words."""

    item: RemovalItem
    text: str
    tone: str
    symbol: str
    sentence: str


@dataclass(frozen=True)
class RemovalLink:
    name: str
    path: str
    left: int
    count: int
    refused: bool


@dataclass(frozen=True)
class RemovalPage(PageOfPlace):
    template: ClassVar[str] = "connections/removal.html"

    path: str
    name: str
    deleted: str
    """What was deleted."""
    manifest: Manifest
    application_name: str
    lines: Sequence[RemovalLine]
    left: int
    refused: bool
    reasons: Sequence[str]
    """Why the provider refuses, and what to do: each once."""


def _line(item: RemovalItem, service: str) -> RemovalLine:
    return RemovalLine(item, *_MARKS[item.stage], _SENTENCES.get(item.stage, "").format(service=service))


def removal_path(rotation_id: str) -> str:
    return REMOVAL.format(rotation_id=rotation_id)


def left_to_remove(removals: Removals, actor: Actor, rotation_id: str) -> bool:
    """Whether what was just deleted leaves credentials to be removed, and the actor may watch that."""
    try:
        return removals.get(actor, rotation_id).left > 0
    except (NotFound, Forbidden):  # others hold its credential: the rotation goes on for them
        return False


def links(pages: ConnectionPages, actor: Actor, project_id: str | None, *, everywhere: bool) -> list[RemovalLink]:
    """Return where the removals of a list's connections are watched. ``everywhere``: in all projects as well."""
    matches = pages.removals.under_way(actor, project_id)
    return [
        RemovalLink(
            removal.rotation.name, removal_path(removal.rotation.id), removal.left, len(removal.items), removal.refused
        )
        for removal in matches
        if project_id or everywhere or removal.rotation.project_id is None
    ]


def routes(pages: ConnectionPages) -> list[PageRoute]:
    @get(REMOVAL)
    def show_removal(actor: Actor, rotation_id: str) -> RemovalPage:
        removal = pages.removals.get(actor, rotation_id)
        rotation = removal.rotation
        scope = pages.place(actor, rotation.project_id)
        manifest = pages.providers.of_kind(rotation.credential_kind).manifest
        return RemovalPage(
            place=scope,
            path=removal_path(rotation_id),
            name=rotation.name,
            deleted="connection" if rotation.kind is RotationKind.CONNECTION else "secret rotation",
            manifest=manifest,
            application_name=rotation.application_name,
            lines=[_line(item, manifest.service) for item in removal.items],
            left=removal.left,
            refused=removal.refused,
            reasons=list(dict.fromkeys(item.message for item in removal.items if item.stage is RemovalStage.REFUSED)),
        )

    return [show_removal]
