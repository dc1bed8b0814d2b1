"""A stored value that cannot be read is the matter of one user, identity, project or event: lists and all others go on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn.accounts.service import Access
from keyturn.audit.domain import Event
from keyturn.audit.store import append
from keyturn.authz.authorize import visible
from keyturn.db.tables import metadata
from keyturn.db.unit import Database
from keyturn.kit.actor import Role, platform
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from tests import unreadable
from tests.features.accounts.conftest import GOOD_PASSWORD
from tests.features.accounts.people import START, join, machine, person, project
from tests.features.accounts.site import Json, SiteFixture, site
from tests.features.accounts.test_browser_sessions import Tab, inside, tab  # noqa: F401 - fixtures
from tests.unreadable import columns_of

ROLES = [("users", "role"), ("identities", "role"), ("project_member_roles", "role")]
_TABLES = (
    "organizations",
    "users",
    "identities",
    "universal_auths",
    "client_secrets",
    "access_tokens",
    "second_factors",
)
TABLES = (
    *_TABLES,
    "projects",
    "environments",
    "project_members",
    "project_roles",
    "project_member_roles",
    "data_keys",
    "sessions",
)


class Offices:
    """A server that is set up, with one of everything; the client holds the admin's token."""

    def __init__(self, server: SiteFixture, database: Database, access: Access) -> None:
        self.server, self.database = server, database
        first = access.bootstrap("boss@acme.test", Plaintext(GOOD_PASSWORD), "Acme")
        server.token = first.token.reveal()
        self.org_id = server.ask("GET", "/api/v1/identities/details")["identityDetails"]["organization"]["id"]
        self.robot = server.ask("POST", "/api/v1/identities", {"name": "robot", "role": "member"})["identity"]["id"]
        self.universal = f"/api/v1/auth/universal-auth/identities/{self.robot}"
        auth = server.ask("POST", self.universal, {})["identityUniversalAuth"]
        secret = server.ask("POST", f"{self.universal}/client-secrets", {})
        self.login: Json = {"clientId": auth["clientId"], "clientSecret": secret["clientSecret"]}
        self.person = person(database, self.org_id, Role.MEMBER, "pia@acme.test")
        self.project_id = project(database, self.org_id)
        join(database, self.person, self.project_id, Role.MEMBER)
        join(database, machine(database, self.org_id, Role.VIEWER, "other"), self.project_id, Role.VIEWER)
        roles = f"/api/v1/projects/{self.project_id}"
        own = {"slug": "reader", "name": "Reader", "permissions": [{"subject": "secrets", "action": "read"}]}
        server.ask("POST", f"{roles}/roles", own)
        held = {"role": "reader", "isTemporary": True, "temporaryRange": "1h"}
        server.ask("POST", f"{roles}/identity-memberships/{self.robot}", {"roles": [held]})

    def lists(self) -> dict[str, Json]:
        """Ask for everything; each answer has the status 200."""
        paths = [
            "/api/v1/users",
            "/api/v1/identities",
            f"/api/v1/identities/{self.robot}",
            self.universal,
            f"{self.universal}/client-secrets",
            "/api/v1/projects",
            f"/api/v1/projects/{self.project_id}",
            f"/api/v1/projects/{self.project_id}/memberships",
            f"/api/v1/projects/{self.project_id}/roles",
            f"/api/v1/projects/{self.project_id}/identity-memberships",
            "/api/v1/organization/audit-logs",
        ]
        return {path: self.server.ask("GET", path) for path in paths}


@pytest.fixture
def offices(database: Database, clock: MovableClock, access: Access, tmp_path: Path) -> Iterator[Offices]:
    with site(database, clock, access, tmp_path) as server:
        yield Offices(server, database, access)


def test_no_moment_of_any_table_fails_a_list(offices: Offices) -> None:
    columns = [column for column in unreadable.MOMENTS if column[0] in TABLES and column[0] != "access_tokens"]
    tried = _listed(offices, unreadable.each_moment(offices.database, columns))
    assert len({done.partition(" = ")[0] for done in tried}) > 13


def _listed(offices: Offices, writes: Iterator[str]) -> Iterator[str]:
    for done in writes:
        try:
            offices.lists()
        except AssertionError as error:
            raise AssertionError(f"with {done}") from error
        yield done


def test_no_document_of_any_table_fails_a_list_or_a_sign_in(offices: Offices) -> None:
    columns = columns_of(sa.JSON, *TABLES)
    assert list(_listed(offices, unreadable.each(offices.database, columns, unreadable.JSON_SHAPES)))
    for _ in unreadable.each(
        offices.database, [("universal_auths", "client_secret_trusted_ips")], unreadable.JSON_SHAPES
    ):
        answer = offices.server.ask("POST", "/api/v1/auth/universal-auth/login", offices.login, expect=403)
        assert "address" in answer["message"], "entries that nobody can read let nobody in"


@pytest.mark.parametrize("table", [table for table, _ in ROLES])
def test_a_role_that_nobody_knows_permits_nothing_until_another_one_is_chosen(offices: Offices, table: str) -> None:
    server = offices.server
    token = server.ask("POST", "/api/v1/auth/universal-auth/login", offices.login)["accessToken"]
    mine = {"users": f"id = '{offices.person.id}'", "identities": f"id = '{offices.robot}'"}
    assert unreadable.write(offices.database, table, "role", "xyzzy", mine.get(table, "1 = 1"))
    lists = offices.lists()
    if table == "users":
        roles = {user["email"]: user["role"] for user in lists["/api/v1/users"]["users"]}
        assert roles == {"boss@acme.test": "admin", "pia@acme.test": "no-access"}
        server.ask("PATCH", f"/api/v1/users/{offices.person.id}", {"role": "viewer"})
    if table == "project_member_roles":
        with offices.database.read() as tx:
            assert visible(tx, offices.person).projects == frozenset(), "what is in the project is not listed either"
    if table == "identities":
        server.ask("GET", "/api/v1/users", token=token, expect=403)
        server.ask("PATCH", f"/api/v1/identities/{offices.robot}", {"role": "viewer"})
        server.ask("GET", "/api/v1/users", token=token)


@pytest.mark.parametrize("column", ["expires_at", "revoked_at", "renewable_until"])
def test_a_token_whose_end_cannot_be_read_has_ended(offices: Offices, column: str) -> None:
    token = offices.server.ask("POST", "/api/v1/auth/universal-auth/login", offices.login)["accessToken"]
    offices.server.ask("GET", "/api/v1/identities", token=token)
    texts = ("noon",) if offices.database.is_sqlite else ("infinity", "-infinity")
    status = {"expires_at": 403, "revoked_at": 401, "renewable_until": 401}[column]
    for _ in unreadable.each(offices.database, [("access_tokens", column)], texts, f"identity_id = '{offices.robot}'"):
        if column == "renewable_until":
            offices.server.ask("POST", "/api/v1/auth/token/renew", {"accessToken": token}, expect=status)
        else:
            offices.server.ask("GET", "/api/v1/identities", token=token, expect=status)


def test_an_audit_event_that_cannot_be_read_says_so_in_its_place(offices: Offices) -> None:
    with offices.database.write() as tx:
        for number in range(3):
            append(tx, Event(f"event-{number}", platform(offices.org_id), "thing", "x", START, data={"n": number}))
    damaged = "'noon'" if offices.database.is_sqlite else "'infinity'"
    table = metadata.tables["audit_events"]
    same = ", ".join(f'"{column.name}"' for column in table.columns if column.name not in {"id", "at", "data", "once"})
    like = f"SELECT {same}, %s, %s FROM audit_events WHERE event = 'event-1' LIMIT 1"
    with offices.database.write() as tx:
        for values in ((damaged, "'{\"n\": 7}'"), ("CURRENT_TIMESTAMP", "'[7]'")):
            tx.connection.exec_driver_sql(f"INSERT INTO audit_events ({same}, at, data) {like % values}")
    events = offices.server.ask("GET", "/api/v1/organization/audit-logs")["auditLogs"]
    notes = [event["event"]["metadata"].get("unreadable", "") for event in events[:3]]
    assert "data is no object" in notes[0]
    assert f"at is {damaged}" in notes[1]
    assert events[1]["event"]["metadata"]["n"] == 7
    assert notes[2] == ""


def test_the_last_day_of_the_calendar_is_read_in_a_zone_far_east(
    offices: Offices, monkeypatch: pytest.MonkeyPatch
) -> None:
    if offices.database.is_sqlite:  # it knows no zones
        return
    monkeypatch.setenv("PGTZ", "Pacific/Kiritimati")
    offices.database.engine.dispose()
    unreadable.write(offices.database, "projects", "created_at", "9999-12-31 23:30 UTC")
    [project] = offices.server.ask("GET", "/api/v1/projects")["projects"]
    assert project["createdAt"] == "9999-12-31T23:30:00.000Z"


def test_the_pages_say_what_cannot_be_read(inside: Tab, database: Database, access: Access) -> None:  # noqa: F811
    with database.read() as tx:
        [org] = tx.rows(sa.select(metadata.tables["organizations"].c.id))
    pia = person(database, org["id"], Role.MEMBER, "pia@acme.test")
    unreadable.write(database, "users", "role", "xyzzy", f"id = '{pia.id}'")
    page = inside.get("/organization/members")
    assert page.status_code == 200
    assert "The stored user cannot be read: role is &#39;xyzzy&#39;, which counts as &#39;no-access&#39;." in page.text
