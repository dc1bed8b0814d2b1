"""Pages of somebody's own settings: password, sessions, two-step sign-in, theme; and what this server is."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import ClassVar

from keyturn.accounts.service import Access
from keyturn.api.fields import OneTimeCode, Secret
from keyturn.backup.domain import BackupFolder
from keyturn.kit.actor import Actor, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.pages.people.sign_in import browser_of
from keyturn.people.domain import Session
from keyturn.people.passwords import MIN_LENGTH
from keyturn.web.cookies import THEME, Cookie, SessionCookie
from keyturn.web.html.browser import THEMES
from keyturn.web.origin import local_path
from keyturn.web.pages import (
    BrowserContext,
    File,
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

_A_YEAR = timedelta(days=365)


@dataclass(frozen=True)
class PasswordPage(Page):
    template: ClassVar[str] = "people/password.html"
    section: ClassVar[str] = "settings"

    email: str
    role: Role
    least: int
    form_state: FormState
    admin: bool
    has_password: bool
    tab: str = "password"


@dataclass(frozen=True)
class SessionShown:
    id: str
    browser: str
    ip: str
    created_at: datetime
    seen_at: datetime
    present: bool


@dataclass(frozen=True)
class SessionsPage(Page):
    template: ClassVar[str] = "people/sessions.html"
    section: ClassVar[str] = "settings"

    sessions: Sequence[SessionShown]
    admin: bool
    tab: str = "sessions"


@dataclass(frozen=True)
class TwoStepPage(Page):
    template: ClassVar[str] = "people/two_step.html"
    section: ClassVar[str] = "settings"

    active: bool
    form_state: FormState
    admin: bool
    has_password: bool
    tab: str = "two-step"


@dataclass(frozen=True)
class EnrolPage(Page):
    """``secret`` is for typing where no camera is: it is shown to the one who sets it up, until it is confirmed."""

    template: ClassVar[str] = "people/two_step_enrol.html"
    section: ClassVar[str] = "settings"

    secret: str
    form_state: FormState


@dataclass(frozen=True)
class RecoveryPage(Page):
    template: ClassVar[str] = "people/two_step_codes.html"
    section: ClassVar[str] = "settings"

    codes: Sequence[str]


@dataclass(frozen=True)
class ServerFacts:
    """What an admin may know of this server; no secret and no path to one.

    ``data_key_ends_at`` is when the newest data key is replaced by another one.
    """

    version: str
    site_url: str | None
    database: str
    root_key: str
    data_keys: int
    newest_data_key_at: datetime | None
    data_key_ends_at: datetime | None
    backups: Sequence[BackupFolder]
    cloud: str
    rotating: bool
    clock: str
    clock_right: bool
    sign_in_tries_per_minute: int


@dataclass(frozen=True)
class ServerPage(Page):
    template: ClassVar[str] = "people/server.html"
    section: ClassVar[str] = "settings"

    server: ServerFacts
    admin: bool
    tab: str = "server"


class NewPassword(ApiModel, rename=None):
    old_password: Secret
    new_password: Secret


class GivenCode(ApiModel, rename=None):
    code: OneTimeCode


class Password(ApiModel, rename=None):
    password: Secret


class PasswordAndCode(ApiModel, rename=None):
    password: Secret
    code: OneTimeCode


class Theme(ApiModel, rename=None):
    theme: str
    back: str = "/"


def router(access: Access, limiter: Limiter, cookie: SessionCookie, server: Callable[[Actor], ServerFacts]) -> Pages:
    """Return the settings pages. ``server`` raises Forbidden for whoever may not know about it."""
    return group(
        *_password(access, limiter, cookie),
        *_sessions(access, cookie),
        *_two_step(access, limiter, cookie),
        *_others(server),
    )


def _password(access: Access, limiter: Limiter, cookie: SessionCookie) -> list[PageRoute]:
    @get("/settings")
    def show_password(actor: Actor, form_state: FormState) -> PasswordPage:
        has_password = access.users.me(actor).has_password
        return PasswordPage(actor.name, actor.role, MIN_LENGTH, form_state, _admin(actor), has_password)

    @post(
        "/settings/password",
        form_page=show_password,
        fields={"password": "old_password", "newPassword": "new_password"},
    )
    def change_password(actor: Actor, visitor: BrowserContext, form: NewPassword) -> Redirect:
        limiter.take(f"{visitor.ip} password")
        access.users.change_password(actor, form.old_password, form.new_password)
        session = access.sessions.open_for(actor, browser_of(visitor))
        toast = "The password was changed. You have been signed out everywhere else."
        return Redirect("/settings", toast, (cookie.holding(session),))

    return [show_password, change_password]


def _sessions(access: Access, cookie: SessionCookie) -> list[PageRoute]:
    @get("/settings/sessions")
    def show_sessions(actor: Actor, visitor: BrowserContext) -> SessionsPage:
        present = access.sessions.id_of(visitor.session)
        return SessionsPage([session_shown(session, present) for session in access.sessions.list(actor)], _admin(actor))

    @post("/settings/sessions/{session_id}/end")
    def end_session(actor: Actor, session_id: str) -> Redirect:
        access.sessions.end(actor, session_id)
        return Redirect("/settings/sessions", toast="The session was ended.")

    @post("/settings/sessions/end-all")
    def end_all(actor: Actor) -> Redirect:
        access.sessions.sign_out_everywhere(actor)
        return Redirect("/sign-in", "You have signed out everywhere.", (cookie.gone(),))

    return [show_sessions, end_session, end_all]


def _two_step(access: Access, limiter: Limiter, cookie: SessionCookie) -> list[PageRoute]:
    @get("/settings/two-step")
    def show_two_step(actor: Actor, form_state: FormState) -> TwoStepPage:
        has_password = access.users.me(actor).has_password
        return TwoStepPage(access.factors.active(actor), form_state, _admin(actor), has_password)

    @post("/settings/two-step/begin", form_page=show_two_step)
    def begin(actor: Actor, visitor: BrowserContext, form: Password) -> Redirect:
        limiter.take(f"{visitor.ip} password")
        access.factors.begin(actor, form.password)
        return Redirect("/settings/two-step/enrol")

    @get("/settings/two-step/enrol")
    def show_enrol(actor: Actor, form_state: FormState) -> EnrolPage:
        return EnrolPage(in_fours(access.factors.enrolment(actor).secret.reveal()), form_state)

    @get("/settings/two-step/qr.svg")
    def show_qr(actor: Actor) -> File:
        return File(qr(access.factors.enrolment(actor).address))

    @post("/settings/two-step/enrol", form_page=show_enrol)
    def confirm(actor: Actor, visitor: BrowserContext, form: GivenCode) -> PageResponse:
        limiter.take(f"{visitor.ip} code")
        codes = access.factors.confirm(actor, form.code)
        return PageResponse(RecoveryPage(codes), (cookie.holding(access.sessions.rotate(visitor.session)),))

    @post("/settings/two-step/remove", form_page=show_two_step)
    def remove(actor: Actor, visitor: BrowserContext, form: PasswordAndCode) -> Redirect:
        limiter.take(f"{visitor.ip} password")
        access.factors.remove(actor, form.password, form.code)
        fresh = access.sessions.rotate(visitor.session)
        return Redirect("/settings/two-step", "Two-step sign-in is off.", (cookie.holding(fresh),))

    return [show_two_step, begin, show_enrol, show_qr, confirm, remove]


def _others(server: Callable[[Actor], ServerFacts]) -> list[PageRoute]:
    @get("/settings/server")
    def show_server(actor: Actor) -> ServerPage:
        return ServerPage(server(actor), _admin(actor))

    @post("/settings/theme", public=True)
    def choose_theme(form: Theme) -> Redirect:
        valid = form.theme in THEMES
        lasts = _A_YEAR if valid else timedelta(0)
        return Redirect(local_path(form.back), cookies=(Cookie(THEME, form.theme if valid else "", lasts),))

    return [show_server, choose_theme]


def _admin(actor: Actor) -> bool:
    return actor.role is Role.ADMIN


def in_fours(text: str) -> str:
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def qr(address: Plaintext) -> bytes:
    """Draw the QR code. Dark on light in both themes: cameras expect it."""
    import segno  # noqa: PLC0415 - only for people who set up two-step sign-in

    out = BytesIO()
    segno.make(address.reveal(), error="m").save(out, kind="svg", border=3, light="#ffffff", dark="#10161a", scale=5)
    return out.getvalue()


_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrom", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def browser_name(user_agent: str) -> str:
    """Return a browser as people know it: ``Firefox on Windows``."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), "A browser")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    return f"{browser} on {system}" if system else browser


def session_shown(session: Session, present: str | None) -> SessionShown:
    name = browser_name(session.user_agent)
    return SessionShown(session.id, name, session.ip, session.created_at, session.seen_at, session.id == present)
