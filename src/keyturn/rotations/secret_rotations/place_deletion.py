"""Deleting a project, an environment or a folder into which secrets of applications are rotated.

Without being asked to end them it is refused, naming them. With it these secret rotations end in the same transaction: what they
published stays valid at the provider, and their secrets are ordinary ones, which come back when the deletion is taken back.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from keyturn.approvals import gate
from keyturn.audit import secret_rotation_events as events
from keyturn.authz.authorize import Scope, require
from keyturn.authz.domain import Action
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential
from keyturn.db.unit import Database, Tx
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.projects import deletion_store as deletions
from keyturn.projects.deletions import KEPT, Deletion
from keyturn.projects.service import Projects
from keyturn.projects.store import lock_readings
from keyturn.rotations.edit_lock import EditLock
from keyturn.rotations.guards import needs_approval
from keyturn.rotations.secret_rotations import access as secret_access
from keyturn.rotations.secret_rotations.consumers import ConsumedSecret, consumed_secrets
from keyturn.rotations.secret_rotations.domain import SecretRotationView
from keyturn.rotations.secret_rotations.events import record_secret_rotation_event
from keyturn.rotations.secret_rotations.writes import SecretRotationWriter
from keyturn.rotations.store import policies
from keyturn.rotations.store import secret_rotations as store
from keyturn.rotations.work.run_outcome import credential_facts
from keyturn.secrets import access
from keyturn.secrets.domain import ROOT
from keyturn.secrets.folders import Folders
from keyturn.secrets.store import folders as folder_store


@dataclass(frozen=True)
class EndingRotation:
    """A secret rotation that would end, its application's secrets that would stay valid, and who uses them."""

    view: SecretRotationView
    stays_valid: Sequence[Credential]
    consumed: Sequence[ConsumedSecret]


@dataclass(frozen=True)
class DeletionPreview:
    """What a deletion would take and stop. ``hidden`` is how many secret rotations the actor may not see."""

    name: str
    folders: int
    secrets: int
    rotations: Sequence[EndingRotation]
    hidden: int
    restorable_until: datetime

    @property
    def refused(self) -> bool:
        """Whether it has to be asked for with its secret rotations."""
        return bool(self.rotations) or self.hidden > 0


@dataclass(frozen=True)
class _Place:
    """What is to be deleted: these environments, in each of them from this folder on."""

    name: str
    environment_ids: Sequence[str]
    path: str = ROOT

    def holds(self, view: SecretRotationView) -> bool:
        there = view.place
        in_or_below = there.path == self.path or there.path.startswith(self.path.rstrip("/") + "/")
        return there.environment_id in self.environment_ids and in_or_below


@dataclass(frozen=True)
class PlaceDeletions:
    """The use cases. The permission to delete the place is that of the place; each secret rotation needs its own."""

    database: Database
    clock: Clock
    projects: Projects
    folders: Folders
    writer: SecretRotationWriter
    edits: EditLock
    nudge: Callable[[], None]

    # --- before -------------------------------------------------------------------------------------------------------

    def preview(
        self, actor: Actor, project_id: str, environment_id: str | None = None, folder_id: str | None = None
    ) -> DeletionPreview:
        """Say what the deletion of a project, or of an environment or a folder of it, would take and stop.

        Raises as :meth:`delete` does, but for what is rotated there.
        """
        now = self.clock.now()
        with self.database.read() as tx:
            place = self._deletable(tx, actor, project_id, environment_id, folder_id)
            folders = [
                folder for one in place.environment_ids for folder in folder_store.in_and_below(tx, one, place.path)
            ]
            views = [view for view in store.views(tx, project_id) if place.holds(view)]
            seen = [view for view in views if secret_access.is_allowed_on(tx, actor, Action.READ_ROTATIONS, view)]
            return DeletionPreview(
                place.name,
                sum(folder.path != ROOT for folder in folders),
                folder_store.contents(tx, [folder.id for folder in folders]),
                [EndingRotation(view, _valid(tx, view), consumed_secrets(tx, actor, view, now)) for view in seen],
                len(views) - len(seen),
                now + KEPT,
            )

    def _deletable(
        self, tx: Tx, actor: Actor, project_id: str, environment_id: str | None, folder_id: str | None
    ) -> _Place:
        """Return what is meant, when the actor may delete it. Raises NotFound, Forbidden or Refused."""
        if folder_id:
            placed = self.folders.deletable_by_id(tx, actor, project_id, folder_id)
            return _Place(placed.folder.name, [placed.place.environment_id], placed.place.path)
        if environment_id:
            require(tx, actor, Action.DELETE_ENVIRONMENTS, Scope(actor.org_id, project_id))
            environment = access.environment(tx, actor, project_id, environment_id)
            return _Place(environment.name, [environment.id])
        project = self.projects.deletable(tx, actor, project_id)
        return _Place(project.name, [each.id for each in project.environments])

    # --- deleting -----------------------------------------------------------------------------------------------------

    def delete(
        self,
        actor: Actor,
        project_id: str,
        environment_id: str | None = None,
        folder_id: str | None = None,
        *,
        end_rotations: bool = False,
    ) -> Deletion:
        """Delete a project, or an environment or a folder of it, and return how to take it back.

        Raises Refused while secret rotations publish into it, unless ``end_rotations``: then they end in the same transaction.
        """
        with self.database.read() as tx:
            place = self._deletable(tx, actor, project_id, environment_id, folder_id)
            views = [view for view in store.views(tx, project_id) if end_rotations and place.holds(view)]
        with self._ending(actor, project_id, place, views) as tx:
            if folder_id:
                self.folders.delete_in(tx, actor, project_id, folder_id)
            elif environment_id:
                self.projects.delete_environment_in(tx, actor, project_id, environment_id)
            else:
                self.projects.delete_in(tx, actor, project_id)
            return deletions.newest_of(tx, folder_id or environment_id or project_id)

    @contextmanager
    def _ending(
        self, actor: Actor, project_id: str, place: _Place, expected: Sequence[SecretRotationView]
    ) -> Iterator[Tx]:
        """A transaction that has ended these secret rotations. Their applications are not worked on meanwhile."""
        object_ids = {view.rotation.object_id for view in expected}
        with self.edits.write(*object_ids) as tx:
            views = [view for view in store.views(tx, project_id) if expected and place.holds(view)]
            if not {view.rotation.object_id for view in views} <= object_ids:
                raise secret_access.changed_meanwhile()
            lock_readings(tx, project_id)
            for rotation_id in sorted({view.rotation.id for view in views}):
                policies.get(tx, rotation_id, lock=True)  # all before the project, which others lock after theirs
            if views and gate.needs_second_person(tx, actor.org_id, project_id):
                raise needs_approval("secret rotations")
            for view in views:
                self._end(tx, actor, view.secret_rotation.id)
            yield tx
        self.nudge()

    def _end(self, tx: Tx, actor: Actor, secret_rotation_id: str) -> None:
        view, rotation = secret_access.lock_view(tx, actor, Action.DELETE_ROTATIONS, secret_rotation_id)
        stay = self.writer.end(tx, actor, view, rotation, delete_secrets=False, revoke=False)
        record_secret_rotation_event(
            tx,
            actor,
            events.SECRET_ROTATION_DELETED,
            view,
            self.clock.now(),
            deleteSecrets=False,
            staysValid=[credential_facts(row) for row in stay],
        )


def _valid(tx: Tx, view: SecretRotationView) -> list[Credential]:
    """Return the secrets that programs can hold, which would stay valid."""
    return [row for row in journal.live(tx, view.rotation.id) if row.published_at is not None and row.ended_at is None]
