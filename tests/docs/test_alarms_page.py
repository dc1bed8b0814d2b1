"""The reference of alarms has every kind that there is, with its threshold and when it is told."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from keyturn.alarms.conditions import (
    approval_rules,
    channel_rules,
    conversion_rules,
    credential_rules,
    rules,
    server_rules,
    sign_in_rules,
)
from keyturn.alarms.conditions.domain import Condition, ConditionKind
from keyturn.alarms.decision import decide
from keyturn.alarms.domain import Rules
from keyturn.inventory import plan
from keyturn.kit.counting import counted
from tests.unit.alarms.test_conditions import CASES, NOW

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "alarms.md"
ROWS = {
    match[1]: tuple(cell.strip() for cell in match[2].split("|"))
    for match in re.finditer(r"^\| `([a-z-]+)` \|(.*)\|$", PAGE.read_text(), re.MULTILINE)
}
FAILING = channel_rules.ChannelState("c1", "ops", None, NOW - timedelta(hours=1), "No.")
K = ConditionKind
THRESHOLDS = [
    (K.CONNECTION_UNCHECKED, sign_in_rules.AWAY_AFTER),
    (K.CONNECTION_UNCHECKED, sign_in_rules.UNCHECKED_AFTER),
    (K.CONVERSION_WITHDRAWN, conversion_rules.TOLD_FOR),
    (K.SIGN_IN_ENDS, rules.GRANT_LIFE),
    (K.CREDENTIAL_APPEARED, credential_rules.NEWS_FOR),
    (K.ROTATION_OVERDUE, rules.OVERDUE_AFTER),
    (K.ROTATION_OVERDUE, rules.SLACK),
    (K.ROTATION_DUE, rules.DUE_WITHIN),
    (K.REMOVAL_LATE, credential_rules.REMOVED_IN_TIME),
    (K.REMOVED_CREDENTIAL_USED, credential_rules.REFUSED_FOR),
    (K.INVENTORY_STALE, plan.STALE_AFTER),
    (K.APPROVAL_BYPASSED, approval_rules.TOLD_FOR),
    (K.NO_WORKER, server_rules.NO_WORKER_AFTER),
    (K.DATA_KEY_OVERDUE, server_rules.DATA_KEY_LATE),
    (K.AUDIT_STREAM_FAILING, server_rules.STREAM_FAILS_FOR),
    (K.CHANNEL_FAILING, channel_rules.FAILS_FOR),
]


def test_every_kind_of_alarm_is_there_and_no_other() -> None:
    assert set(ROWS) == {kind.value for kind in ConditionKind}
    assert all(all(cells) and len(cells) == 3 for cells in ROWS.values()), "a cause, what to do, and when it is told"


@pytest.mark.parametrize("kind", ConditionKind)
def test_when_it_is_told_is_what_is_decided(kind: ConditionKind) -> None:
    all_fail = channel_rules.of_channels("org", [FAILING], NOW)
    conditions = [*all_fail, *(condition for case in CASES for condition in case.found())]
    found = {_told(condition) for condition in conditions if condition.kind is kind}
    assert set(ROWS[kind][2].split(", ")) == found


def _told(condition: Condition) -> str:
    if condition.ends_at is not None:
        return "before its end"
    notices = decide(None, condition, NOW, Rules(), "alarm").notices
    return ("at once" if notices[0].urgent else "daily") if notices else "overview only"


@pytest.mark.parametrize(("kind", "threshold"), THRESHOLDS)
def test_a_threshold_is_the_one_of_the_rule(kind: ConditionKind, threshold: timedelta) -> None:
    assert re.search(rf"\b{_in_words(threshold)}\b", ROWS[kind][0])


def _in_words(time: timedelta) -> str:
    for unit, name in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute")):
        if time % unit == timedelta():
            return counted(time // unit, name)
    raise AssertionError(time)
