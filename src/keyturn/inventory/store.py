"""SQL of which connections read a tenant, and of how far that is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.connections.due_store import DueColumn
from keyturn.db import unread
from keyturn.db.tables import inventories, inventory_connections, inventory_entries, inventory_objects, inventory_uses
from keyturn.db.tables.views import app_connections
from keyturn.db.unit import Tx
from keyturn.inventory.domain import ShownConnection
from keyturn.inventory.plan import LOOK_EVERY, Inventory, Phase, ReaderChoice
from keyturn.inventory.policies import documents
from keyturn.inventory.policies import read as read_policies
from keyturn.kit.batches import batches
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import CLOCKS_APART, FIRST
from keyturn.ports.inventory import ListedPolicy, Policies

_SWITCH = inventory_connections
_AT_ONCE = 400
_DUE = DueColumn(_SWITCH.c.connection_id, _SWITCH.c.next_at, LOOK_EVERY + CLOCKS_APART)
any_due, claim = _DUE.any_due, _DUE.claim


# --- which connections read -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Switch:
    """That the inventory is switched on for a connection."""

    connection_id: str
    org_id: str
    cloud: str
    tenant_id: str
    enabled_at: datetime
    sees_all: bool | None
    refused_at: datetime | None

    @property
    def tenant(self) -> tuple[str, str, str]:
        """The organization, the cloud and the id of the tenant."""
        return self.org_id, self.cloud, self.tenant_id

    @property
    def choice(self) -> ReaderChoice:
        return ReaderChoice(self.connection_id, self.enabled_at, self.sees_all, self.refused_at)


_SWITCH_FIELDS = tuple(field.name for field in fields(Switch))


def _switch(row: Mapping[str, Any]) -> Switch:
    return Switch(**{name: row[name] for name in _SWITCH_FIELDS})


def switch_of(tx: Tx, connection_id: str, *, lock: bool = False) -> Switch | None:
    query = sa.select(_SWITCH).where(_SWITCH.c.connection_id == connection_id)
    row = tx.one(query.with_for_update() if lock else query)
    return _switch(row) if row else None


def lock_switches(tx: Tx, connection_id: str) -> dict[str, Switch]:
    """Lock the switches of the tenant that is read through the connection; return them by the ids of their connections.

    None: the inventory is not switched on for the connection.
    """
    while switch := switch_of(tx, connection_id):
        switches = {each.connection_id: each for each in switches_of_tenant(tx, *switch.tenant, lock=True)}
        if connection_id in switches:  # else it became one of another tenant while it was waited for
            return switches
    return {}


def switches(tx: Tx, connection_ids: Sequence[str]) -> list[Switch]:
    """Return the switches of these connections."""
    query = sa.select(_SWITCH).where(_SWITCH.c.connection_id.in_(connection_ids))
    return [_switch(row) for row in tx.rows(query)] if connection_ids else []


def switches_of_tenant(tx: Tx, org_id: str, cloud: str, tenant_id: str, *, lock: bool = False) -> list[Switch]:
    of_tenant = (_SWITCH.c.org_id == org_id, _SWITCH.c.cloud == cloud, _SWITCH.c.tenant_id == tenant_id)
    query = sa.select(_SWITCH).where(*of_tenant).order_by(_SWITCH.c.connection_id)
    return [_switch(row) for row in tx.rows(query.with_for_update() if lock else query)]


def switch_on(tx: Tx, switch: Switch, next_at: datetime) -> bool:
    """Say whether it was off. Safe to repeat."""
    return tx.add_new(_SWITCH, next_at=next_at, **{name: getattr(switch, name) for name in _SWITCH_FIELDS})


def switch_off(tx: Tx, switch: Switch, now: datetime) -> None:
    """Remove the switch, with all that was read through the connection; the others of the tenant look at once who reads it.

    The switches of the tenant are locked.
    """
    tx.run(sa.delete(_SWITCH).where(_SWITCH.c.connection_id == switch.connection_id))
    tx.run(sa.delete(inventories).where(inventories.c.connection_id == switch.connection_id))
    wake_others(tx, switch, now)


def change_switch(tx: Tx, connection_id: str, **changes: Any) -> None:
    tx.run(sa.update(_SWITCH).where(_SWITCH.c.connection_id == connection_id).values(**changes))


def wake_others(tx: Tx, switch: Switch, now: datetime) -> None:
    """Let the other connections of the tenant look at once whether they are to read it."""
    others = (
        _SWITCH.c.org_id == switch.org_id,
        _SWITCH.c.cloud == switch.cloud,
        _SWITCH.c.tenant_id == switch.tenant_id,
        _SWITCH.c.connection_id != switch.connection_id,
    )
    tx.run(sa.update(_SWITCH).where(*others).values(next_at=now))


# --- how far a tenant is read -----------------------------------------------------------------------------------------

_FIELDS = tuple(field.name for field in fields(Inventory))
_SELECTED = sa.select(*(inventories.c[name] for name in _FIELDS))
_BY_ID = _SELECTED.where(inventories.c.id == sa.bindparam("of_id"))


def _inventory(row: Mapping[str, Any]) -> Inventory:
    values, _ = unread.values(row, _FIELDS)
    phase = values["phase"]
    values["phase"] = Phase(phase) if phase in set(Phase) else Phase.BEGIN
    values |= {name: unread.mapping(values[name]) for name in ("trouble", "uses_trouble", "policies_trouble")}
    return Inventory(**(values | {"created_at": values["created_at"] or FIRST}))


def get(tx: Tx, inventory_id: str, *, lock: bool = False) -> Inventory | None:
    row = tx.one(_BY_ID.with_for_update() if lock else _BY_ID, of_id=inventory_id)
    return _inventory(row) if row else None


def of_organization(tx: Tx, org_id: str) -> list[Inventory]:
    query = _SELECTED.where(inventories.c.org_id == org_id)
    return [_inventory(row) for row in tx.rows(query.order_by(inventories.c.created_at, inventories.c.id))]


def of_server(tx: Tx) -> list[Inventory]:
    """Return those of all organizations: for the operator."""
    return [_inventory(row) for row in tx.rows(_SELECTED.order_by(inventories.c.org_id, inventories.c.id))]


def create(tx: Tx, inventory: Inventory) -> None:
    tx.add_new(inventories, **{name: getattr(inventory, name) for name in _FIELDS})


def change(tx: Tx, inventory_id: str, **changes: Any) -> None:
    tx.run(sa.update(inventories).where(inventories.c.id == inventory_id).values(**changes))


def forget_content(tx: Tx, inventory_id: str) -> None:
    """Remove all that was found: another connection reads the tenant from now on, and others may use that."""
    change(tx, inventory_id, policies=sa.null(), counted=sa.null())
    tx.run(sa.delete(inventory_entries).where(inventory_entries.c.inventory_id == inventory_id))
    tx.run(sa.delete(inventory_uses).where(inventory_uses.c.inventory_id == inventory_id))
    tx.run(sa.delete(inventory_objects).where(inventory_objects.c.inventory_id == inventory_id))


# --- policies ---------------------------------------------------------------------------------------------------------


def policies(tx: Tx, inventory_id: str) -> tuple[ListedPolicy, ...] | None:
    """Return the policies of the tenant; None where nobody knows them."""
    row = tx.one(sa.select(inventories.c.policies).where(inventories.c.id == inventory_id))
    return read_policies(row["policies"]) if row else None


def keep_policies(tx: Tx, inventory_id: str, found: Policies) -> None:
    """Keep the policies of the tenant and what they are assigned to; or why they are not to be had."""
    trouble = found.trouble and {"message": found.trouble.message, "fix": found.trouble.fix}
    told = sa.null() if found.trouble else documents(found.policies)
    change(tx, inventory_id, policies=told, policies_trouble=trouble or sa.null())
    of_inventory = inventory_objects.c.inventory_id == inventory_id
    known = sa.select(inventory_objects.c.object_id, inventory_objects.c.policy_id).where(of_inventory)
    assigned = {row[0]: row[1] for row in tx.tuples(known.where(inventory_objects.c.policy_id.is_not(None)))}
    by_policy: dict[str | None, list[str]] = {}
    for object_id in {*assigned, *found.assigned}:
        if assigned.get(object_id) != found.assigned.get(object_id):
            by_policy.setdefault(found.assigned.get(object_id), []).append(object_id)
    for policy_id, object_ids in by_policy.items():
        for part in batches(object_ids, _AT_ONCE):
            of_these = inventory_objects.c.object_id.in_(part)
            tx.run(sa.update(inventory_objects).where(of_inventory, of_these).values(policy_id=policy_id))


def connections(tx: Tx, connection_ids: Collection[str]) -> dict[str, ShownConnection]:
    query = sa.select(app_connections.c.id, app_connections.c.name, app_connections.c.project_id)
    rows = tx.rows(query.where(app_connections.c.id.in_(sorted(connection_ids)))) if connection_ids else []
    return {row["id"]: ShownConnection(row["id"], row["name"], row["project_id"]) for row in rows}


def switched_on_in(tx: Tx, org_id: str) -> list[Switch]:
    """Return the switches of an organization."""
    query = sa.select(_SWITCH).where(_SWITCH.c.org_id == org_id).order_by(_SWITCH.c.enabled_at)
    return [_switch(row) for row in tx.rows(query)]


def read_through(tx: Tx, org_id: str) -> list[tuple[Inventory, ShownConnection]]:
    """Return the inventories of an organization, each with the connection that reads it."""
    found = of_organization(tx, org_id)
    reading = connections(tx, {each.connection_id for each in found})
    return [(each, reading[each.connection_id]) for each in found]
