"""Route of what needs somebody."""

from collections import Counter

from keyturn.alarms.conditions.domain import Condition, Severity
from keyturn.alarms.conditions.service import Attention, Conditions
from keyturn.api.overview.schemas import (
    ConditionCounts,
    ConditionShown,
    ConditionSubjectShown,
    ConnectionsTried,
    OverviewQuery,
    OverviewShown,
)
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso_or_none
from keyturn.web.routes import Routes, get, group


def router(conditions: Conditions) -> Routes:
    """Route for everybody: each sees what they may see of it."""

    @get("/api/v1/overview", compressed=True)
    def show_overview(actor: Actor, query: OverviewQuery) -> OverviewShown:
        """Show what needs somebody: what fails, is refused, ends soon, waits to be removed, or was changed by others.

        Of the whole organization, or with `projectId` of one of its projects. It is empty where all is well; `connections`
        says when they were tried. Poll it: a condition that is over is gone.
        """
        return shown(conditions.of(actor, query.project_id), query.limit)

    return group("Overview", show_overview)


def shown(attention: Attention, limit: int) -> OverviewShown:
    """Return it as JSON, with so many conditions at most."""
    counts = Counter(one.severity for one in attention.conditions)
    tried = attention.tried
    return OverviewShown(
        needs_action=attention.needs_action,
        counts=ConditionCounts(*(counts[severity] for severity in Severity)),
        connections=ConnectionsTried(tried.connections, tried.untried, iso_or_none(tried.since)),
        conditions=[_condition(one) for one in attention.conditions[:limit]],
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
