"""Nobody is locked out: an administrator with password and second factor comes in whatever Entra ID, groups or settings say."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pyotp import TOTP

from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.people.domain import NewUser
from tests.features.accounts.conftest import GOOD_PASSWORD, HOME, AccessFixture
from tests.features.accounts.entra import Browser, Office, office

OWN = f"{GOOD_PASSWORD}-own"
ANN, BOB, EVE = "ann@acme.test", "bob@acme.test", "eve@acme.test"


@pytest.fixture
def at(house: AccessFixture, tmp_path: Path) -> Iterator[Office]:
    """Only administrators have a password here: ann, and eve; bob was a member before that."""
    for email, role in ((BOB, Role.MEMBER), (EVE, Role.ADMIN)):
        user = house.access.users.create(house.admin, NewUser(email, Plaintext(GOOD_PASSWORD), role))
        house.access.users.choose_password(user, None, Plaintext(OWN))
    with office(house, tmp_path, forced=True) as opened:
        yield opened


def by_password(browser: Browser, email: str, password: str = GOOD_PASSWORD) -> httpx.Response:
    return browser.post("/sign-in", {"email": email, "password": password})


def set_up_second_factor(at: Office, browser: Browser) -> TOTP:
    """Do what the page asks for that everybody is led to who needs a second factor."""
    assert browser.get("/sign-in").headers["location"] == "/sign-in/two-step"
    browser.post("/sign-in/two-step/begin", {})
    secret = re.search(r"<code[^>]*>([A-Z2-7 ]{20,})</code>", browser.get("/sign-in/two-step").text)
    assert secret
    totp = TOTP(secret[1].replace(" ", ""))
    assert browser.post("/sign-in/two-step", {"code": totp.at(at.house.clock.now())}).status_code == 200
    at.house.clock.advance(30)
    return totp


def test_where_only_administrators_have_a_password_they_come_in_with_a_second_factor_while_entra_id_is_down(
    at: Office,
) -> None:
    refused = by_password(at.browser(), BOB, OWN)
    assert refused.status_code == 403
    assert "Only administrators sign in with a password here." in refused.text
    assert at.api("POST", "/api/v1/auth/login", {"email": BOB, "password": OWN}).json()["code"] == (
        "access.password_sign_in_off"
    )
    with at.wire.real.cut():
        first = at.browser()
        assert by_password(first, ANN).status_code == 303
        assert not first.is_in(), "the password alone is good for setting up the second factor"
        alone = at.api("POST", "/api/v1/auth/login", {"email": ANN, "password": GOOD_PASSWORD})
        assert (alone.status_code, alone.json()["code"]) == (401, "access.second_factor_needed")
        totp = set_up_second_factor(at, first)
        assert first.is_in()
        browser = at.browser()
        assert by_password(browser, ANN).headers["location"].startswith("/sign-in/code")
        assert browser.post("/sign-in/code", {"code": totp.at(at.house.clock.now())}).status_code == 303
        assert browser.is_in()


def test_a_session_of_before_ends_when_only_administrators_keep_their_password(
    at: Office,
) -> None:
    session = at.session_of_before(BOB, OWN)
    browser = at.browser()
    browser.client.cookies = {"keyturn_session": session}  # type: ignore[assignment]
    assert not browser.is_in()
    for email, password, status in ((BOB, OWN, 401), (EVE, OWN, 200)):
        token = at.house.access.signin.login_person(email, Plaintext(password), HOME).token.reveal()
        assert at.api("GET", "/api/v1/users/me", token=token).status_code == status, "an access token of before"


def test_neither_groups_nor_other_administrators_take_the_last_administrator_who_has_a_password(at: Office) -> None:
    at.give("operators", "member")
    at.give("admins", "admin")
    at.emulator.admin.set_members(at.groups["admins"], at.people["kim"])
    ids = {email: user.id for email, user in at.users().items()}
    assert at.api("DELETE", f"/api/v1/users/{ids[EVE]}").status_code == 200
    at.sign_in("kim")
    assert at.user("kim").role is Role.ADMIN, "an administrator, but one whom Entra ID alone lets in"
    for method, path, body in (
        ("POST", f"/api/v1/users/{ids[ANN]}/disable", {}),
        ("DELETE", f"/api/v1/users/{ids[ANN]}", None),
        ("PATCH", f"/api/v1/users/{ids[ANN]}", {"role": "member"}),
    ):
        answer = at.api(method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (400, "access.last_admin"), method
    assert at.api("PUT", f"/api/v1/users/{ids[ANN]}/entra-identity", {"objectId": at.people["ada"]}).status_code == 200
    assert at.sign_in("ada").status_code == 303
    assert at.users()[ANN].role is Role.ADMIN, "the groups say member"
    at.emulator.admin.set_members(at.groups["operators"])
    at.refused(at.sign_in("ada"), "sso.group_not_mapped")
    assert at.users()[ANN].role is Role.ADMIN, "the groups say nothing"
    browser = at.browser()
    assert by_password(browser, ANN).status_code == 303
    set_up_second_factor(at, browser)
    assert browser.is_in()
