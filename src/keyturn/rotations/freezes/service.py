"""Use cases of freeze windows: days on which nothing is rotated, of an organization and of its projects.

Whoever changes one has all runs planned anew, in the same transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from keyturn.ports.clock import Clock, Ids
from keyturn.rotations import waits
from keyturn.rotations.freezes.domain import LONGEST_FREEZE, FreezeWindow, days_in
from keyturn.rotations.run_schedule import next_run
from keyturn.rotations.store import freezes, policies

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
            places = {None, project_id}
            return [window for window in freezes.listed(tx, actor.org_id) if window.project_id in places]

    def create(self, actor: Actor, new: NewFreeze) -> FreezeWindow:
        """Add one. Raises Refused for days that make no sense, Forbidden or NotFound."""
        window = FreezeWindow(
            self._ids.new(), new.name, new.reason, new.first, new.last, new.time_zone, new.yearly, new.project_id
        )
        _require_sound(window)
        with self._database.write() as tx:
            _require_editor(tx, actor, window.project_id)
            if len(freezes.of_place(tx, actor.org_id, window.project_id)) >= MOST_WINDOWS:
                raise Refused(
                    f"There are {MOST_WINDOWS} freeze windows already, the most that one place may have.",
                    code="freezes.too_many",
                    fix="Remove those that are over.",
                )
            freezes.insert(tx, actor.org_id, window, self._clock.now())
            self._changed(tx, actor, events.FREEZE_CREATED, window)
        return window

    def update(self, actor: Actor, window_id: str, new: NewFreeze) -> FreezeWindow:
        """Change all of it but where it holds. Raises as :meth:`create` does."""
        with self._database.write() as tx:
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
            freezes.save(tx, window, self._clock.now())
            self._changed(tx, actor, events.FREEZE_UPDATED, window)
        return window

    def delete(self, actor: Actor, window_id: str) -> FreezeWindow:
        """Remove one: what it put off is done when the schedule says."""
        with self._database.write() as tx:
            window = _found(tx, actor, window_id)
            freezes.delete(tx, window.id)
            self._changed(tx, actor, events.FREEZE_DELETED, window)
        return window

    def _changed(self, tx: Tx, actor: Actor, event: AuditEvent, window: FreezeWindow) -> None:
        now = self._clock.now()
        plan_anew(tx, actor.org_id, now)
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


def plan_anew(tx: Tx, org_id: str, now: datetime) -> None:
    """Compute when each rotation of the organization runs next. A few statements, however many they are."""
    frozen = freezes.of_organization(tx, org_id)
    changes = []
    for rotation, current in policies.scheduled(tx, org_id):
        if rotation.anchor is None or rotation.unreadable:
            continue
        due = next_run(rotation.schedule, waits.known(rotation.anchor, now), current, frozen.of(rotation))
        if (due.at, due.moved_days) != (rotation.next_run_at, rotation.moved_days):
            changes.append((rotation, due))
    policies.replan(tx, [(rotation, due.at, due.moved_days) for rotation, due in changes], now)


def _found(tx: Tx, actor: Actor, window_id: str) -> FreezeWindow:
    window = freezes.get(tx, actor.org_id, window_id)
    if window is None:
        raise NotFound(f"There is no freeze window '{window_id}'.", code="freezes.not_found")
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
