"""Recording: what the catalogue declares is written, anything else is refused and leaves nothing."""

import pytest

from keyturn.audit import events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.audit.service import AuditTrail
from keyturn.db.unit import Database
from keyturn.kit.actor import Actor, Role
from tests.features.accounts.people import START, machine, organization, project

SOMEBODY = Subject(SubjectKind.USER, "u1")


@pytest.fixture
def admin(database: Database) -> Actor:
    return machine(database, organization(database), Role.ADMIN)


@pytest.fixture
def trail(database: Database) -> AuditTrail:
    return AuditTrail(database)


def test_an_event_says_who_did_what_when_to_what(database: Database, trail: AuditTrail, admin: Actor) -> None:
    payments = project(database, admin.org_id)
    subject = Subject(SubjectKind.CONNECTION, "c1", payments)
    with database.write() as tx:
        record(tx, admin, events.CONNECTION_DELETED, subject, START, name="billing", app="azure", staysValid=[])
    (event,) = trail.page(admin, project_id=payments).events
    assert (event.name, event.at, event.actor_id) == ("delete-app-connection", START, admin.id)
    assert (event.subject_kind, event.subject_id, event.project_id) == ("app-connection", "c1", payments)
    assert event.data == {"name": "billing", "app": "azure", "staysValid": []}


def test_a_fact_that_is_not_declared_for_the_event_is_refused(
    database: Database, trail: AuditTrail, admin: Actor
) -> None:
    with pytest.raises(TypeError, match="create-user: password"), database.write() as tx:
        record(tx, admin, events.USER_CREATED, SOMEBODY, START, email="ann@acme.test", password="sunflower")
    assert trail.page(admin).events == ()


def test_a_subject_of_another_kind_is_refused(database: Database, trail: AuditTrail, admin: Actor) -> None:
    rotation = Subject(SubjectKind.ROTATION, "r1")
    with pytest.raises(TypeError, match="of the kind rotation"), database.write() as tx:
        record(tx, admin, events.USER_CREATED, rotation, START)
    assert trail.page(admin).events == ()


def test_a_kind_of_subject_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="'thing' is not a valid SubjectKind"):
        SubjectKind("thing")


def test_an_event_with_a_key_is_recorded_once(database: Database, trail: AuditTrail, admin: Actor) -> None:
    for remaining in (5, 4):
        with database.write() as tx:
            record(tx, admin, events.RECOVERY_CODE_USED, SOMEBODY, START, "key", left=remaining)
    assert [event.data for event in trail.page(admin).events] == [{"left": 5}]
