"""Use cases of alarms: lists, one alarm with what was told of it, silence, and the rules."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from keyturn.alarms import channel_store, message_store, search, store
from keyturn.alarms.conditions.domain import DAYS_BEFORE_END
from keyturn.alarms.domain import Alarm, Rules, Silence, SilenceKind
from keyturn.alarms.message_store import Delivery
from keyturn.alarms.search import AlarmMatches, AlarmQuery, kind_of, visible_alarms
from keyturn.audit import alarm_events as events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz import authorize
from keyturn.authz.domain import Action, require_admin
from keyturn.db.unit import Database, Tx
from keyturn.errors import Forbidden, NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock

MOST = 500
"""Alarms in a list."""
LONGEST_SNOOZE = timedelta(days=90)
_EDIT = {
    SubjectKind.CONNECTION: Action.EDIT_CONNECTIONS,
    SubjectKind.ROTATION: Action.EDIT_CONNECTIONS,
    SubjectKind.SECRET_ROTATION: Action.EDIT_ROTATIONS,
    SubjectKind.IDENTITY: Action.MANAGE_IDENTITIES,
}


@dataclass(frozen=True)
class AlarmHistory:
    """An alarm with every message about it; ``channels`` are the names of the channels by id."""

    alarm: Alarm
    deliveries: Sequence[Delivery]
    channels: dict[str, str]


class Alarms:
    """Who may see what an alarm is about sees the alarm; who may change it, and its owner, may silence the alarm."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def list(self, actor: Actor, *, resolved: bool = False, project_id: str | None = None) -> Sequence[Alarm]:
        """Return the newest alarms that the actor may see: those that go on, or those that are resolved.

        Raises NotFound for a project that is not there.
        """
        return self.page(actor, AlarmQuery(resolved, project_id, size=MOST)).alarms

    def page(self, actor: Actor, query: AlarmQuery) -> AlarmMatches:
        """Return one page of the alarms that the actor may see; beyond the last one it is the last one. Raises NotFound."""
        with self._database.read() as tx:
            return search.page(tx, actor, query)

    def count(self, actor: Actor) -> int:
        """Return how many alarms of what the actor may see go on and are not silenced."""
        with self._database.read() as tx:
            return search.count_open(tx, actor)

    def get(self, actor: Actor, alarm_id: str) -> AlarmHistory:
        """Return an alarm with who was told of it, when, and each attempt. Raises NotFound."""
        with self._database.read() as tx:
            alarm = _found(tx, actor, alarm_id)
            names = {channel.id: channel.name for channel in channel_store.of_organization(tx, actor.org_id)}
            return AlarmHistory(alarm, message_store.of_alarm(tx, alarm_id), names)

    def evaluated_at(self, actor: Actor) -> datetime | None:
        """Return when this organization was last looked at."""
        with self._database.read() as tx:
            return store.evaluated_at(tx, actor.org_id)

    def may_silence(self, actor: Actor, alarm: Alarm) -> bool:
        """Say whether a button for that is of use. The use case asks again."""
        with self._database.read() as tx:
            return alarm.resolved_at is None and _may_silence(tx, actor, alarm)

    # --- silence ------------------------------------------------------------------------------------------------------

    def acknowledge(self, actor: Actor, alarm_id: str, reason: str, until: datetime | None = None) -> Alarm:
        """Say that somebody sees to it: until a moment, or as long as it lasts. Raises Refused, NotFound or Forbidden."""
        return self._silence(actor, alarm_id, SilenceKind.ACKNOWLEDGED, reason, until)

    def snooze(self, actor: Actor, alarm_id: str, reason: str, until: datetime) -> Alarm:
        """Have nothing told of it until then, but that its end has come, or that it is over. Raises as :meth:`acknowledge`."""
        return self._silence(actor, alarm_id, SilenceKind.SNOOZED, reason, until)

    def reopen(self, actor: Actor, alarm_id: str) -> Alarm:
        """End its silence. Safe to repeat. Raises Refused, NotFound or Forbidden."""
        with self._database.write() as tx:
            alarm = _changeable(tx, actor, alarm_id)
            if alarm.silence is None:
                return alarm
            alarm = replace(alarm, silence=None, reminded_at=self._clock.now())
            store.change(tx, alarm)
            record(tx, actor, events.ALARM_REOPENED, _subject(alarm), self._clock.now(), **_facts(alarm))
            return alarm

    def _silence(self, actor: Actor, alarm_id: str, kind: SilenceKind, reason: str, until: datetime | None) -> Alarm:
        now = self._clock.now()
        if until is not None and not now < until <= now + LONGEST_SNOOZE:
            raise Refused(
                "The end of the silence is not within the next 90 days.",
                code="alarms.silence_too_long",
                fix="Choose a moment in the future, at most 90 days from now.",
                field="until",
            )
        with self._database.write() as tx:
            alarm = _changeable(tx, actor, alarm_id)
            alarm = replace(alarm, silence=Silence(kind, actor.name, reason, now, until))
            store.change(tx, alarm)
            event = events.ALARM_SNOOZED if kind is SilenceKind.SNOOZED else events.ALARM_ACKNOWLEDGED
            facts = _facts(alarm) | {"reason": reason, "until": until and iso(until)}
            record(tx, actor, event, _subject(alarm), now, **facts)
            return alarm

    # --- rules --------------------------------------------------------------------------------------------------------

    def rules(self, actor: Actor) -> Rules:
        """Return when somebody is told. Raises Forbidden for those who are no administrators."""
        require_admin(actor)
        with self._database.read() as tx:
            return store.rules_of(tx, actor.org_id)

    def change_rules(self, actor: Actor, rules: Rules) -> Rules:
        """Tell at other days before an end, or after other times. Raises Refused without any day, and Forbidden."""
        require_admin(actor)
        days = tuple(day for day in DAYS_BEFORE_END if day in rules.days)
        if not days or set(rules.days) - set(DAYS_BEFORE_END):
            allowed = ", ".join(str(day) for day in DAYS_BEFORE_END)
            raise Refused(
                "These are no days on which somebody can be told.",
                code="alarms.rules_invalid",
                fix=f"Choose at least one of {allowed}. That an end has come is always told.",
                field="days",
            )
        after, now = replace(rules, days=days), self._clock.now()
        with self._database.write() as tx:
            before = store.rules_of(tx, actor.org_id)
            if before != after:
                store.put_rules(tx, actor.org_id, after, now)
                subject = Subject(SubjectKind.ORGANIZATION, actor.org_id)
                record(tx, actor, events.ALARM_RULES_CHANGED, subject, now, before=asdict(before), after=asdict(after))
        return after


# --- who may --------------------------------------------------------------------------------------------------------------


def _found(tx: Tx, actor: Actor, alarm_id: str, *, lock: bool = False) -> Alarm:
    alarm = store.get(tx, actor.org_id, alarm_id, lock=lock)
    if alarm is None or not visible_alarms(tx, actor, [alarm]):
        raise NotFound(
            f"There is no alarm '{alarm_id}'.",
            code="alarms.not_found",
            fix="GET /api/v1/alarms lists those that are open, ?state=resolved the others.",
        )
    return alarm


def _may_silence(tx: Tx, actor: Actor, alarm: Alarm) -> bool:
    """Say whether the actor may silence an alarm that they see."""
    action = _EDIT.get(kind_of(alarm), Action.MANAGE_USERS)
    return (actor.id is not None and alarm.owner_id == actor.id) or authorize.is_allowed(tx, actor, action, alarm.place)


def _changeable(tx: Tx, actor: Actor, alarm_id: str) -> Alarm:
    alarm = _found(tx, actor, alarm_id, lock=True)
    if not _may_silence(tx, actor, alarm):
        raise Forbidden(
            f"{actor.name} may see this alarm and not silence it.",
            code="access.forbidden",
            fix=f"Ask its owner, or somebody who may change '{alarm.subject}'.",
        )
    if alarm.resolved_at is not None:
        raise Refused(
            "The alarm is over already.",
            code="alarms.resolved",
            fix="Nothing has to be done: there is nothing to silence.",
        )
    return alarm


def _subject(alarm: Alarm) -> Subject:
    return Subject(SubjectKind.ALARM, alarm.id, alarm.place.project_id)


def _facts(alarm: Alarm) -> dict[str, object]:
    return {"kind": alarm.kind, "subject": alarm.subject, "subjectId": alarm.subject_id}
