"""Conditions of what programs still use: who has not switched to the current credential of an application. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from keyturn.alarms.conditions.domain import Condition, ConditionKind, Severity
from keyturn.alarms.conditions.rules import About
from keyturn.credentials.domain import Credential, State
from keyturn.kit.counting import counted
from keyturn.rotations.evidence.domain import ObservedUser


def of_use(
    about: About,
    row: Credential,
    holders: int,
    goes_at: datetime | None,
    *,
    gone: bool,
    now: datetime,
    seen: Sequence[ObservedUser] = (),
) -> Iterator[Condition]:
    """Yield that so many still hold a credential that was replaced, and is about to go or is gone.

    ``seen`` are those whom the provider reports to sign in with it.
    """
    if row.state is State.CURRENT:  # that it ends is told by itself
        return
    who = counted(holders, "program still uses", "programs still use")
    if seen and not gone:
        others = f" and {len(seen) - 1} more" if len(seen) > 1 else ""
        who = f"{seen[0].address or 'Somebody'}{others}, by the sign-in log of Entra ID, still signs in with"
    which = f"the previous {about.noun} of {about.application}, Key ID {row.key_id}"
    if gone:
        yield about.condition(
            ConditionKind.OLD_CREDENTIAL_USED,
            Severity.CRITICAL,
            f"{who} {which}, though it was removed.",
            "See who it is, and let it read the current one.",
            of=row.id,
            since=row.removed_at or row.ended_at or row.retired_at,
        )
    elif goes_at:
        when = f"on {goes_at:%Y-%m-%d at %H:%M} UTC" if goes_at > now else "now"
        yield about.condition(
            ConditionKind.OLD_CREDENTIAL_USED,
            Severity.WARNING,
            f"{who} {which}, which is removed {when}.",
            "See who it is, and let it read the current one before that.",
            of=row.id,
            since=row.retired_at,
            ends_at=goes_at,
        )


def of_slot_wait(about: About, row: Credential, until: datetime) -> Condition:
    """Return that the next run finds no room, while a credential that was replaced waits for those who use it."""
    return about.condition(
        ConditionKind.REMOVAL_BLOCKS_ROTATION,
        Severity.WARNING,
        f"The next rotation of {about.application} finds no room: the previous {about.noun}, Key ID {row.key_id}, waits for "
        f"those who use it, until {until:%Y-%m-%d at %H:%M} UTC at the latest.",
        "See who has not switched, and let them read the current one; or release the previous one.",
        of=row.id,
        since=row.retired_at,
    )
