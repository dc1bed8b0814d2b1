"""Inventories put together: what reads tenants, and the faces that show them."""

from keyturn.api.inventory import routes as inventory_api
from keyturn.app.core import Core
from keyturn.app.services import Services
from keyturn.inventory.due import DueScans
from keyturn.inventory.reading_tokens import ReadingTokens
from keyturn.inventory.rotation_start import RotationStarts
from keyturn.inventory.scan import Scans
from keyturn.inventory.service import Inventories
from keyturn.web.routes import Routes


def due_scans(core: Core, use_cases: Services) -> DueScans:
    """Return what reads tenants, as a source of work."""
    directories = {core.azure.manifest.app: core.azure.directory}
    return DueScans(Scans(core.database, core.clock, core.ids, use_cases.stored, directories, ReadingTokens()))


def inventory_routes(core: Core, use_cases: Services) -> Routes:
    return inventory_api.router(Inventories(core.database, core.clock), rotation_starts(core, use_cases), core.clock)


def rotation_starts(core: Core, use_cases: Services) -> RotationStarts:
    return RotationStarts(core.database, use_cases.application_check, core.clock)
