"""The callback of the sign-in by browser."""

from typing import ClassVar

from keyturn.api.connections.sign_in_schemas import FinishSignIn
from keyturn.connections.flow import CALLBACK_PATH, SignInResult
from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.pages.connections.create import NOT_IN_FORMS, added_toast, new_page
from keyturn.pages.connections.detail import show
from keyturn.pages.connections.forms import ConnectionForm, form_state_of
from keyturn.pages.connections.urls import OF_ORGANIZATION, ConnectionPages, connection_path
from keyturn.ports.sign_in import AppProvider
from keyturn.web.pages import BrowserContext, Outcome, Page, PageResponse, PageRoute, Redirect, get
from keyturn.web.schema.validate import parse


class CallbackQuery(FinishSignIn):
    """What the provider puts into the address; nothing at all where somebody opens it by hand."""

    state: Plaintext = Plaintext("")


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


def routes(pages: ConnectionPages) -> list[PageRoute]:
    @get(CALLBACK_PATH, keeps_query=False)
    def finish_sign_in(actor: Actor, query: CallbackQuery, visitor: BrowserContext) -> Outcome:
        callback = query.command()
        if callback.is_empty:
            return PageResponse(_signed_out(pages), status=400)
        try:
            result = pages.sign_ins.finish(actor, visitor.session, callback)
        except NOT_IN_FORMS:
            raise
        except KeyturnError as error:
            title = _OVER.get(error.code, _NOTHING)
            return PageResponse(
                ReturnedPage(title, error.message, error.fix or "", OF_ORGANIZATION), status=error.status
            )
        if result.failure:
            return _again(pages, actor, visitor, result, result.failure)
        return _to_list(pages, actor, result)

    return [finish_sign_in]


def _signed_out(pages: ConnectionPages) -> ReturnedPage:
    """Whoever comes back without a session signs in first; what was sent along is not kept meanwhile."""
    where = f" Do all of it at {pages.site_url}: the address in the browser begins so." if pages.site_url else ""
    return ReturnedPage(
        _NOTHING,
        f"You were not signed in to this server at this address when {_provider(pages).manifest.vendor} sent you back.",
        f"Connect again, now that you are signed in.{where}",
        OF_ORGANIZATION,
    )


def _to_list(pages: ConnectionPages, actor: Actor, result: SignInResult) -> Redirect:
    form, connection = result.form, result.connection
    back = form.return_to or pages.place(actor, form.project_id).list_path
    name = connection.name if connection else form.name or ""
    toast = f"{name} is connected again." if form.connection_id else added_toast(_provider(pages).manifest, name)
    return Redirect(back, toast=toast)


def _again(
    pages: ConnectionPages, actor: Actor, visitor: BrowserContext, result: SignInResult, failure: KeyturnError
) -> PageResponse:
    """Show where the sign-in began with what went wrong, and all that was filled in."""
    form = result.form
    if form.connection_id:
        form_state = form_state_of(connection_path(form.connection_id, "reconnect"), ConnectionForm(), failure)
        return PageResponse(show(pages, actor, form.connection_id, visitor.zone, form_state), status=failure.status)
    scope = pages.place(actor, form.project_id)
    provider, method = _provider(pages), pages.providers.browser
    texts = {"name": form.name or "", "description": form.description or "", "method": method.key}
    values = parse(pages.forms.connection, texts | {"tenantId": form.tenant_id})
    form_state = form_state_of(scope.new_path(provider.manifest.app), values, failure)
    return PageResponse(new_page(pages, provider, actor, scope, visitor.zone, form_state), status=failure.status)


def _provider(pages: ConnectionPages) -> AppProvider:
    return pages.providers.of(pages.providers.browser.app)
