"""Pages on which somebody sets up two-step sign-in right after signing in, because everybody needs it."""

from collections.abc import Sequence
from typing import ClassVar

from keyturn.accounts.service import Access
from keyturn.api.fields import OneTimeCode
from keyturn.errors import NotFound, Unauthenticated
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.people.settings import in_fours, qr
from keyturn.pages.people.sign_in import HOME, NextQuery, second_factor_page
from keyturn.people.sign_in import second_factor_needed
from keyturn.web.cookies import SessionCookie
from keyturn.web.origin import local_path
from keyturn.web.pages import BrowserContext, File, FormState, Page, PageResponse, Pages, Redirect, get, group, post
from keyturn.web.ratelimit import Limiter
from keyturn.web.schema.wire import ApiModel

HERE = "/sign-in/two-step"


@dataclass(frozen=True)
class NeededPage(Page):
    """``secret`` is for typing where no camera is; None: the set-up has not begun."""

    template: ClassVar[str] = "people/two_step_needed.html"

    email: str
    secret: str | None
    next: str
    form_state: FormState


@dataclass(frozen=True)
class NeededCodesPage(Page):
    template: ClassVar[str] = "people/two_step_needed_codes.html"

    codes: Sequence[str]
    next: str


class BeginForm(ApiModel, rename=None):
    next: str = ""


class CodeForm(ApiModel, rename=None):
    code: OneTimeCode
    next: str = ""


def router(access: Access, limiter: Limiter, cookie: SessionCookie) -> Pages:
    """Return the pages. A session that needs them is good for nothing else; ``limiter`` counts the tries by address."""

    def whose(visitor: BrowserContext) -> Actor:
        actor = access.sessions.awaits_second_factor(visitor.session)
        if actor is None:
            raise second_factor_needed()
        return actor

    @get(HERE, public=True)
    def show_needed(visitor: BrowserContext, query: NextQuery, form_state: FormState) -> NeededPage | Redirect:
        try:
            actor = whose(visitor)
        except Unauthenticated:
            return Redirect("/sign-in")
        try:
            secret = in_fours(access.factors.enrolment(actor).secret.reveal())
        except NotFound:
            secret = None
        return NeededPage(actor.name, secret, query.next, form_state)

    @post(f"{HERE}/begin", form_page=show_needed, public=True)
    def begin(visitor: BrowserContext, form: BeginForm) -> Redirect:
        access.factors.begin_at_sign_in(whose(visitor))
        return Redirect(second_factor_page(local_path(form.next, HOME)))

    @get(f"{HERE}/qr.svg", public=True)
    def show_qr(visitor: BrowserContext) -> File:
        return File(qr(access.factors.enrolment(whose(visitor)).address))

    @post(HERE, form_page=show_needed, public=True)
    def confirm(visitor: BrowserContext, form: CodeForm) -> PageResponse:
        limiter.take(f"{visitor.ip} code")
        codes = access.factors.confirm(whose(visitor), form.code)
        page = NeededCodesPage(codes, local_path(form.next, HOME))
        return PageResponse(page, (cookie.holding(access.sessions.rotate(visitor.session)),))

    return group(show_needed, begin, show_qr, confirm)
