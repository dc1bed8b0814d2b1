"""The alarms of what a person may see: those that go on, those that are resolved, one with all that was told of it; the rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.alarms.conditions.domain import DAYS_BEFORE_END
from keyturn.alarms.domain import Alarm, Rules
from keyturn.alarms.service import AlarmHistory, Alarms
from keyturn.kit.actor import Actor, Role
from keyturn.kit.clock import iso
from keyturn.ports.clock import Clock
from keyturn.web.pages import FormState, Page, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import NonEmpty, printable
from keyturn.web.schema.wire import ApiModel

HERE = "/alarms"
Reason = Annotated[NonEmpty, printable, Meta(max_length=500)]


@dataclass(frozen=True)
class AlarmsPage(Page):
    """``unknown``: nobody has looked yet, so that an empty list says nothing."""

    template: ClassVar[str] = "alarms/list.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "alarms"

    alarms: Sequence[Alarm]
    resolved: bool
    evaluated_at: datetime | None
    admin: bool

    @property
    def tab(self) -> str:
        return "resolved" if self.resolved else "open"


@dataclass(frozen=True)
class AlarmPage(Page):
    template: ClassVar[str] = "alarms/one.html"
    section: ClassVar[str] = "alarms"

    history: AlarmHistory
    may_silence: bool
    form_state: FormState

    @property
    def alarm(self) -> Alarm:
        return self.history.alarm


@dataclass(frozen=True)
class RulesPage(Page):
    template: ClassVar[str] = "alarms/rules.html"
    section: ClassVar[str] = "alarms"

    rules: Rules
    days: Sequence[int]
    form_state: FormState
    admin: bool = True
    tab: str = "rules"


class AcknowledgeForm(ApiModel, rename=None):
    reason: Reason


class SnoozeForm(ApiModel, rename=None):
    reason: Reason
    days: Annotated[int, Meta(ge=1, le=90)]


class RulesForm(ApiModel, rename=None):
    """``day_30`` and so on: whether somebody is told then."""

    reaction_days: Annotated[int, Meta(ge=1, le=30)]
    reminder_days: Annotated[int, Meta(ge=1, le=90)]
    day_60: bool = False
    day_30: bool = False
    day_14: bool = False
    day_7: bool = False
    day_3: bool = False
    day_1: bool = False

    def command(self) -> Rules:
        days = tuple(day for day in DAYS_BEFORE_END if getattr(self, f"day_{day}"))
        return Rules(days, self.reaction_days, self.reminder_days)


def router(alarms: Alarms, clock: Clock) -> Pages:
    """Return the pages of alarms, and what can be done on them."""

    @get(HERE)
    def show_alarms(actor: Actor) -> AlarmsPage:
        return AlarmsPage(alarms.list(actor), False, alarms.evaluated_at(actor), actor.role is Role.ADMIN)

    @get(f"{HERE}/resolved")
    def show_resolved(actor: Actor) -> AlarmsPage:
        found = alarms.list(actor, resolved=True)
        return AlarmsPage(found, True, alarms.evaluated_at(actor), actor.role is Role.ADMIN)

    @get(f"{HERE}/one/{{alarm_id}}")
    def show_alarm(actor: Actor, alarm_id: str, form_state: FormState) -> AlarmPage:
        history = alarms.get(actor, alarm_id)
        return AlarmPage(history, alarms.may_silence(actor, history.alarm), form_state)

    @post(f"{HERE}/one/{{alarm_id}}/acknowledge", form_page=show_alarm)
    def acknowledge(actor: Actor, alarm_id: str, form: AcknowledgeForm) -> Redirect:
        alarms.acknowledge(actor, alarm_id, form.reason)
        return Redirect(f"{HERE}/one/{alarm_id}", toast="You see to it: nobody is reminded.")

    @post(f"{HERE}/one/{{alarm_id}}/snooze", form_page=show_alarm)
    def snooze(actor: Actor, alarm_id: str, form: SnoozeForm) -> Redirect:
        until = clock.now().astimezone(UTC) + timedelta(days=form.days)
        alarms.snooze(actor, alarm_id, form.reason, until)
        return Redirect(f"{HERE}/one/{alarm_id}", toast=f"Nothing is told of it until {iso(until)[:10]}.")

    @post(f"{HERE}/one/{{alarm_id}}/reopen", form_page=show_alarm)
    def reopen(actor: Actor, alarm_id: str) -> Redirect:
        alarms.reopen(actor, alarm_id)
        return Redirect(f"{HERE}/one/{alarm_id}", toast="It is open again.")

    @get(f"{HERE}/rules")
    def show_rules(actor: Actor, form_state: FormState) -> RulesPage:
        return RulesPage(alarms.rules(actor), DAYS_BEFORE_END, form_state)

    @post(f"{HERE}/rules", form_page=show_rules)
    def change_rules(actor: Actor, form: RulesForm) -> Redirect:
        alarms.change_rules(actor, form.command())
        return Redirect(f"{HERE}/rules", toast="The rules were saved.")

    return group(show_alarms, show_resolved, show_alarm, acknowledge, snooze, reopen, show_rules, change_rules)
