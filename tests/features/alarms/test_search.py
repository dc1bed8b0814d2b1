"""The list of alarms: pages, words and chips, and each one sees what they may see, however many there are of others."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

from keyturn.alarms import store
from keyturn.alarms.conditions.domain import ConditionKind, Severity
from keyturn.alarms.domain import Alarm
from keyturn.alarms.search import AlarmQuery, visible_alarms
from keyturn.alarms.service import MOST
from keyturn.alarms.store import AlarmFilter
from keyturn.authz.permissions import Scope
from keyturn.db.unit import Database
from keyturn.kit.actor import Actor, Role
from keyturn.projects.domain import GivenRole
from keyturn.projects.role_domain import NewRole
from keyturn.projects.service import Projects
from tests.features.accounts.people import join, person, project
from tests.features.alarms.office import Office

ALL = MOST + 30


def filled(database: Database) -> tuple[Office, Actor]:
    """An organization with more alarms than the API lists at once, and the owner of what the oldest of them is about."""
    office = Office(database)
    owner = person(database, office.org_id, Role.NO_ACCESS, "olga@acme.test")
    with database.write() as tx:
        store.add_all(tx, [alarm(office, number, owner.id if number == 0 else None) for number in range(ALL)])
    return office, owner


def alarm(office: Office, number: int, owner_id: str | None) -> Alarm:
    at = office.clock.now() + timedelta(minutes=number)
    return Alarm(
        id=office.ids.new(),
        kind=ConditionKind.CONNECTION_REFUSED.value,
        key=f"refused:{number}",
        severity=Severity.WARNING if number % 10 else Severity.CRITICAL,
        subject_kind="app-connection",
        subject_id=f"id-{number}",
        subject=f"entra-{number:03}",
        place=Scope(office.org_id, connection_id=f"id-{number}"),
        cause=f"'Portal {number:03}' does not work.",
        fix="Make it work.",
        path=f"/c/{number}",
        opened_at=at,
        reminded_at=at,
        owner_id=owner_id,
    )


def test_alarms_are_listed_page_by_page_and_found_by_words_and_chips(database: Database) -> None:
    office, _ = filled(database)

    def found(**query: object) -> tuple[list[str], int, int]:
        page = office.alarms.page(office.boss, AlarmQuery(size=20, **query))  # type: ignore[arg-type]
        return [each.subject for each in page.alarms], page.total, page.page

    names, total, _ = found()
    assert (names[0], len(names), total) == (f"entra-{ALL - 1:03}", 20, ALL), "the newest first"
    assert found(page=27)[0][-1] == "entra-000"
    assert found(page=99) == found(page=27), "beyond the last page it is the last one"
    assert found(text="portal 017") == (["entra-017"], 1, 1)
    assert found(text="refused 017")[1] == 1
    assert found(text="100%")[1] == 0
    assert found(status="critical")[1] == ALL // 10
    (one,) = office.alarms.page(office.boss, AlarmQuery(text="entra-017")).alarms
    office.alarms.acknowledge(office.boss, one.id, "I see to it")
    assert found(status="silenced") == (["entra-017"], 1, 1)
    assert office.alarms.count(office.boss) == ALL - 1
    assert len(office.alarms.list(office.boss)) == MOST
    assert found(status="mine")[1] == 0


def test_whoever_sees_little_finds_it_behind_any_number_of_alarms_of_others(database: Database) -> None:
    office, owner = filled(database)
    page = office.alarms.page(owner, AlarmQuery())
    assert ([each.subject for each in page.alarms], page.total, page.all) == (["entra-000"], 1, 1)
    assert [each.subject for each in office.alarms.list(owner)] == ["entra-000"]
    assert office.alarms.count(owner) == 1
    assert office.alarms.page(owner, AlarmQuery(status="mine")).total == 1
    assert office.alarms.page(owner, AlarmQuery(text="entra-001")).total == 0


def test_what_lists_show_is_what_each_may_see_of_each_alarm(database: Database) -> None:
    office = Office(database)
    own, limited, other = (project(database, office.org_id, slug) for slug in ("own", "limited", "other"))
    projects = Projects(database, office.clock, office.ids)
    only_prod = {"subject": "secret-rotation", "action": ["read"], "conditions": {"environment": {"$eq": "prod"}}}
    projects.roles.create(office.boss, limited, NewRole("prod", "Prod", "", (only_prod,)))
    people = [
        person(database, office.org_id, role, f"{number}@acme.test")
        for number, role in enumerate([Role.ADMIN, Role.MEMBER, Role.NO_ACCESS, Role.MEMBER, Role.NO_ACCESS])
    ]
    for actor in people[3:]:
        join(database, actor, own, Role.VIEWER)
        projects.members.add_people(office.boss, limited, [actor.name], [GivenRole("prod")])
    join(database, people[2], own, Role.VIEWER)
    kinds = (
        "app-connection",
        "rotation",
        "secret-rotation",
        "identity",
        "alarm-channel",
        "organization",
        "of-a-newer-version",
    )
    homes = [(None, None), *((each, where) for each in (own, limited, other) for where in ("prod", "dev"))]
    with database.write() as tx:
        for number, (kind, (project_id, environment)) in enumerate(product(kinds, homes)):
            owner = people[number % 7].id if number % 7 < len(people) else None
            place = Scope(office.org_id, project_id, environment, "/", f"id-{number % 3}")  # some share one
            store.add_all(tx, [replace(alarm(office, number, owner), subject_kind=kind, place=place)])
        everything = store.page(tx, AlarmFilter(office.org_id), 100, 0)
    for actor in people:
        with database.read() as tx:
            seen = visible_alarms(tx, actor, everything)
        found = office.alarms.page(actor, AlarmQuery(size=100))
        assert found.alarms == seen
        assert (found.total, office.alarms.count(actor)) == (len(seen), len(seen))
        assert office.alarms.page(actor, AlarmQuery(project_id=limited, size=100)).alarms == [
            each for each in seen if each.place.project_id == limited
        ]
