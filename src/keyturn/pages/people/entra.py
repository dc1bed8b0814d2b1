"""Pages of signing in through Entra ID: the way there and back, and why somebody was not let in."""

from typing import ClassVar

from msgspec import field

from keyturn.errors import KeyturnError, Unavailable
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.pages.people.sign_in import HOME, browser_of
from keyturn.sso.flow import CALLBACK_PATH, LIFE, Callback
from keyturn.sso.service import EntraSignIn
from keyturn.web.cookies import SessionCookie
from keyturn.web.origin import local_path
from keyturn.web.pages import BrowserContext, Outcome, Page, PageResponse, Pages, Redirect, get, group
from keyturn.web.ratelimit import Limiter
from keyturn.web.schema.wire import ApiModel

START = "/sign-in/entra"
_COUNTED_AS = "login"


@dataclass(frozen=True)
class RefusedPage(Page):
    """Why Entra ID, or this server, did not let somebody in."""

    template: ClassVar[str] = "people/entra_refused.html"

    message: str
    fix: str


class Wish(ApiModel, rename=None):
    next: str = ""
    account: str = ""


class CallbackQuery(ApiModel, rename=None):
    """What Entra ID puts into the address; nothing at all where somebody opens it by hand."""

    state: Plaintext = Plaintext("")
    code: Plaintext | None = None
    iss: str | None = None
    error: str | None = None
    error_subcode: str | None = field(default=None)
    error_description: str | None = field(default=None)

    def command(self) -> Callback:
        said = {
            "error": self.error,
            "error_subcode": self.error_subcode,
            "error_description": self.error_description,
        }
        return Callback.of(self.state, self.code, self.iss, said)


def router(entra: EntraSignIn, limiter: Limiter, cookie: SessionCookie) -> Pages:
    """Return the two addresses of a sign-in."""

    @get(START, public=True, keeps_query=False)
    def go_to_entra(query: Wish) -> Redirect:
        away = entra.begin(local_path(query.next, HOME), choose=query.account == "other")
        return Redirect(away.url, cookies=(cookie.away(away.cookie, LIFE),))

    @get(CALLBACK_PATH, public=True, keeps_query=False)
    def come_back(visitor: BrowserContext, query: CallbackQuery) -> Outcome:
        limiter.take(f"{visitor.ip} {_COUNTED_AS}")
        try:
            arrival = entra.finish(query.command(), visitor.away, browser_of(visitor), visitor.session)
        except Unavailable:
            raise
        except KeyturnError as error:
            return PageResponse(RefusedPage(error.message, error.fix or ""), (cookie.back(),), error.status)
        limiter.give_back(f"{visitor.ip} {_COUNTED_AS}")
        return Redirect(local_path(arrival.next, HOME), cookies=(cookie.back(), cookie.holding(arrival.session)))

    return group(go_to_entra, come_back)
