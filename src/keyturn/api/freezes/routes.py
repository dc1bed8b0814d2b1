"""Routes of freeze windows: days on which nothing is rotated."""

from keyturn.api.freezes import schemas
from keyturn.kit.actor import Actor
from keyturn.ports.clock import Clock
from keyturn.rotations.freezes.service import Freezes
from keyturn.web.routes import Routes, delete, get, group, post, put
from keyturn.web.schema.validate import Uuid

ALL = "/api/v1/freeze-windows"
ONE = f"{ALL}/{{freeze_id}}"


def router(freezes: Freezes, clock: Clock) -> Routes:
    """Return the routes."""

    @get(ALL)
    def list_freeze_windows(actor: Actor, query: schemas.ListFreezes) -> schemas.FreezeList:
        """List the freeze windows of the organization, and with ``projectId`` those of the project, too."""
        found = freezes.list(actor, query.project_id)
        return schemas.FreezeList([schemas.present_window(window, clock.now()) for window in found])

    @post(ALL)
    def create_freeze_window(actor: Actor, query: schemas.DryRun, data: schemas.CreateFreeze) -> schemas.FreezeAnswer:
        """Have nothing rotated on these days: scheduled rotations move to the next permitted day.

        A secret that would end meanwhile is replaced before; where that is not possible, in the freeze. For administrators of the
        organization, or for who may edit the project.
        """
        change = freezes.create(actor, data.command(data.project_id), dry_run=query.dry_run)
        return schemas.present_answer(change, clock.now())

    @put(ONE)
    def change_freeze_window(
        actor: Actor, freeze_id: Uuid, query: schemas.DryRun, data: schemas.FreezeBody
    ) -> schemas.FreezeAnswer:
        """Change a freeze window to this. All runs are planned anew."""
        change = freezes.update(actor, freeze_id, data.command(), dry_run=query.dry_run)
        return schemas.present_answer(change, clock.now())

    @delete(ONE)
    def delete_freeze_window(actor: Actor, freeze_id: Uuid, query: schemas.DryRun) -> schemas.FreezeAnswer:
        """Remove a freeze window. What it put off is done when the schedule says."""
        return schemas.present_answer(freezes.delete(actor, freeze_id, dry_run=query.dry_run), clock.now())

    return group(
        "Freeze windows", list_freeze_windows, create_freeze_window, change_freeze_window, delete_freeze_window
    )
