"""Who is told of what, and when: a table of the rules, and what holds however time, conditions and people move."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.alarms.conditions.domain import Condition, ConditionKind, ConditionSubject, Severity
from keyturn.alarms.decision import Decision, decide
from keyturn.alarms.domain import Alarm, Audience, Event, Rules, Silence, SilenceKind
from keyturn.audit.domain import SubjectKind
from keyturn.authz.permissions import Scope
from keyturn.ownership.domain import NOBODY, Owner

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
ADA = Owner("u1", "ada@acme.test")
RULES = Rules()


def condition(
    kind: ConditionKind = ConditionKind.CONNECTION_REFUSED,
    severity: Severity = Severity.CRITICAL,
    ends_at: datetime | None = None,
) -> Condition:
    subject = ConditionSubject(SubjectKind.CONNECTION, "c1", "prod")
    return Condition(kind, "key", severity, subject, Scope("o1"), "It is so.", "Do this.", "/here", ends_at=ends_at)


def ending(ends_at: datetime) -> Condition:
    return condition(ConditionKind.CREDENTIAL_ENDS, Severity.WARNING, ends_at)


def told(decision: Decision) -> list[tuple[Event, Audience, bool]]:
    return [(notice.event, notice.audience, notice.urgent) for notice in decision.notices]


def opened(what: Condition, owner: Owner = NOBODY, now: datetime = NOW) -> Alarm:
    alarm = decide(None, what, now, RULES, "a1", owner).alarm
    assert alarm is not None
    return alarm


@pytest.mark.parametrize(
    ("what", "owner", "expected"),
    [
        (condition(), NOBODY, [(Event.OPENED, Audience.ADMINISTRATORS, True)]),
        (condition(), ADA, [(Event.OPENED, Audience.OWNER, True)]),
        (condition(), Owner("u1", "ada@acme.test", left=True), [(Event.OPENED, Audience.ADMINISTRATORS, True)]),
        (condition(severity=Severity.WARNING), ADA, [(Event.OPENED, Audience.OWNER, False)]),
        (condition(severity=Severity.NOTICE), ADA, []),
        (
            condition(ConditionKind.CREDENTIAL_APPEARED, Severity.NOTICE),
            NOBODY,
            [(Event.OPENED, Audience.ADMINISTRATORS, True)],
        ),
        (ending(NOW + 61 * DAY), ADA, []),
        (ending(NOW + 59 * DAY), ADA, [(Event.OPENED, Audience.OWNER, False)]),
        (ending(NOW + 2 * DAY), ADA, [(Event.OPENED, Audience.OWNER, True)]),
        (ending(NOW - DAY), ADA, [(Event.ENDED, Audience.OWNER, True)]),
        (None, ADA, []),
    ],
)
def test_what_opens(what: Condition | None, owner: Owner, expected: list[tuple[Event, Audience, bool]]) -> None:
    assert told(decide(None, what, NOW, RULES, "a1", owner)) == expected


def test_an_end_is_told_of_at_each_step_and_once_more_when_it_has_come() -> None:
    ends_at, now, alarm = NOW + 65 * DAY, NOW, None
    days: list[int] = []
    owner_sees_to_it = Silence(SilenceKind.ACKNOWLEDGED, "Ada", "I am at it", NOW)
    while now < ends_at + 2 * DAY:
        decision = decide(alarm, ending(ends_at), now, RULES, "a1", ADA)
        days += [(ends_at - now).days for notice in decision.notices if notice.event is not Event.REMINDER]
        alarm = decision.alarm
        if alarm and alarm.silence is None:
            alarm = Alarm(**{**vars(alarm), "silence": owner_sees_to_it})
        now += timedelta(hours=6)
    assert days == [60, 30, 14, 7, 3, 1, 0]


def test_administrators_are_told_when_the_owner_does_not_react() -> None:
    alarm = opened(condition(), ADA)
    assert told(decide(alarm, condition(), NOW + 2 * DAY, RULES, "", ADA)) == []
    late = decide(alarm, condition(), NOW + 3 * DAY, RULES, "", ADA)
    assert told(late) == [(Event.ESCALATED, Audience.EVERYBODY, True)]
    assert told(decide(late.alarm, condition(), NOW + 4 * DAY, RULES, "", ADA)) == []
    assert told(decide(late.alarm, None, NOW + 4 * DAY, RULES, "", ADA)) == [(Event.RESOLVED, Audience.EVERYBODY, True)]


@pytest.mark.parametrize(
    ("silence", "after", "expected"),
    [
        (SilenceKind.ACKNOWLEDGED, 5 * DAY, []),
        (SilenceKind.SNOOZED, 5 * DAY, []),
        (SilenceKind.SNOOZED, 7 * DAY, [Event.REMINDER]),  # that is over: told again, to administrators as well
    ],
)
def test_silence(silence: SilenceKind, after: timedelta, expected: list[Event]) -> None:
    alarm = opened(condition(), ADA)
    until = NOW + 6 * DAY if silence is SilenceKind.SNOOZED else None
    quiet = Alarm(**{**vars(alarm), "silence": Silence(silence, "Ada", "I am at it", NOW, until)})
    events = [notice.event for notice in decide(quiet, condition(), NOW + after, RULES, "", ADA).notices]
    assert events == expected


def test_not_even_a_snooze_hides_that_an_end_has_come_or_that_it_is_over() -> None:
    alarm = opened(ending(NOW + 2 * DAY), ADA)
    quiet = Alarm(**{**vars(alarm), "silence": Silence(SilenceKind.SNOOZED, "Ada", "later", NOW, NOW + 9 * DAY)})
    assert told(decide(quiet, ending(NOW + 2 * DAY), NOW + DAY, RULES, "", ADA)) == []
    assert told(decide(quiet, ending(NOW + 2 * DAY), NOW + 2 * DAY, RULES, "", ADA)) == [
        (Event.ENDED, Audience.OWNER, True)
    ]
    assert told(decide(quiet, None, NOW + DAY, RULES, "", ADA)) == [(Event.RESOLVED, Audience.OWNER, True)]


MOVES = st.lists(
    st.tuples(
        st.sampled_from([None, "refused", "warning", "ends", "renewed"]),
        st.timedeltas(min_value=timedelta(hours=-30), max_value=timedelta(days=4)),
    ),
    max_size=30,
)


@given(MOVES)
def test_whatever_happens_what_was_decided_is_not_decided_again(
    moves: list[tuple[str | None, timedelta]],
) -> None:
    """However the clock and the condition go: a repeat tells nothing new, and an alarm is over exactly when its cause is."""
    now, alarm = NOW, None
    for state, step in moves:
        now += step
        what = {
            None: None,
            "refused": condition(),
            "warning": condition(severity=Severity.WARNING),
            "ends": ending(NOW + 20 * DAY),
            "renewed": ending(NOW + 50 * DAY),
        }[state]
        decision = decide(alarm, what, now, RULES, "a1", ADA)
        assert len(decision.notices) <= 1
        if what is None:
            assert decision.alarm is None or decision.alarm.resolved_at == now
            alarm = None
            continue
        again = decide(decision.alarm, what, now, RULES, "a2", ADA)
        assert again.alarm == decision.alarm
        assert not again.notices
        if decision.alarm is not None:
            assert decision.alarm.resolved_at is None or decision.alarm.resolved_at == now
            alarm = decision.alarm if decision.alarm.resolved_at is None else None
