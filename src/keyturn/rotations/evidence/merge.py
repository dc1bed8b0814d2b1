"""Adding what was just read to what is known of the use of an application's credentials. Pure, and the same however often.

Reports double sign-ins, leave some out and bring others late: so nothing is counted, and each part that is read again overlaps
the one before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.credentials.domain import Credential, State
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import not_after
from keyturn.ports.use_reports import ActivityReport, SignIn, SignInReport
from keyturn.rotations.evidence.domain import (
    LOG_LAG,
    LOOKS_BACK,
    MOST_USERS,
    Coverage,
    Evidence,
    ObservedUse,
    ObservedUser,
    Pace,
    RefusedUser,
)

MOST_REFUSED = 20
VICTIMS_FOR = timedelta(hours=26)
"""For so long after a removal it is looked who is refused: a nightly job is among them."""


@dataclass(frozen=True)
class Ask:
    """What to read of the log: from the newest back to ``since``; and, where older ones are missing, some before that."""

    since: datetime
    older_before: datetime | None = None


def next_ask(coverage: Coverage, now: datetime) -> Ask:
    """Return what to read now, so that what is known stays without a hole."""
    earliest = now - LOOKS_BACK
    if coverage.until is None or coverage.since is None or not earliest < coverage.until <= now:
        return Ask(earliest)
    older = coverage.since if coverage.more_before and coverage.since > earliest else None
    return Ask(max(coverage.until - LOG_LAG, earliest), older)


def merge_reports(
    evidence: Evidence,
    rows: Sequence[Credential],
    ask: Ask,
    newest: SignInReport,
    older: SignInReport | None,
    activity: ActivityReport | None,
    refused_errors: frozenset[int],
    now: datetime,
) -> Evidence:
    """Return the evidence with what these reports say of the credentials. ``now`` is by the provider's clock."""
    sign_ins = [*newest.sign_ins, *(older.sign_ins if older else ())]
    # Whoever is refused for another reason, as by Conditional Access, holds the credential all the same.
    used = _by_credential(rows, [each for each in sign_ins if each.error not in refused_errors])
    refused = _refused(evidence, rows, [each for each in sign_ins if each.error in refused_errors])
    reported = activity.last_used if activity and not activity.trouble else {}
    uses = [
        _use(evidence.of(row.id), used.get(row.id, ()), refused.get(row.id, ()), reported.get(row.key_id or ""), now)
        for row in rows
    ]
    coverage = _covered(evidence.coverage, ask, newest, older, now)
    if activity:
        at = coverage.activity_at if activity.trouble else now
        coverage = replace(coverage, activity_at=at, activity_trouble=activity.trouble)
    return Evidence(replace(coverage, asked_at=now), tuple(uses))


def _covered(known: Coverage, ask: Ask, newest: SignInReport, older: SignInReport | None, now: datetime) -> Coverage:
    """Return what is covered without a hole. It never begins before the oldest sign-in that was shown."""
    if newest.trouble:
        return replace(known, log_trouble=newest.trouble)
    oldest = min((each.at for each in newest.sign_ins), default=None)
    joins = known.until is not None and known.since is not None and (oldest_read(ask, newest) <= known.until)
    since = known.since if joins else oldest
    more_before = known.more_before if joins else not newest.complete
    if joins and oldest is not None and known.since is not None:
        since = min(known.since, oldest)
    if older and not older.trouble and joins:
        since = min([each.at for each in older.sign_ins] + ([since] if since else []), default=None)
        more_before = not older.complete
    return replace(known, since=since, until=now, more_before=more_before, log_trouble=None)


def oldest_read(ask: Ask, report: SignInReport) -> datetime:
    """Return how far back the report goes: to what was asked for, or to the last one that was read."""
    return ask.since if report.complete else min((each.at for each in report.sign_ins), default=ask.since)


def _by_credential(rows: Sequence[Credential], sign_ins: Sequence[SignIn]) -> dict[str, list[SignIn]]:
    ids = {row.key_id: row.id for row in rows if row.key_id}
    found: dict[str, list[SignIn]] = {}
    for each in sign_ins:
        if credential_id := ids.get(each.key_id):
            found.setdefault(credential_id, []).append(each)
    return found


def _refused(
    evidence: Evidence, rows: Sequence[Credential], refusals: Sequence[SignIn]
) -> Mapping[str, list[RefusedUser]]:
    """Return who was refused for which credential that was gone by then.

    Where the log names no credential, the last one that had been removed is meant if whoever is refused used that.
    """
    gone = [(gone_at, row) for row in rows if (gone_at := _gone_at(row))]
    gone.sort(key=lambda each: each[0], reverse=True)
    found: dict[str, list[RefusedUser]] = {}
    for each in refusals:
        for gone_at, row in gone:
            if not gone_at < each.at <= gone_at + VICTIMS_FOR:
                continue
            certain = bool(each.key_id) and each.key_id == row.key_id
            known = {user.address for user in evidence.of(row.id).users}
            if certain or (not each.key_id and each.address and each.address in known):
                user = RefusedUser(each.address, each.resource, each.error, each.at, each.at, certain)
                found.setdefault(row.id, []).append(user)
                break
    return found


def _gone_at(row: Credential) -> datetime | None:
    return row.removed_at if row.state in {State.REVOKING, State.REVOKED} else None


def _use(
    known: ObservedUse,
    used: Sequence[SignIn],
    refused: Sequence[RefusedUser],
    reported_at: datetime | None,
    now: datetime,
) -> ObservedUse:
    moments = [not_after(each.at, now) for each in used]
    pace, kind = known.pace, known.credential_kind
    if moments:
        pace = pace.with_uses(moments) if pace else Pace.of(moments)
        newest = max(used, key=lambda each: each.at)
        kind = newest.credential_kind if not_after(newest.at, now) == pace.last_at else kind
    last_reported = max((at for at in (known.reported_at, reported_at) if at), default=None)
    return replace(
        known,
        pace=pace,
        reported_at=last_reported and not_after(last_reported, now),
        users=_users(known.users, used, now),
        refused=_merged_refusals(known.refused, refused),
        credential_kind=kind,
    )


def _users(known: Sequence[ObservedUser], used: Sequence[SignIn], now: datetime) -> tuple[ObservedUser, ...]:
    """Return who used it, those seen last where there are too many."""
    users = {(user.address, user.resource): user for user in known}
    moments: dict[tuple[str, str], list[datetime]] = {}
    for each in used:
        moments.setdefault((each.address, each.resource), []).append(not_after(each.at, now))
    for who, times in moments.items():
        user = users.get(who)
        users[who] = ObservedUser(*who, user.pace.with_uses(times) if user else Pace.of(times))
    newest = sorted(users.values(), key=lambda user: user.pace.last_at, reverse=True)
    return tuple(newest[:MOST_USERS])


def _merged_refusals(known: Sequence[RefusedUser], more: Sequence[RefusedUser]) -> tuple[RefusedUser, ...]:
    users = {(user.address, user.resource): user for user in known}
    for each in more:
        other = users.get((each.address, each.resource), each)
        first, last = min(other.first_at, each.first_at), max(other.last_at, each.last_at)
        certain = other.certain or each.certain
        users[each.address, each.resource] = replace(each, first_at=first, last_at=last, certain=certain)
    newest = sorted(users.values(), key=lambda user: user.last_at, reverse=True)
    return tuple(newest[:MOST_REFUSED])
