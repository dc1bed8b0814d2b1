"""Conditions of connections that are to sign in without a secret: who goes back to it, and whose secret others use. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from keyturn.alarms.conditions.domain import Condition, ConditionKind, Severity
from keyturn.alarms.conditions.rules import About
from keyturn.kit.moments import shift
from keyturn.rotations.conversion.domain import Conversion
from keyturn.rotations.conversion.reasons import of_use

TOLD_FOR = timedelta(days=7)
"""After that nobody waits any more for what was to be."""


def told_since(now: datetime) -> datetime:
    """Return since when one that went back is told of."""
    return shift(now, -TOLD_FOR)


def of_return(about: About, reason: Mapping[str, Any], since: datetime) -> Iterator[Condition]:
    """Yield that a connection went back by itself. ``reason`` says why; nothing where somebody asked for it."""
    if reason.get("asked"):
        return
    why, fix = (reason["why"], reason.get("then")) if reason.get("why") else (reason.get("message"), reason.get("fix"))
    went_back = f"'{about.subject.name}' was to sign in without a secret, and went back to its {about.noun}."
    yield replace(about, path=f"{about.path}/secretless").condition(
        ConditionKind.CONVERSION_WITHDRAWN,
        Severity.WARNING,
        f"{went_back} {why or ''}".rstrip(),
        f"{fix or 'See why.'} Then begin again.",
        since=since,
    )


def of_outside_use(about: About, conversion: Conversion, noun: str, now: datetime) -> Iterator[Condition]:
    """Yield that a connection cannot give its credential up yet, since somebody else uses it. ``noun`` is what it gives up."""
    told = of_use(conversion, noun, None, now)
    if told is None:
        return
    yield replace(about, path=f"{about.path}/secretless").condition(
        ConditionKind.OLD_CREDENTIAL_USED,
        Severity.WARNING,
        f"'{about.subject.name}' signs in without a secret, and cannot give its {noun} up yet. {told['message']}",
        str(told["fix"]),
        of=conversion.id,
        since=conversion.since,
    )
