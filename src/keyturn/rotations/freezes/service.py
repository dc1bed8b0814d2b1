"""Use cases of freeze windows: days on which nothing is rotated, of an organization and of its projects.

Whoever changes one has all runs planned anew, in the same transaction, and learns which of them that moves; with ``dry_run`` they
learn it, and nothing is written.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date, datetime

from keyturn.audit import events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action, require_admin
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit import zones
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock, Ids
from keyturn.rotations.domain import Rotation, RotationKind
from keyturn.rotations.freezes.domain import LONGEST_FREEZE, FreezeWindow, days_in
from keyturn.rotations.run_schedule import NextRun, planned_run
from keyturn.rotations.secret_rotations import access as secret_access
from keyturn.rotations.store import freezes, policies, secret_rotations

MOST_WINDOWS = 50
"""Of one place."""


@dataclass(frozen=True)
class NewFreeze:
    """Days on which nothing is to be rotated; both are included. ``project_id`` None: in all of the organization."""

    name: str
    reason: str
    first: date
    last: date
    time_zone: str
    yearly: bool = False
    project_id: str | None = None


@dataclass(frozen=True)
class MovedRun:
    """A rotation that runs ``at`` another moment than ``before``, which is None where it was not planned yet."""

    rotation_id: str
    name: str
    project_id: str | None
    before: datetime | None
    at: datetime


@dataclass(frozen=True)
class FreezeChange:
    """A window as it is, or was when it was removed, and the runs that this moves, of those that the actor may see."""

    window: FreezeWindow
    moved: Sequence[MovedRun]


class Freezes:
    """Freeze windows: listed, added, changed and removed."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    def list(self, actor: Actor, project_id: str | None) -> Sequence[FreezeWindow]:
        """Return those of the organization, and with a project its own, too. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            if project_id:
                authorize.require(tx, actor, Action.READ_PROJECT, Scope(actor.org_id, project_id))
            return freezes.holding_in(tx, actor.org_id, project_id)

    def create(self, actor: Actor, new: NewFreeze, *, dry_run: bool = False) -> FreezeChange:
        """Add one. Raises Refused for days that make no sense, Forbidden or NotFound."""
        window = FreezeWindow(
            self._ids.new(), new.name, new.reason, new.first, new.last, new.time_zone, new.yearly, new.project_id
        )
        _require_sound(window)
        with self._unit(dry_run=dry_run) as tx:
            _require_editor(tx, actor, window.project_id)
            if len(freezes.of_place(tx, actor.org_id, window.project_id)) >= MOST_WINDOWS:
                raise Refused(
                    f"There are {MOST_WINDOWS} freeze windows already, the most that one place may have.",
                    code="freezes.too_many",
                    fix="Remove those that are over.",
                )
            if not dry_run:
                freezes.insert(tx, actor.org_id, window, self._clock.now())
            return self._changed(tx, actor, events.FREEZE_CREATED, window, dry_run=dry_run)

    def update(self, actor: Actor, window_id: str, new: NewFreeze, *, dry_run: bool = False) -> FreezeChange:
        """Change all of it but where it holds. Raises as :meth:`create` does."""
        with self._unit(dry_run=dry_run) as tx:
            before = _found(tx, actor, window_id)
            window = replace(
                before,
                name=new.name,
                reason=new.reason,
                first=new.first,
                last=new.last,
                time_zone=new.time_zone,
                yearly=new.yearly,
            )
            _require_sound(window)
            if not dry_run:
                freezes.save(tx, window, self._clock.now())
            return self._changed(tx, actor, events.FREEZE_UPDATED, window, dry_run=dry_run)

    def delete(self, actor: Actor, window_id: str, *, dry_run: bool = False) -> FreezeChange:
        """Remove one: what it put off is done when the schedule says."""
        with self._unit(dry_run=dry_run) as tx:
            window = _found(tx, actor, window_id)
            if not dry_run:
                freezes.delete(tx, window.id)
            return self._changed(tx, actor, events.FREEZE_DELETED, window, dry_run=dry_run)

    def _unit(self, *, dry_run: bool) -> AbstractContextManager[Tx]:
        return self._database.read() if dry_run else self._database.write()

    def _changed(self, tx: Tx, actor: Actor, event: AuditEvent, window: FreezeWindow, *, dry_run: bool) -> FreezeChange:
        now = self._clock.now()
        others = [each for each in freezes.list_windows(tx, actor.org_id) if each.id != window.id]
        windows = (*others, *([] if event is events.FREEZE_DELETED else [window]))
        planned = _planned(tx, actor.org_id, freezes.with_sharing(tx, actor.org_id, windows), now)
        moved = _seen(tx, actor, planned)
        if dry_run:
            return FreezeChange(window, moved)
        policies.replan(tx, [(rotation, due.at, due.moved_days) for rotation, due in planned], now)
        kind = SubjectKind.PROJECT if window.project_id else SubjectKind.ORGANIZATION
        subject = Subject(kind, window.project_id or actor.org_id, window.project_id)
        record(
            tx,
            actor,
            event,
            subject,
            now,
            freezeId=window.id,
            name=window.name,
            freezeReason=window.reason,
            firstDay=window.first.isoformat(),
            lastDay=window.last.isoformat(),
            timeZone=window.time_zone,
            yearly=window.yearly,
        )
        return FreezeChange(window, moved)


def _planned(
    tx: Tx, org_id: str, frozen: freezes.OrganizationFreezes, now: datetime
) -> Sequence[tuple[Rotation, NextRun]]:
    """Return when each rotation of the organization runs next under these windows, where that is not what is planned.

    A few statements, however many they are.
    """
    planned = []
    for rotation, current in policies.scheduled_rotations(tx, org_id):
        if rotation.anchor is None or rotation.unreadable:
            continue
        due = planned_run(rotation.schedule, rotation.anchor, current, frozen.of(rotation), now)
        if (due.at, due.moved_days) != (rotation.next_run_at, rotation.moved_days):
            planned.append((rotation, due))
    return planned


def _seen(tx: Tx, actor: Actor, planned: Sequence[tuple[Rotation, NextRun]]) -> Sequence[MovedRun]:
    """Return the runs that move, of those that the actor may see, the first ones first."""
    moving = [(one, due.at) for one, due in planned if one.enabled and one.next_run_at != due.at]
    seen = _names_seen(tx, actor, [one for one, _ in moving])
    runs = [MovedRun(one.id, *seen[one.id], one.next_run_at, at) for one, at in moving if one.id in seen]
    return sorted(runs, key=lambda run: (run.at, run.name, run.rotation_id))


def _names_seen(tx: Tx, actor: Actor, moving: Sequence[Rotation]) -> Mapping[str, tuple[str, str | None]]:
    """Return name and project of the rotations that the actor may see, by id.

    That of an application is called as one of its secret rotations that they may see: the others may be of other places.
    """
    connections = [one for one in moving if one.kind is RotationKind.CONNECTION]
    scopes = [Scope(one.org_id, one.project_id, connection_id=one.connection_id) for one in connections]
    allowed = authorize.allowed_of(tx, actor, Action.READ_CONNECTIONS, scopes)
    seen = {one.id: (one.name, one.project_id) for one, may_see in zip(connections, allowed, strict=True) if may_see}
    applications = [one.id for one in moving if one.kind is RotationKind.APPLICATION]
    for ref in secret_access.seen_among(tx, actor, secret_rotations.refs_of_rotations(tx, applications)):
        seen.setdefault(ref.rotation_id, (ref.name, ref.place.project_id))
    return seen


def _found(tx: Tx, actor: Actor, window_id: str) -> FreezeWindow:
    window = freezes.get(tx, actor.org_id, window_id)
    if window is None:
        raise NotFound(
            f"There is no freeze window '{window_id}'.",
            code="freezes.not_found",
            fix="GET /api/v1/freeze-windows lists them, and so does: keyturn freezes list",
        )
    _require_editor(tx, actor, window.project_id)
    return window


def _require_editor(tx: Tx, actor: Actor, project_id: str | None) -> None:
    if project_id:
        authorize.require(tx, actor, Action.EDIT_PROJECT, Scope(actor.org_id, project_id))
    else:
        require_admin(actor)


def _require_sound(window: FreezeWindow) -> None:
    if window.last < window.first:
        raise Refused(
            "The last day of a freeze is before its first day.",
            code="freezes.backwards",
            fix="Give the days in their order; both are included.",
            field="to",
        )
    if days_in(window) > LONGEST_FREEZE:
        raise Refused(
            f"A freeze of {days_in(window)} days is too long: secrets end meanwhile.",
            code="freezes.too_long",
            fix=f"Choose at most {LONGEST_FREEZE} days. To stop a rotation for longer, pause it.",
            field="to",
        )
    if not zones.exists(window.time_zone):
        raise Refused(zones.refusal(window.time_zone), code="freezes.time_zone", fix=zones.ADVICE, field="timeZone")
