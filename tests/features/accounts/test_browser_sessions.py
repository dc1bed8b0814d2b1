"""Signing in with a browser, over HTTP: cookies, where requests come from, the second step, and what goes out around it."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pyotp import TOTP

from keyturn.accounts.service import Access
from keyturn.alarms.leavers import Leavers
from keyturn.audit.checks import ChainChecks
from keyturn.audit.service import AuditTrail
from keyturn.backup.domain import BackupFolder
from keyturn.crypto.keyring import Keyring, KeyringDigests
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.unit import Database
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.pages import TEMPLATES
from keyturn.pages import audit as audit_pages
from keyturn.pages.people import link as link_pages
from keyturn.pages.people import members as members_pages
from keyturn.pages.people import person as person_pages
from keyturn.pages.people import second_factor as second_factor_pages
from keyturn.pages.people import settings as settings_pages
from keyturn.pages.people import sign_in as sign_in_pages
from keyturn.pages.people.settings import ServerFacts
from keyturn.pages.project_header import ProjectHeaders
from keyturn.pages.projects import projects as project_pages
from keyturn.projects.service import Projects
from keyturn.settings.model import Settings
from keyturn.web.cookies import SessionCookie
from keyturn.web.html.keeping import Keeper
from keyturn.web.html.render import Renderer
from keyturn.web.pages import Site
from keyturn.web.ratelimit import Limiter
from keyturn.web.server.app import build
from tests.client import Client
from tests.features.accounts.conftest import GOOD_PASSWORD
from tests.features.accounts.people import IDS, START
from tests.features.accounts.site import invitations

EMAIL = "ann@acme.test"
ROOT = GivenRoot(RootKeys(RootKey(bytes(32))))
HOUR = 3600


class Tab:
    """A browser: it keeps cookies, and says where its requests come from as browsers do."""

    def __init__(self, client: Client, clock: MovableClock) -> None:
        self.client, self.clock = client, clock

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path, headers={"sec-fetch-site": "none", "accept": "text/html"}, follow_redirects=False)  # type: ignore[return-value]

    def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        """Send a form of our own page, unless ``headers`` say otherwise."""
        all_headers = {name.replace("_", "-"): value for name, value in headers.items()} or {
            "sec-fetch-site": "same-origin"
        }
        all_headers |= {"accept": "text/html"}
        return self.client.post(path, data=form or {}, headers=all_headers, follow_redirects=False)  # type: ignore[return-value]

    def sign_in(self, password: str = GOOD_PASSWORD) -> httpx.Response:
        return self.post("/sign-in", {"email": EMAIL, "password": password})

    @property
    def session(self) -> str | None:
        cookie: str | None = self.client.cookies.get("keyturn_session")
        return cookie

    @session.setter
    def session(self, value: str) -> None:
        self.client.cookies.clear()
        self.client.cookies.set("keyturn_session", value, domain="keyturn.localhost")

    def is_in(self) -> bool:
        return self.get("/projects").status_code == 200


@pytest.fixture
def tab(database: Database, clock: MovableClock, access: Access, tmp_path: Path) -> Iterator[Tab]:
    access.bootstrap(EMAIL, Plaintext(GOOD_PASSWORD), "Acme")
    projects, limiter, cookie = (
        Projects(database, clock, IDS),
        Limiter(clock, per_minute=1000),
        SessionCookie(secure=False),
    )
    heads, keeper = ProjectHeaders(access, projects), Keeper(KeyringDigests(Keyring.open(database, ROOT, clock)), clock)
    app = build(
        [
            sign_in_pages.router(access, limiter, cookie),
            settings_pages.router(access, limiter, cookie, lambda _actor: SERVER),
            members_pages.router(access, invitations(database, clock, access, projects), projects),
            link_pages.router(access, limiter),
            second_factor_pages.router(access, limiter, cookie),
            person_pages.router(Leavers(database, clock), access, invitations(database, clock, access, projects)),
            audit_pages.router(AuditTrail(database), ChainChecks(database, clock), access),
            project_pages.router(projects, heads),
        ],
        authenticate=access.authenticate,
        settings=Settings(data_dir=tmp_path, database_url="sqlite://"),
        clock=clock,
        ids=IDS,
        site=Site(
            Renderer(clock, folders=(TEMPLATES,)),
            access.sessions.recall,
            heads.shell,
            cookie,
            "https://keyturn.example",
            keeper,
        ),
    )
    with Client(app) as client:
        yield Tab(client, clock)


BACKUPS = (BackupFolder("/backups", 24, START, START, START - timedelta(hours=3)),)
KEY_MADE, KEY_ENDS = START - timedelta(days=1), START + timedelta(days=89)
SERVER = ServerFacts("1", None, "SQLite", "file", 1, KEY_MADE, KEY_ENDS, BACKUPS, "global", True, "right", True, 10)


@pytest.fixture
def inside(tab: Tab) -> Tab:
    assert tab.sign_in().status_code == 303
    return tab


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_do_not_get(tab: Tab) -> None:
    answer = tab.sign_in()
    assert answer.headers["location"] == "/overview"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert tab.is_in()


def test_each_sign_in_has_another_session_and_ends_the_one_before(inside: Tab) -> None:
    before = inside.session
    inside.sign_in()
    after = inside.session
    assert after != before
    inside.session = str(before)
    assert not inside.is_in()
    inside.session = str(after)
    assert inside.is_in()


def test_a_session_planted_before_signing_in_is_not_taken_over(tab: Tab) -> None:
    tab.session = "planted-by-somebody-else"
    tab.sign_in()
    assert tab.client.cookies.jar  # the server has set its own
    tab.session = "planted-by-somebody-else"
    assert not tab.is_in()


def test_a_session_ends_after_eight_hours_without_use(inside: Tab) -> None:
    for _ in range(3):
        inside.clock.advance(8 * HOUR - 61)
        assert inside.is_in()
    inside.clock.advance(8 * HOUR)
    answer = inside.get("/projects")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/projects&ended=1")


def test_a_session_ends_after_seven_days_in_any_case(inside: Tab) -> None:
    for _ in range(7 * 4 - 1):
        inside.clock.advance(6 * HOUR)
        assert inside.is_in()
    inside.clock.advance(6 * HOUR)
    assert not inside.is_in()


def test_signing_out_ends_the_session_on_the_server_too(inside: Tab) -> None:
    before = str(inside.session)
    inside.post("/sign-out")
    inside.session = before
    assert not inside.is_in()


def test_a_new_password_ends_all_other_sessions(inside: Tab) -> None:
    elsewhere = str(inside.session)
    inside.client.cookies.clear()
    inside.sign_in()
    answer = inside.post("/settings/password", {"old_password": GOOD_PASSWORD, "new_password": "another-long-pass-51"})
    assert answer.status_code == 303
    assert inside.is_in()
    inside.session = elsewhere
    assert not inside.is_in()


def test_a_wrong_password_opens_nothing_and_is_not_shown_again(tab: Tab) -> None:
    answer = tab.sign_in("wrong wrong wrong")
    assert answer.status_code == 401
    assert "wrong wrong wrong" not in answer.text
    assert EMAIL in answer.text
    assert not tab.is_in()


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_but_to_this_server(tab: Tab, to: str) -> None:
    answer = tab.post("/sign-in", {"email": EMAIL, "password": GOOD_PASSWORD, "next": to})
    assert answer.headers["location"] == "/overview"


# --- requests that other sites cause ----------------------------------------------------------------------------------

FOREIGN = [
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},  # another name of the same domain is another site to us
    {"sec_fetch_site": "cross-site", "origin": "http://keyturn.localhost:8080"},
    {"origin": "https://evil.example"},
    {"origin": "http://keyturn.example"},  # the same name without TLS, where SITE_URL has it
    {"origin": "http://keyturn.localhost:8080"},
    {"origin": "null"},
    {"origin": "http://keyturn.localhost.evil.example"},
    {"origin": "http://keyturn.localhost:8081"},
    {"user_agent": "neither header"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: "-".join(headers.values()))
def test_a_form_that_another_site_sends_is_refused(inside: Tab, headers: dict[str, str]) -> None:
    for path in ("/projects/new", "/settings/sessions/end-all", "/sign-out"):
        answer = inside.post(path, {"name": "Planted"}, **headers)
        assert answer.status_code == 403
        assert "came from another site" in answer.text
    assert inside.is_in(), "nobody was signed out"
    assert "Planted" not in inside.get("/projects").text


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: "-".join(headers.values()))
def test_nobody_is_signed_in_by_another_site(tab: Tab, headers: dict[str, str]) -> None:
    answer = tab.post("/sign-in", {"email": EMAIL, "password": GOOD_PASSWORD}, **headers)
    assert answer.status_code == 403
    assert tab.session is None


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "same-origin", "origin": "null"},
        {"origin": "https://keyturn.localhost:8080"},
        {"origin": "https://keyturn.example"},  # the SITE_URL, behind a proxy that changes the host
    ],
    ids=lambda headers: "-".join(headers.values()),
)
def test_forms_of_our_own_pages_are_carried_out(inside: Tab, headers: dict[str, str]) -> None:
    answer = inside.post("/projects/new", {"name": "Ours"}, **headers)
    assert answer.status_code == 303, answer.text
    assert "Ours" in inside.get("/projects").text


def test_a_link_from_another_site_may_lead_to_a_page(inside: Tab) -> None:
    answer = inside.client.get("/projects", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200


# --- the second step --------------------------------------------------------------------------------------------------


def enrol(tab: Tab) -> tuple[TOTP, list[str]]:
    """Turn two-step sign-in on as the pages ask; return the app and the recovery codes."""
    assert (
        tab.post("/settings/two-step/begin", {"password": GOOD_PASSWORD}).headers["location"]
        == "/settings/two-step/enrol"
    )
    setup_key = re.search(r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}", tab.get("/settings/two-step/enrol").text)
    assert setup_key
    app = TOTP(setup_key[0].replace(" ", ""))
    answer = tab.post("/settings/two-step/enrol", {"code": app.at(tab.clock.now())})
    assert answer.status_code == 200, answer.text
    return app, re.findall(r"\b(?:[a-z2-7]{4}-){3}[a-z2-7]{4}\b", answer.text)


def seconds(tab: Tab) -> int:
    return int(tab.clock.now().timestamp())


def give(tab: Tab, code: str) -> httpx.Response:
    return tab.post("/sign-in/code", {"code": code})


@pytest.fixture
def guarded(inside: Tab) -> tuple[Tab, TOTP, list[str]]:
    """Somebody with two-step sign-in, who has signed out, half a minute later."""
    app, recovery = enrol(inside)
    inside.post("/sign-out")
    inside.clock.advance(30)
    return inside, app, recovery


Guarded = tuple[Tab, TOTP, list[str]]


def test_turning_two_step_sign_in_on_changes_the_session(inside: Tab) -> None:
    before = str(inside.session)
    _, recovery = enrol(inside)
    assert len(set(recovery)) == 8
    assert inside.session != before
    inside.session = before
    assert not inside.is_in()


def test_a_wrong_code_does_not_turn_it_on(inside: Tab) -> None:
    inside.post("/settings/two-step/begin", {"password": GOOD_PASSWORD})
    answer = inside.post("/settings/two-step/enrol", {"code": "000000"})
    assert answer.status_code == 400
    assert "This code is not right." in answer.text
    inside.post("/sign-out")
    inside.sign_in()
    assert inside.is_in()


def test_the_password_alone_opens_no_page(guarded: Guarded) -> None:
    tab, _, _ = guarded
    assert tab.sign_in().headers["location"] == "/sign-in/code"
    assert not tab.is_in()
    assert tab.get("/settings").status_code == 303


def test_password_and_code_sign_in_with_a_session_of_their_own(guarded: Guarded) -> None:
    tab, app, _ = guarded
    tab.sign_in()
    halfway = tab.session
    assert give(tab, app.at(tab.clock.now())).headers["location"] == "/overview"
    assert tab.session != halfway
    assert tab.is_in()


def test_a_code_works_once(guarded: Guarded) -> None:
    tab, app, _ = guarded
    code = app.at(tab.clock.now())
    tab.sign_in()
    give(tab, code)
    tab.post("/sign-out")
    tab.sign_in()
    assert give(tab, code).status_code == 401
    assert not tab.is_in()
    tab.clock.advance(30)
    give(tab, app.at(tab.clock.now()))
    assert tab.is_in()


def test_the_code_that_turned_it_on_does_not_sign_in(inside: Tab) -> None:
    app, _ = enrol(inside)
    inside.post("/sign-out")
    inside.sign_in()
    assert give(inside, app.at(inside.clock.now())).status_code == 401


def test_codes_are_taken_from_a_clock_half_a_minute_off_and_no_more(guarded: Guarded) -> None:
    tab, app, _ = guarded
    tab.clock.advance(300)
    tab.sign_in()
    assert give(tab, app.at(seconds(tab) + 30 * -2)).status_code == 401
    assert give(tab, app.at(seconds(tab) + 30 * 2)).status_code == 401
    assert give(tab, app.at(seconds(tab) + 30 * -1)).status_code == 303


def test_a_recovery_code_works_once(guarded: Guarded) -> None:
    tab, _, recovery = guarded
    for status in (303, 401):
        tab.sign_in()
        assert give(tab, recovery[0]).status_code == status
        tab.post("/sign-out")


def test_the_second_step_waits_ten_minutes_and_then_leads_to_signing_in_again(guarded: Guarded) -> None:
    tab, app, _ = guarded
    tab.sign_in()
    tab.clock.advance(600)
    answer = give(tab, app.at(tab.clock.now()))
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert not tab.is_in()


def test_a_form_of_the_first_start_that_comes_too_late_leads_to_signing_in(tab: Tab) -> None:
    answer = tab.post("/setup", {"organization": "Late", "email": "eve@evil.example", "password": GOOD_PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_guessing_codes_locks_the_second_step(guarded: Guarded) -> None:
    tab, app, _ = guarded
    tab.sign_in()
    for guess in ("000000", "111111", "222222", "333333", "444444"):
        assert give(tab, guess).status_code == 401
    assert give(tab, app.at(tab.clock.now())).status_code == 401
    assert not tab.is_in()


def test_administrators_see_when_keys_are_replaced_and_of_when_the_newest_backup_is(inside: Tab) -> None:
    page = re.sub(r"<[^>]+>", " ", inside.get("/settings/server").text)
    assert "in 89 days" in page
    assert re.search(r"4 Mar 2026, 02:06 UTC, 3 hours ago\s*, one every 24 hours, in\s+/backups", page)


# --- around every page ------------------------------------------------------------------------------------------------

OF_STRANGERS = ("/sign-in", "/no/such/page")
OF_USERS = (
    "/projects",
    "/projects/new",
    "/organization/members",
    "/organization/audit-log",
    "/settings",
    "/settings/sessions",
    "/settings/two-step",
    "/settings/two-step/enrol",
    "/settings/server",
    "/projects/00000000-0000-4000-8000-000000000000/settings",
)


def is_guarded(answer: httpx.Response) -> None:
    headers = answer.headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] in {"same-origin", "no-referrer"}
    assert headers["cross-origin-resource-policy"] == "same-origin"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", OF_STRANGERS)
def test_pages_of_strangers_are_guarded_by_headers_and_not_stored(tab: Tab, path: str) -> None:
    is_guarded(tab.get(path))


def test_pages_of_users_are_guarded_by_headers_and_not_stored(inside: Tab) -> None:
    inside.post("/settings/two-step/begin", {"password": GOOD_PASSWORD})
    for path in OF_USERS:
        is_guarded(inside.get(path))
    is_guarded(inside.post("/projects/new", {"name": ""}))


def test_the_picture_of_the_second_factors_secret_is_not_stored(inside: Tab) -> None:
    inside.post("/settings/two-step/begin", {"password": GOOD_PASSWORD})
    answer = inside.get("/settings/two-step/qr.svg")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


def test_redirects_are_not_stored(tab: Tab) -> None:
    for answer in (tab.get("/projects"), tab.sign_in(), tab.post("/sign-out")):
        assert answer.status_code == 303
        assert answer.headers["cache-control"] == "no-store"


# --- a session that ends while somebody types -------------------------------------------------------------------------

NEW = "/projects/new"


def end_session(tab: Tab) -> None:
    tab.session = "of-yesterday"


def value_of_field(page: str, name: str) -> str:
    match = re.search(rf'id="f-{name}"[^>]*value="([^"]*)"', page)
    return match[1] if match else ""


def test_what_was_typed_comes_back_after_signing_in_again(inside: Tab) -> None:
    end_session(inside)
    form = {"name": "Payments & co", "description": "x" * 200, "slug": "payments", "clientSecret": "s3cr3tCANARY"}
    answer = inside.post(NEW, form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={NEW}&ended=1")
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert "CANARY" not in answer.headers["set-cookie"]
    page = inside.get(answer.headers["location"]).text
    assert "Your session has ended." in page
    assert "what you typed is kept" in page
    signed_in = inside.post("/sign-in", {"email": EMAIL, "password": GOOD_PASSWORD, "next": NEW})
    assert signed_in.headers["location"] == NEW
    response = inside.get(NEW)
    assert "nothing was done" in response.text
    assert [value_of_field(response.text, name) for name in ("name", "slug")] == ["Payments &amp; co", "payments"]
    assert "paste them again" in response.text
    assert "CANARY" not in response.text
    # Once: whoever opens the page again begins anew.
    assert value_of_field(inside.get(NEW).text, "name") == ""


def test_nothing_was_done_and_nothing_waits_for_long_or_on_another_page(inside: Tab) -> None:
    end_session(inside)
    inside.post(NEW, {"name": "Payments"})
    inside.sign_in()
    assert "Payments" not in inside.get("/projects").text
    inside.clock.advance(1801)
    assert value_of_field(inside.get(NEW).text, "name") == ""


def other_middle(text: str) -> str:
    """Another letter in the middle: the last one of base64 may be changed without changing what it says."""
    middle = len(text) // 2
    return text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]


@pytest.mark.parametrize("change", [other_middle, lambda text: "x" + text, lambda _: "~", lambda _: "a~d1.k.b"])
def test_a_kept_form_that_was_changed_is_not_shown(inside: Tab, change: Callable[[str], str]) -> None:
    end_session(inside)
    inside.post(NEW, {"name": "Payments"})
    cookie = inside.client.cookies.get("keyturn_kept")
    assert cookie
    inside.client.cookies.set("keyturn_kept", change(cookie), domain="keyturn.localhost")
    inside.sign_in()
    answer = inside.get(NEW)
    assert (answer.status_code, value_of_field(answer.text, "name")) == (200, "")


def test_a_form_that_is_too_long_leaves_its_longest_field_behind(inside: Tab) -> None:
    end_session(inside)
    noise = "".join(f"{number:x}" for number in range(4000))
    inside.post(NEW, {"name": "Payments", "description": noise})
    assert len(inside.client.cookies.get("keyturn_kept") or "") < 4000
    inside.sign_in()
    page = inside.get(NEW).text
    assert value_of_field(page, "name") == "Payments"
    assert noise not in page


def test_strangers_and_other_sites_leave_no_form_behind(tab: Tab) -> None:
    assert "set-cookie" not in tab.post(NEW, {"name": "Payments"}).headers
    end_session(tab)
    answer = tab.post(NEW, {"name": "Payments"}, sec_fetch_site="cross-site")
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


def test_a_page_says_that_the_session_has_ended(inside: Tab) -> None:
    end_session(inside)
    answer = inside.get("/projects?x=1")
    assert answer.headers["location"] == "/sign-in?next=/projects%3Fx%3D1&ended=1"
    page = inside.get(answer.headers["location"]).text
    assert "Your session has ended." in page
    assert "what you typed" not in page
