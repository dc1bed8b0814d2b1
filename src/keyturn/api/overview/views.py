"""What needs somebody, as JSON shows it."""

from keyturn.alarms.conditions.domain import Condition
from keyturn.alarms.conditions.service import Attention
from keyturn.api.overview.schemas import (
    ConditionCounts,
    ConditionShown,
    ConditionSubjectShown,
    ConnectionsTried,
    OverviewShown,
)
from keyturn.kit.clock import iso_or_none


def present_overview(attention: Attention, limit: int) -> OverviewShown:
    """Return it as JSON, with so many conditions at most."""
    tried = attention.tried
    return OverviewShown(
        needs_action=attention.needs_action,
        counts=ConditionCounts(*attention.counts.values()),
        connections=ConnectionsTried(tried.connections, tried.untried, iso_or_none(tried.since)),
        conditions=[_condition(one) for one in attention.conditions(0, limit)],
    )


def _condition(one: Condition) -> ConditionShown:
    return ConditionShown(
        kind=one.kind.value,
        key=one.key,
        severity=one.severity.value,
        subject=ConditionSubjectShown(one.subject.kind.value, one.subject.id, one.subject.name),
        project_id=one.project,
        environment=one.place.environment,
        secret_path=one.place.path,
        cause=one.cause,
        fix=one.fix,
        path=one.path,
        since=iso_or_none(one.since),
        ends_at=iso_or_none(one.ends_at),
        owner_id=one.owner,
    )
