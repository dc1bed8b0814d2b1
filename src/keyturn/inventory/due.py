"""Scans of tenants as a source of work: the next piece of each connection that the inventory is switched on for."""

from datetime import datetime

from keyturn.db.unit import Tx
from keyturn.engine.sources import Source
from keyturn.inventory import store
from keyturn.inventory.plan import CLAIM
from keyturn.inventory.scan import Scans
from keyturn.ports.work import Work


class DueScans(Source):
    """The partition is the tenant: of the connections to one of them one is worked on at a time, and a few tenants at once."""

    kind = "inventory"

    def __init__(self, scans: Scans) -> None:
        self._scans = scans

    def is_due(self, tx: Tx, now: datetime) -> bool:
        return store.any_due(tx, now)

    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        claimed = store.claim(tx, now, min(limit, 2), now + CLAIM)
        switches = {each.connection_id: each for each in store.switches(tx, claimed)}
        return [
            Work(self.kind, connection_id, f"inventory:{each.org_id}:{each.cloud}:{each.tenant_id}")
            for connection_id in claimed
            if (each := switches.get(connection_id))
        ]

    def do(self, work_id: str) -> None:
        self._scans.run(work_id)
