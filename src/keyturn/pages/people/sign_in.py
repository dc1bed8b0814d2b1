"""Pages without a session: the first start, and signing in and out."""

from dataclasses import replace
from typing import ClassVar
from urllib.parse import quote

from keyturn.accounts.service import Access
from keyturn.api.fields import Email, Name, OneTimeCode, Secret, SetupCode
from keyturn.errors import Unauthenticated
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.people.domain import person_actor
from keyturn.people.sessions import BrowserInfo
from keyturn.tokens.domain import Origin
from keyturn.web.cookies import SessionCookie
from keyturn.web.origin import local_path
from keyturn.web.pages import (
    BrowserContext,
    FormState,
    Page,
    PageResponse,
    PageRoute,
    Pages,
    Redirect,
    get,
    group,
    post,
)
from keyturn.web.ratelimit import Limiter
from keyturn.web.schema.wire import ApiModel

HOME = "/overview"


@dataclass(frozen=True)
class Ways:
    """How people sign in here: through Entra ID as well, and whether only administrators have a password."""

    entra: bool = False
    administrators_only: bool = False


ALL_BY_PASSWORD = Ways()


@dataclass(frozen=True)
class SetupPage(Page):
    template: ClassVar[str] = "people/setup.html"

    form_state: FormState


@dataclass(frozen=True)
class SetupDonePage(Page):
    template: ClassVar[str] = "people/setup_done.html"

    organization: str
    token: str


@dataclass(frozen=True)
class SignInPage(Page):
    template: ClassVar[str] = "people/sign_in.html"

    next: str
    form_state: FormState
    ended: bool = False
    has_saved_form: bool = False
    ways: Ways = ALL_BY_PASSWORD


@dataclass(frozen=True)
class CodePage(Page):
    template: ClassVar[str] = "people/code.html"

    next: str
    form_state: FormState


@dataclass(frozen=True)
class ChoosePage(Page):
    template: ClassVar[str] = "people/choose_password.html"

    next: str
    form_state: FormState


class Chosen(ApiModel, rename=None):
    password: Secret
    next: str = ""


class FirstAdmin(ApiModel, rename=None):
    setup_code: SetupCode
    organization: Name
    email: Email
    password: Secret


class SignInForm(ApiModel, rename=None):
    email: Email
    password: Secret
    next: str = ""


class SecondFactorForm(ApiModel, rename=None):
    code: OneTimeCode
    next: str = ""


class NextQuery(ApiModel, rename=None):
    next: str = ""
    ended: str = ""


@dataclass(frozen=True)
class SignInPages:
    """What these pages work with."""

    access: Access
    limiter: Limiter
    cookie: SessionCookie
    ways: Ways

    def knows(self, visitor: BrowserContext) -> bool:
        """Say whether the visitor has signed in."""
        try:
            self.access.sessions.recall(visitor.session or Plaintext(""), visitor.ip)
        except Unauthenticated:
            return False
        return True


def browser_of(visitor: BrowserContext) -> BrowserInfo:
    return BrowserInfo(Origin(visitor.ip, visitor.request_id), visitor.user_agent)


def router(access: Access, limiter: Limiter, cookie: SessionCookie, ways: Ways = ALL_BY_PASSWORD) -> Pages:
    """Return the pages that need no session."""
    doors = SignInPages(access, limiter, cookie, ways)
    return group(*_first_start(doors), *_signing_in(doors), *_second_step(doors))


def _first_start(doors: SignInPages) -> list[PageRoute]:
    @get("/", public=True)
    def show_start() -> Redirect:
        return Redirect(HOME if doors.access.bootstrapped() else "/setup")

    @get("/setup", public=True)
    def show_setup(form_state: FormState) -> SetupPage | Redirect:
        return Redirect("/sign-in") if doors.access.bootstrapped() else SetupPage(form_state)

    @post("/setup", form_page=show_setup, public=True, fields={"setupCode": "setup_code", "newPassword": "password"})
    def set_up(visitor: BrowserContext, form: FirstAdmin) -> PageResponse:
        doors.limiter.take(f"{visitor.ip} bootstrap")
        first_start = doors.access.set_up(form.setup_code, form.email, form.password, form.organization)
        actor = replace(person_actor(first_start.user), request_id=visitor.request_id)
        session = doors.access.sessions.open_for(actor, browser_of(visitor))
        page = SetupDonePage(first_start.organization.name, first_start.token.reveal())
        return PageResponse(page, (doors.cookie.holding(session),))

    return [show_start, show_setup, set_up]


def _signing_in(doors: SignInPages) -> list[PageRoute]:
    @get("/sign-in", public=True)
    def show_sign_in(visitor: BrowserContext, query: NextQuery, form_state: FormState) -> SignInPage | Redirect:
        if not doors.access.bootstrapped():
            return Redirect("/setup")
        if not form_state.sent and doors.knows(visitor):
            return Redirect(local_path(query.next, HOME))
        if not form_state.sent and doors.access.sessions.awaits_password(visitor.session):
            return Redirect(_password_page(local_path(query.next, HOME)))
        if not form_state.sent and doors.access.sessions.awaits_second_factor(visitor.session):
            return Redirect(second_factor_page(local_path(query.next, HOME)))
        saved = visitor.saved_form is not None
        return SignInPage(local_path(query.next, ""), form_state, bool(query.ended), saved, doors.ways)

    @post("/sign-in", form_page=show_sign_in, public=True)
    def sign_in(visitor: BrowserContext, form: SignInForm) -> Redirect:
        doors.limiter.take(f"{visitor.ip} login")
        new_session = doors.access.sessions.sign_in(
            form.email, form.password, browser_of(visitor), before=visitor.session
        )
        doors.limiter.trust(f"{visitor.ip} login")
        if not new_session.needs_code:
            doors.limiter.give_back(f"{visitor.ip} login")
        to = local_path(form.next, HOME)
        return Redirect(
            code_page(to) if new_session.needs_code else to, cookies=(doors.cookie.holding(new_session.token),)
        )

    @post("/sign-out", public=True)
    def sign_out(visitor: BrowserContext) -> Redirect:
        doors.access.sessions.sign_out(visitor.session, visitor.request_id)
        return Redirect("/sign-in", toast="You have signed out.", cookies=(doors.cookie.gone(),))

    return [show_sign_in, sign_in, sign_out]


def _second_step(doors: SignInPages) -> list[PageRoute]:
    @get("/sign-in/code", public=True)
    def show_code(visitor: BrowserContext, query: NextQuery, form_state: FormState) -> CodePage | Redirect:
        if not doors.access.sessions.awaits_code(visitor.session):
            return Redirect("/sign-in")
        return CodePage(query.next, form_state)

    @post("/sign-in/code", form_page=show_code, public=True)
    def give_code(visitor: BrowserContext, form: SecondFactorForm) -> Redirect:
        doors.limiter.take(f"{visitor.ip} login")
        token = doors.access.sessions.give_code(visitor.session, form.code, browser_of(visitor))
        doors.limiter.give_back(f"{visitor.ip} login")
        return Redirect(local_path(form.next, HOME), cookies=(doors.cookie.holding(token),))

    @get("/sign-in/password", public=True)
    def show_choice(visitor: BrowserContext, query: NextQuery, form_state: FormState) -> ChoosePage | Redirect:
        if not doors.access.sessions.awaits_password(visitor.session):
            return Redirect("/sign-in")
        return ChoosePage(query.next, form_state)

    @post("/sign-in/password", form_page=show_choice, public=True, fields={"newPassword": "password"})
    def choose(visitor: BrowserContext, form: Chosen) -> Redirect:
        doors.limiter.take(f"{visitor.ip} login")
        token = doors.access.sessions.choose_password(visitor.session, form.password, browser_of(visitor))
        doors.limiter.give_back(f"{visitor.ip} login")
        return Redirect(local_path(form.next, HOME), "Your password was saved.", (doors.cookie.holding(token),))

    return [show_code, give_code, show_choice, choose]


def _password_page(to: str) -> str:
    return "/sign-in/password" if to == HOME else f"/sign-in/password?next={quote(to, safe='/')}"


def second_factor_page(to: str) -> str:
    """Return where a second factor is set up by somebody who needs one before anything else."""
    return "/sign-in/two-step" if to == HOME else f"/sign-in/two-step?next={quote(to, safe='/')}"


def code_page(to: str) -> str:
    """Return where the second step is given; afterwards the browser goes on to ``to``."""
    return "/sign-in/code" if to == HOME else f"/sign-in/code?next={quote(to, safe='/')}"
