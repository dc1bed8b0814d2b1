"""Who reads a tenant, and what becomes of it when that is refused: in the caller's transaction.

Several transactions change which connection reads a tenant: switching on and off, what comes due, a refusal, the end of a
connection or of its project. All of them lock in the order of :meth:`keyturn.db.unit.Database.write`.
"""

import uuid
from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.connections import store as connections
from keyturn.connections.domain import Connection
from keyturn.db.unit import Tx
from keyturn.errors import KeyturnError, NeedsAction, NotYet, Permanent, RefusalReason, Retryable, Upstream
from keyturn.inventory import plan, store
from keyturn.inventory.plan import Inventory, Phase
from keyturn.kit.clock import iso

_NAMES = uuid.UUID("6f1e2c5a-8a53-4f0e-9d1b-3f1f6c0f7a10")


def inventory_id(org_id: str, cloud: str, tenant_id: str) -> str:
    """Return the id of a tenant's inventory: the same whichever connection reads it."""
    return str(uuid.uuid5(_NAMES, f"{org_id} {cloud} {tenant_id}"))


def take(tx: Tx, connection_id: str, now: datetime) -> tuple[Inventory, Connection] | None:
    """Return the inventory if this connection is to read it: from its beginning, when it was another one so far."""
    switches = store.lock_switches(tx, connection_id)
    switch = switches.get(connection_id)
    if switch is None:
        return None
    identity = inventory_id(*switch.tenant)
    inventory = store.get(tx, identity, lock=True)
    connection = connections.get(tx, connection_id, lock=True)
    if connection is None:
        return None
    tenant = (connection.org_id, connection.cloud, connection.tenant_id.lower())
    if tenant != switch.tenant:
        # Its credentials are those of another tenant by now, of which it comes due at once.
        store.switch_off(tx, switch, now)
        store.switch_on(tx, replace(switch, cloud=tenant[1], tenant_id=tenant[2], sees_all=None), now)
        return None
    choices = [each.choice for each in switches.values()]
    best = plan.choose_reader(choices, inventory.connection_id if inventory else None)
    if best is None or best.connection_id != connection_id:
        store.change_switch(tx, connection_id, next_at=now + plan.LOOK_EVERY)
        return None
    if inventory is None:
        store.create(tx, Inventory(identity, *tenant, connection_id, now))
    elif inventory.connection_id != connection_id:
        _start_over(tx, inventory, connection_id)
    taken = store.get(tx, identity)
    return (taken, connection) if taken else None


def _start_over(tx: Tx, inventory: Inventory, connection_id: str) -> None:
    """Forget what another connection has read: who may use this one may not know of it."""
    store.forget_content(tx, inventory.id)
    blank = Inventory(
        inventory.id, inventory.org_id, inventory.cloud, inventory.tenant_id, connection_id, inventory.created_at
    )
    kept = {"id", "org_id", "cloud", "tenant_id", "created_at", "warns"}
    store.change(tx, inventory.id, **{name: value for name, value in vars(blank).items() if name not in kept})


def note_failure(tx: Tx, inventory: Inventory, connection_id: str, error: KeyturnError, now: datetime) -> timedelta:
    """Write down why it does not go on through the connection; return when that is tried again."""
    is_refused = isinstance(error, (NeedsAction, Permanent)) and not _begins_again(inventory, error)
    tenant = (inventory.org_id, inventory.cloud, inventory.tenant_id)
    switches = {each.connection_id: each for each in store.switches_of_tenant(tx, *tenant, lock=True)}
    current, switch = store.get(tx, inventory.id, lock=True), switches.get(connection_id)
    if current is not None and current.connection_id == connection_id:
        store.change(tx, inventory.id, **_after_failure(inventory, error, now))
    if switch and is_refused:
        store.change_switch(tx, connection_id, refused_at=switch.refused_at or now)
        store.wake_others(tx, switch, now)
    return plan.LOOK_EVERY if is_refused else plan.retry_after(error, inventory.failures)


def _after_failure(inventory: Inventory, error: KeyturnError, now: datetime) -> dict[str, object]:
    """Return what to write of the inventory."""
    trouble = {"code": error.code, "message": error.message, "fix": error.fix, "at": iso(now)}
    changes: dict[str, object] = {"trouble": trouble, "failures": inventory.failures + 1}
    if _begins_again(inventory, error):
        changes["cursor"] = None
    elif _is_too_much(inventory, error):
        changes |= {"cursor": None, "page_size": plan.smaller_page(inventory)}
    if isinstance(error, Upstream) and error.reason is RefusalReason.PERMISSION:
        # It may see less by now than when it began, which is found out there.
        changes |= {"phase": Phase.BEGIN.value, "cursor": None}
    return changes


def _begins_again(inventory: Inventory, error: KeyturnError) -> bool:
    """Say whether a list is read from its beginning: a cursor ends some time."""
    return (
        isinstance(error, (NeedsAction, Permanent)) and inventory.phase in plan.LISTS and inventory.cursor is not None
    )


def _is_too_much(inventory: Inventory, error: KeyturnError) -> bool:
    """Say whether pages may be too large to come whole and in time: twice in a row one did not, and nobody asked to wait."""
    again = isinstance(error, Retryable) and error.retry_after is None and inventory.failures > 0
    is_of_list = inventory.phase in plan.LISTS and not isinstance(error, NotYet)
    return again and is_of_list and inventory.page_size > plan.LEAST_PAGE
