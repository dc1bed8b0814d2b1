"""Conditions of inventories: a tenant that is not read any more, and credentials that end and that nobody rotates. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from keyturn.alarms.conditions.domain import (
    Condition,
    ConditionKind,
    ConditionSubject,
    Severity,
    days_before_end,
    severity_of_end,
    told_end,
)
from keyturn.audit.domain import SubjectKind
from keyturn.authz.permissions import Scope
from keyturn.inventory.domain import Ending
from keyturn.inventory.plan import STALE_AFTER, Inventory
from keyturn.kit.counting import counted
from keyturn.kit.dataclasses import dataclass

ENDED_FOR = timedelta(days=1)
"""For so long after its end a credential counts as the first that ends: so that it has ended is told, and then the next one."""


@dataclass(frozen=True)
class InventoryState:
    """An inventory with the connection that reads it; ``ending`` is what ends, where somebody is to be warned of that."""

    inventory: Inventory
    connection_name: str
    project_id: str | None
    ending: Ending | None = None


def of_inventory(state: InventoryState, now: datetime) -> Iterator[Condition]:
    """Yield that what is known of a tenant is too old, and that something of it ends."""
    inventory = state.inventory
    since = inventory.read_at or inventory.created_at
    if now - since > STALE_AFTER:
        trouble = inventory.trouble or {}
        known = f"is as of {inventory.read_at:%Y-%m-%d %H:%M} UTC" if inventory.read_at else "was never read to its end"
        why = f": {trouble['message']}" if trouble.get("message") else "."
        fix = str(trouble.get("fix") or "See whether a worker lives with: keyturn doctor")
        yield _condition(
            state,
            ConditionKind.INVENTORY_STALE,
            Severity.WARNING,
            f"The inventory of tenant {inventory.tenant_id} {known}{why}",
            fix,
            f"/inventory/{inventory.id}",
            since=since,
        )
    ending = state.ending
    if ending is not None and days_before_end(ending.first, now) is not None:
        yield _condition(
            state,
            ConditionKind.TENANT_CREDENTIAL_ENDS,
            severity_of_end(ending.first, now),
            _what_ends(inventory.tenant_id, ending, now),
            "See who owns it, and start rotating it here or replace it.",
            # What has ended is none of those that will end: of it the list begins with what ended last.
            f"/inventory/{inventory.id}?{'ended=yes' if ending.first <= now else 'within=60'}&rotated=no",
            ends_at=ending.first,
        )


def _what_ends(tenant_id: str, ending: Ending, now: datetime) -> str:
    of, first = f"of tenant {tenant_id} that nobody rotates", told_end(ending.first, now)
    if ending.count == 1:
        return f"A credential {of} {first}."
    when = "ended or will end soon" if ending.first <= now else "will end soon"
    return f"{counted(ending.count, 'credential')} {of} {when}: the first of them {first}."


def _condition(
    state: InventoryState,
    kind: ConditionKind,
    severity: Severity,
    cause: str,
    fix: str,
    path: str,
    *,
    since: datetime | None = None,
    ends_at: datetime | None = None,
) -> Condition:
    inventory = state.inventory
    subject = ConditionSubject(SubjectKind.CONNECTION, inventory.connection_id, state.connection_name)
    place = Scope(inventory.org_id, state.project_id, connection_id=inventory.connection_id)
    key = f"{kind.value}:{subject.kind.value}:{inventory.id}"
    return Condition(kind, key, severity, subject, place, cause, fix, path, since, ends_at)
