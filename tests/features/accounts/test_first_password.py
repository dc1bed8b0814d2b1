"""A password that somebody else knows is good for one thing: choosing another.

``POST /api/v1/auth/login {email, password, newPassword}``; on the page: ``/sign-in/password``.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.db.unit import Database
from keyturn.errors import Refused, Unauthenticated
from keyturn.kit.actor import Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.people.domain import NewUser
from keyturn.people.sessions import BrowserInfo
from tests.features.accounts.conftest import GOOD_PASSWORD, HOME, AccessFixture
from tests.features.accounts.site import SiteFixture, site

LOGIN = "/api/v1/auth/login"
BOB, FIRST, OWN = "bob@acme.test", "granite-teapot-violin-7", "mellow-carpet-zebra-41"
AT = BrowserInfo(HOME)


@pytest.fixture
def served(database: Database, clock: MovableClock, house: AccessFixture, tmp_path: Path) -> Iterator[SiteFixture]:
    house.access.users.create(house.admin, NewUser(email=BOB, password=Plaintext(FIRST), role=Role.MEMBER))
    with site(database, clock, house.access, tmp_path) as server:
        yield server


def test_over_the_api_the_new_one_is_sent_with_the_first_one(served: SiteFixture) -> None:
    first = {"email": BOB, "password": FIRST}
    refused = served.ask("POST", LOGIN, first, expect=401)
    assert (refused["code"], "newPassword" in refused["fix"]) == ("access.password_change_needed", True)
    assert served.ask("POST", LOGIN, first | {"newPassword": FIRST}, expect=400)["code"] == "access.password_same"
    assert served.ask("POST", LOGIN, first | {"newPassword": "short"}, expect=400)["code"] == "access.password_weak"
    assert served.ask("POST", LOGIN, first | {"password": "wrong", "newPassword": OWN}, expect=401)
    token = served.ask("POST", LOGIN, first | {"newPassword": OWN})["accessToken"]
    assert served.ask("GET", "/api/v1/users/me", token=token)["user"]["email"] == BOB
    served.ask("POST", LOGIN, first, expect=401)
    served.ask("POST", LOGIN, {"email": BOB, "password": OWN})
    again = {"email": BOB, "password": OWN, "newPassword": FIRST}
    assert served.ask("POST", LOGIN, again, expect=400)["code"] == "access.password_change_not_asked"


def test_a_session_with_a_first_password_is_good_for_choosing_one_only(
    served: SiteFixture, house: AccessFixture
) -> None:
    sessions = house.access.sessions
    opened = sessions.sign_in(BOB, Plaintext(FIRST), AT).token
    assert sessions.awaits_password(opened)
    with pytest.raises(Unauthenticated, match="has to be changed"):
        sessions.recall(opened, HOME.ip)
    for bad in (FIRST, "short", "liverpool1234"):
        with pytest.raises(Refused):
            sessions.choose_password(opened, Plaintext(bad), AT)
    chosen = sessions.choose_password(opened, Plaintext(OWN), AT)
    assert sessions.recall(chosen, HOME.ip).name == BOB
    for token in (opened, chosen):
        with pytest.raises(Unauthenticated):
            sessions.choose_password(token, Plaintext(FIRST), AT)


def test_who_set_the_server_up_has_a_password_of_their_own_until_the_operator_resets_it(house: AccessFixture) -> None:
    house.access.signin.login_person("ann@acme.test", Plaintext(GOOD_PASSWORD), HOME)
    house.access.users.reset_password("ann@acme.test", Plaintext(FIRST))
    with pytest.raises(Unauthenticated, match="has to be changed"):
        house.access.signin.login_person("ann@acme.test", Plaintext(FIRST), HOME)
    house.access.signin.login_person("ann@acme.test", Plaintext(FIRST), HOME, new_password=Plaintext(OWN))
    house.access.signin.login_person("ann@acme.test", Plaintext(OWN), HOME)
