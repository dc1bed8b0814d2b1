"""The page of a deletion whose credentials are still being removed from Entra ID: each with its state, while it changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from keyturn.errors import NotFound
from keyturn.kit.actor import Actor
from keyturn.pages.connections.places import REMOVAL, PageOfPlace, Shelf
from keyturn.rotations import removals
from keyturn.rotations.removals import Item, Stage
from keyturn.web.pages import Route, get

_MARKS = {
    Stage.WAITING: ("Waiting", "neutral", "clock"),
    Stage.RESOLVING: ("Looked for", "info", "clock"),
    Stage.REMOVING: ("Being removed", "info", "rotate"),
    Stage.CONFIRMING: ("Being confirmed", "info", "rotate"),
    Stage.REFUSED: ("Refused", "bad", "warning"),
    Stage.REMOVED: ("Removed", "good", "check"),
    Stage.NEVER_MADE: ("Never made", "neutral", "x"),
    Stage.KEPT: ("Kept", "warn", "key"),
    Stage.UNREADABLE: ("Unreadable", "bad", "warning"),
}
_SENTENCES = {
    Stage.WAITING: "It is removed as soon as nobody relies on it any more.",
    Stage.RESOLVING: "Entra ID was asked for it, and the answer was lost: whether it exists is being found out.",
    Stage.REMOVING: "Entra ID is being asked to remove it.",
    Stage.CONFIRMING: "Entra ID was asked to remove it. It counts as gone when two lists some time apart "
    "do not have it, and all of Entra ID knows of it.",
    Stage.KEPT: "It still signs in: it was chosen to be kept.",
}


@dataclass(frozen=True)
class Line:
    """A credential with its state in words."""

    item: Item
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
    application_name: str
    lines: Sequence[Line]
    left: int
    refused: bool
    reasons: Sequence[str]
    """Why Entra ID refuses, and what to do: each once."""


def removal_path(rotation_id: str) -> str:
    return REMOVAL.format(rotation_id=rotation_id)


def left_to_remove(shelf: Shelf, actor: Actor, rotation_id: str) -> bool:
    """Whether a connection that was just deleted leaves credentials to be removed."""
    try:
        return removals.one(shelf.connections.database, actor, rotation_id).left > 0
    except NotFound:  # other connections hold its credential: the rotation goes on for them
        return False


def links(shelf: Shelf, actor: Actor, project_id: str | None, *, everywhere: bool) -> list[RemovalLink]:
    """Return where the removals of a list's connections are watched. ``everywhere``: in all projects as well."""
    found = removals.under_way(shelf.connections.database, actor, project_id)
    return [
        RemovalLink(one.rotation.name, removal_path(one.rotation.id), one.left, len(one.items), one.refused)
        for one in found
        if project_id or everywhere or one.rotation.project_id is None
    ]


def routes(shelf: Shelf) -> list[Route]:
    @get(REMOVAL)
    def show_removal(actor: Actor, rotation_id: str) -> RemovalPage:
        found = removals.one(shelf.connections.database, actor, rotation_id)
        rotation = found.rotation
        place = shelf.place(actor, rotation.project_id)
        return RemovalPage(
            place=place,
            path=removal_path(rotation_id),
            name=rotation.name,
            application_name=rotation.application_name,
            lines=[Line(item, *_MARKS[item.stage], _SENTENCES.get(item.stage, "")) for item in found.items],
            left=found.left,
            refused=found.refused,
            reasons=list(dict.fromkeys(item.message for item in found.items if item.stage is Stage.REFUSED)),
        )

    return [show_removal]
