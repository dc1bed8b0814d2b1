"""A person who is disabled can do nothing from that moment on, and everything as before once enabled again.

POST /api/v1/users/{id}/disable {"newOwnerId": null}   {"user": {"disabledAt": "..."}, "handedOver": [], "signedIn": []}
POST /api/v1/users/{id}/enable                         {"user": {"disabledAt": null}}
"""

from dataclasses import replace
from pathlib import Path

import pytest

from keyturn.accounts.service import Access
from keyturn.alarms.leavers import Leavers
from keyturn.crypto.hashing import Hasher
from keyturn.errors import Unauthenticated
from keyturn.identities.domain import NewIdentity
from keyturn.kit.actor import Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.people import store
from keyturn.people.domain import NewUser
from keyturn.people.sessions import BrowserInfo
from keyturn.tokens import opaque
from keyturn.tokens.domain import Origin
from tests.databases import sqlite_database
from tests.features.accounts.conftest import GOOD_PASSWORD, AccessFixture
from tests.features.accounts.people import IDS, START
from tests.features.accounts.site import site
from tests.features.accounts.test_admin_command import BOOTSTRAP, Shell, shell
from tests.in_process import InProcess

__all__ = ["shell"]

BOB = "bob@acme.test"
OWN = "thermal-quince-lantern-7"


def test_a_disabled_person_is_out_at_once_and_comes_back_as_they_were(house: AccessFixture, tmp_path: Path) -> None:
    access = house.access
    bob = access.users.create(house.admin, NewUser(BOB, Plaintext(GOOD_PASSWORD), Role.ADMIN)).id
    with site(house.database, house.clock, access, tmp_path) as web:
        password = {"email": BOB, "password": GOOD_PASSWORD}
        token = web.ask("POST", "/api/v1/auth/login", password | {"newPassword": OWN})["accessToken"]
        login = {"email": BOB, "password": OWN}
        session = access.sessions.sign_in(BOB, Plaintext(OWN), BrowserInfo(Origin("192.0.2.1", None))).token
        web.token = house.first.token.reveal()
        with house.database.read() as tx:
            (kept,) = store.sessions_of_user(tx, bob)

        left = web.ask("POST", f"/api/v1/users/{bob}/disable", {})
        since = left["user"]["disabledAt"]
        assert since
        assert (
            web.ask("POST", f"/api/v1/users/{bob}/disable", {})["user"]["disabledAt"] == since
        )  # a repeat changes nothing
        assert web.ask("GET", "/api/v1/users/me", token=token, expect=401)["message"]
        with pytest.raises(Unauthenticated):
            access.sessions.recall(session, "192.0.2.1")
        refused = web.ask("POST", "/api/v1/auth/login", login, expect=403)
        assert "is disabled here" in refused["message"]
        assert "admin of the organization can enable" in refused["message"] + refused.get("fix", "")
        wrong = web.ask("POST", "/api/v1/auth/login", login | {"password": "not the password"}, expect=401)
        assert "disabled" not in str(wrong)  # nobody learns of it without the password
        shown = {user["email"]: user["disabledAt"] for user in web.ask("GET", "/api/v1/users")["users"]}
        assert shown[BOB] == since

        with house.database.write() as tx:  # as by somebody who chose a password at that moment
            store.add_session(tx, replace(kept, id="late"), opaque.digest("late"))
        assert web.ask("POST", f"/api/v1/users/{bob}/enable")["user"]["disabledAt"] is None
        with pytest.raises(Unauthenticated):
            access.sessions.recall(Plaintext("late"), "192.0.2.1")
        assert web.ask("GET", "/api/v1/users/me", token=token, expect=401)  # what ended stays ended
        fresh = web.ask("POST", "/api/v1/auth/login", login)["accessToken"]
        assert web.ask("GET", "/api/v1/users/me", token=fresh)["user"]["role"] == "admin"
        told = web.ask("GET", f"/api/v1/organization/audit-logs?subjectId={bob}")["auditLogs"]
        assert {"disable-user", "enable-user"} <= {each["event"]["type"] for each in told}

        nobody = web.ask("POST", f"/api/v1/users/{bob}/disable", {"newOwnerId": bob}, expect=400)
        assert "who leaves" in nobody["message"]
        assert web.ask("POST", "/api/v1/auth/login", login)  # nothing half done
        assert Leavers(house.database, house.clock).of(house.admin, bob).owned == []


def test_the_operator_disables_and_enables(shell: Shell) -> None:
    shell.run(*BOOTSTRAP, "--password-stdin", stdin=f"{GOOD_PASSWORD}\n")
    assert shell.run("admin", "disable", "--yes", "--email", "ann@acme.test") == 1
    assert "last admin" in shell.err
    assert shell.run("admin", "disable", "--yes", "--email", "nobody@acme.test") == 1
    assert "There is no user" in shell.err
    assert shell.run("admin", "enable", "--email", "ann@acme.test") == 0
    assert "can sign in again" in shell.err
    before = shell.run("admin", "disable", "--email", "ann@acme.test")
    assert (before, "--yes" in shell.err) == (2, True)
    assert shell.run("admin", "disable", "--dry-run", "--email", "ann@acme.test") == 0
    assert "access tokens end at once" in shell.out


def test_the_client_deletes_people_and_machines_once_confirmed(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = MovableClock(START)
    with sqlite_database(tmp_path) as database:
        access = Access(database, clock, IDS, Hasher(memory_kib=8, passes=1), sealer=None)
        first = access.bootstrap("ann@acme.test", Plaintext(GOOD_PASSWORD), "Acme GmbH")
        admin = access.authenticate(first.token.reveal(), "192.0.2.7")
        access.users.create(admin, NewUser(BOB, Plaintext(GOOD_PASSWORD), Role.ADMIN))
        access.identities.create(admin, NewIdentity("nightly", Role.MEMBER))
        access.identities.create(admin, NewIdentity("kept", Role.MEMBER, has_delete_protection=True))
        with site(database, clock, access, tmp_path) as web:
            monkeypatch.setattr("keyturn.client.opening.Http", lambda *_: InProcess(web.client))
            shell.environ = {"KEYTURN_URL": "http://localhost", "KEYTURN_TOKEN": first.token.reveal()}
            assert shell.run("delete", "user", BOB) == 2
            assert shell.run("delete", "user", BOB, "--dry-run") == 0
            assert "nobody answers for that" in shell.out
            assert shell.run("delete", "user", "eve@acme.test", "--yes") == 1
            assert f"There is: ann@acme.test, {BOB}" in shell.err
            assert shell.run("delete", "user", BOB, "--yes", "--new-owner", "ann@acme.test") == 0
            assert shell.run("delete", "user", "ann@acme.test", "--yes") == 77
            assert shell.run("delete", "identity", "kept", "--yes") == 1
            assert "protected" in shell.err
            assert shell.run("delete", "identity", "nightly", "--yes") == 0
        assert [each.email for each in access.users.list(admin)] == ["ann@acme.test"]
        assert [each.name for each in access.identities.list(admin)] == ["Admin identity", "kept"]
