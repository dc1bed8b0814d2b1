"""Something done with several connections of a list: first a page that names them, then how it went for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from keyturn.connections.domain import Connection
from keyturn.connections.flow import check_return_path
from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor
from keyturn.pages.connections.urls import OF_ORGANIZATION, ConnectionPages, PageOfPlace
from keyturn.rotations.commands import ConnectionChange
from keyturn.web.pages import PageRoute, get, post
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel

SEVERAL = f"{OF_ORGANIZATION}/several"
MOST = 100
"""As many as a page of the list has."""
_WORDS = {
    "rotate": ("Rotate now", "Each gets a new credential; what was used so far goes.", "The rotation has begun."),
    "pause": ("Pause rotation", "Nothing of these is rotated until it is resumed. Their secrets end when they end.", "Paused."),
    "resume": ("Resume rotation", "They rotate on their schedules again, at once what is due.", "Resumed."),
}  # fmt: skip


class SeveralForm(ApiModel, rename=None):
    """``act`` is what is to be done with the connections of these ids; ``back`` is the list, a path of this server."""

    act: Literal["rotate", "pause", "resume"] = "rotate"
    id: Annotated[list[Annotated[Trimmed, Meta(max_length=36)]], Meta(max_length=MOST)] = []  # noqa: RUF012 - a default of msgspec, copied
    back: Annotated[Trimmed, Meta(max_length=2000)] = OF_ORGANIZATION


@dataclass(frozen=True)
class Outcome:
    """How it went for one; nothing yet while ``done`` is None."""

    connection: Connection
    done: bool | None = None
    message: str = ""
    fix: str = ""


@dataclass(frozen=True)
class SeveralPage(PageOfPlace):
    template: ClassVar[str] = "connections/several.html"

    act: str
    title: str
    text: str
    back: str
    outcomes: Sequence[Outcome]
    asked: bool
    """Whether it is still to be confirmed."""


def routes(pages: ConnectionPages) -> list[PageRoute]:
    @get(SEVERAL)
    def confirm(actor: Actor, query: SeveralForm) -> SeveralPage:
        check_return_path(query.back)
        return _page(pages, actor, query, [Outcome(pages.connections.get(actor, one)) for one in query.id])

    @post(SEVERAL)
    def act(actor: Actor, form: SeveralForm) -> SeveralPage:
        check_return_path(form.back)
        connections = [pages.connections.get(actor, one) for one in form.id]  # all or none are looked at
        return _page(pages, actor, form, [_done(pages, actor, form.act, one) for one in connections], asked=False)

    return [confirm, act]


def _done(pages: ConnectionPages, actor: Actor, act: str, connection: Connection) -> Outcome:
    """Do it with one. What is refused is told, and the others are done all the same."""
    try:
        if act == "rotate":
            pages.rotations.rotate_now(actor, connection.id)
        else:
            pages.rotations.update(actor, connection.id, ConnectionChange(enabled=act == "resume"))
    except KeyturnError as error:
        return Outcome(connection, done=False, message=error.message, fix=error.fix or "")
    return Outcome(connection, done=True, message=_WORDS[act][2])


def _page(
    pages: ConnectionPages, actor: Actor, form: SeveralForm, outcomes: Sequence[Outcome], *, asked: bool = True
) -> SeveralPage:
    title, text, _ = _WORDS[form.act]
    return SeveralPage(pages.place(actor, None), form.act, title, text, form.back, outcomes, asked)
