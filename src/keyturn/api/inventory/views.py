"""Inventories as JSON shows them."""

from datetime import datetime

from keyturn.api.inventory.schemas import (
    ApplicationLastSuccess,
    InventoryConnection,
    InventoryCredential,
    InventoryOwner,
    InventoryPolicy,
    InventoryRotationStart,
    InventoryShown,
    InventoryTrouble,
    LastSuccess,
    RefusedConnection,
)
from keyturn.inventory.domain import NO_KEY, ApplicationUse, LastUse, Observed, Row, ShownConnection
from keyturn.inventory.export import age_in_days, days_left, life_in_days, longest_in_seconds
from keyturn.inventory.policies import AppliedPolicy
from keyturn.inventory.rotation_start import RotationStart
from keyturn.inventory.service import TenantView
from keyturn.kit.clock import iso, iso_or_none


def tenant(view: TenantView) -> InventoryShown:
    inventory = view.inventory
    return InventoryShown(
        id=inventory.id,
        cloud=inventory.cloud,
        tenant_id=inventory.tenant_id,
        connection=_connection(view.connection),
        other_connections=[_connection(each) for each in view.others],
        sees_all=inventory.sees_all,
        phase=inventory.phase.value,
        objects=view.counts.objects,
        owners_read=view.detailed,
        credentials=view.counts.credentials,
        began_at=iso_or_none(inventory.began_at),
        read_at=iso_or_none(inventory.read_at),
        full_read_at=iso_or_none(inventory.full_at),
        is_stale=view.is_stale,
        warns=inventory.warns,
        trouble=_trouble(inventory.trouble),
    )


def _connection(connection: ShownConnection) -> InventoryConnection:
    return InventoryConnection(connection.id, connection.name, connection.project_id)


def _trouble(trouble: dict[str, object] | None) -> InventoryTrouble | None:
    if not trouble:
        return None
    code, message, fix, at = (trouble.get(name) for name in ("code", "message", "fix", "at"))
    return InventoryTrouble(str(code), str(message), str(fix) if fix else None, str(at))


def credential(row: Row, now: datetime) -> InventoryCredential:
    entry = row.entry
    return InventoryCredential(
        object_type=entry.object_kind.value,
        object_id=entry.object_id,
        app_id=entry.app_id,
        display_name=entry.name,
        audience=entry.audience,
        is_foreign=entry.foreign,
        is_disabled=entry.disabled,
        kind=entry.key_kind.value if entry.key_kind else NO_KEY,
        key_id=entry.key_id,
        name=entry.key_name,
        hint=entry.hint,
        issuer=entry.issuer,
        subject=entry.subject,
        starts_at=iso_or_none(entry.starts_at),
        ends_at=iso_or_none(entry.ends_at),
        age_days=age_in_days(entry.starts_at, now),
        days_left=days_left(entry.ends_at, now),
        life_days=life_in_days(entry),
        owner_state=entry.owner_state.value,
        owners=[InventoryOwner(each.id, each.kind, each.name, each.disabled) for each in row.owners],
        owners_read_at=iso_or_none(row.owners_read_at),
        last_success=_last_success(row.last_use),
        application_last_success=_application_last_success(row.application_use),
        policy=_policy(row.policy),
        origin=row.origin.value if row.origin else None,
        rotation_id=row.rotation_id,
        slots_left=entry.slots_left,
        first_seen_at=iso_or_none(entry.first_seen_at),
        appeared_at=iso_or_none(entry.appeared_at),
        findings=[finding.value for finding in row.findings(now)],
        signs_in=row.sign_in is not None,
        sign_in_connection=_connection_or_none(row.sign_in.connection if row.sign_in else None),
    )


def _connection_or_none(connection: ShownConnection | None) -> InventoryConnection | None:
    return _connection(connection) if connection else None


def rotation_start(start: RotationStart) -> InventoryRotationStart:
    return InventoryRotationStart(
        _connection_or_none(start.connection),
        _connection_or_none(start.sign_in),
        [
            RefusedConnection(_connection(each.connection), each.error.code, each.error.message, each.error.fix)
            for each in start.refused
        ],
        start.untried,
        start.following,
    )


def _last_success(use: LastUse) -> LastSuccess:
    if isinstance(use, Observed):
        return LastSuccess(iso(use.at), use.source, None)
    return LastSuccess(None, None, use.reason)


def _application_last_success(use: ApplicationUse | None) -> ApplicationLastSuccess | None:
    if use is None:
        return None
    return ApplicationLastSuccess(iso(use.at), use.key_id, use.kind.value if use.kind else None)


def _policy(policy: AppliedPolicy) -> InventoryPolicy:
    return InventoryPolicy(
        policy.state.value,
        policy.name or None,
        policy.assigned,
        longest_in_seconds(policy),
        policy.exempts,
        policy.unknown or None,
    )
