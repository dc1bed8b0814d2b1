"""The dead are noticed, their leases end, their rotations wake, their work is handed over: once, and to the living."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn.db.tables import processes
from keyturn.db.unit import Database
from keyturn.engine import process_identity
from keyturn.engine.dead_processes import HOUSEKEEPING, Heartbeat
from keyturn.kit.clock import MovableClock
from keyturn.ports.work import Work
from keyturn.rotations.store.due import wake_applications
from keyturn.settings.model import Pace
from tests import unreadable
from tests.engine.inline import InlineEngine
from tests.engine.rows import lease_of, make_lease, make_rotation, process_ids, wake_of

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
ELSEWHERE = "another-machine boot=1 pids=2 start=3"
PACE = Pace()
FAR = NOON + timedelta(days=1)


class Works(InlineEngine):
    """Knows who holds work, for one application each, and strikes it off."""

    def __init__(self, *holders: str) -> None:
        super().__init__()
        self.held = set(holders)

    def holders(self) -> set[str]:
        return set(self.held)

    def release(self, process_id: str) -> list[str]:
        if process_id not in self.held:
            return []
        self.held.discard(process_id)
        return [f"work of {process_id}"]


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(NOON)


def _presence(database: Database, clock: MovableClock, works: Works, name: str) -> Heartbeat:
    return Heartbeat(database, clock, works, wake_applications, name, PACE)


def _stranger(database: Database, name: str, seen_at: datetime, host: str = ELSEWHERE, pid: int = 1) -> None:
    with database.write() as tx:
        tx.run(sa.insert(processes).values(id=name, host=host, pid=pid, started_at=seen_at, seen_at=seen_at))


def _live(presence: Heartbeat, clock: MovableClock, seconds: float) -> list[str]:
    """Let time pass, heartbeat by heartbeat; return who was found dead."""
    dead = []
    for _ in range(int(seconds / PACE.heartbeat.total_seconds())):
        clock.advance(PACE.heartbeat.total_seconds())
        dead += presence.tick()
    return dead


def test_a_silent_process_is_buried_and_everything_it_held_is_free(database: Database, clock: MovableClock) -> None:
    works = Works("dead")
    presence = _presence(database, clock, works, "alive")
    make_rotation(database, "r", FAR, "application")
    make_rotation(database, "queued", FAR, "work of dead")
    make_rotation(database, "other", FAR)
    make_lease(database, "application", "dead", NOON + PACE.lease + PACE.heartbeat)
    _stranger(database, "dead", NOON)
    assert _live(presence, clock, 8) == []
    assert _live(presence, clock, 4) == ["dead"]
    assert process_ids(database) == {"alive"}
    assert lease_of(database, "application")[0] is None
    assert lease_of(database, "application")[1] <= clock.now()
    assert wake_of(database, "r") == clock.now() - PACE.heartbeat
    assert wake_of(database, "queued") == clock.now() - PACE.heartbeat, "also what had not yet begun"
    assert wake_of(database, "other") == FAR
    assert works.holders() == set()


def test_a_lease_kept_after_the_silence_lives_on(database: Database, clock: MovableClock) -> None:
    """The process was only slow, and is at work again before its next heartbeat."""
    presence = _presence(database, clock, Works(), "alive")
    make_lease(database, "from before", "slow", NOON + PACE.lease)
    _stranger(database, "slow", NOON)
    _live(presence, clock, 8)
    make_lease(database, "from now", "slow", clock.now() + PACE.lease)
    assert _live(presence, clock, 2) == ["slow"]
    assert lease_of(database, "from before")[0] is None
    assert lease_of(database, "from now")[0] == "slow"


def test_a_process_that_beats_is_left_alone_even_if_its_clock_is_behind(
    database: Database, clock: MovableClock
) -> None:
    behind = MovableClock(NOON - timedelta(minutes=5))
    works = Works("behind")
    presence, other = _presence(database, clock, works, "here"), _presence(database, behind, Works(), "behind")
    with database.write() as tx:
        tx.run(sa.delete(processes))
    for _ in range(20):
        behind.advance(2)
        clock.advance(2)
        other.announce()
        with database.write() as tx:  # as seen from another machine
            tx.run(sa.update(processes).where(processes.c.id == "behind").values(host=ELSEWHERE))
        assert presence.tick() == []
    assert works.holders() == {"behind"}


def test_what_a_long_dead_process_left_is_adopted_soon_after_the_start(database: Database, clock: MovableClock) -> None:
    _stranger(database, "dead", NOON - timedelta(days=3))
    presence = _presence(database, clock, Works("dead"), "alive")
    assert presence.tick() == []  # perhaps its clock is behind
    assert _live(presence, clock, 4) == ["dead"]


def test_of_two_survivors_one_wakes_the_rotations(database: Database, clock: MovableClock) -> None:
    _stranger(database, "dead", NOON)
    make_rotation(database, "r", FAR, "application")
    make_lease(database, "application", "dead", NOON + timedelta(seconds=40))
    first, second = (_presence(database, clock, Works("dead"), name) for name in ("first", "second"))
    dead = []
    for _ in range(10):
        clock.advance(2)
        dead += [*first.tick(), *second.tick()]
    assert dead == ["dead"]
    assert process_ids(database) == {"first", "second"}


def test_a_process_taken_for_dead_comes_back(database: Database, clock: MovableClock) -> None:
    slow = _presence(database, clock, Works(), "slow")
    slow.announce()
    with database.write() as tx:
        tx.run(sa.delete(processes))
    slow.tick()
    assert process_ids(database) == {"slow"}


def test_a_killed_process_of_this_machine_is_dead_at_once(database: Database, clock: MovableClock) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        host = process_identity.describe(child.pid)
        assert host is not None
        _stranger(database, "child", NOON, host, child.pid)
        presence = _presence(database, clock, Works(), "here")
        assert presence.tick() == []
        os.kill(child.pid, signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, but not yet reaped
        assert presence.tick() == ["child"]
    finally:
        child.kill()
        child.communicate()


def test_a_process_number_in_use_again_is_not_mistaken_for_the_old_process(
    database: Database, clock: MovableClock
) -> None:
    mine = process_identity.describe(os.getpid())
    assert mine is not None
    _stranger(database, "me", NOON, mine, os.getpid())
    _stranger(database, "before me", NOON, f"{mine}0", os.getpid())
    assert _presence(database, clock, Works(), "here").tick() == ["before me"]


def test_work_of_a_process_nobody_knows_is_adopted(database: Database, clock: MovableClock) -> None:
    works = Works("here", "nobody knows")
    make_rotation(database, "r", FAR, "work of nobody knows")
    presence = _presence(database, clock, works, "here")
    presence.tick()
    assert works.holders() == {"here"}
    assert wake_of(database, "r") == NOON
    works.held.add("nobody either")
    _live(presence, clock, HOUSEKEEPING.total_seconds() + 2)
    assert works.holders() == {"here"}


def test_taking_leave_frees_what_was_held(database: Database, clock: MovableClock) -> None:
    presence = _presence(database, clock, Works(), "here")
    presence.announce()
    presence.start()
    make_rotation(database, "r", FAR, "application")
    make_lease(database, "application", "here", NOON + timedelta(seconds=40))
    presence.stop(timedelta(seconds=20))
    assert process_ids(database) == set()
    assert lease_of(database, "application") == (None, NOON)
    assert wake_of(database, "r") == NOON


def test_who_leaves_with_work_under_way_stays_on_the_list(database: Database, clock: MovableClock) -> None:
    works = Works()
    works.start(lambda _work: None)
    works.submit(Work("rotation", "r", "application"))
    presence = _presence(database, clock, works, "here")
    presence.announce()
    make_lease(database, "application", "here", NOON + timedelta(seconds=40))
    presence.stop(timedelta(0))
    assert process_ids(database) == {"here"}
    assert lease_of(database, "application") == ("here", NOON + timedelta(seconds=40))


def test_a_dead_process_whose_clock_was_ahead_is_buried_as_soon_as_any_other(
    database: Database, clock: MovableClock
) -> None:
    presence = _presence(database, clock, Works(), "alive")
    make_rotation(database, "r", FAR, "application")
    make_lease(database, "application", "dead", NOON + timedelta(hours=1) + PACE.lease)
    _stranger(database, "dead", NOON + timedelta(hours=1))
    assert _live(presence, clock, 8) == []
    assert _live(presence, clock, 6) == ["dead"]
    assert lease_of(database, "application")[0] is None
    assert wake_of(database, "r") <= clock.now()


def test_a_lease_that_a_wrong_clock_wrote_ends_once_nobody_keeps_it(database: Database, clock: MovableClock) -> None:
    """Its holder was taken for dead by what it last noted, which was before its clock was set ahead."""
    presence = _presence(database, clock, Works(), "alive")
    make_rotation(database, "r", FAR, "application")
    make_lease(database, "application", "gone", NOON + timedelta(days=3652))
    make_lease(database, "at work", "there", NOON + timedelta(days=3652))
    for _ in range(8):
        _live(presence, clock, 20)
        make_lease(database, "at work", "there", clock.now() + timedelta(days=3652))
    assert lease_of(database, "application")[0] is None
    assert wake_of(database, "r") <= clock.now()
    assert lease_of(database, "at work")[0] == "there", "a process keeps it, whatever its clock says"


def test_housekeeping_goes_on_after_the_clock_was_set_back(database: Database) -> None:
    clock, works = MovableClock(NOON + timedelta(days=3652)), Works("here")
    presence = _presence(database, clock, works, "here")
    presence.tick()
    clock = MovableClock(NOON)
    presence._clock = clock  # the machine's clock is set back under a process that goes on
    works.held.add("nobody knows")
    _live(presence, clock, HOUSEKEEPING.total_seconds() + 4)
    assert works.holders() == {"here"}


def test_a_lease_and_a_process_whose_moments_cannot_be_read_end(database: Database, clock: MovableClock) -> None:
    for text in unreadable.moments(database)[:2]:
        make_rotation(database, text, None, object_id=f"application {text}")
        make_lease(database, f"application {text}", f"gone {text}", NOON)
        _stranger(database, f"gone {text}", NOON)
        unreadable.write(database, "leases", "expires_at", text, f"object_id = 'application {text}'")
        unreadable.write(database, "processes", "seen_at", text, f"id = 'gone {text}'")
    presence = _presence(database, clock, Works(), "me")
    _live(presence, clock, HOUSEKEEPING.total_seconds() + 2 * PACE.lease.total_seconds())
    assert process_ids(database) == {"me"}
    for text in unreadable.moments(database)[:2]:
        assert lease_of(database, f"application {text}")[0] is None
        assert wake_of(database, text) is not None


def test_where_the_machine_tells_of_no_boot_nobody_is_taken_for_dead_before_its_time(
    database: Database, clock: MovableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under ``ProcSubset=pid`` of systemd, where ``/proc`` shows processes and nothing else."""
    mine = process_identity.describe(os.getpid())
    assert mine is not None
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").write_text("1 (python) S 0 0")
    monkeypatch.setattr(process_identity, "_PROC", tmp_path)
    _stranger(database, "before", NOON, f"{mine}0", os.getpid())
    presence = _presence(database, clock, Works(), "here")
    presence.announce()
    assert presence.tick() == []
    assert process_ids(database) == {"before", "here"}
