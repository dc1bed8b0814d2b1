"""Conditions of single credentials: removals that wait, and credentials that others added or removed. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from keyturn.alarms.conditions.domain import Condition, ConditionKind, ConditionSubject, Severity
from keyturn.authz.permissions import Scope
from keyturn.credentials.domain import Credential, State, is_marker
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift
from keyturn.rotations.evidence.domain import ObservedUse
from keyturn.rotations.freezes.domain import FreezeWindows
from keyturn.rotations.waits import unfrozen

REMOVED_IN_TIME = timedelta(days=1)
"""A removal that is under way for longer is told to somebody; usually it takes minutes."""
REFUSED_FOR = timedelta(days=2)
"""For so long it is told that somebody was refused with a credential that had been removed."""
NEWS_FOR = timedelta(days=30)
"""For so long a credential that somebody else added is news, unless it goes."""


@dataclass(frozen=True)
class CredentialPlace:
    """Of whose rotation a credential is, and where that is shown."""

    subject: ConditionSubject
    place: Scope
    path: str
    application: str


@dataclass(frozen=True)
class ForeignCredential:
    """A credential that was seen at an application, as it was last listed."""

    key_id: str
    name: str | None
    hint: str | None
    first_seen_at: datetime
    gone_at: datetime | None
    is_current: bool
    """Whether it is the one that the rotation published; else it is one that this server did not make."""


def of_refused(row: Credential, where: CredentialPlace, use: ObservedUse, now: datetime) -> Iterator[Condition]:
    """Yield that somebody signs in with a credential since it was removed, and is refused."""
    recent = [user for user in use.refused if user.last_at > shift(now, -REFUSED_FOR)]
    if not recent:
        return
    last = max(recent, key=lambda user: user.last_at)
    others = f", and {len(recent) - 1} more," if len(recent) > 1 else ""
    to = f" to {last.resource}" if last.resource else ""
    yield _condition(
        ConditionKind.REMOVED_CREDENTIAL_USED,
        Severity.CRITICAL,
        where,
        row.id,
        f"A program at {last.address or 'an unknown address'}{others} still signs in{to} as {where.application} with Key ID "
        f"{row.key_id}, which was removed, and is refused (AADSTS{last.error}), last on {last.last_at:%Y-%m-%d at %H:%M} UTC"
        + ("." if last.certain else ", as far as its address tells."),
        "Find the program at this address, and let it read the current credential.",
        min(user.first_at for user in recent),
    )


def of_removal(
    row: Credential, where: CredentialPlace, refusal: str, now: datetime, windows: FreezeWindows = ()
) -> Iterator[Condition]:
    """Yield that a credential which was replaced still signs in longer than it should. ``refusal`` is why, where it was said.

    ``windows`` are those of the organization: within its own a removal waits.
    """
    held = tuple(window for window in windows if window.project_id in {None, where.place.project_id})
    which = (
        f"The previous credential of {where.application}, Key ID {row.key_id}," if row.key_id else _unnamed(row, where)
    )
    if row.used_elsewhere:
        yield _condition(
            ConditionKind.REMOVAL_UNCONFIRMED,
            Severity.WARNING,
            where,
            row.id,
            f"{which} was made by hand and still signs in, since other programs may use it.",
            "Let them use the current one, then press: Nobody uses it any more.",
            row.retired_at,
        )
    elif row.state in {State.REVOKING, State.LOST} and row.tries and refusal:
        yield _condition(
            ConditionKind.REMOVAL_LATE,
            Severity.WARNING,
            where,
            row.id,
            f"{which} could not be removed: {refusal}",
            "It is tried again, ever more seldom. Repair the cause; or delete it in the portal, which is noticed here.",
            row.retired_at,
        )
    elif row.being_removed or (row.state is State.RETIRING and row.promised):
        promised = row.revoke_after if row.promised else None
        due = unfrozen(held, promised, promised) if promised else row.retired_at
        if due and shift(due, REMOVED_IN_TIME) < now:
            yield _condition(
                ConditionKind.REMOVAL_LATE,
                Severity.WARNING,
                where,
                row.id,
                f"{which} should have been removed on {due:%Y-%m-%d} and still signs in.",
                "See what its removal waits for, and whether a worker lives with: keyturn doctor",
                due,
            )


def of_foreign(seen: ForeignCredential, where: CredentialPlace, now: datetime) -> Iterator[Condition]:
    """Yield what somebody else did to the credentials of an application."""
    name = f"'{seen.name}'" if seen.name else "without a name"
    if seen.is_current and seen.gone_at:
        yield _condition(
            ConditionKind.CREDENTIAL_VANISHED,
            Severity.CRITICAL,
            where,
            seen.key_id,
            f"Somebody removed the current credential of {where.application}, Key ID {seen.key_id}; or an older copy of the"
            " database was put back.",
            "Rotate now; where that is refused, enter a new credential.",
            seen.gone_at,
        )
    elif not seen.is_current and seen.gone_at is None and now < shift(seen.first_seen_at, NEWS_FOR):
        yield _condition(
            ConditionKind.CREDENTIAL_APPEARED,
            Severity.WARNING,
            where,
            seen.key_id,
            *_appeared(seen, where, name),
            seen.first_seen_at,
        )


def _appeared(seen: ForeignCredential, where: CredentialPlace, name: str) -> tuple[str, str]:
    """Return what is said of a credential that this database does not know, and what to do."""
    if not is_marker(seen.name):
        return (
            f"Somebody else added a credential to {where.application}: {name}, Key ID {seen.key_id}.",
            "Find out who made it; if nobody needs it, delete it in the portal.",
        )
    cause = (
        f"{where.application} has a credential that a Keyturn server made and that this database does not know: {name}, Key ID"
        f" {seen.key_id}. An older copy of the database was put back, or another one is in use."
    )
    fix = (
        "Stop the other installation if there is one. Once all programs have read the current credential, delete this one in the"
        " portal."
    )
    return cause, fix


def _unnamed(row: Credential, where: CredentialPlace) -> str:
    return f"A credential of {where.application} with the name '{row.marker}'"


def _condition(
    kind: ConditionKind,
    severity: Severity,
    where: CredentialPlace,
    of: str,
    cause: str,
    fix: str,
    since: datetime | None,
) -> Condition:
    key = f"{kind.value}:{where.subject.kind.value}:{where.subject.id}:{of}"
    return Condition(kind, key, severity, where.subject, where.place, cause, fix, where.path, since)
