"""Audit events are removed only when the operator says so: the oldest ones, without a gap, and not in secret."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyturn.audit import chain_store, store
from keyturn.audit.domain import Event
from keyturn.audit.retention import AT_ONCE, remove_old_events
from keyturn.audit.service import AuditTrail
from keyturn.db.unit import Database, Tx
from keyturn.kit.actor import Actor, Role
from tests.databases import wipe
from tests.features.accounts.people import START, machine, organization

DAYS = 30
REFUSED = "cannot be changed or deleted"


def never() -> bool:
    return False


@pytest.fixture
def admin(database: Database) -> Actor:
    return machine(database, organization(database), Role.ADMIN)


def write(database: Database, admin: Actor, ages: list[float]) -> None:
    """Write events of so many days before START, in this order; each is named after its place."""
    with database.write() as tx:
        for number, age in enumerate(ages):
            at = START - timedelta(days=age)
            store.append(tx, Event(f"e{number}", admin, "thing", "x", at))


def remove(database: Database, days: int = DAYS, now: datetime = START, stopped: Callable[[], bool] = never) -> None:
    remove_old_events(database, days, now, now, stopped)


def names(database: Database, admin: Actor) -> list[str]:
    """The trail as an admin reads it, oldest first."""
    return [event.name for event in reversed(AuditTrail(database).page(admin, limit=1000).events)]


def removals(database: Database, admin: Actor) -> list[dict[str, object]]:
    page = AuditTrail(database).page(admin, event="remove-audit-events")
    return [event.data for event in reversed(page.events)]


def test_as_long_as_nobody_says_so_no_event_is_removed(database: Database, admin: Actor) -> None:
    write(database, admin, [9000, 400, 1])
    remove(database, days=0)
    assert names(database, admin) == ["e0", "e1", "e2"]


def test_what_is_older_than_it_is_to_be_kept_is_removed_and_the_trail_says_so(database: Database, admin: Actor) -> None:
    write(database, admin, [400, 32, 31, 29, 1])
    remove(database)
    assert names(database, admin) == ["e3", "e4", "remove-audit-events"]
    (facts,) = removals(database, admin)
    assert (facts["count"], facts["keptDays"], facts["before"]) == (3, 30, "2026-02-02T05:06:07.000Z")


def test_each_organization_is_told_what_it_loses(database: Database, admin: Actor) -> None:
    other = machine(database, organization(database, "other"), Role.ADMIN)
    unconcerned = machine(database, organization(database, "third"), Role.ADMIN)
    write(database, admin, [90, 80])
    write(database, other, [70])
    write(database, unconcerned, [1])
    remove(database)
    assert [[facts["count"] for facts in removals(database, who)] for who in (admin, other, unconcerned)] == [
        [2],
        [1],
        [],
    ]


def test_events_are_removed_once_a_day_at_most(database: Database, admin: Actor) -> None:
    write(database, admin, [29 + number / 24 for number in range(72, -72, -1)])  # one an hour, for six days
    counts = []
    for hour in range(7 * 24):
        remove(database, now=START + timedelta(hours=hour))
        counts.append(len(removals(database, admin)))
    assert counts[-1] in {5, 6}
    assert all(counts[hour + 23] - counts[hour] <= 1 for hour in range(len(counts) - 23))
    assert set(names(database, admin)) == {"remove-audit-events"}


def test_an_event_is_kept_for_a_day_more_than_promised_at_most(database: Database, admin: Actor) -> None:
    write(database, admin, [30.9])
    remove(database)
    assert names(database, admin) == ["e0"]
    remove(database, now=START + timedelta(hours=3))
    assert names(database, admin) == ["remove-audit-events"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ages=st.lists(st.sampled_from([-4000, -1, 0.5, 29, 31, 32, 45, 4000]), max_size=12))
def test_only_the_beginning_of_the_trail_is_removed_whatever_the_clocks_said(
    database: Database, ages: list[float]
) -> None:
    wipe(database)
    admin = machine(database, organization(database), Role.ADMIN)
    write(database, admin, ages)
    remove(database)
    remaining = [int(name[1:]) for name in names(database, admin) if name[0] == "e"]
    removed = len(ages) - len(remaining)
    assert remaining == list(range(removed, len(ages)))
    young = next((number for number, age in enumerate(ages) if 0 <= age <= DAYS), len(ages))
    assert removed <= young
    assert all(age <= DAYS for age in ages[removed:young]) or not any(age > DAYS + 1 for age in ages[:young])
    assert [facts["count"] for facts in removals(database, admin)] == ([removed] if removed else [])


def test_a_removal_that_was_cut_short_goes_on_and_is_told_once(
    database: Database, admin: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> int:
        raise Killed

    write(database, admin, [40, 39, 1])
    with monkeypatch.context() as patch:
        patch.setattr(chain_store, "removable", die)
        with pytest.raises(Killed):
            remove(database)
    assert names(database, admin) == ["e0", "e1", "e2", "remove-audit-events"]
    remove(database)
    assert names(database, admin) == ["e2", "remove-audit-events"]
    assert len(removals(database, admin)) == 1


def test_while_much_is_removed_others_write_and_a_server_may_stop(database: Database, admin: Actor) -> None:
    write(database, admin, [400.0] * (2 * AT_ONCE + 1))
    questions = []

    def stopped() -> bool:
        questions.append(True)
        write(database, admin, [0])  # would wait for ever for a transaction of this thread
        return len(questions) == 2

    remove(database, stopped=stopped)
    assert len(questions) == 2
    assert names(database, admin) == ["e1000", "remove-audit-events", "e0", "e0"]
    remove(database)
    assert names(database, admin) == ["remove-audit-events", "e0", "e0"]


def test_two_servers_that_remove_at_once_tell_it_once(database: Database, admin: Actor) -> None:
    write(database, admin, [400.0] * 700)
    together = threading.Barrier(2)

    def round_of_one_server() -> None:
        together.wait()
        remove(database)

    servers = [threading.Thread(target=round_of_one_server) for _ in range(2)]
    for server in servers:
        server.start()
    for server in servers:
        server.join()
    assert names(database, admin) == ["remove-audit-events"]


def test_the_database_refuses_a_hole(database: Database, admin: Actor) -> None:
    write(database, admin, [40, 39, 1, 0])
    refused(database, "DELETE FROM audit_events WHERE event = 'e0'")
    with database.write() as tx:
        store.raise_floor(tx, id_of(tx, "e0"), START, START)
    for event in ("e1", "e2", "e3"):
        refused(database, f"DELETE FROM audit_events WHERE event = '{event}'")
    refused(database, "DELETE FROM audit_events")
    with database.write() as tx:
        tx.connection.exec_driver_sql("DELETE FROM audit_events WHERE event = 'e0'")
    assert names(database, admin) == ["e1", "e2", "e3"]
    refused(database, "UPDATE audit_events SET event = 'x'")


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_floors SET up_to = up_to + 1", "UPDATE audit_floors SET until = at", "DELETE FROM audit_floors"],
)
def test_a_floor_stays_as_it_was_written(database: Database, admin: Actor, statement: str) -> None:
    write(database, admin, [40, 1, 1, 1])
    remove(database)
    refused(database, statement)


@pytest.mark.parametrize("up_to", ["1", "(SELECT max(id) FROM audit_events)", "99999"])
def test_a_floor_rises_and_never_reaches_the_newest_event(database: Database, admin: Actor, up_to: str) -> None:
    write(database, admin, [40, 1, 1, 1])
    remove(database)
    into = f"INTO audit_floors (up_to, until, at) VALUES ({up_to}, '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
    refused(database, f"INSERT {into}", "floor")
    if database.is_sqlite:
        refused(database, f"INSERT OR REPLACE {into}", "floor")
    else:
        refused(database, f"INSERT {into} ON CONFLICT (up_to) DO UPDATE SET until = excluded.until", "floor")
    assert names(database, admin) == ["e1", "e2", "e3", "remove-audit-events"]


def test_an_event_below_the_floor_is_not_replaced_either(database: Database, admin: Actor) -> None:
    if not database.is_sqlite:
        return
    write(database, admin, [40, 1])
    with database.write() as tx:
        store.raise_floor(tx, id_of(tx, "e0"), START, START)
    values = "VALUES (1, '2030-01-01 00:00:00', 'user', 'forged', 'thing', 'x', '{}')"
    into = "INTO audit_events (id, at, actor_kind, event, subject_kind, subject_id, data)"
    with closing(sqlite3.connect(str(database.engine.url.database))) as raw:
        for begin in ("INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE"):
            with pytest.raises(sqlite3.IntegrityError, match=REFUSED):
                raw.execute(f"{begin} {into} {values}")
    assert names(database, admin) == ["e0", "e1"]


def test_postgresql_empties_neither_table_and_asks_no_other_floor(database: Database, admin: Actor) -> None:
    if database.is_sqlite:
        return
    write(database, admin, [40, 1])
    remove(database)
    refused(database, "TRUNCATE audit_events")
    refused(database, "TRUNCATE audit_floors")
    refused(database, "TRUNCATE audit_events, audit_floors CASCADE")
    refused(
        database,
        "CREATE SCHEMA other; CREATE TABLE other.audit_floors AS SELECT 99999 AS up_to;"
        " SET LOCAL search_path = other, public; DELETE FROM public.audit_events",
    )
    assert names(database, admin) == ["e1", "remove-audit-events"]


def refused(database: Database, statement: str, why: str = REFUSED) -> None:
    with pytest.raises(sa.exc.IntegrityError, match=why), database.write() as tx:
        tx.connection.exec_driver_sql(statement)


def id_of(tx: Tx, event: str) -> int:
    return int(tx.rows(sa.text("SELECT id FROM audit_events WHERE event = :event"), event=event)[0]["id"])
