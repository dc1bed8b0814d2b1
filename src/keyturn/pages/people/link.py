"""The page behind a one-time link: somebody chooses their password."""

from datetime import datetime
from typing import ClassVar

from keyturn.accounts.service import Access
from keyturn.api.fields import Secret
from keyturn.errors import KeyturnError
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.pages.people.sign_in import browser_of
from keyturn.people.domain import Purpose
from keyturn.people.links import PATH
from keyturn.web.pages import BrowserContext, FormState, Page, PageResponse, Pages, Redirect, get, group, post
from keyturn.web.ratelimit import Limiter
from keyturn.web.schema.wire import ApiModel


@dataclass(frozen=True)
class ChooseByLinkPage(Page):
    template: ClassVar[str] = "people/link.html"

    token: str
    email: str
    invited: bool
    expires_at: datetime
    form_state: FormState


@dataclass(frozen=True)
class DeadLinkPage(Page):
    template: ClassVar[str] = "people/link_dead.html"

    message: str
    fix: str


class ChosenByLink(ApiModel, rename=None):
    password: Secret


def router(access: Access, limiter: Limiter) -> Pages:
    """Return the page. Looking at it changes nothing; ``limiter`` counts the tries by address."""

    @get(PATH, public=True)
    def show_link(visitor: BrowserContext, token: str, form_state: FormState) -> ChooseByLinkPage | PageResponse:
        limiter.take(f"{visitor.ip} link")
        try:
            link = access.links.look(Plaintext(token))
        except KeyturnError as error:
            return PageResponse(DeadLinkPage(error.message, error.fix or ""), status=error.status)
        invited = link.purpose is Purpose.INVITATION
        return ChooseByLinkPage(token, link.user.email, invited, link.expires_at, form_state)

    @post(PATH, form_page=show_link, public=True, fields={"newPassword": "password"})
    def choose(visitor: BrowserContext, token: str, form: ChosenByLink) -> Redirect:
        limiter.take(f"{visitor.ip} login")
        access.links.redeem(Plaintext(token), form.password, browser_of(visitor).origin)
        limiter.give_back(f"{visitor.ip} login")
        return Redirect("/sign-in", toast="Your password was saved. Sign in with it.")

    return group(show_link, choose)
