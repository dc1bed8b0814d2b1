"""The alarms of what a person may see: those that go on, those that are resolved, one with all that was told of it; the rules."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from keyturn.alarms.conditions.domain import DAYS_BEFORE_END
from keyturn.alarms.domain import Alarm, Rules
from keyturn.alarms.search import AlarmMatches, AlarmQuery
from keyturn.alarms.service import AlarmHistory, Alarms
from keyturn.kit.actor import Actor, Role
from keyturn.kit.clock import iso
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.list_address import ListAddress, Pager
from keyturn.pages.overview import button_of
from keyturn.ports.clock import Clock
from keyturn.web.pages import FormState, Page, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import NonEmpty, Trimmed, printable
from keyturn.web.schema.wire import ApiModel

HERE = "/alarms"
RESOLVED = f"{HERE}/resolved"
Reason = Annotated[NonEmpty, printable, Meta(max_length=500)]


@dataclass(frozen=True)
class AlarmsPage(Page):
    """Without ``evaluated_at`` nobody has looked yet, so that an empty list says nothing."""

    template: ClassVar[str] = "alarms/list.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "alarms"

    query: "ListQuery"
    found: AlarmMatches
    resolved: bool
    evaluated_at: datetime | None
    admin: bool
    path: str
    chips: Sequence[tuple[str, str, bool]]
    """Label and address of each status, and whether the list shows that alone."""
    pager: Pager

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

    @property
    def button(self) -> str:
        return button_of(self.alarm.kind)


@dataclass(frozen=True)
class RulesPage(Page):
    template: ClassVar[str] = "alarms/rules.html"
    section: ClassVar[str] = "alarms"

    rules: Rules
    days: Sequence[int]
    form_state: FormState
    admin: bool = True
    tab: str = "rules"


class ListQuery(ApiModel, rename=None):
    """What the address of a list says."""

    q: Annotated[Trimmed, Meta(max_length=200)] = ""
    status: Literal["critical", "silenced", "mine"] | None = None
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    size: Annotated[int, Meta(ge=1, le=100)] = 20


STATUS_LABELS = {"critical": "Critical", "silenced": "Acknowledged or snoozed", "mine": "Mine"}
_PLAIN = ListQuery()


class AcknowledgeForm(ApiModel, rename=None):
    """``days``: how long somebody sees to it; absent, as long as the alarm lasts."""

    reason: Reason
    days: Annotated[int, Meta(ge=1, le=90)] | None = None


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

    def _in_days(days: int) -> datetime:
        return clock.now().astimezone(UTC) + timedelta(days=days)

    @get(HERE)
    def show_alarms(actor: Actor, query: ListQuery) -> AlarmsPage:
        return _list(alarms, actor, query, HERE, resolved=False)

    @get(RESOLVED)
    def show_resolved(actor: Actor, query: ListQuery) -> AlarmsPage:
        return _list(alarms, actor, query, RESOLVED, resolved=True)

    @get(f"{HERE}/one/{{alarm_id}}")
    def show_alarm(actor: Actor, alarm_id: str, form_state: FormState) -> AlarmPage:
        history = alarms.get(actor, alarm_id)
        return AlarmPage(history, alarms.may_silence(actor, history.alarm), form_state)

    @post(f"{HERE}/one/{{alarm_id}}/acknowledge", form_page=show_alarm)
    def acknowledge(actor: Actor, alarm_id: str, form: AcknowledgeForm) -> Redirect:
        alarms.acknowledge(actor, alarm_id, form.reason, _in_days(form.days) if form.days else None)
        return Redirect(f"{HERE}/one/{alarm_id}", toast="You see to it: nobody is reminded.")

    @post(f"{HERE}/one/{{alarm_id}}/snooze", form_page=show_alarm)
    def snooze(actor: Actor, alarm_id: str, form: SnoozeForm) -> Redirect:
        until = _in_days(form.days)
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


def _list(alarms: Alarms, actor: Actor, query: ListQuery, path: str, *, resolved: bool) -> AlarmsPage:
    wanted = AlarmQuery(resolved, None, query.q, query.status, query.page, query.size)
    found, address = alarms.page(actor, wanted), ListAddress(path, query, _PLAIN)
    return AlarmsPage(
        query=query,
        found=found,
        resolved=resolved,
        evaluated_at=alarms.evaluated_at(actor),
        admin=actor.role is Role.ADMIN,
        path=path,
        chips=address.chips(STATUS_LABELS),
        pager=address.pager(found.page, found.pages, query.size, len(found.alarms), found.total),
    )
