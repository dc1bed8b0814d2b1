"""Reading the audit trail, and that nobody can rewrite it."""

import pytest
import sqlalchemy as sa

from keyturn.access.door import require_audit_reader
from keyturn.audit.domain import Event
from keyturn.audit.service import Trail
from keyturn.audit.store import append
from keyturn.db.unit import Database
from keyturn.errors import Forbidden, NotFound, Refused
from keyturn.kit.actor import Actor, Role
from tests.features.access.people import START, join, machine, organization, project


@pytest.fixture
def trail(database: Database) -> Trail:
    return Trail(database, require_audit_reader)


def write(database: Database, actor: Actor, *names: str, project_id: str | None = None) -> None:
    for name in names:
        with database.write() as tx:
            append(tx, Event(name, actor, "thing", f"id of {name}", START, project_id=project_id))


def test_pages_go_back_in_time_and_are_not_shifted_by_new_events(database: Database, trail: Trail) -> None:
    admin = machine(database, organization(database), Role.ADMIN)
    write(database, admin, *(f"e{number}" for number in range(5)))
    seen = []
    cursor = None
    for _ in range(3):
        page = trail.page(admin, limit=2, cursor=cursor)
        seen += [event.name for event in page.events]
        cursor = page.cursor
        write(database, admin, "later")
    assert seen == ["e4", "e3", "e2", "e1", "e0"]
    assert cursor is None


def test_events_are_chosen_by_name_subject_and_project(database: Database, trail: Trail) -> None:
    org = organization(database)
    admin, payments = machine(database, org, Role.ADMIN), project(database, org)
    write(database, admin, "a", "b")
    write(database, admin, "c", project_id=payments)
    assert [event.name for event in trail.page(admin, event="a").events] == ["a"]
    assert [event.name for event in trail.page(admin, subject_id="id of b").events] == ["b"]
    assert [event.name for event in trail.page(admin, project_id=payments).events] == ["c"]
    assert len(trail.page(admin, actor_id=admin.id).events) == 3


def test_admins_read_the_whole_trail_and_project_admins_their_part(database: Database, trail: Trail) -> None:
    org = organization(database)
    payments = project(database, org)
    boss = machine(database, org, Role.MEMBER, "boss")
    join(database, boss, payments, Role.ADMIN)
    write(database, boss, "here", project_id=payments)
    write(database, boss, "elsewhere")
    assert [event.name for event in trail.page(boss, project_id=payments).events] == ["here"]
    with pytest.raises(Forbidden, match="read-audit-logs"):
        trail.page(boss)
    viewer = machine(database, org, Role.VIEWER, "viewer")
    with pytest.raises(Forbidden):
        trail.page(viewer, project_id=payments)


def test_another_organization_sees_none_of_it(database: Database, trail: Trail) -> None:
    org = organization(database)
    payments = project(database, org)
    write(database, machine(database, org, Role.ADMIN), "ours", project_id=payments)
    stranger = machine(database, organization(database, "foreign"), Role.ADMIN)
    assert trail.page(stranger).events == ()
    with pytest.raises(NotFound):
        trail.page(stranger, project_id=payments)


@pytest.mark.parametrize("cursor", ["x", "-1", "1e3", "99999999999999999999", "१२"])
def test_a_made_up_cursor_is_refused(database: Database, trail: Trail, cursor: str) -> None:
    admin = machine(database, organization(database), Role.ADMIN)
    with pytest.raises(Refused, match="cursor"):
        trail.page(admin, cursor=cursor)


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET event = 'x'", "DELETE FROM audit_events"])
def test_the_database_refuses_to_change_or_delete_an_event(database: Database, trail: Trail, statement: str) -> None:
    admin = machine(database, organization(database), Role.ADMIN)
    write(database, admin, "a")
    with pytest.raises(sa.exc.IntegrityError, match="cannot be changed or deleted"), database.write() as tx:
        tx.connection.exec_driver_sql(statement)
    assert [event.name for event in trail.page(admin).events] == ["a"]


def test_postgresql_refuses_to_empty_the_trail(database: Database, trail: Trail) -> None:
    if database.is_sqlite:  # it has no TRUNCATE; DELETE is refused above
        return
    with pytest.raises(sa.exc.IntegrityError, match="cannot be changed"), database.write() as tx:
        tx.connection.exec_driver_sql("TRUNCATE audit_events")
