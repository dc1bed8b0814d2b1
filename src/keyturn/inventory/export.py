"""An inventory as a file of comma-separated values that a spreadsheet opens without running anything in it. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from keyturn.inventory.domain import NO_KEY, Entry, Observed, Row, life
from keyturn.inventory.policies import AppliedPolicy
from keyturn.kit.clock import iso_or_none
from keyturn.kit.spreadsheet import rows_as_csv

COLUMNS = (
    *("objectType", "displayName", "appId", "objectId", "audience", "foreign", "disabled"),
    *("kind", "keyId", "keyName", "hint", "issuer", "subject", "startsAt", "endsAt", "ageDays", "daysLeft"),
    *("ownerState", "owners", "origin", "rotationId", "slotsLeft", "lastSuccessAt", "lastSuccessSource"),
    *("lastSuccessUnknownBecause", "findings", "lifeDays", "applicationLastSuccessAt", "applicationLastSuccessKind"),
    *("policyState", "policyName", "policyAssigned", "policyLongestSeconds", "policyExempts", "policyUnknownBecause"),
    *("ownerIds", "ownerTypes", "ownersDisabled", "ownersReadAt", "applicationLastSuccessKeyId", "firstSeenAt"),
    *("appearedAt", "signsIn", "signInConnectionId", "signInConnectionName", "signInConnectionProjectId"),
)
"""What the API tells of a credential. The order is a promise: programs count columns, so new ones come last."""


def header() -> bytes:
    return lines([COLUMNS])


def lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Return rows as a file has them."""
    return rows_as_csv(rows).encode()


def age_in_days(starts_at: datetime | None, now: datetime) -> int | None:
    """Return for how many whole days it has been there; None for what has no start."""
    return None if starts_at is None else max((now - starts_at).days, 0)


def days_left(ends_at: datetime | None, now: datetime) -> int | None:
    """Return how many whole days are left, negative for what has ended; None for what has no end."""
    return None if ends_at is None else (ends_at - now).days


def life_in_days(entry: Entry) -> int | None:
    """Return how many whole days a credential lives from start to end; None for what has not both."""
    lives = life(entry.starts_at, entry.ends_at)
    return None if lives is None else lives.days


def longest_in_seconds(policy: AppliedPolicy) -> int | None:
    """Return how long a new credential may live; None where that is not limited."""
    return None if policy.longest is None else int(policy.longest.total_seconds())


def values(row: Row, now: datetime) -> tuple[object, ...]:
    """Return a row by :data:`COLUMNS`."""
    entry, use, policy = row.entry, row.last_use, row.policy
    observed = use if isinstance(use, Observed) else None
    newest = row.application_use
    return (
        *(entry.object_kind.value, entry.name, entry.app_id, entry.object_id, entry.audience),
        *(entry.foreign, entry.disabled, entry.key_kind.value if entry.key_kind else NO_KEY, entry.key_id),
        *(entry.key_name, entry.hint, entry.issuer, entry.subject, iso_or_none(entry.starts_at)),
        *(iso_or_none(entry.ends_at), age_in_days(entry.starts_at, now), days_left(entry.ends_at, now)),
        *(entry.owner_state.value, "; ".join(owner.name or owner.id for owner in row.owners)),
        *(row.origin.value if row.origin else None, row.rotation_id, entry.slots_left),
        *(iso_or_none(observed.at) if observed else None, observed.source if observed else None),
        None if isinstance(use, Observed) else use.reason,
        " ".join(finding.value for finding in row.findings(now)),
        *(life_in_days(entry), iso_or_none(newest.at) if newest else None),
        newest.kind.value if newest and newest.kind else None,
        *(policy.state.value, policy.name or None, policy.assigned, longest_in_seconds(policy), policy.exempts),
        policy.unknown or None,
        *_of_owners(row),
        newest.key_id if newest else None,
        *(iso_or_none(entry.first_seen_at), iso_or_none(entry.appeared_at), *_of_sign_in(row)),
    )


def _of_owners(row: Row) -> tuple[object, ...]:
    """Return ids, types and states of the owners, each in the order of their names, and when they were read."""
    disabled = ("unknown" if each.disabled is None else str(each.disabled).lower() for each in row.owners)
    return (
        "; ".join(each.id for each in row.owners),
        "; ".join(each.kind for each in row.owners),
        "; ".join(disabled),
        iso_or_none(row.owners_read_at),
    )


def _of_sign_in(row: Row) -> tuple[object, ...]:
    """Return whether a connection signs in as the application, and id, name and project of the one that may be named."""
    named = row.sign_in.connection if row.sign_in else None
    return (row.sign_in is not None, *((named.id, named.name, named.project_id) if named else (None, None, None)))
