"""Judges every commit, every request and every step of a simulation; costs little, because it looks at what changed.

The numbers are those of the protocol's list of invariants. What is true at rest is in ``invariants.py``.
"""

import json
import sqlite3
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from entra_emulator import Entry
from keyturn.connections import store as connection_store
from keyturn.credentials.domain import State
from keyturn.rotations.domain import Reason
from keyturn.rotations.overlap import UNTIL_SWITCHED
from keyturn.rotations.work.lease import RENEWED_RECENTLY
from keyturn_simulation.conversion_checks import ConversionChecks
from keyturn_simulation.invariants import Broken, check_one_copy, check_published, check_readable
from keyturn_simulation.journal_rows import ONE_ROW, Row, moment_of, read_row, slot_of
from keyturn_simulation.processes import Process
from keyturn_simulation.programs import Program
from keyturn_simulation.run_checks import check_run
from keyturn_simulation.world import World

HEALTHY_ENOUGH = timedelta(hours=8)
"""Longer than the longest pause between two attempts: a secret that expires after so long without trouble was forgotten."""
RESTS_KEPT = 60
LATE_PROOFS = 5
LEAST_SPREAD = timedelta(seconds=10)
REMOVING = {"removePassword", "removeKey"}
_ON_THE_WAY = {State.ASKING, State.ISSUED, State.PROVEN}
_BEING_REMOVED = {State.REVOKING, State.LOST}


@dataclass
class Current:
    """What a connection shows to its readers."""

    name: str
    object_id: str
    value: str
    key_id: str | None


@dataclass
class ContinuousChecks:
    world: World
    raw: sqlite3.Connection
    """To the same database, past the product's own code."""
    rows: dict[str, Row] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """Key id -> row id, of all keys that the journal knows."""
    currents: dict[str, Current] = field(default_factory=dict)
    """By connection id."""
    healthy_since: dict[str, datetime] = field(default_factory=dict)
    """By connection id: since when nothing has kept it from rotating."""
    programs: list[Program] = field(default_factory=list)
    published: bool = False
    """Whether secrets of applications are rotated for readers."""
    clocks_wrong: bool = False
    """Whether some server's clock was wrong since all was calm."""
    conversions: ConversionChecks = field(init=False)
    _right_at: datetime | None = None
    """When the last clock that was wrong was put right."""
    _promised_until: dict[str, datetime] = field(default_factory=dict)
    """By row id: until when readers were promised a secret, by the true time."""
    _floors: dict[str, datetime] = field(default_factory=dict)
    """By row id, of secrets that wait for their consumers: until when those count that never announced anything."""
    _lifetimes: dict[str, timedelta] = field(default_factory=dict)
    """By row id: how long a secret was to live when it was planned."""
    _proofs: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    """By key id: when it signed in."""
    _requests: Counter[str] = field(default_factory=Counter)
    _rest_times: dict[str, deque[datetime]] = field(default_factory=dict)
    _seen_change: int = 0
    _seen_entry: int = 0

    def __post_init__(self) -> None:
        self.conversions = ConversionChecks(self.world, self.raw)

    # --- after every request ----------------------------------------------------------------------------------------

    def before_send(self, process: Process, object_id: str, operation: str) -> None:
        """9: whoever writes an application holds its lease, unless the process was suspended since it last made sure."""
        if process.slow_since_commit:
            return
        lease = self._lease(object_id)
        ahead = lease and moment_of(lease[2]) > self.world.clock.now() + self.world.pace.lease
        recently = self._right_at and self.world.clock.now() - self._right_at < RENEWED_RECENTLY
        if lease and lease[0] != process.name and (self.clocks_wrong or recently or ahead):
            return  # it ended by the clock of whoever took it over: nothing written under the old one counts
        if lease is None or lease[0] != process.name or moment_of(lease[2]) <= process.server.clock.now():
            raise Broken(f"9: {process.name} sends {operation} to {object_id} without its lease: {lease}")

    def put_right(self) -> None:
        """All clocks are right from now on."""
        self._right_at, self.clocks_wrong = self.world.clock.now() if self.clocks_wrong else None, False

    def after_answer(self) -> None:
        """Look at the ledger's new entries."""
        for entry in self._new_entries():
            if entry.operation == "token" and entry.status == 200:
                self._proofs[entry.auth_key_id].append(self.world.clock.now())
            elif entry.committed and entry.operation in REMOVING:
                self._check_removal(entry.key_id)

    def _new_entries(self) -> Sequence[Entry]:
        entries = []
        while entry := self.world.emulator.ledger.get(self._seen_entry + 1):
            self._seen_entry += 1
            entries.append(entry)
        return entries

    def _check_removal(self, key_id: str) -> None:
        row = self.rows.get(self.keys.get(key_id, ""))
        if row is None:
            raise Broken(f"3: removed {key_id}, which the journal does not hold")
        if row.state not in _BEING_REMOVED and row.state is not State.REVOKED:
            raise Broken(f"3: removed {row.marker!r} ({key_id}), which the journal holds as {row.state}")

    # --- after every commit -----------------------------------------------------------------------------------------

    def after_commit(self, process: Process | None) -> None:
        """Look at the rows that the transaction changed."""
        query = "SELECT seq, kind, row_id FROM simulated_changes WHERE seq > ? ORDER BY seq"
        changes = self.raw.execute(query, (self._seen_change,)).fetchall()
        for seq, kind, row_id in changes:
            self._seen_change = seq
            if kind == "credential changed" and process is not None:
                self._check_fence(process, row_id)
            if kind.startswith("credential"):
                self._check_row(row_id, replaced=bool(process and process.holding and process.holding[-1]))
            elif kind == "run added":
                check_run(self.world, self.raw, self.rows.values(), row_id)
            elif kind == "conversion":
                self._note_conversion(row_id)
            else:
                self._note_connection(row_id)
        if changes:
            self._check_one_current()
            self._check_nobody_left_behind()
            check_one_copy(self.raw.execute)
            if self.published:
                check_published(self.raw.execute)

    def _check_fence(self, process: Process, row_id: str) -> None:
        """9: a journal row is changed by the holder of the application's lease only, under its newest token."""
        lease = self._lease(self.rows[row_id].object_id)
        rotation_work = process.holding[-1] if process.holding else None
        edits = rotation_work is None and lease and lease[0] is None  # a user's edit gives the lease back as it commits
        now = process.server.clock.now()
        if not edits and (lease is None or lease[0] != process.name or moment_of(lease[2]) <= now):
            raise Broken(f"9: {process.name} changed {self.rows[row_id].marker!r} while the lease was {lease}")
        if rotation_work is not None and rotation_work.lease.token != lease[1]:
            raise Broken(f"9: {process.name} wrote under token {rotation_work.lease.token}, the newest is {lease[1]}")

    def _lease(self, object_id: str) -> Any:
        query = "SELECT holder, token, expires_at FROM leases WHERE object_id = ?"
        return self.raw.execute(query, (object_id,)).fetchone()

    def _check_row(self, row_id: str, *, replaced: bool) -> None:
        """Look at one row; ``replaced`` says that a run did it, and not a user who typed other credentials."""
        columns = self.raw.execute(ONE_ROW, (row_id,)).fetchone()
        before, row = self.rows.get(row_id), read_row(columns)
        self.rows[row_id] = row
        if row.key_id:
            self.keys[row.key_id] = row.id
        if before is None and not row.adopted:
            self._lifetimes[row.id] = self._lifetime(row)
        if row.asked_at and (before is None or before.asked_at is None) and row.run_id:
            self._requests[row.run_id] += 1
            if self._requests[row.run_id] > self.world.pace.run_tries + 2:
                raise Broken(f"10: run {row.run_id} asked for {self._requests[row.run_id]} secrets")
            self._check_lifetime(row)
        if row.published_at and (before is None or before.published_at is None) and not row.adopted:
            self._check_proofs(row)
        if before and before.state is State.CURRENT and row.state is State.RETIRING and replaced:
            self._note_promise(row)
        if before and before.state is State.RETIRING:
            self._check_promise(before, row)
            if row.state is State.REVOKING:
                self._check_programs(row)
        if row.state in {State.REVOKED, State.ABANDONED} and row.has_value:
            raise Broken(f"8: {row.marker!r} has ended but its value is kept")

    def _check_lifetime(self, row: Row) -> None:
        """A new secret lives as long as its policy says by the true time, whatever clock the server has."""
        lives = {self._lifetimes[row.id], self._lifetime(row)}  # the schedule may be changed meanwhile
        lifetime, apart = (row.ends_at or self.world.clock.now()) - self.world.clock.now(), self.world.clocks_apart
        if apart and not any(abs(lifetime - life) <= apart for life in lives):
            raise Broken(
                f"life: {row.marker!r} is asked for until {row.ends_at}, which is in {lifetime} and not in {lives}"
            )

    def _lifetime(self, row: Row) -> timedelta:
        query = "SELECT interval_days, lifetime_days, short_lifetime FROM rotations WHERE id = ?"
        interval, fixed, short = self.raw.execute(query, (row.rotation_id,)).fetchone()
        return timedelta(days=fixed or (1 if short else 2) * interval + 3)

    def _check_proofs(self, row: Row) -> None:
        proofs = self._proofs[str(row.key_id)]
        if len(proofs) < self.world.pace.proof_count:
            raise Broken(f"1: {row.marker!r} was published after {len(proofs)} proofs")
        if row.not_yet_at and row.issued_at and not self.world.clocks_apart:
            self._check_spread(row, [at for at in proofs if at > row.not_yet_at], row.not_yet_at - row.issued_at)

    def _check_spread(self, row: Row, proofs: list[datetime], delay: timedelta) -> None:
        """1: after a replica that lagged, five sign-ins are spread over as long as it may still lag."""
        least = min(max(delay, LEAST_SPREAD), self.world.pace.proof_deadline) - timedelta(seconds=0.01)
        if len(proofs) < LATE_PROOFS or proofs[-1] - proofs[0] < least:
            raise Broken(
                f"1: {row.marker!r} was published after {len(proofs)} proofs, {delay} after it was not yet known"
            )

    def _note_promise(self, row: Row) -> None:
        """2: where secrets overlap, the one that was replaced stays until the next slot, unless it leaked."""
        query = "SELECT overlap, anchor, interval_days, at_hour, at_minute, time_zone FROM rotations WHERE id = ?"
        overlap, anchor, days, hour, minute, zone = self.raw.execute(query, (row.rotation_id,)).fetchone()
        gone = row.key_id not in self.world.keys_of(
            row.object_id
        )  # somebody else removed it: nothing is promised of it
        if overlap == "until-proven" or self._leaked(row.rotation_id) or gone:
            return
        waits = overlap.startswith(UNTIL_SWITCHED)
        hours = None if waits else {"h": 1, "d": 24}.get(overlap[-1])
        slot = slot_of(anchor, days, hour, minute, zone)
        if hours:
            slot = self.world.clock.now() + timedelta(hours=hours * int(overlap[:-1])) - self.world.clocks_apart
        if row.revoke_after is None or row.revoke_after < slot:
            raise Broken(f"2: {row.marker!r} may be used until {slot}, but is to be revoked at {row.revoke_after}")
        at = json.loads(anchor)
        if waits:
            self._floors[row.id] = slot
            return
        if hours:
            self._promised_until[row.id] = slot
            return
        if self.world.clocks_apart and not at["scheduled"]:
            around = [self.world.clock.now() + by for by in (-self.world.clocks_apart, self.world.clocks_apart)]
            anchors = [json.dumps(at | {"at": moment.isoformat()}) for moment in around]
            slot = min(slot_of(anchor, days, hour, minute, zone) for anchor in anchors)
        self._promised_until[row.id] = slot

    def _check_promise(self, before: Row, row: Row) -> None:
        """2: what readers were promised is cut short by a leak or the end of the rotation only."""
        if (until := self._promised_until.get(row.id)) is None:
            return
        if before.revoke_after and row.revoke_after and row.revoke_after < before.revoke_after:
            if self._retired(row.rotation_id) or self._leaked(row.rotation_id):
                del self._promised_until[row.id]
                return
            if row.revoke_after < until - self.world.clocks_apart:
                raise Broken(f"2: {row.marker!r} was promised until {until}, now until {row.revoke_after}")
        if row.state is State.REVOKING and self.world.clock.now() < until - self.world.clocks_apart:
            raise Broken(f"2: {row.marker!r} is being revoked, but was promised until {until}")

    def _check_programs(self, row: Row) -> None:
        """13: nothing that waits is removed while a program counts as using it, unless it leaked or has waited long enough."""
        floor, now = self._floors.get(row.id), self.world.clock.now()
        over = row.ends_at is not None and row.ends_at <= now
        excused = self.world.clocks_apart or over or self._retired(row.rotation_id) or self._leaked(row.rotation_id)
        if floor is None or now >= floor or excused:
            return
        wait_ends = self.raw.execute("SELECT wait_ends_at FROM credentials WHERE id = ?", (row.id,)).fetchone()[0]
        for program in self.programs:
            if program.uses != row.key_id or not program.counts_at(now):
                continue
            if program.interval is None or now < moment_of(wait_ends):
                raise Broken(
                    f"13: {row.marker!r} is being removed, but {program.name or 'a job'} uses it until {floor}"
                )

    def _retired(self, rotation_id: str) -> bool:
        query = "SELECT retired FROM rotations WHERE id = ?"
        return bool(self.raw.execute(query, (rotation_id,)).fetchone()[0])

    def _leaked(self, rotation_id: str) -> bool:
        """Whether the last run, or any where wrong clocks dated them, was for a leak: then nothing older is promised."""
        query = "SELECT reason FROM runs WHERE rotation_id = ? AND finished_at IS NOT NULL ORDER BY finished_at DESC"
        reasons = [row[0] for row in self.raw.execute(query, (rotation_id,))]
        return Reason.LEAKED.value in (reasons if self.world.clocks_apart else reasons[:1])

    def _check_one_current(self) -> None:
        counted = Counter(row.rotation_id for row in self.rows.values() if row.state is State.CURRENT)
        for rotation_id, count in counted.items():
            if count > 1:
                raise Broken(f"rotation {rotation_id} has {count} current secrets")

    def _check_nobody_left_behind(self) -> None:
        """5: no connection holds a secret that is being removed here."""
        removed = {row.key_id for row in self.rows.values() if row.state is State.REVOKING}
        for current in self.currents.values():
            if current.key_id in removed:
                raise Broken(f"5: {current.name} still signs in with {current.key_id}, which is being removed")

    def _note_conversion(self, conversion_id: str) -> None:
        object_id = self.conversions.note(conversion_id)
        for connection_id, current in self.currents.items():
            if (
                current.object_id == object_id
            ):  # nothing was rotated while it was under way, and now there may be a slot more
                self.healthy_since[connection_id] = self.world.clock.now()

    def _note_connection(self, connection_id: str) -> None:
        with self.world.database.read() as tx:
            connection = connection_store.get(tx, connection_id)
        if connection is None:
            self.currents.pop(connection_id, None)
            self.healthy_since.pop(connection_id, None)
            return
        app, current = self.world.application_of(connection.client_id), self.world.current_of(connection)
        self.currents[connection_id] = Current(connection.name, app, *current)
        self.healthy_since.setdefault(connection_id, self.world.clock.now())

    # --- after every step -------------------------------------------------------------------------------------------

    def always(self) -> None:
        """Check what holds at every instant."""
        now = self.world.clock.now()
        for app in self.world.our_applications():
            application = self.world.emulator.admin.application(app)
            credentials = len(application.credentials_held())
            if application.personal and credentials > self.world.settings.personal_secret_cap:
                raise Broken(f"6: {application.display_name} holds {credentials} secrets")
            ends = self.world.ends_of(app)
            for connection_id, current in self.currents.items():
                if current.object_id == app:
                    self._check_current(connection_id, current, ends, now)
        self._promises(now)
        self.conversions.always()
        if self.published:
            check_readable(self.world, self.raw.execute)

    def _check_current(self, connection_id: str, current: Current, ends: dict[str, float], now: datetime) -> None:
        """5, and 2 for whoever reads at this instant."""
        if current.key_id in self.world.removed_outside:
            return
        end = ends.get(str(current.key_id))
        if end is None:
            raise Broken(f"5: the current secret of {current.name} does not exist in Entra")
        unattended = (self.healthy_since[connection_id] + HEALTHY_ENOUGH).timestamp() < end <= now.timestamp()
        if unattended and self._rotates_its_own(connection_id) and not self.world.has_no_slot(current.object_id):
            raise Broken(f"5: the current secret of {current.name} expired unattended")

    def _rotates_its_own(self, connection_id: str) -> bool:
        query = "SELECT 1 FROM rotations WHERE connection_id = ? AND kind = 'connection' AND enabled AND NOT retired"
        return self.raw.execute(query, (connection_id,)).fetchone() is not None

    def _promises(self, now: datetime) -> None:
        """2: a secret that was replaced stays as long as its readers were promised."""
        for row_id, until in self._promised_until.items():
            row = self.rows[row_id]
            if row.state is State.RETIRING and until > now:
                present = self.world.keys_of(row.object_id)
                if row.key_id not in present and row.key_id not in self.world.removed_outside:
                    raise Broken(f"2: {row.marker!r} is gone, but was promised until {until}")

    def note_rest(self, rotation_id: str) -> None:
        """10: a rotation that rests is not woken again at once, for ever."""
        rest_times = self._rest_times.setdefault(rotation_id, deque(maxlen=RESTS_KEPT))
        if self.clocks_wrong:
            rest_times.clear()  # servers whose clocks differ find due what the other has just put to rest
        rest_times.append(self.world.clock.now())
        if len(rest_times) == RESTS_KEPT and rest_times[-1] - rest_times[0] < timedelta(seconds=RESTS_KEPT):
            raise Broken(
                f"10: rotation {rotation_id} was woken {RESTS_KEPT} times within {rest_times[-1] - rest_times[0]}"
            )

    def on_the_way(self) -> bool:
        """Whether some run has a credential that it has not published yet."""
        return any(row.state in _ON_THE_WAY for row in self.rows.values())

    def row_of_key(self, key_id: str | None) -> Row | None:
        return self.rows.get(self.keys.get(key_id or "", ""))
