"""The hash chain of audit events: whatever is changed in the database by hand is found, with the row; nothing else is."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from keyturn.audit import chain_store, store
from keyturn.audit.chain import Anchor
from keyturn.audit.domain import Event
from keyturn.audit.retention import remove_old_events
from keyturn.audit.verification import Verified, verify, verify_all
from keyturn.db.engine import open_engine, parse_url
from keyturn.db.tables import audit_chains, audit_events, audit_floors, audit_links, metadata
from keyturn.db.unit import Database
from keyturn.kit.actor import Actor, platform
from tests.databases import CHAIN_KEY, postgres_database, sqlite_database, with_chain_key, with_shared_statements
from tests.features.accounts.people import START, organization

ADA, BOB = "org-ada", "org-bob"
COLUMNS = [column.name for column in audit_events.columns if column.name != "id"]


def write(database: Database, *names: str, org: str = ADA, age: float = 0, once: str | None = None) -> None:
    with database.write() as tx:
        for name in names:
            event = Event(name, platform(org), "thing", "x", START - timedelta(days=age), "p", {"n": name}, once)
            store.append(tx, event)


def verified(database: Database, *anchors: Anchor) -> dict[str, Verified]:
    return {each.chain: each for each in verify_all(database, CHAIN_KEY, anchors)}


def faults(database: Database, *anchors: Anchor) -> list[str]:
    return [f"{each.chain} {fault.message}" for each in verified(database, *anchors).values() for fault in each.faults]


def head(database: Database, chain: str = ADA) -> Anchor:
    with database.read() as tx:
        return chain_store.chains(tx, [chain])[0].anchor


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with nine events of one organization and three of another, whose tables nothing guards."""
    path = tmp_path_factory.mktemp("trail") / "trail.db"
    database = at(path)
    metadata.create_all(database.engine, [audit_events, audit_floors, audit_chains, audit_links])
    write(database, "old", age=100)
    remove_old_events_of(database, "a", "b", "c")
    for number in range(3):
        write(database, f"e{number}", once=f"once-{number}")
        write(database, f"f{number}", org=BOB)
    write(database, "e4", "e5")
    counts = {"": (2, []), ADA: (9, []), BOB: (3, [])}
    assert {each.chain: (each.events, each.faults) for each in verified(database).values()} == counts
    database.close()
    return path


def at(path: Path) -> Database:
    engine = open_engine(parse_url(f"sqlite:///{path}"), pool_size=1)
    event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
    return with_chain_key(Database(with_shared_statements(engine)))


def remove_old_events_of(database: Database, *younger: str) -> None:
    """Let the chain begin later than at its first event."""
    write(database, *younger)
    remove_old_events(database, 30, START, START, lambda: False)


@contextmanager
def opened(trail: Path, folder: Path) -> Iterator[tuple[Database, sqlite3.Connection]]:
    path = folder / "trail.db"
    for each in folder.glob("trail.db*"):
        each.unlink()
    path.write_bytes(trail.read_bytes())
    database = with_chain_key(at(path), begun=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        try:
            yield database, raw
        finally:
            database.close()


def ids_of(raw: sqlite3.Connection, chain: str = ADA) -> list[int]:
    return [
        row[0] for row in raw.execute("SELECT event_id FROM audit_links WHERE chain = ? ORDER BY position", (chain,))
    ]


# Each takes the file and a number, changes something, and returns the id of the event that a fault has to name, or None.


def edit(raw: sqlite3.Connection, number: int) -> int:
    event, column = ids_of(raw)[number % 9], COLUMNS[number // 9 % len(COLUMNS)]
    raw.execute(f"UPDATE audit_events SET {column} = coalesce({column}, '') || ' ' WHERE id = ?", (event,))
    return event


def replace(raw: sqlite3.Connection, number: int) -> int:
    event = ids_of(raw)[number % 9]
    raw.execute(
        "INSERT OR REPLACE INTO audit_events (id, at, org_id, actor_kind, event, subject_kind, subject_id, data)"
        " VALUES (?, '2026-03-04 05:06:07.000000', ?, 'platform', 'forged', 'thing', 'x', '{}')",
        (event, ADA),
    )
    return event


def delete(raw: sqlite3.Connection, number: int) -> int:
    event = ids_of(raw)[number % 9]
    raw.execute("DELETE FROM audit_events WHERE id = ?", (event,))
    return event


def insert(raw: sqlite3.Connection, number: int) -> int:
    event = ids_of(raw)[number % 9]
    names = ", ".join(column for column in COLUMNS if column != "once")
    added = raw.execute(f"INSERT INTO audit_events ({names}) SELECT {names} FROM audit_events WHERE id = ?", (event,))
    return int(added.lastrowid or 0)


def insert_with_link(raw: sqlite3.Connection, number: int) -> int:
    event = insert(raw, number)
    position = (-1, 0, 1, 11)[number % 4]  # below the start, and behind the end
    raw.execute("INSERT INTO audit_links VALUES (?, ?, ?, '00')", (event, ADA, position))
    return event


def insert_with_link_elsewhere(raw: sqlite3.Connection, number: int) -> int:
    """As if it had a place: in no chain that is there, or in the chain of others."""
    event = insert(raw, number)
    raw.execute("INSERT INTO audit_links VALUES (?, ?, 99, '00')", (event, (BOB, "nowhere")[number % 2]))
    return event


def delete_with_link(raw: sqlite3.Connection, number: int) -> None:
    event = delete(raw, number)
    raw.execute("DELETE FROM audit_links WHERE event_id = ?", (event,))


def delete_and_close_up(raw: sqlite3.Connection, number: int) -> None:
    event = ids_of(raw)[number % 8]
    (position,) = raw.execute("SELECT position FROM audit_links WHERE event_id = ?", (event,)).fetchone()
    delete_with_link(raw, number % 8)
    raw.execute("UPDATE audit_links SET position = -position WHERE chain = ? AND position > ?", (ADA, position))
    raw.execute("UPDATE audit_links SET position = -position - 1 WHERE chain = ? AND position < 0", (ADA,))
    raw.execute("UPDATE audit_chains SET position = position - 1 WHERE id = ?", (ADA,))


def swap(raw: sqlite3.Connection, number: int) -> int:
    ids = ids_of(raw)
    one, other = ids[number % 9], ids[(number + 1 + number // 9 % 8) % 9]
    for before, after in ((one, -1), (other, one), (-1, other)):
        raw.execute("UPDATE audit_events SET id = ? WHERE id = ?", (after, before))
    return one


def cut_off(raw: sqlite3.Connection, number: int) -> None:
    """As somebody does who knows all about chains, and has no key: the head is the link before."""
    for each in ids_of(raw)[8 - number % 9 :]:
        raw.execute("DELETE FROM audit_events WHERE id = ?", (each,))
        raw.execute("DELETE FROM audit_links WHERE event_id = ?", (each,))
    raw.execute(
        "UPDATE audit_chains SET (position, hash) = (SELECT coalesce(max(position), 1), coalesce(hash, start_hash)"
        " FROM audit_links WHERE chain = ?1) WHERE id = ?1",
        (ADA,),
    )


def start_later(raw: sqlite3.Connection, number: int) -> None:
    """As if more had been removed since it was too old."""
    for each in ids_of(raw)[: 1 + number % 9]:
        raw.execute(
            "UPDATE audit_chains SET (start_position, start_hash) = (SELECT position, hash FROM audit_links"
            " WHERE event_id = ?) WHERE id = ?",
            (each, ADA),
        )
        raw.execute("DELETE FROM audit_events WHERE id = ?", (each,))
        raw.execute("DELETE FROM audit_links WHERE event_id = ?", (each,))


def move_to_other(raw: sqlite3.Connection, number: int) -> int:
    event = ids_of(raw)[number % 9]
    raw.execute("UPDATE audit_events SET org_id = ? WHERE id = ?", (BOB, event))
    return event


def drop_chain(raw: sqlite3.Connection, number: int) -> None:
    """Away with an organization's whole trail; or with its links alone, or the head alone."""
    raw.execute("DELETE FROM audit_chains WHERE id = ?", (ADA,))
    if number % 3:
        if number % 3 == 1:
            raw.execute("DELETE FROM audit_events WHERE org_id = ?", (ADA,))
        raw.execute("DELETE FROM audit_links WHERE chain = ?", (ADA,))


def drop_all(raw: sqlite3.Connection, number: int) -> None:
    for table in ("audit_events", "audit_links", "audit_chains")[: 1 + number % 3]:
        raw.execute(f"DELETE FROM {table}")


TAMPERING: list[Callable[[sqlite3.Connection, int], int | None]] = [
    *(edit, replace, delete, insert, insert_with_link, insert_with_link_elsewhere, delete_with_link),
    *(delete_and_close_up, swap, cut_off, start_later, move_to_other, drop_chain, drop_all),
]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tamper=st.sampled_from(TAMPERING), number=st.integers(0, 9 * len(COLUMNS) - 1), goes_on=st.booleans())
def test_whatever_is_changed_by_hand_is_found_also_after_the_server_went_on(
    trail: Path, tmp_path: Path, tamper: Callable[[sqlite3.Connection, int], int | None], number: int, goes_on: bool
) -> None:
    with opened(trail, tmp_path) as (database, raw):
        event = tamper(raw, number)
        if goes_on:
            for org in (ADA, "org-new"):
                with suppress(sa.exc.IntegrityError):  # what is there in its place forbids to go on
                    write(database, "later", org=org)
        found = [fault for each in verified(database).values() for fault in each.faults]
        assert found
        assert event is None or event in {fault.event_id for fault in found}


@pytest.mark.parametrize("number", [0, 1])
def test_an_organization_sees_by_its_own_chain_what_was_added_to_its_events(
    trail: Path, tmp_path: Path, number: int
) -> None:
    with opened(trail, tmp_path) as (database, raw):
        event = insert_with_link_elsewhere(raw, number)
        found = verify(database, CHAIN_KEY, ADA)
        assert [fault.event_id for fault in found.faults] == [event]


@pytest.mark.parametrize("aged", [False, True])
def test_a_floor_that_somebody_else_wrote_removes_nothing_young_and_hides_no_change(
    trail: Path, tmp_path: Path, aged: bool
) -> None:
    with opened(trail, tmp_path) as (database, raw):
        events = ids_of(raw)
        raw.execute("INSERT INTO audit_floors SELECT ?, '2026-01-01', '2026-01-01'", (events[-1],))
        if aged:  # what goes looks as if its time had come
            raw.execute("UPDATE audit_events SET at = '2020-01-01 00:00:00.000000' WHERE id = ?", (events[0],))
        remove_old_events(database, 30, START, START, lambda: False)
        assert ids_of(raw) == events[aged:]
        assert bool(faults(database)) is aged


def test_an_old_copy_of_the_whole_trail_is_found_with_a_head_that_was_kept_elsewhere(
    trail: Path, tmp_path: Path
) -> None:
    with opened(trail, tmp_path) as (database, _):
        before = head(database)
        write(database, "later")
        after = head(database)
        assert (after.position, Anchor.parse(f" {after}\n")) == (before.position + 1, after)
        assert faults(database, before, after, head(database, BOB)) == []
    with opened(trail, tmp_path) as (database, _):
        assert faults(database) == []
        assert faults(database, after) == [f"{ADA} the anchor's link is not there: the end of the chain was cut off"]
        write(database, "instead")
        assert faults(database, after) == [f"{ADA} the link is another one than the anchor says"]
        assert faults(database, before, Anchor(ADA, 0, before.hash)) == [
            f"{ADA} the anchor is of before the events that are kept: nothing can be said of it"
        ]
        assert faults(database, Anchor("elsewhere", 3, before.hash)) == [
            "elsewhere the chain is gone from the database"
        ]


def test_without_its_key_nothing_is_written(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        bare = Database(database.engine)
        with pytest.raises(RuntimeError, match="open the keyring first"):
            write(bare, "e")
        with database.read() as tx:
            assert tx.rows(sa.select(audit_events)) == []


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_many_writers_of_several_organizations_at_once_leave_chains_that_hold(kind: str, tmp_path: Path) -> None:
    with sqlite_database(tmp_path) if kind == "sqlite" else postgres_database() as database:
        orgs = [organization(database, f"org-{number}") for number in range(3)]
        write(database, "first", org="")
        failures: list[Exception] = []

        def writer(number: int) -> None:
            own = with_chain_key(Database(database.engine))
            actors: list[Actor] = [platform(org) for org in (*orgs, "")]
            try:
                for turn in range(12):
                    with own.write() as tx:  # in another order each time: nobody may wait in a circle
                        for place in range(1 + turn % 4):
                            actor = actors[(number + turn + place * (1 + number % 3)) % 4]
                            key = f"{turn}-{actor.org_id}" if place == 2 else None
                            store.append(tx, Event(f"{number}-{turn}", actor, "thing", "x", START, once=key))
            except Exception as error:  # noqa: BLE001 - told by the test
                failures.append(error)

        threads = [threading.Thread(target=writer, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        with database.read() as tx:
            count = len(tx.rows(sa.select(audit_events.c.id)))
        found = verified(database)
        assert [each.faults for each in found.values()] == [[], [], [], []]
        assert sum(each.events for each in found.values()) == count > 120
