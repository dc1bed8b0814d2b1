"""SQL of what was reported of the use of credentials, and of when it is asked for again."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential
from keyturn.db.columns import first_of
from keyturn.db.tables import observed_uses, use_reports
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.provider import Tenant
from keyturn.rotations.evidence import documents
from keyturn.rotations.evidence.domain import Coverage, Evidence, ObservedUse

LONGEST_REST = timedelta(days=400)
"""For longer nothing is put off: what lies further ahead was written by a wrong clock, and is due."""
LONGEST_BUSY = timedelta(hours=1)
_LOOKED_AT = 200
_USES, _REPORTS = observed_uses.c, use_reports.c


@dataclass(frozen=True)
class DueReport:
    """An application whose reports are to be read, with the tenant whose budget that takes."""

    rotation_id: str
    tenant: str


def tenant_key(tenant: Tenant) -> str:
    return f"{tenant.cloud}/{tenant.tenant_id.lower()}"


def expect(tx: Tx, rotation_id: str, tenant: Tenant, now: datetime) -> None:
    """Have the reports of this application read soon: one of its credentials is to be removed. Repeatable."""
    added = tx.add_new(
        use_reports, rotation_id=rotation_id, tenant=tenant_key(tenant), ask_at=now, busy_until=None, coverage={}
    )
    if not added:
        ask_at(tx, rotation_id, now)


def ask_at(tx: Tx, rotation_id: str, at: datetime | None) -> None:
    tx.run(sa.update(use_reports).where(_REPORTS.rotation_id == rotation_id).values(ask_at=at))


def any_due(tx: Tx, now: datetime) -> bool:
    """Whether reports are to be read. One look at an index."""
    row = tx.one(sa.select(first_of(_REPORTS.ask_at).label("at")))
    return bool(row and row["at"] is not None and row["at"] <= now)


def due_before(tx: Tx, now: datetime, end: datetime) -> datetime | None:
    """Return when the next ones come due that are not due yet, if that is before the end."""
    query = sa.select(sa.func.min(_REPORTS.ask_at).label("at")).where(_REPORTS.ask_at > now, _REPORTS.ask_at < end)
    row = tx.one(query)
    return row["at"] if row else None


def claim(tx: Tx, now: datetime, limit: int, until: datetime, busy_until: datetime) -> list[DueReport]:
    """Put off the longest due ones, at most one of each tenant, and return them; no other transaction gets the same.

    A tenant whose budget is taken by earlier requests is left out.
    """
    busy = sa.select(_REPORTS.tenant).where(_REPORTS.busy_until > now, _REPORTS.busy_until < now + LONGEST_BUSY)
    query = (
        sa.select(_REPORTS.rotation_id, _REPORTS.tenant)
        .where(sa.or_(_REPORTS.ask_at <= now, _REPORTS.ask_at > now + LONGEST_REST), _REPORTS.tenant.not_in(busy))
        .order_by(_REPORTS.ask_at)
        .limit(_LOOKED_AT)
    )
    tx.alone_with("use-reports")  # two processes that claim at once would both find the tenant free
    by_tenant: dict[str, DueReport] = {}
    for row in tx.rows(query):
        by_tenant.setdefault(row["tenant"], DueReport(row["rotation_id"], row["tenant"]))
    claimed = list(by_tenant.values())[:limit]
    ids = [each.rotation_id for each in claimed]
    if ids:
        values = {"ask_at": until, "busy_until": busy_until}
        tx.run(sa.update(use_reports).where(_REPORTS.rotation_id.in_(ids)).values(values))
    return claimed


def take_turn(tx: Tx, tenant: Tenant, now: datetime, busy_until: datetime) -> datetime | None:
    """Take a part of the tenant's budget for a request that is about no application of ours; return until when it is taken by
    others, in which case nothing is written. Of tenants that nobody else asks, all of it is free.
    """
    tx.alone_with("use-reports")
    of_tenant, until = _REPORTS.tenant == tenant_key(tenant), _REPORTS.busy_until
    query = sa.select(sa.func.min(_REPORTS.rotation_id).label("first"), sa.func.max(until).label("until"))
    row = tx.one(query.where(of_tenant, sa.or_(until.is_(None), until < now + LONGEST_BUSY)))
    taken: datetime | None = row["until"] if row else None
    if taken is not None and taken > now:
        return taken
    if row and row["first"]:
        tx.run(sa.update(use_reports).where(_REPORTS.rotation_id == row["first"]).values(busy_until=busy_until))
    return None


def lock(tx: Tx, rotation_id: str) -> bool:
    """Keep others from writing the application's reports until the transaction ends; False when there are none."""
    query = sa.select(_REPORTS.rotation_id).where(_REPORTS.rotation_id == rotation_id).with_for_update()
    return tx.one(query) is not None


def save(tx: Tx, rotation_id: str, evidence: Evidence, ask: datetime | None, busy_until: datetime) -> None:
    """Write what is known now. The reports are locked in this transaction."""
    values = {"coverage": documents.of_coverage(evidence.coverage), "ask_at": ask, "busy_until": busy_until}
    tx.run(sa.update(use_reports).where(_REPORTS.rotation_id == rotation_id).values(values))
    known = {row["credential_id"] for row in tx.rows(_KNOWN.where(_USES.rotation_id == rotation_id))}
    for use in evidence.uses:
        if use == ObservedUse(use.credential_id):
            continue
        refused_at = max((user.last_at for user in use.refused), default=None)
        columns = {"last_used_at": use.last_at, "refused_at": refused_at, "observed": documents.of_use(use)}
        if use.credential_id in known:
            tx.run(sa.update(observed_uses).where(_USES.credential_id == use.credential_id).values(columns))
        else:
            tx.add_new(observed_uses, credential_id=use.credential_id, rotation_id=rotation_id, **columns)


_KNOWN = sa.select(_USES.credential_id)
_OF_ROTATIONS = sa.select(_REPORTS.rotation_id, _REPORTS.coverage, _USES.credential_id, _USES.observed).select_from(
    use_reports.outerjoin(observed_uses, _USES.rotation_id == _REPORTS.rotation_id)
)


def of_rotation(tx: Tx, rotation_id: str) -> Evidence | None:
    """Return all that was reported; None where nothing was ever asked for. One statement."""
    return of_rotations(tx, [rotation_id]).get(rotation_id)


def of_rotations(tx: Tx, rotation_ids: Sequence[str]) -> Mapping[str, Evidence]:
    """Return all that was reported of these, by rotation. One statement."""
    found: dict[str, Evidence] = {}
    for row in tx.rows(_OF_ROTATIONS.where(_REPORTS.rotation_id.in_(rotation_ids))):
        known = found.get(row["rotation_id"]) or Evidence(documents.coverage(row["coverage"]))
        use = documents.use(row["credential_id"], row["observed"]) if row["credential_id"] else None
        found[row["rotation_id"]] = Evidence(known.coverage, (*known.uses, use) if use else known.uses)
    return found


@dataclass(frozen=True)
class ReportedUse:
    """When a key was last reported to sign in. ``coverage`` is of its application's reports: why there may be nothing."""

    key_id: str
    used: ObservedUse | None
    coverage: Coverage


def last_uses(tx: Tx, org_id: str, key_ids: Collection[str]) -> Mapping[str, ReportedUse]:
    """Return what is known of the use of these keys, by key id, for lists: one statement. Without those never asked for."""
    entries = journal.ENTRIES
    query = (
        sa.select(entries.c.id, entries.c.key_id, _REPORTS.coverage, _USES.observed)
        .select_from(
            entries.join(use_reports, _REPORTS.rotation_id == entries.c.rotation_id).outerjoin(
                observed_uses, _USES.credential_id == entries.c.id
            )
        )
        .where(entries.c.org_id == org_id, entries.c.key_id.in_(key_ids))
    )
    return {
        row["key_id"]: ReportedUse(
            row["key_id"],
            documents.use(row["id"], row["observed"]) if row["observed"] else None,
            documents.coverage(row["coverage"]),
        )
        for row in tx.rows(query)
    }


def keys_used_since(org_id: str, moment: datetime) -> sa.Select[tuple[str, str]]:
    """Select the applications' object ids and the ids of the organization's keys that were reported to sign in after a moment:
    a condition of other queries.
    """
    entries = journal.ENTRIES
    used = entries.join(observed_uses, _USES.credential_id == entries.c.id)
    return (
        sa.select(entries.c.object_id, entries.c.key_id)
        .select_from(used)
        .where(entries.c.org_id == org_id, entries.c.key_id.is_not(None), _USES.last_used_at > moment)
    )


def watched_credentials(tx: Tx, rotation_id: str, gone_after: datetime) -> Sequence[Credential]:
    """Return the credentials of an application whose use is of interest: those that live, and those removed since."""
    entries = journal.ENTRIES
    query = (
        sa.select(entries)
        .where(
            entries.c.rotation_id == rotation_id,
            entries.c.published_at.is_not(None),
            sa.or_(journal.LIVE, sa.and_(entries.c.state == "revoked", entries.c.removed_at > gone_after)),
        )
        .order_by(*journal.OLDEST_FIRST)
    )
    return [journal.read(row) for row in tx.rows(query)]


def rotations_with_reports(tx: Tx, most: int) -> Sequence[str]:
    """Return the rotations that reports were ever read for, those first that are to be read next."""
    query = sa.select(_REPORTS.rotation_id).order_by(_REPORTS.ask_at.is_(None), _REPORTS.ask_at).limit(most)
    return [row["rotation_id"] for row in tx.rows(query)]
