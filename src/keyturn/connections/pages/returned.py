"""Coming back from Microsoft: the callback of the sign-in by browser."""

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from keyturn.connections.flow import CALLBACK_PATH, Finished, UnverifiedCallback
from keyturn.connections.pages.create import NOT_IN_FORMS, added, bound_to, new_page
from keyturn.connections.pages.inputs import ConnectionForm, filled_with
from keyturn.connections.pages.one import show
from keyturn.connections.pages.places import OF_ORGANIZATION, Shelf, one_path
from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor
from keyturn.web.pages import Outcome, Page, Redirect, Route, Shown, Visitor, get
from keyturn.web.wire import Wire


class Callback(Wire, rename=None):
    """What Microsoft puts into the address. Nothing of it is believed here."""

    state: str = ""
    code: str = ""
    error: str = ""
    error_subcode: str = ""
    error_description: str = ""

    def __repr__(self) -> str:
        return "Callback(***)"


@dataclass(frozen=True)
class ReturnedPage(Page):
    """A sign-in that cannot be told to be this user's, or is over."""

    template: ClassVar[str] = "connections/returned.html"
    section: ClassVar[str] = "app-connections"

    message: str
    fix: str
    list_path: str


def routes(shelf: Shelf) -> list[Route]:
    @get(CALLBACK_PATH)
    def finish_sign_in(actor: Actor, query: Callback, visitor: Visitor) -> Outcome:
        brought = {name: text for name, text in msgspec.structs.asdict(query).items() if text}
        try:
            finished = shelf.sign_ins.finish(actor, bound_to(visitor.session), UnverifiedCallback.of(brought))
        except NOT_IN_FORMS:
            raise
        except KeyturnError as error:
            return Shown(ReturnedPage(error.message, error.fix or "", OF_ORGANIZATION), status=error.status)
        if finished.failure:
            return _again(shelf, actor, visitor, finished, finished.failure)
        return _connected(shelf, actor, finished)

    return [finish_sign_in]


def _connected(shelf: Shelf, actor: Actor, finished: Finished) -> Redirect:
    form, connection = finished.form, finished.connection
    back = form.return_to or shelf.place(actor, form.project_id).list_path
    name = connection.name if connection else form.name or ""
    return Redirect(back, toast=f"{name} is connected again." if form.connection_id else added(name))


def _again(shelf: Shelf, actor: Actor, visitor: Visitor, finished: Finished, failure: KeyturnError) -> Shown:
    """Show where the sign-in began with what went wrong, and all that was filled in."""
    form = finished.form
    if form.connection_id:
        filled = filled_with(one_path(form.connection_id, "reconnect"), ConnectionForm(), failure)
        return Shown(show(shelf, actor, form.connection_id, visitor.zone, filled), status=failure.status)
    place = shelf.place(actor, form.project_id)
    typed = ConnectionForm(form.name or "", form.description or "", "oauth", form.tenant_id)
    filled = filled_with(place.new_path(), typed, failure)
    return Shown(new_page(shelf, actor, place, visitor.zone, filled), status=failure.status)
