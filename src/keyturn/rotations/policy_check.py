"""What the provider's policies mean for a rotation, before its first write. Pure."""

from datetime import timedelta

from keyturn.errors import NeedsAction
from keyturn.ports.preflight import PolicyReport, PolicyVerdict
from keyturn.rotations.run_schedule import USUAL_INTERVALS, life
from keyturn.rotations.schedule import Schedule


def usual_life(schedule: Schedule) -> timedelta:
    """How long a new credential is to live. Where that is refused, one of :func:`shortest_life` is asked for."""
    return life(schedule, USUAL_INTERVALS)


def shortest_life(schedule: Schedule) -> timedelta:
    return life(schedule, 1)


def refuses_all(report: PolicyReport, schedule: Schedule) -> bool:
    """Whether every new credential would be refused, also one that lives no longer than the schedule needs."""
    too_short = report.longest is not None and report.longest < shortest_life(schedule)
    return report.verdict is PolicyVerdict.REFUSED or (report.verdict is PolicyVerdict.SHORTER and too_short)


def require_allowed(report: PolicyReport | None, schedule: Schedule) -> None:
    """Raise NeedsAction where the first write would surely be refused."""
    if report is not None and refuses_all(report, schedule):
        fix = " ".join(text for text in (report.fix, report.instead) if text)
        raise NeedsAction(report.message, code=report.code, fix=fix)
