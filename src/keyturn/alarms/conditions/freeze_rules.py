"""Conditions of freezes: where one gives way, since a secret would end meanwhile. Pure."""

from collections.abc import Iterator
from datetime import datetime

from keyturn.alarms.conditions.domain import Condition, ConditionKind, Severity
from keyturn.alarms.conditions.rules import About
from keyturn.rotations.domain import RotationState
from keyturn.rotations.freezes.domain import freeze_at


def of_freeze(about: About, state: RotationState, now: datetime) -> Iterator[Condition]:
    """Yield that the next run is within a freeze, since the secret ends too soon for another moment."""
    due, ends_at = state.rotation.due_at, state.current_ends_at
    freeze = freeze_at(state.windows, due) if due and due > now else None
    if due is None or freeze is None or ends_at is None or state.rotation.paused_until:
        return
    yield about.condition(
        ConditionKind.FREEZE_OVERRIDDEN,
        Severity.WARNING,
        f"The {about.noun} of {about.application} ends on {ends_at:%Y-%m-%d}: it is replaced on {due:%Y-%m-%d at %H:%M} UTC, "
        f"within the freeze {freeze.told()}.",
        "Rotate now, before the freeze; or have somebody there at that time.",
        since=now,
    )
