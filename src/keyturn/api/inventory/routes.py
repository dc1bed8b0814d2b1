"""Routes of inventories: what a tenant holds, and which connections read it."""

from collections.abc import Iterator, Sequence

from keyturn.api.inventory import schemas, views
from keyturn.inventory import export
from keyturn.inventory.domain import InventoryFilter
from keyturn.inventory.list_store import Slice
from keyturn.inventory.rotation_start import RotationStarts
from keyturn.inventory.service import Inventories
from keyturn.kit.actor import Actor
from keyturn.ports.clock import Clock
from keyturn.web.messages import Stream, in_threads
from keyturn.web.routes import Operation, Routes, get, group, patch, post, put
from keyturn.web.schema.validate import Uuid

ALL = "/api/v1/inventories"
ONE = f"{ALL}/{{inventory_id}}"
OF_CONNECTION = "/api/v1/app-connections/azure-client-secrets/{connection_id}/inventory"


def router(inventories: Inventories, starts: RotationStarts, clock: Clock) -> Routes:
    """Routes for who may use the connection that an inventory is read through; the switch is for who may edit that."""
    return group("Inventory", *_reads(inventories, starts, clock), *_changes(inventories))


def _reads(inventories: Inventories, starts: RotationStarts, clock: Clock) -> Sequence[Operation]:
    @get(ALL)
    def list_inventories(actor: Actor) -> schemas.InventoryList:
        """List the inventories of tenants that the caller may see: those read through a connection that they may use."""
        return schemas.InventoryList([views.tenant(each) for each in inventories.tenants(actor)])

    @get(ONE)
    def get_inventory(actor: Actor, inventory_id: Uuid) -> schemas.InventoryAnswer:
        """Show how far the inventory of a tenant is read, through which connection, and what is in the way."""
        return schemas.InventoryAnswer(views.tenant(inventories.tenant(actor, inventory_id)))

    @get(f"{ONE}/credentials", compressed=True)
    def list_inventory_credentials(
        actor: Actor, inventory_id: Uuid, query: schemas.InventoryCredentialsQuery
    ) -> schemas.InventoryCredentials:
        """List the credentials of a tenant's applications and service principals: never a value.

        `daysLeft` is negative for what has ended: that stays in the list until somebody removes it. Poll it with
        `If-None-Match`.
        """
        now, part = clock.now(), query.part()
        page = inventories.page(actor, inventory_id, query.criteria(), part)
        following = part.offset + len(page.rows)
        return schemas.InventoryCredentials(
            views.tenant(page.tenant),
            [views.credential(row, now) for row in page.rows],
            page.total,
            following if page.rows and following < page.total else None,
        )

    @get(f"{ONE}/findings")
    def count_inventory_findings(actor: Actor, inventory_id: Uuid) -> schemas.InventoryFindings:
        """Count what is wrong: no owner, lives too long, ended and still there, and more."""
        page = inventories.page(actor, inventory_id, InventoryFilter(), Slice(limit=1), summary=True)
        return schemas.InventoryFindings({finding.value: count for finding, count in page.findings.items()})

    @get(f"{ONE}/credentials.csv")
    def export_inventory(actor: Actor, inventory_id: Uuid, query: schemas.InventoryCriteria) -> Stream:
        """Take what matches as comma-separated values, for a spreadsheet. That it was taken is an audit event."""
        parts = inventories.export(actor, inventory_id, query.criteria())
        now = clock.now()

        def content() -> Iterator[bytes]:
            yield export.header()
            for rows in parts:
                yield export.lines(export.values(row, now) for row in rows)

        named = {"content-disposition": 'attachment; filename="inventory.csv"', "cache-control": "no-store"}
        return Stream(in_threads(content()), "text/csv", named)

    @get(f"{ONE}/applications/{{object_id}}/rotation-start")
    def get_rotation_start(
        actor: Actor, inventory_id: Uuid, object_id: Uuid, query: schemas.RotationStartQuery
    ) -> schemas.InventoryRotationStart:
        """Say through which connection an application can be rotated, or why through none.

        It asks the provider through one connection after the other that the caller may use, until one may change the
        application's secrets, for 15 seconds; `nextOffset` goes on with the others. Changes nothing.
        """
        return views.rotation_start(starts.of(actor, inventory_id, object_id, query.offset))

    return [
        *(list_inventories, get_inventory, list_inventory_credentials, count_inventory_findings),
        *(export_inventory, get_rotation_start),
    ]


def _changes(inventories: Inventories) -> Sequence[Operation]:
    @post(f"{ONE}/read")
    def read_inventory(actor: Actor, inventory_id: Uuid) -> schemas.InventoryAnswer:
        """Have the lists read anew now, unless that is under way. Safe to repeat."""
        return schemas.InventoryAnswer(views.tenant(inventories.read_now(actor, inventory_id)))

    @patch(ONE)
    def change_inventory(actor: Actor, inventory_id: Uuid, data: schemas.InventoryWarnings) -> schemas.InventoryAnswer:
        """Say whether somebody is told of credentials that end and that nobody rotates."""
        return schemas.InventoryAnswer(views.tenant(inventories.warn(actor, inventory_id, on=data.warns)))

    @get(OF_CONNECTION)
    def get_inventory_switch(actor: Actor, connection_id: Uuid) -> schemas.InventorySwitch:
        """Say whether the inventory of the connection's tenant may be read through it."""
        return schemas.InventorySwitch(inventories.is_on(actor, connection_id))

    @put(OF_CONNECTION)
    def set_inventory_switch(
        actor: Actor, connection_id: Uuid, data: schemas.InventorySwitch
    ) -> schemas.InventorySwitch:
        """Switch the inventory of the connection's tenant on or off for it.

        Whoever may use the connection sees what is read through it. It needs `Application.Read.All` to see the whole tenant.
        When it is switched off, what was read through it is removed.
        """
        inventories.switch(actor, connection_id, on=data.enabled)
        return schemas.InventorySwitch(data.enabled)

    return [read_inventory, change_inventory, get_inventory_switch, set_inventory_switch]
