"""Conditions of connections that were to sign in without a secret, and went back to it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from keyturn.alarms.conditions.domain import Condition, ConditionKind, Severity
from keyturn.alarms.conditions.rules import About
from keyturn.kit.moments import shift

TOLD_FOR = timedelta(days=7)
"""After that nobody waits any more for what was to be."""


def told_since(now: datetime) -> datetime:
    """Return since when one that went back is told of."""
    return shift(now, -TOLD_FOR)


def of_return(about: About, reason: Mapping[str, Any], since: datetime) -> Iterator[Condition]:
    """Yield that a connection went back by itself. ``reason`` says why; nothing where somebody asked for it."""
    if reason.get("asked"):
        return
    why, fix = (reason["why"], None) if reason.get("why") else (reason.get("message"), reason.get("fix"))
    went_back = f"'{about.subject.name}' was to sign in without a secret, and went back to its {about.noun}."
    yield replace(about, path=f"{about.path}/secretless").condition(
        ConditionKind.CONVERSION_WITHDRAWN,
        Severity.WARNING,
        f"{went_back} {why or ''}".rstrip(),
        f"{fix or 'See why.'} Then begin again.",
        since=since,
    )
