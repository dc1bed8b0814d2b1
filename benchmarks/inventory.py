"""What it costs to read a tenant of ten thousand applications, and how long a page of fifty thousand credentials takes."""

import gc
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from benchmarks.measured import Measured, processor_milliseconds
from keyturn.inventory import plan
from keyturn.inventory.count_store import recount
from keyturn.inventory.domain import Finding, InventoryFilter, Owners, Sort
from keyturn.inventory.list_store import Slice
from keyturn.inventory.plan import Phase
from keyturn.inventory.scan_store import Keeper
from keyturn.inventory.service import Inventories
from keyturn.kit.ids import SystemIds
from keyturn.ports.inventory import KeyKind, ListedKey, ListedObject, ObjectKind
from keyturn_simulation.world import START
from tests.databases import database_of_kind
from tests.features.inventory.scene import Tenant, tenant

APPLICATIONS, ROWS, LOOKS = 10_000, 50_000, 20
MOST_CALLS, MOST_MEMORY, MOST_TIME = 1.2, 150, 50
_NOW = START
VISITS: dict[str, tuple[InventoryFilter, Slice]] = {
    "first page": (InventoryFilter(), Slice()),
    "last page": (InventoryFilter(), Slice(offset=ROWS - 50)),
    "by name": (InventoryFilter(), Slice(Sort.NAME)),
    "search": (InventoryFilter(words=("app-0777",)), Slice()),
    "lives too long": (InventoryFilter(finding=Finding.LIVES_TOO_LONG), Slice()),
    "ends in 30 days": (InventoryFilter(within_days=30, rotated=False), Slice()),
    "owners": (InventoryFilter(owners=Owners.NOT_READ, kind="certificate"), Slice()),
}


def measure() -> Iterator[Measured]:
    yield _scan()
    for kind in ("sqlite", "postgres"):
        yield _pages(kind)


def _scan() -> Measured:
    """Read the tenant through the local Entra ID, on a clock that is moved, and count calls and memory.

    The budget: each page of the lists once, and two calls for each application.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        database_of_kind("sqlite", Path(folder)) as database,
        tenant(database) as scene,
    ):
        for number in range(APPLICATIONS):
            scene.world.emulator.admin.create_application(
                scene.world.tenant_id, f"app-{number:05}", secrets=1 + number % 3
            )
        scene.switch_on()
        gc.collect()
        before, began = _resident(), time.process_time()
        with _Peak() as peak:
            started = scene.world.clock.now()
            objects = _read(scene)
        took, used = scene.world.clock.now() - started, time.process_time() - began
        budget = -(-objects // plan.PAGE_SIZE) * 2 + objects * 2
        calls = len(scene.line.graph())
    memory = peak.most - before
    line = (
        f"inventory of {objects} applications: {calls} calls of {budget} in the budget (limit {MOST_CALLS} x),"
        f" {memory} MB more than before (limit {MOST_MEMORY} MB), {took.total_seconds() / 60:.0f} minutes of the tenant's time,"
        f" {used:.0f} s of processor time with the local Entra ID in it"
    )
    return Measured(line, calls <= MOST_CALLS * budget and memory <= MOST_MEMORY)


def _read(scene: Tenant) -> int:
    while True:
        while scene.work():
            pass
        view = scene.view()
        if view is not None and view.inventory.phase is Phase.REST:
            return view.counts.objects
        scene.world.clock.advance(plan.DETAILS_EVERY.total_seconds())


class _Peak:
    """Looks again and again how much memory this process has."""

    def __init__(self) -> None:
        self.most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            self.most = max(self.most, _resident())


def _resident() -> int:
    """Return how many megabytes of memory this process has."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) // 1024


def _pages(kind: str) -> Measured:
    with (
        tempfile.TemporaryDirectory() as folder,
        database_of_kind(kind, Path(folder)) as database,
        tenant(database) as scene,
    ):
        scene.switch_on()
        scene.work()
        view = scene.view()
        assert view is not None
        with database.write() as tx:
            keeper = Keeper(SystemIds(), view.inventory.id, view.inventory.tenant_id, 1, _NOW)
            for part in _objects():
                keeper.keep(tx, part, all_details=True)
        if kind == "postgres":
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("ANALYZE")
        inventories = Inventories(database, scene.world.clock)
        times = {"while it is read": _visit(inventories, scene, view.inventory.id, InventoryFilter(), Slice())}
        with database.write() as tx:
            recount(tx, view.inventory.id)  # as each piece of a scan does at its end
        times |= {
            name: _visit(inventories, scene, view.inventory.id, criteria, part)
            for name, (criteria, part) in VISITS.items()
        }
    told = ", ".join(f"{name} {took:.0f} ms" for name, took in times.items())
    line = f"inventory on {kind} with {ROWS} credentials, processor time: {told} (limit {MOST_TIME} ms)"
    return Measured(line, max(times.values()) <= MOST_TIME)


def _visit(inventories: Inventories, scene: Tenant, inventory_id: str, criteria: InventoryFilter, part: Slice) -> float:
    """Return what it takes of a processor to read a page, in milliseconds."""

    def look() -> None:
        page = inventories.page(scene.world.actor, inventory_id, criteria, part, summary=True)
        assert page.total, criteria

    return processor_milliseconds(scene.world.database.engine, look, LOOKS)


def _objects() -> Iterator[list[ListedObject]]:
    """Yield applications with five credentials each."""
    ids = SystemIds()
    for first in range(0, ROWS // 5, plan.PAGE_SIZE):
        objects = []
        for number in range(first, min(first + plan.PAGE_SIZE, ROWS // 5)):
            keys = tuple(
                ListedKey(
                    KeyKind.CERTIFICATE if place == 4 else KeyKind.SECRET,
                    ids.new(),
                    f"key {place}",
                    "abc",
                    _NOW - timedelta(days=number % 700),
                    _NOW + timedelta(days=number % 900 - 100 + place),
                )
                for place in range(5)
            )
            one = ListedObject(ObjectKind.APPLICATION, ids.new(), ids.new(), f"app-{number:05}", "AzureADMyOrg")
            objects.append(replace(one, disabled=False, keys=keys))
        yield objects
