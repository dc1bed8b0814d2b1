"""Everybody needs a second factor: who has none sets it up right after signing in, before anything else.

PUT /api/v1/organization/sign-in-rules {"secondFactorRequired": true}; page: /sign-in/two-step.
"""

import re
from pathlib import Path

import pytest
from pyotp import TOTP

from keyturn.accounts.service import Access
from keyturn.errors import Refused
from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.people.domain import NewUser, person_actor
from keyturn.people.sessions import BrowserInfo
from tests.features.accounts.conftest import GOOD_PASSWORD, HOME, AccessFixture
from tests.features.accounts.site import site
from tests.features.accounts.test_browser_sessions import EMAIL, Tab, enrol, tab

__all__ = ["tab"]

POLICY, PAGE = "/organization/members/second-factor", "/sign-in/two-step"
BOB, OWN = "bob@acme.test", "mellow-carpet-zebra-41"


def key_on(tab: Tab) -> TOTP:
    shown = re.search(r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}", tab.get(PAGE).text)
    assert shown
    return TOTP(shown[0].replace(" ", ""))


def test_who_has_none_sets_it_up_before_anything_else(tab: Tab, access: Access) -> None:
    tab.sign_in()
    refused = tab.post(POLICY, {"required": "true"})
    assert (refused.status_code, "You have no second factor yourself." in refused.text) == (400, True)
    enrol(tab)
    assert tab.post(POLICY, {"required": "true"}).status_code == 303
    assert tab.is_in()
    off = tab.post("/settings/two-step/remove", {"password": GOOD_PASSWORD, "code": "000000"})
    assert off.status_code in {400, 401}
    ann = access.users.by_email(EMAIL)
    bob = access.users.create(person_actor(ann), NewUser(BOB, Plaintext(GOOD_PASSWORD), Role.MEMBER))

    # A first password is changed first, then the second factor is set up; no page opens before, however it is asked for.
    tab.client.cookies.clear()
    tab.post("/sign-in", {"email": BOB, "password": GOOD_PASSWORD})
    assert tab.get("/sign-in").headers["location"] == "/sign-in/password"
    tab.post("/sign-in/password", {"password": OWN})
    assert tab.get("/projects").headers["location"] == "/sign-in?next=/projects&ended=1"
    assert tab.get("/sign-in?next=/projects").headers["location"] == f"{PAGE}?next=/projects"
    assert tab.get("/settings/two-step").status_code == 303
    assert tab.post(PAGE, {"code": "000000"}).status_code == 404  # not begun
    assert tab.post(f"{PAGE}/begin", {"next": "/projects"}).headers["location"] == f"{PAGE}?next=/projects"
    app = key_on(tab)
    assert tab.get(f"{PAGE}/qr.svg").headers["content-type"].startswith("image/svg")
    wrong = tab.post(PAGE, {"code": "000000", "next": "/projects"})
    assert (wrong.status_code, "This code is not right" in wrong.text) == (400, True)
    assert not tab.is_in()
    before = str(tab.session)
    done = tab.post(PAGE, {"code": app.at(tab.clock.now()), "next": "/projects"})
    assert (done.status_code, 'href="/projects"' in done.text) == (200, True)
    assert tab.is_in()
    assert tab.get(PAGE).headers["location"] == "/sign-in"
    tab.session = before
    assert not tab.is_in()

    # The phone is lost: an admin resets it, and it is set up anew at the next sign-in.
    access.administration.remove_second_factor(person_actor(ann), bob.id)
    tab.post("/sign-in", {"email": BOB, "password": OWN})
    assert tab.get("/sign-in").headers["location"] == PAGE


def test_tokens_and_the_operator(house: AccessFixture, tmp_path: Path) -> None:
    access, login = house.access, "/api/v1/auth/login"
    access.users.create(house.admin, NewUser(BOB, Plaintext(GOOD_PASSWORD), Role.ADMIN))
    with site(house.database, house.clock, access, tmp_path) as web:
        first = {"email": BOB, "password": GOOD_PASSWORD, "newPassword": OWN}
        there = web.ask("POST", login, first)["accessToken"]
        opened = access.sessions.sign_in(BOB, Plaintext(OWN), BrowserInfo(HOME)).token
        rules = "/api/v1/organization/sign-in-rules"
        own = web.ask("PUT", rules, {"secondFactorRequired": True}, token=there, expect=400)
        assert own["code"] == "access.own_second_factor_needed"
        web.token = house.first.token.reveal()
        assert web.ask("GET", rules) == {"secondFactorRequired": False}
        web.ask("PUT", rules, {"secondFactorRequired": True})  # a machine identity signs in otherwise

        # Access tokens that are there go on; a password alone gives no new one, and changes nothing.
        assert web.ask("GET", "/api/v1/users/me", token=there)["user"]["email"] == BOB
        assert (
            web.ask("POST", login, {"email": BOB, "password": OWN}, expect=401)["code"] == "access.second_factor_needed"
        )
        wrong = web.ask("POST", login, {"email": BOB, "password": "wrong"}, expect=401)
        assert wrong["code"] == "access.invalid_credentials"  # nobody learns of the rule without the password

        # A browser that was open before: for ten minutes after the sign-in it sets up, then the password is asked for again.
        assert access.sessions.awaits_second_factor(opened) is not None
        house.clock.advance(10 * 60)
        assert access.sessions.awaits_second_factor(opened) is None
        with pytest.raises(Exception, match="has not set it up yet"):
            access.sessions.recall(opened, HOME.ip)

        ann = person_actor(house.first.user)
        access.factors.begin(ann, Plaintext(GOOD_PASSWORD))
        app = TOTP(access.factors.enrolment(ann).secret.reveal())
        access.factors.confirm(ann, Plaintext(app.at(house.clock.now())))
        house.clock.advance(30)
        with pytest.raises(Refused, match="Everybody needs"):
            access.factors.remove(ann, Plaintext(GOOD_PASSWORD), Plaintext(app.at(house.clock.now())))
        assert access.factors.active(ann)
        web.ask("PUT", rules, {"secondFactorRequired": False})
        assert access.sessions.recall(opened, HOME.ip).name == BOB
        told = web.ask("GET", "/api/v1/organization/audit-logs?event=change-second-factor-policy")["auditLogs"]
        assert [each["event"]["metadata"]["required"] for each in told] == [False, True]
