"""Sources of due work: they share the room, fail each for itself, and leave alone what this version does not know."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from keyturn.connections.due import Looks, RefreshTokens
from keyturn.db.unit import Database, Tx
from keyturn.engine.dbos import DbosEngine
from keyturn.engine.dead_processes import Heartbeat
from keyturn.engine.due import Finder
from keyturn.engine.sources import BUSY, Source, Sources, Spacing
from keyturn.engine.upkeep import Task, Upkeep
from keyturn.errors import Permanent
from keyturn.kit.clock import MovableClock
from keyturn.ports.work import Work
from keyturn.rotations.due import DueRotations
from keyturn.settings.model import Pace
from keyturn_simulation.world import make_world
from tests.engine.inline import InlineEngine
from tests.engine.rows import make_rotation, wake_of
from tests.engine.sealing import CODEC

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NO_MORE = timedelta(seconds=30)


class Pile(Source):
    """So many pieces, all due at once; each has a partition of its own."""

    def __init__(self, kind: str, pieces: int) -> None:
        self.kind = kind
        self.due = [f"{kind}{number}" for number in range(pieces)]
        self.done: list[str] = []
        self.woken: list[str] = []

    def is_due(self, tx: Tx, now: datetime) -> bool:
        return bool(self.due)

    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        first, self.due = self.due[:limit], self.due[limit:]
        return [Work(self.kind, name, name) for name in first]

    def do(self, work_id: str) -> None:
        self.done.append(work_id)

    def put_back(self, tx: Tx, works: Sequence[Work], claimed_at: datetime, now: datetime) -> None:
        self.due += [work.id for work in works]

    def wake(self, tx: Tx, partitions: Collection[str], now: datetime) -> None:
        self.woken += partitions


class Broken(Pile):
    """Raises wherever it is asked, or only when it is asked for its pieces."""

    def __init__(self, kind: str, *, at_claim: bool) -> None:
        super().__init__(kind, 1)
        self.at_claim = at_claim

    def is_due(self, tx: Tx, now: datetime) -> bool:
        if self.at_claim:
            return True
        tx.rows(sa.text("SELECT nonsense("))
        return False

    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        raise KeyError(self.kind)


class World:
    def __init__(self, database: Database, *sources: Source, concurrency: int = 16) -> None:
        self.database = database
        self.clock = MovableClock(NOON)
        self.engine = InlineEngine()
        self.sources = Sources(sources)
        self.engine.start(self.sources.do)
        self.finder = Finder(database, self.clock, self.engine, self.sources, concurrency, timedelta(seconds=1))


# --- sharing ----------------------------------------------------------------------------------------------------------


def test_two_sources_that_have_much_to_do_share_the_room_equally(database: Database) -> None:
    many, more = Pile("a", 1000), Pile("b", 1000)
    world = World(database, many, more)
    for _ in range(20):
        assert world.finder.tick().more
        world.engine.run_all()
    assert len(many.done) == len(more.done) == 200


def test_a_source_with_a_thousand_pieces_does_not_keep_another_waiting(database: Database) -> None:
    many, few = Pile("a", 1000), Pile("b", 3)
    world = World(database, many, few)
    world.finder.tick()
    world.engine.run_all()
    assert len(few.done) == 3
    while world.finder.tick().submitted:
        world.engine.run_all()
    assert len(many.done) == 1000, "what the other does not use is not lost"


@pytest.mark.parametrize("few", [1, 2])
def test_where_there_is_room_for_one_piece_the_sources_take_turns(database: Database, few: int) -> None:
    """Also when each piece takes the whole process."""
    many, others = Pile("a", 1000), [Pile(name, 10) for name in "bc"[:few]]
    world = World(database, many, *others, concurrency=1)
    for _ in range(10 * (1 + few)):
        assert world.finder.tick().submitted == 1
        world.engine.run_all()
    assert [len(pile.done) for pile in (many, *others)] == [10] * (1 + few)


def test_no_more_is_handed_over_than_fits_however_many_sources_there_are(database: Database) -> None:
    piles = [Pile(name, 100) for name in "abcdefg"]
    world = World(database, *piles, concurrency=4)
    assert world.finder.tick().submitted == 5
    assert world.finder.tick().submitted == 0
    world.engine.run_all(limit=3)
    assert world.finder.tick().submitted == 3
    assert world.engine.in_flight() == 5


# --- failing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_claim", [True, False])
def test_a_source_that_raises_is_logged_and_the_others_go_on(database: Database, *, at_claim: bool) -> None:
    before, after = Pile("a", 30), Pile("c", 30)
    world = World(database, before, Broken("b", at_claim=at_claim), after)
    with capture_logs() as logs:
        for _ in range(4):
            world.finder.tick()
            world.engine.run_all()
    assert (len(before.done), len(after.done)) == (30, 30)
    assert {(line["event"], line["kind"]) for line in logs} == {("looking for due work failed", "b")}
    assert len(logs) == 4, "it is asked again each time, as the others are"
    assert all("test_sources.py" in line["at"] or "base.py" in line["at"] for line in logs)


# --- what another version left ----------------------------------------------------------------------------------------


def test_work_of_an_unknown_kind_is_left_alone_with_a_line_in_the_log(database: Database) -> None:
    pile = Pile("a", 1)
    sources = Sources([pile])
    engine = DbosEngine(database.engine.url, "older", 2, CODEC, MovableClock(datetime.now(UTC)))
    with capture_logs() as logs:
        engine.start(sources.do)
        try:
            assert engine.submit(Work("of-a-newer-version", "x", "new:x"))
            assert engine.submit(Work("a", "a0", "a0"))
        finally:
            engine.stop(NO_MORE)
    assert pile.done == ["a0"]
    (line,) = logs
    assert (line["event"], line["kind"], line["work_id"], line["log_level"]) == (
        "work of an unknown kind is left alone",
        "of-a-newer-version",
        "x",
        "warning",
    )


def test_what_a_dead_newer_server_had_under_way_wakes_nothing_it_is_not_about(database: Database) -> None:
    class Works(InlineEngine):
        def holders(self) -> set[str]:
            return {"dead"}

        def release(self, process_id: str) -> list[str]:
            return ["new:x", "object of r"] if process_id == "dead" else []

    make_rotation(database, "r", NOON + HOUR)
    make_rotation(database, "other", NOON + HOUR)
    pile, clock = Pile("a", 0), MovableClock(NOON)
    sources = Sources([DueRotations(lambda _id: None), pile])
    Heartbeat(database, clock, Works(), sources.wake, "here", Pace()).tick()
    assert (wake_of(database, "r"), wake_of(database, "other")) == (NOON, NOON + HOUR)
    assert sorted(pile.woken) == ["new:x", "object of r"]


# --- spacing ----------------------------------------------------------------------------------------------------------


def test_looks_that_have_come_due_together_are_done_two_in_a_second_and_refreshes_one(database: Database) -> None:
    world = make_world(database)
    for number in range(5):
        world.connect(f"c{number}", rotate=False)
    world.clock.advance(timedelta(days=2).total_seconds())
    looks, now = Looks(world.services.daily_check), world.clock.now()
    counts = []
    for second in range(4):
        moment = now + timedelta(seconds=second)
        for _ in range(3):
            with database.write() as tx:
                counts.append((second, len(looks.claim(tx, moment, 16)) if looks.is_due(tx, moment) else 0))
    assert [counts[at] for at in (0, 1, 3, 6, 9)] == [(0, 2), (0, 0), (1, 2), (2, 1), (3, 0)]
    with database.write() as tx:
        unset = RefreshTokens(world.services.grants)
        assert not unset.is_due(tx, now), "this server has no OAuth application"


def test_a_clock_that_was_set_back_does_not_hold_anything_up() -> None:
    spacing = Spacing(2, timedelta(seconds=1))
    assert spacing.take(NOON, 9) == 2
    assert not spacing.lets(NOON)
    assert spacing.lets(NOON - HOUR)


# --- upkeep -----------------------------------------------------------------------------------------------------------


class Chores:
    """Two tasks; of the second something is left, ``parts`` times."""

    def __init__(self, database: Database, parts: int = 0) -> None:
        self.ran: list[str] = []
        self.parts = parts
        self.failing = False
        tasks = [Task("first", self.first), Task("second", self.second), Task("start", self.start, at_start=True)]
        self.world = World(database, Upkeep("p", tasks, NOON, HOUR))

    def first(self) -> bool:
        self.ran.append("first")
        if self.failing:
            raise Permanent("no", code="no.good")
        return False

    def second(self) -> bool:
        self.ran.append("second")
        self.parts -= 1
        return self.parts >= 0

    def start(self) -> bool:
        self.ran.append("start")
        return False

    def round(self, seconds: float = 0) -> list[str]:
        """Look, do what was found, and return what ran."""
        self.world.clock.advance(seconds)
        self.ran.clear()
        self.world.finder.tick()
        self.world.engine.run_all()
        return list(self.ran)


def test_upkeep_is_done_hourly_one_task_after_another_and_at_the_start_what_is_asked_for(database: Database) -> None:
    chores = Chores(database)
    assert chores.round() == ["start"]
    assert chores.round() == []
    assert chores.round(3599) == []
    assert [chores.round(second) for second in (1, 0, 0, 0)] == [["first"], ["second"], ["start"], []]


def test_a_task_with_much_to_do_goes_on_after_the_others(database: Database) -> None:
    chores = Chores(database, parts=2)
    chores.round()
    rounds = [chores.round(seconds) for seconds in (3600, 0, 0, 0, 0, 0)]
    assert rounds == [["first"], ["second"], ["start"], ["second"], ["second"], []]


def test_a_task_that_fails_is_tried_again_after_an_hour_and_keeps_no_other_from_its_turn(database: Database) -> None:
    chores = Chores(database)
    chores.round()
    chores.failing = True
    with pytest.raises(Permanent):
        chores.round(3600)
    assert [chores.round() for _ in range(3)] == [["second"], ["start"], []]
    chores.failing = False
    assert chores.round(3600) == ["first"]


def test_while_one_task_runs_the_next_wait_a_little(database: Database) -> None:
    chores = Chores(database)
    chores.round()
    chores.world.clock.advance(3600)
    assert [chores.world.finder.tick().submitted for _ in range(4)] == [1, 0, 0, 0]
    chores.world.engine.run_all()
    assert chores.round() == []
    assert [chores.round(seconds) for seconds in (BUSY.total_seconds(), 0, 0)] == [["second"], ["start"], []]


def test_a_clock_that_was_years_ahead_at_the_start_puts_no_upkeep_off(database: Database) -> None:
    chores = Chores(database)
    chores.round()
    assert chores.round(-timedelta(days=3652).total_seconds()) == ["first"]
