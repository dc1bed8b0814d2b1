"""Reading the audit trail, and that nobody can rewrite it."""

import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa

from keyturn.audit.checks import ChainChecks
from keyturn.audit.domain import Event
from keyturn.audit.service import AuditTrail
from keyturn.audit.store import append
from keyturn.db.unit import Database
from keyturn.errors import Forbidden, NotFound, Refused
from keyturn.kit.actor import Actor, Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.ids import SystemIds
from keyturn.projects.domain import NewProject, ProjectChange
from keyturn.projects.service import Projects
from tests.features.accounts.people import START, join, machine, organization, person, project


@pytest.fixture
def trail(database: Database) -> AuditTrail:
    return AuditTrail(database)


def write(database: Database, actor: Actor, *names: str, project_id: str | None = None) -> None:
    for name in names:
        with database.write() as tx:
            append(tx, Event(name, actor, "thing", f"id of {name}", START, project_id=project_id))


def test_pages_go_back_in_time_and_are_not_shifted_by_new_events(database: Database, trail: AuditTrail) -> None:
    admin = machine(database, organization(database), Role.ADMIN)
    write(database, admin, *(f"e{number}" for number in range(5)))
    names = []
    cursor = None
    for _ in range(3):
        page = trail.page(admin, limit=2, cursor=cursor)
        names += [event.name for event in page.events]
        cursor = page.cursor
        write(database, admin, "later")
    assert names == ["e4", "e3", "e2", "e1", "e0"]
    assert cursor is None


def test_events_are_chosen_by_name_subject_and_project(database: Database, trail: AuditTrail) -> None:
    org = organization(database)
    admin, payments = machine(database, org, Role.ADMIN), project(database, org)
    write(database, admin, "a", "b")
    write(database, admin, "c", project_id=payments)
    assert [event.name for event in trail.page(admin, event="a").events] == ["a"]
    assert [event.name for event in trail.page(admin, subject_id="id of b").events] == ["b"]
    assert [event.name for event in trail.page(admin, project_id=payments).events] == ["c"]
    assert len(trail.page(admin, actor_id=admin.id).events) == 3


def test_events_are_chosen_by_the_slug_that_a_project_had_then(database: Database, trail: AuditTrail) -> None:
    admin = machine(database, organization(database), Role.ADMIN)
    projects = Projects(database, MovableClock(START), SystemIds())
    first = projects.create(admin, NewProject(name="First", slug="shop"))
    write(database, admin, "early", project_id=first.id)
    projects.update(admin, first.id, ProjectChange(description="the same slug"))
    projects.update(admin, first.id, ProjectChange(slug="former-shop"))
    write(database, admin, "late", project_id=first.id)
    second = projects.create(admin, NewProject(name="Second", slug="shop"))
    write(database, admin, "of the second", project_id=second.id)
    projects.delete(admin, second.id)
    write(database, admin, "after its end", project_id=second.id)

    def names(slug: str) -> list[str]:
        return [each.name for each in trail.page(admin, project_slug=slug).events]

    first_of_all = ["update-project", "update-project", "early", "create-project"]
    assert [name for name in names("shop") if name != "create-environment"] == [
        *("delete-project", "of the second", "create-project"),
        *first_of_all,
    ]
    assert [name for name in names("former-shop") if name != "create-environment"] == ["late", *first_of_all], (
        "it has it now"
    )
    with pytest.raises(Refused, match="'never'") as refusal:
        names("never")
    assert refusal.value.fix == "Use one of: former-shop."


def test_what_names_nothing_is_refused_and_what_has_no_events_is_an_empty_list(
    database: Database, trail: AuditTrail
) -> None:
    org = organization(database)
    payments = project(database, org)
    admin, boss = (machine(database, org, role, role.value) for role in (Role.ADMIN, Role.MEMBER))
    quiet = person(database, org, Role.MEMBER, "quiet@acme.test")
    for who in (boss, quiet):
        join(database, who, payments, Role.ADMIN)
    write(database, admin, "elsewhere")
    write(database, boss, "here", project_id=payments)
    assert trail.page(admin, event="create-user").events == ()
    assert trail.page(admin, by="member", event="elsewhere").events == ()
    assert trail.page(admin, about=payments, by="admin").events == ()
    assert [each.name for each in trail.page(boss, project_slug="payments").events] == ["here"], "by its slug alone"
    assert trail.page(admin, project_id=payments, by="admin").events == ()
    for of_project in ({"about": payments}, {"about": "payments"}, {"by": "quiet@acme.test"}, {"actor_id": quiet.id}):
        assert trail.page(boss, project_id=payments, **of_project).events == ()
    for who, unknown in (
        (admin, {"event": "create-usr"}),
        (admin, {"about": "nope"}),
        (admin, {"by": "nope"}),
        (admin, {"actor_id": "nope"}),
        (admin, {"subject_id": "nope"}),
        (boss, {"project_id": payments, "by": "admin"}),  # whom they do not learn of
        (admin, {"since": START, "until": START}),
    ):
        with pytest.raises(Refused) as refusal:
            trail.page(who, **unknown)
        assert refusal.value.fix
        if "event" in unknown:
            assert "create-user" in refusal.value.fix
            assert "create-user" in refusal.value.details[0]["validValues"]
    with pytest.raises(Forbidden):
        trail.page(boss, project_slug="nope")


def test_admins_read_the_whole_trail_and_project_admins_their_part(database: Database, trail: AuditTrail) -> None:
    org = organization(database)
    payments = project(database, org)
    boss = machine(database, org, Role.MEMBER, "boss")
    join(database, boss, payments, Role.ADMIN)
    write(database, boss, "here", project_id=payments)
    write(database, boss, "elsewhere")
    assert [event.name for event in trail.page(boss, project_id=payments).events] == ["here"]
    with pytest.raises(Forbidden, match="read-audit-logs"):
        trail.page(boss)
    checks, admin = ChainChecks(database, MovableClock(START)), machine(database, org, Role.ADMIN, "admin")
    assert checks.verify(admin).ok
    assert [checks.last(each) is not None for each in (admin, boss)] == [True, False], "of the whole organization"
    viewer = machine(database, org, Role.VIEWER, "viewer")
    with pytest.raises(Forbidden):
        trail.page(viewer, project_id=payments)


def test_another_organization_sees_none_of_it(database: Database, trail: AuditTrail) -> None:
    org = organization(database)
    payments = project(database, org)
    write(database, machine(database, org, Role.ADMIN), "ours", project_id=payments)
    stranger = machine(database, organization(database, "foreign"), Role.ADMIN)
    assert trail.page(stranger).events == ()
    with pytest.raises(NotFound):
        trail.page(stranger, project_id=payments)


@pytest.mark.parametrize("cursor", ["x", "-1", "1e3", "99999999999999999999", "१२"])
def test_a_made_up_cursor_is_refused(database: Database, trail: AuditTrail, cursor: str) -> None:
    admin = machine(database, organization(database), Role.ADMIN)
    with pytest.raises(Refused, match="cursor"):
        trail.page(admin, cursor=cursor)


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET event = 'x'", "DELETE FROM audit_events"])
def test_the_database_refuses_to_change_or_delete_an_event(
    database: Database, trail: AuditTrail, statement: str
) -> None:
    admin = machine(database, organization(database), Role.ADMIN)
    write(database, admin, "a")
    with pytest.raises(sa.exc.IntegrityError, match="cannot be changed or deleted"), database.write() as tx:
        tx.connection.exec_driver_sql(statement)
    assert [event.name for event in trail.page(admin).events] == ["a"]


def test_postgresql_refuses_to_empty_the_trail(database: Database, trail: AuditTrail) -> None:
    if database.is_sqlite:  # it has no TRUNCATE; DELETE is refused above
        return
    with pytest.raises(sa.exc.IntegrityError, match="cannot be changed"), database.write() as tx:
        tx.connection.exec_driver_sql("TRUNCATE audit_events")


@pytest.mark.parametrize("same", ["id", "once"])
@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("INSERT OR REPLACE", ""),
        ("REPLACE", ""),
        ("INSERT OR IGNORE", ""),
        ("INSERT", " ON CONFLICT (id) DO UPDATE SET event = 'forged'"),
        ("INSERT", " ON CONFLICT (once) DO UPDATE SET event = 'forged'"),
        ("INSERT", " ON CONFLICT DO NOTHING"),
    ],
)
def test_whoever_opens_the_sqlite_file_cannot_replace_an_event(
    database: Database, trail: AuditTrail, same: str, begin: str, end: str
) -> None:
    if not database.is_sqlite:  # no insert of PostgreSQL replaces a row without its triggers; see the next test
        return
    admin = machine(database, organization(database), Role.ADMIN)
    with database.write() as tx:
        append(tx, Event("a", admin, "thing", "the id", START, once="key"))
    before = _all_events(database)
    forged = {"id": before[0]["id"] if same == "id" else 99, "once": "key" if same == "once" else None}
    values = "VALUES (:id, :once, '2030-01-01 00:00:00', 'user', 'forged', 'thing', 'x', '{}')"
    into = "INTO audit_events (id, once, at, actor_kind, event, subject_kind, subject_id, data)"
    with closing(sqlite3.connect(str(database.engine.url.database))) as raw:
        with pytest.raises(sqlite3.IntegrityError, match="cannot be changed or deleted"):
            raw.execute(f"{begin} {into} {values}{end}", forged)
        raw.commit()
    assert _all_events(database) == before


def test_postgresql_refuses_an_insert_that_becomes_an_update(database: Database) -> None:
    if database.is_sqlite:
        return
    admin = machine(database, organization(database), Role.ADMIN)
    write(database, admin, "a")
    before = _all_events(database)
    with pytest.raises(sa.exc.IntegrityError, match="cannot be changed"), database.write() as tx:
        tx.connection.exec_driver_sql(
            "INSERT INTO audit_events SELECT * FROM audit_events ON CONFLICT (id) DO UPDATE SET event = 'forged'"
        )
    assert _all_events(database) == before


def test_an_event_that_may_be_there_once_is_added_once(database: Database, trail: AuditTrail) -> None:
    admin = machine(database, organization(database), Role.ADMIN)
    for name in ("first", "second"):
        with database.write() as tx:
            append(tx, Event(name, admin, "thing", "x", START, once="key"))
            append(tx, Event(f"beside {name}", admin, "thing", "x", START))
    assert [event.name for event in trail.page(admin).events] == ["beside second", "beside first", "first"]


def _all_events(database: Database) -> list[dict[str, object]]:
    with database.read() as tx:
        return [dict(row) for row in tx.rows(sa.text("SELECT * FROM audit_events ORDER BY id"))]
