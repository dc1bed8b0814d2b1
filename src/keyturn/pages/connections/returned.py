"""Coming back from Microsoft: the callback of the sign-in by browser."""

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from keyturn.connections.flow import CALLBACK_PATH, Finished, UnverifiedCallback
from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.pages.connections.create import NOT_IN_FORMS, added, bound_to, new_page
from keyturn.pages.connections.inputs import ConnectionForm, filled_with
from keyturn.pages.connections.one import show
from keyturn.pages.connections.places import OF_ORGANIZATION, Shelf, one_path
from keyturn.web.pages import Outcome, Page, Redirect, Route, Shown, Visitor, get
from keyturn.web.schema.wire import Wire


class Callback(Wire, rename=None):
    """What Microsoft puts into the address. Nothing of it is believed here."""

    state: Plaintext = Plaintext("")
    code: Plaintext = Plaintext("")
    error: str = ""
    error_subcode: str = ""
    error_description: str = ""


@dataclass(frozen=True)
class ReturnedPage(Page):
    """A sign-in that cannot be told to be this user's, or is over."""

    template: ClassVar[str] = "connections/returned.html"
    section: ClassVar[str] = "app-connections"

    title: str
    message: str
    fix: str
    list_path: str


_OVER = {"connections.oauth_state_used": "This sign-in is over already"}
_NOTHING = "Nothing was connected"


def routes(shelf: Shelf) -> list[Route]:
    @get(CALLBACK_PATH, keeps_query=False)
    def finish_sign_in(actor: Actor, query: Callback, visitor: Visitor) -> Outcome:
        secrets = {"state": query.state.reveal(), "code": query.code.reveal()}
        brought = {name: text for name, text in (msgspec.structs.asdict(query) | secrets).items() if text}
        if not brought:
            return Shown(_signed_out(shelf), status=400)
        try:
            finished = shelf.sign_ins.finish(actor, bound_to(visitor.session), UnverifiedCallback.of(brought))
        except NOT_IN_FORMS:
            raise
        except KeyturnError as error:
            title = _OVER.get(error.code, _NOTHING)
            return Shown(ReturnedPage(title, error.message, error.fix or "", OF_ORGANIZATION), status=error.status)
        if finished.failure:
            return _again(shelf, actor, visitor, finished, finished.failure)
        return _connected(shelf, actor, finished)

    return [finish_sign_in]


def _signed_out(shelf: Shelf) -> ReturnedPage:
    """Whoever comes back without a session signs in first; what Microsoft had sent along is not kept meanwhile."""
    where = f" Do all of it at {shelf.site_url}: the address in the browser begins so." if shelf.site_url else ""
    return ReturnedPage(
        _NOTHING,
        "You were not signed in to this server at this address when Microsoft sent you back.",
        f"Connect again, now that you are signed in.{where}",
        OF_ORGANIZATION,
    )


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
