"""People come in by a one-time link, and an admin helps them: unlocks, another link, a temporary password, ended sessions.

POST   /api/v1/users/invitations {"email", "role", "projects": [{"projectId", "roles"}], "hours"}
POST   /api/v1/users/{id}/invitation | /password-link     {"link", "expiresAt", "mailed", "notMailedBecause"}
POST   /api/v1/auth/password-links/redeem {"token", "password"}
"""

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.accounts.service import Access
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.people import leaving, link_store
from keyturn.people.domain import NewUser, person_actor
from keyturn.people.sessions import BrowserInfo
from tests.features.accounts.conftest import GOOD_PASSWORD, HOME, AccessFixture
from tests.features.accounts.site import Json, SiteFixture, site
from tests.features.accounts.test_browser_sessions import Tab, tab

__all__ = ["tab"]

INVITATIONS, LOGIN, REDEEM = "/api/v1/users/invitations", "/api/v1/auth/login", "/api/v1/auth/password-links/redeem"
BOB, OWN, OTHER = "bob@acme.test", "mellow-carpet-zebra-41", "thermal-quince-lantern-7"
AT = BrowserInfo(HOME)


class Post:
    """A mail server that takes everything, or says why not."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.refuses = ""

    def __call__(self, receiver: str, subject: str, text: str) -> str:
        self.sent.append((receiver, subject, text))
        return self.refuses


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def served(
    database: Database, clock: MovableClock, house: AccessFixture, tmp_path: Path, post: Post
) -> Iterator[SiteFixture]:
    with site(database, clock, house.access, tmp_path, mailer=post) as server:
        server.token = house.first.token.reveal()
        yield server


def token_of(answer: Json) -> str:
    return str(answer["link"]).rpartition("/")[2]


def events(served: SiteFixture) -> list[dict[str, Any]]:
    return [each["event"] for each in served.ask("GET", "/api/v1/organization/audit-logs?limit=100")["auditLogs"]]


def test_an_invited_user_chooses_a_password_with_the_link_and_works_in_the_projects(
    served: SiteFixture, post: Post
) -> None:
    project = served.ask("POST", "/api/v1/projects", {"projectName": "Payments"})["project"]["id"]
    body = {
        "email": "Bob@Acme.test",
        "role": "member",
        "projects": [{"projectId": project, "roles": [{"role": "admin"}]}],
    }
    made = served.ask("POST", INVITATIONS, body)
    token, link = token_of(made), made["link"]
    assert (made["mailed"], made["notMailedBecause"]) == (True, None)
    assert link.startswith("https://keyturn.example/sign-in/link/")
    ((receiver, _, text),) = post.sent
    assert (receiver, link in text) == (BOB, True)
    user = made["user"]["id"]
    shown = served.ask("GET", f"/api/v1/users/{user}")
    assert (shown["state"], shown["user"]["lastSignedInAt"], shown["hasPassword"]) == ("invited", None, False)

    served.ask("POST", LOGIN, {"email": BOB, "password": OWN}, expect=401)
    weak = served.ask("POST", REDEEM, {"token": token, "password": "short"}, expect=400)
    assert weak["code"] == "access.password_weak"  # and the link still works
    served.ask("POST", REDEEM, {"token": token, "password": OWN})
    signed_in = served.ask("POST", LOGIN, {"email": BOB, "password": OWN})["accessToken"]
    (seen,) = served.ask("GET", "/api/v1/projects", token=signed_in)["projects"]
    assert seen["id"] == project
    used = served.ask("POST", REDEEM, {"token": token, "password": OTHER}, expect=400)
    assert (used["code"], "Sign in" in used["fix"]) == ("access.link_used", True)
    shown = served.ask("GET", f"/api/v1/users/{user}")
    assert (shown["state"], bool(shown["user"]["lastSignedInAt"])) == ("active", True)

    told = events(served)
    names = [each["type"] for each in told]
    assert names.index("login-user") < names.index("accept-invitation") < names.index("invite-user")
    assert token not in str(told)
    assert OWN not in str(told)


def test_links_that_work_no_more_say_why(served: SiteFixture, clock: MovableClock, post: Post) -> None:
    def refused(token: str, status: int = 400) -> str:
        return str(served.ask("POST", REDEEM, {"token": token, "password": OWN}, expect=status)["code"])

    post.refuses = "mail.example.com refuses the receiver (status 550)."
    made = served.ask("POST", INVITATIONS, {"email": BOB, "hours": 2})
    assert (made["mailed"], made["notMailedBecause"]) == (False, post.refuses)
    first, user = token_of(made), made["user"]["id"]
    clock.advance(2 * 3600)
    assert refused(first) == "access.link_expired"
    second = token_of(served.ask("POST", f"/api/v1/users/{user}/invitation"))
    assert refused(first) == "access.link_revoked"
    assert refused("ktn_nothing", 404) == "access.link_unknown"

    served.ask("POST", f"/api/v1/users/{user}/disable", {})
    assert refused(second) == "access.link_expired"
    served.ask("POST", f"/api/v1/users/{user}/enable")
    assert refused(second) == "access.link_expired", "for good"
    second = token_of(served.ask("POST", f"/api/v1/users/{user}/invitation"))
    waits = served.ask("POST", f"/api/v1/users/{user}/password-link", expect=400)
    assert waits["code"] == "access.invitation_waits"
    served.ask("DELETE", f"/api/v1/users/{user}/invitation")
    assert refused(second) == "access.link_revoked"
    assert [each["email"] for each in served.ask("GET", "/api/v1/users")["users"]] == ["ann@acme.test"]
    served.ask("POST", INVITATIONS, {"email": BOB})  # the address is free again


@pytest.mark.parametrize("end", ["disable", "delete", "demote"])
def test_a_link_works_as_long_as_who_made_it_may_make_one(served: SiteFixture, house: AccessFixture, end: str) -> None:
    """Whoever makes a link has seen it: an admin who leaves must not keep a way in that way."""

    def refused(token: str) -> str:
        return str(served.ask("POST", REDEEM, {"token": token, "password": OWN}, expect=400)["code"])

    made = served.ask("POST", "/api/v1/users", {"email": "eve@acme.test", "password": GOOD_PASSWORD, "role": "admin"})
    eve, body = made["user"]["id"], {"email": "eve@acme.test", "password": GOOD_PASSWORD, "newPassword": OTHER}
    session = served.ask("POST", LOGIN, body)["accessToken"]
    invited = token_of(served.ask("POST", INVITATIONS, {"email": BOB, "role": "member"}, token=session))
    reset = token_of(served.ask("POST", f"/api/v1/users/{house.first.user.id}/password-link", token=session))
    match end:
        case "disable":
            served.ask("POST", f"/api/v1/users/{eve}/disable", {})
        case "delete":
            served.ask("DELETE", f"/api/v1/users/{eve}")
        case _:
            served.ask("PATCH", f"/api/v1/users/{eve}", {"role": "member"})
    assert [refused(invited), refused(reset)] == ["access.link_disowned"] * 2
    if end == "demote":
        served.ask("PATCH", f"/api/v1/users/{eve}", {"role": "admin"})
        served.ask("POST", REDEEM, {"token": invited, "password": OWN})


def test_a_link_of_a_version_that_did_not_write_down_whose_it_is_works(
    served: SiteFixture, house: AccessFixture
) -> None:
    token = token_of(served.ask("POST", INVITATIONS, {"email": BOB}))
    with house.database.write() as tx:
        tx.run(sa.text("UPDATE password_links SET made_by_kind = NULL, made_by_id = NULL"))
    served.ask("POST", REDEEM, {"token": token, "password": OWN})


def test_nothing_is_half_done_when_an_invitation_is_refused(
    served: SiteFixture, house: AccessFixture, post: Post
) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    served.ask("POST", INVITATIONS, {"email": BOB, "projects": [{"projectId": unknown}]}, expect=404)
    served.ask("POST", INVITATIONS, {"email": "ann@acme.test"}, expect=400)
    served.ask("POST", INVITATIONS, {"email": "nobody"}, expect=400)
    served.ask("POST", INVITATIONS, {"email": BOB, "hours": 100_000}, expect=422)
    assert (len(served.ask("GET", "/api/v1/users")["users"]), post.sent) == (1, [])

    # Who is invited as an admin does not count as one before the invitation is accepted.
    made = served.ask("POST", INVITATIONS, {"email": BOB, "role": "admin"})
    last = served.ask("POST", f"/api/v1/users/{house.first.user.id}/disable", {}, expect=400)
    assert last["code"] == "access.last_admin"
    served.ask("DELETE", f"/api/v1/users/{made['user']['id']}/invitation")


def test_an_admin_unlocks_and_resets_somebody(served: SiteFixture, house: AccessFixture) -> None:
    access = house.access
    bob = access.users.create(house.admin, NewUser(BOB, Plaintext(GOOD_PASSWORD), Role.MEMBER)).id
    first = {"email": BOB, "password": GOOD_PASSWORD}
    token = served.ask("POST", LOGIN, first | {"newPassword": OWN})["accessToken"]
    for _ in range(5):
        served.ask("POST", LOGIN, {"email": BOB, "password": "wrong"}, expect=401)
    locked = served.ask("GET", f"/api/v1/users/{bob}")
    assert (locked["state"], bool(locked["lockedUntil"])) == ("locked", True)
    served.ask("POST", f"/api/v1/users/{bob}/unlock")
    session = access.sessions.sign_in(BOB, Plaintext(OWN), AT).token
    (shown,) = served.ask("GET", f"/api/v1/users/{bob}/sessions")["sessions"]

    # A temporary password ends all that was open, and is good for choosing another one only.
    served.ask("POST", f"/api/v1/users/{bob}/password", {"password": "short"}, expect=400)
    assert access.sessions.recall(session, HOME.ip).name == BOB
    served.ask("POST", f"/api/v1/users/{bob}/password", {"password": OTHER})
    served.ask("GET", "/api/v1/users/me", token=token, expect=401)
    assert served.ask("GET", f"/api/v1/users/{bob}/sessions")["sessions"] == []
    served.ask("DELETE", f"/api/v1/users/{bob}/sessions/{shown['id']}", expect=404)
    again = {"email": BOB, "password": OTHER}
    assert served.ask("POST", LOGIN, again, expect=401)["code"] == "access.password_change_needed"

    # With a link the old password works until it is used.
    made = served.ask("POST", f"/api/v1/users/{bob}/password-link")
    served.ask("POST", LOGIN, again | {"newPassword": OWN})
    access.sessions.sign_in(BOB, Plaintext(OWN), AT)
    (shown,) = served.ask("GET", f"/api/v1/users/{bob}/sessions")["sessions"]
    served.ask("DELETE", f"/api/v1/users/{bob}/sessions/{shown['id']}")
    token = served.ask("POST", LOGIN, {"email": BOB, "password": OWN})["accessToken"]
    served.ask("DELETE", f"/api/v1/users/{bob}/sessions")
    served.ask("GET", "/api/v1/users/me", token=token, expect=401)
    served.ask("POST", REDEEM, {"token": token_of(made), "password": GOOD_PASSWORD})
    served.ask("POST", LOGIN, first)
    names = {each["type"] for each in events(served)}
    assert {"unlock-user", "set-temporary-password", "create-password-link", "use-password-link"} <= names
    assert "end-sessions-of-user" in names


_WAITING = sa.text("SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")


@pytest.mark.parametrize("end", ["disable", "delete"])
def test_a_link_ends_with_its_person_also_while_it_is_redeemed(
    house: AccessFixture, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = house.access
    bob = access.users.create(house.admin, NewUser(BOB, Plaintext(GOOD_PASSWORD), Role.MEMBER)).id
    use, statuses = link_store.use, list[str]()

    def leave(tx: Tx) -> None:
        statuses.append(getattr(leaving, end)(tx, house.admin, bob, house.clock.now()).email)

    def go() -> None:
        with house.database.write() as tx:
            leave(tx)

    leaver = threading.Thread(target=go)

    def use_slowly(tx: Tx, link_id: str, now: datetime) -> None:
        """Use the link when whoever ends the person waits for it."""
        leaver.start()
        for _ in range(1000):
            if not tx.postgres or tx.rows(_WAITING):
                break
            leaver.join(0.01)
        use(tx, link_id, now)

    monkeypatch.setattr(link_store, "use", use_slowly)
    _, first = access.administration.make_password_link(house.admin, bob)
    access.links.redeem(Plaintext(first.path.reveal().rpartition("/")[2]), Plaintext(OWN), HOME)
    leaver.join()
    assert statuses == [BOB]
    if end == "disable":
        with house.database.write() as tx:
            leaving.enable(tx, house.admin, bob, house.clock.now())
        monkeypatch.undo()
        _, second = access.administration.make_password_link(house.admin, bob)
        with house.database.write() as tx:
            leave(tx)
            leaving.enable(tx, house.admin, bob, house.clock.now())
        with pytest.raises(Refused, match="expired"):
            access.links.redeem(Plaintext(second.path.reveal().rpartition("/")[2]), Plaintext(OTHER), HOME)


def test_nobody_helps_themselves_or_somebody_above(house: AccessFixture) -> None:
    """Who finds an open browser of an admin does not get the account."""
    access, ann = house.access, person_actor(house.first.user)
    for refused in (
        lambda: access.administration.set_temporary_password(ann, str(ann.id), Plaintext(OWN)),
        lambda: access.administration.make_password_link(ann, str(ann.id)),
        lambda: access.administration.remove_second_factor(ann, str(ann.id)),
    ):
        with pytest.raises(Refused, match="your own account"):
            refused()
    access.signin.login_person("ann@acme.test", Plaintext(GOOD_PASSWORD), HOME)


def test_the_pages_invite_and_the_link_opens_the_account(tab: Tab, access: Access) -> None:
    tab.sign_in()
    invited = tab.post("/organization/members/invitations", {"email": BOB, "role": "viewer", "project_role": "viewer"})
    assert invited.status_code == 200, invited.text
    path = invited.text.partition("https://keyturn.example")[2].partition("<")[0].partition('"')[0]
    assert path.startswith("/sign-in/link/ktn_")
    assert "Not sent. This server has no mail server" in invited.text
    assert path not in tab.get("/organization/members").text
    listed = tab.get("/organization/members?status=invited").text
    assert (BOB in listed, "ann@acme.test</a>" in listed) == (True, False)
    twice = tab.post("/organization/members/invitations", {"email": BOB, "role": "viewer"})
    assert (twice.status_code, "There is a user with the address" in twice.text) == (400, True)

    tab.client.cookies.clear()
    for _ in range(2):  # to look does not use it up
        assert f"You are invited as <strong>{BOB}" in tab.get(path).text
    weak = tab.post(path, {"password": "password1234"})
    assert (weak.status_code, "password1234" in weak.text) == (400, False)
    assert tab.post(path, {"password": OWN}).headers["location"] == "/sign-in"
    dead = tab.get(path)
    assert (dead.status_code, "This link was used already." in dead.text) == (400, True)
    assert tab.post("/sign-in", {"email": BOB, "password": OWN}).headers["location"] == "/overview"
    assert tab.is_in()
    assert (
        tab.post("/organization/members/invitations", {"email": "eve@acme.test", "role": "viewer"}).status_code == 403
    )
