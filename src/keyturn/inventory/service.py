"""Use cases of inventories: what a tenant holds, as far as the one who asks may know it; and which connections read it.

All of an inventory was read through one connection, so whoever may use that connection may see it: they could ask the provider
themselves. Whoever may edit a connection decides whether anything is read through it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime

from keyturn.audit import inventory_events as events
from keyturn.audit.domain import AuditEvent
from keyturn.authz import authorize
from keyturn.authz.authorize import Scope, Visibility
from keyturn.authz.domain import Action
from keyturn.connections import store as connections
from keyturn.connections.access import connection_for
from keyturn.connections.domain import Connection
from keyturn.connections.recording import record_connection_event
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused
from keyturn.inventory import count_store, list_store, plan, store
from keyturn.inventory.access import inventory_for
from keyturn.inventory.count_store import Counts
from keyturn.inventory.domain import Finding, InventoryFilter, Row, ShownConnection
from keyturn.inventory.filter_store import Selection
from keyturn.inventory.list_store import Slice
from keyturn.inventory.plan import Inventory, Phase
from keyturn.inventory.rows import rows_of
from keyturn.inventory.store import Switch
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock

EXPORTED_AT_ONCE = 500


@dataclass(frozen=True)
class TenantView:
    """An inventory as it is shown. ``others`` are connections that would read the tenant if this one could not.

    ``may_edit``: the actor may switch it off, and say whether anybody is warned.
    """

    inventory: Inventory
    connection: ShownConnection
    counts: Counts
    others: Sequence[ShownConnection]
    may_edit: bool = False
    is_stale: bool = False

    @property
    def is_reading(self) -> bool:
        return self.inventory.phase is not Phase.REST

    @property
    def detailed(self) -> int:
        """Of how many objects the owners are known."""
        return max(self.counts.objects - self.counts.waiting, 0)


@dataclass(frozen=True)
class InventoryPage:
    tenant: TenantView
    rows: Sequence[Row]
    total: int
    findings: Mapping[Finding, int] = field(default_factory=dict)
    audiences: Sequence[str] = ()


def is_stale(inventory: Inventory, now: datetime) -> bool:
    """Say whether what is known is older than it ever should be."""
    return now - (inventory.read_at or inventory.created_at) > plan.STALE_AFTER


class Inventories:
    """Shows inventories, and switches them on and off."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    # --- seeing -------------------------------------------------------------------------------------------------------

    def tenants(self, actor: Actor) -> Sequence[TenantView]:
        """Return the inventories that the actor may see."""
        with self._database.read() as tx:
            return self._views(tx, actor, store.of_organization(tx, actor.org_id))

    def tenant(self, actor: Actor, inventory_id: str) -> TenantView:
        """Return one of them. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            inventory, _ = inventory_for(tx, actor, inventory_id, Action.CONNECT_CONNECTIONS)
            return self._views(tx, actor, [inventory])[0]

    def page(
        self, actor: Actor, inventory_id: str, criteria: InventoryFilter, part: Slice, *, summary: bool = False
    ) -> InventoryPage:
        """Return a page of what matches; with ``summary`` how often each finding is found. Raises NotFound or Forbidden.

        A fixed number of statements, whatever there is.
        """
        now = self._clock.now()
        with self._database.read() as tx:
            inventory, _ = inventory_for(tx, actor, inventory_id, Action.CONNECT_CONNECTIONS)
            view = self._views(tx, actor, [inventory])[0]
            selection = _selected(tx, inventory, criteria, now, authorize.visible(tx, actor))
            entries, total = list_store.page(tx, selection, part, view.counts.lines)
            return InventoryPage(
                view,
                rows_of(tx, selection, entries),
                total,
                _findings(tx, view, now) if summary else {},
                view.counts.audiences,
            )

    def export(self, actor: Actor, inventory_id: str, criteria: InventoryFilter) -> Iterator[Sequence[Row]]:
        """Return all that matches, in parts that each are read when they are asked for. Raises NotFound or Forbidden at once.

        That somebody takes it is recorded before the first part. A part raises Refused when what is read is not that any more: it
        was switched off, or is read through another connection, which others may use.
        """
        now = self._clock.now()
        with self._database.write() as tx:
            inventory, connection = inventory_for(tx, actor, inventory_id, Action.CONNECT_CONNECTIONS)
            selection = _selected(tx, inventory, criteria, now, authorize.visible(tx, actor))
            _record(tx, actor, events.INVENTORY_EXPORTED, connection, now)
        return self._parts(selection)

    def _parts(self, selection: Selection) -> Iterator[Sequence[Row]]:
        last: tuple[str, str] | None = None
        while True:
            with self._database.read() as tx:
                _require_same(selection.inventory, store.get(tx, selection.inventory.id))
                entries, last = list_store.after(tx, selection, last, EXPORTED_AT_ONCE)
                rows = rows_of(tx, selection, entries)
            yield rows
            if last is None:
                return

    def all_of_server(self) -> Iterator[tuple[TenantView, Iterator[Sequence[Row]]]]:
        """Yield every inventory of this server with all its rows: for the operator."""
        now = self._clock.now()
        with self._database.read() as tx:
            inventories = store.of_server(tx)
            reading = store.connections(tx, {each.connection_id for each in inventories})
            counts = count_store.counts(tx, [each.id for each in inventories])
            selections = [
                _selected(tx, each, InventoryFilter(), now, Visibility(each.org_id, organization=True, projects=None))
                for each in inventories
            ]
        for each, selection in zip(inventories, selections, strict=True):
            view = TenantView(each, reading[each.connection_id], counts[each.id], (), is_stale=is_stale(each, now))
            yield view, self._parts(selection)

    def _views(self, tx: Tx, actor: Actor, inventories: Sequence[Inventory]) -> list[TenantView]:
        """Return those that the actor may see."""
        now = self._clock.now()
        switches = store.switched_on_in(tx, actor.org_id)
        ids = {each.connection_id for each in switches} | {each.connection_id for each in inventories}
        reading = store.connections(tx, ids)
        scopes = [_scope(actor, reading[each.connection_id]) for each in inventories]
        may_see = _allowed(tx, actor, Action.CONNECT_CONNECTIONS, scopes)
        may_edit = _allowed(tx, actor, Action.EDIT_CONNECTIONS, scopes)
        counts = count_store.counts(tx, [each.id for each in inventories])
        return [
            TenantView(
                each,
                reading[each.connection_id],
                counts[each.id],
                [reading[other.connection_id] for other in switches if _would_read(other, each)],
                edits,
                is_stale(each, now),
            )
            for each, sees, edits in zip(inventories, may_see, may_edit, strict=True)
            if sees
        ]

    # --- switching ----------------------------------------------------------------------------------------------------

    def switchable(self, actor: Actor, most: int) -> Sequence[Connection]:
        """Return the first connections, by name, for which the actor may switch it on, and nobody has."""
        with self._database.read() as tx:
            on = {each.connection_id for each in store.switched_on_in(tx, actor.org_id)}
            sight = authorize.visible(tx, actor, Action.EDIT_CONNECTIONS)
            found, _ = connections.page(tx, connections.ConnectionFilter(sight, limit=most + len(on)))
            return [each for each in found if each.id not in on][:most]

    def is_on(self, actor: Actor, connection_id: str) -> bool:
        """Say whether it is switched on for the connection. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            connection_for(tx, actor, connection_id, Action.READ_CONNECTIONS)
            return store.switch_of(tx, connection_id) is not None

    def switch(self, actor: Actor, connection_id: str, *, on: bool) -> None:
        """Switch it on or off for the connection. Safe to repeat. Raises NotFound or Forbidden.

        When it is switched off, what was read through the connection is removed; another one begins anew.
        """
        now = self._clock.now()
        with self._database.write() as tx:
            switch = store.lock_switches(tx, connection_id).get(connection_id)
            connection = connection_for(tx, actor, connection_id, Action.EDIT_CONNECTIONS, lock=on)
            if not on and switch is not None:
                store.switch_off(tx, switch, now)
                _record(tx, actor, events.INVENTORY_SWITCHED_OFF, connection, now)
            tenant = (connection.org_id, connection.cloud, connection.tenant_id.lower())
            if on and store.switch_on(tx, Switch(connection.id, *tenant, now, None, None), now):
                _record(tx, actor, events.INVENTORY_SWITCHED_ON, connection, now)

    def warn(self, actor: Actor, inventory_id: str, *, on: bool) -> TenantView:
        """Say whether somebody is told of what ends and nobody rotates. Safe to repeat. Raises NotFound or Forbidden."""
        with self._database.write() as tx:
            inventory, connection = inventory_for(tx, actor, inventory_id, Action.EDIT_CONNECTIONS)
            if inventory.warns != on:
                store.change(tx, inventory.id, warns=on)
                _record(tx, actor, events.INVENTORY_WARNINGS_CHANGED, connection, self._clock.now(), warns=on)
            return self._views(tx, actor, [replace(inventory, warns=on)])[0]

    def read_now(self, actor: Actor, inventory_id: str) -> TenantView:
        """Read the lists anew, unless that is under way. Safe to repeat. Raises NotFound or Forbidden."""
        now = self._clock.now()
        with self._database.write() as tx:
            inventory, _ = inventory_for(tx, actor, inventory_id, Action.CONNECT_CONNECTIONS)
            if inventory.phase is Phase.REST or inventory.trouble:
                store.change_switch(tx, inventory.connection_id, next_at=now)
            if inventory.phase is Phase.REST:
                inventory = replace(inventory, phase=Phase.BEGIN)
                store.change(tx, inventory.id, phase=Phase.BEGIN.value)
            return self._views(tx, actor, [inventory])[0]


def _selected(tx: Tx, inventory: Inventory, criteria: InventoryFilter, now: datetime, sight: Visibility) -> Selection:
    """Return what is asked for. Raises Refused for an audience that nothing has."""
    if criteria.audience:
        _require_audience(criteria.audience, count_store.counts(tx, [inventory.id])[inventory.id].audiences)
    return Selection(inventory, criteria, now, sight, store.policies(tx, inventory.id))


def _require_same(before: Inventory, current: Inventory | None) -> None:
    if current is None or current.connection_id != before.connection_id:
        raise Refused(
            "The inventory was switched off, or taken over by another connection, meanwhile.",
            code="inventory.overtaken",
            fix="Export it again, if it is still there.",
        )


def _findings(tx: Tx, view: TenantView, now: datetime) -> Mapping[Finding, int]:
    """Return how often each finding is found, in the order of the catalogue."""
    found = {**view.counts.findings, Finding.EXPIRED: count_store.ended(tx, view.inventory.id, now)}
    return {finding: found[finding] for finding in Finding}


def _require_audience(audience: str, there: Sequence[str]) -> None:
    if audience not in there:
        raise Refused(
            f"No application of the tenant has the audience '{audience}'.",
            code="inventory.audience_unknown",
            fix=f"Use one of: {', '.join(there)}."
            if there
            else "Nothing is known of audiences yet: wait for the first read.",
            field="audience",
        )


def _allowed(tx: Tx, actor: Actor, action: Action, scopes: Sequence[Scope]) -> list[bool]:
    """Say for each place whether the actor may do this: one statement, as connections of the organization need none."""
    of_projects = [scope for scope in scopes if scope.project_id]
    answers = iter(authorize.allowed_of(tx, actor, action, of_projects))
    return [next(answers) if scope.project_id else authorize.is_allowed(tx, actor, action, scope) for scope in scopes]


def _scope(actor: Actor, connection: ShownConnection) -> Scope:
    return Scope(actor.org_id, connection.project_id, connection_id=connection.id)


def _would_read(switch: Switch, inventory: Inventory) -> bool:
    tenant = (switch.cloud, switch.tenant_id) == (inventory.cloud, inventory.tenant_id)
    return tenant and switch.connection_id != inventory.connection_id


def _record(tx: Tx, actor: Actor, event: AuditEvent, connection: Connection, now: datetime, **facts: object) -> None:
    record_connection_event(tx, actor, event, connection, now, tenantId=connection.tenant_id, **facts)
