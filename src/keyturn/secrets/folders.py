"""The use cases of folders."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from keyturn.audit import events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.authorize import Grants, Scope, grants_of, require_in
from keyturn.authz.domain import Action
from keyturn.changes import store as feed
from keyturn.changes.domain import Change, ChangeKind
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock, Ids
from keyturn.projects import deletion_store as deletions
from keyturn.projects.deletions import PlaceKind
from keyturn.projects.store import lock_project
from keyturn.secrets import access
from keyturn.secrets.domain import (
    MOST_FOLDERS,
    ROOT,
    Address,
    Folder,
    Place,
    below,
    no_folder,
    no_folder_id,
    parent_of,
)
from keyturn.secrets.folder_names import require_folder_name, require_folder_path
from keyturn.secrets.mapped import MappedSecret, folder_in_use
from keyturn.secrets.store import folders as store
from keyturn.secrets.store import mapped

_ANYWHERE = Address(None, None, None)


@dataclass(frozen=True)
class PlacedFolder:
    folder: Folder
    place: Place


@dataclass(frozen=True)
class FolderChange:
    """What is to change of a folder; None: it stays. An empty description removes it."""

    name: str | None = None
    description: str | None = None


class Folders:
    """The use cases of folders. Changes are audited and numbered in the project's feed."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    def list(self, actor: Actor, address: Address, *, recursive: bool = False) -> Sequence[Folder]:
        """Return the folders in a folder, or with ``recursive`` all below it; none where that folder is not there.

        Of those that the actor may not read there are those that lead to some that they may.
        """
        with self._database.read() as tx:
            place, grants = access.locate_above(tx, actor, Action.READ_FOLDERS, address)
            if not recursive and grants.everywhere(Action.READ_FOLDERS):
                parent = store.at(tx, place.environment_id, place.path)
                return store.children(tx, parent.id) if parent else []
            every = store.in_and_below(tx, place.environment_id, place.path)
            below_it = [folder for folder in every if folder.path != place.path]
            shown = _leading(below_it, [folder.path for folder in below_it if _reads(actor, grants, place, folder)])
            access.require_some(grants, actor, Action.READ_FOLDERS, place, shown)
            return shown if recursive else [folder for folder in shown if parent_of(folder.path) == place.path]

    def get(self, actor: Actor, folder_id: str) -> PlacedFolder:
        with self._database.read() as tx:
            return _found(tx, actor, Action.READ_FOLDERS, folder_id)

    def at(self, actor: Actor, address: Address) -> PlacedFolder:
        """Return the folder at the address. Raises NotFound. The root is there once something was written below it."""
        with self._database.read() as tx:
            place = access.locate(tx, actor, Action.READ_FOLDERS, address)
            folder = store.at(tx, place.environment_id, place.path)
            if folder is None:
                raise no_folder(place.path)
            return PlacedFolder(folder, place)

    def create(self, actor: Actor, address: Address, name: str, description: str | None) -> PlacedFolder:
        """Add a folder in the folder at the address, with the folders above it that are missing.

        Raises Refused for a name in use there, or one that no folder can have.
        """
        require_folder_name(name)
        with self._database.write() as tx:
            place = access.locate(tx, actor, Action.CREATE_FOLDERS, address)
            place = replace(place, path=below(place.path, name))
            require_folder_path(place.path)
            lock_project(tx, place.project_id)
            if store.at(tx, place.environment_id, place.path):
                raise folder_taken(place.path)
            folder = self._make(tx, actor, place, description)
        return PlacedFolder(folder, place)

    def update(self, actor: Actor, folder_id: str, change: FolderChange, within: Address = _ANYWHERE) -> PlacedFolder:
        """Rename or describe a folder. Raises Refused for a name in use there. The same again changes nothing.

        Raises NotFound when it is not in the project and the environment that ``within`` names.
        """
        if change.name is not None:
            require_folder_name(change.name)
        with self._database.write() as tx:
            placed = _found(tx, actor, Action.EDIT_FOLDERS, folder_id)
            lock_project(tx, placed.place.project_id)
            placed = _found(tx, actor, Action.EDIT_FOLDERS, folder_id)
            before, place = placed.folder, placed.place
            named = (within.project_id or place.project_id, within.environment or place.environment)
            if named != (place.project_id, place.environment):
                raise no_folder_id(folder_id)
            if before.path == ROOT:
                raise _of_root()
            name = change.name or before.name
            description = before.description if change.description is None else change.description or None
            if (name, description) == (before.name, before.description):
                return placed
            now, path = self._clock.now(), below(parent_of(before.path), name)
            if path != before.path:
                self._move(tx, actor, placed.place, before, path, now)
            after = replace(
                before, name=name, description=description, path=path, version=before.version + 1, updated_at=now
            )
            store.save(tx, after)
            place = replace(placed.place, path=path)
            note(tx, actor, events.FOLDER_UPDATED, ChangeKind.FOLDER_UPDATED, after, place, now, before)
        return PlacedFolder(after, place)

    def delete(self, actor: Actor, address: Address, id_or_name: str) -> PlacedFolder:
        """Remove a folder of the folder at the address with all in it, by its id or by its name there.

        It can be restored for a while; until then its name is free. Raises Refused while secrets in it are rotated.
        """
        with self._database.write() as tx:
            place = access.locate(tx, actor, Action.DELETE_FOLDERS, address)
            lock_project(tx, place.project_id)
            folder = store.at(tx, place.environment_id, below(place.path, id_or_name))
            folder_and_place = None if folder else store.by_id(tx, actor.org_id, id_or_name)
            if folder_and_place and folder_and_place[1].environment_id == place.environment_id:
                folder = folder_and_place[0]
            if folder is None:
                raise no_folder(below(place.path, id_or_name))
            return self.delete_in(tx, actor, place.project_id, folder.id)

    def delete_in(self, tx: Tx, actor: Actor, project_id: str, folder_id: str) -> PlacedFolder:
        """As :meth:`delete`, by the id alone and in a transaction of the caller."""
        lock_project(tx, project_id)
        placed = self.deletable_by_id(tx, actor, project_id, folder_id)
        folder, place, now = placed.folder, placed.place, self._clock.now()
        require_no_mapped(tx, grants_of(tx, actor, Scope(actor.org_id, place.project_id)), actor, place)
        kept = deletions.keep(
            tx,
            self._ids,
            actor,
            now,
            PlaceKind.FOLDER,
            folder.id,
            place.project_id,
            folder.name,
            environment_id=place.environment_id,
            environment=place.environment,
            path=folder.path,
        )
        store.remove(tx, folder.id)
        note(tx, actor, events.FOLDER_DELETED, ChangeKind.FOLDER_DELETED, folder, place, now, deletionId=kept.id)
        return placed

    def deletable_by_id(self, tx: Tx, actor: Actor, project_id: str, folder_id: str) -> PlacedFolder:
        """Return a folder of the project that the actor may delete with all in it. Raises as :meth:`delete` does."""
        placed = _found(tx, actor, Action.DELETE_FOLDERS, folder_id)
        folder, place = placed.folder, placed.place
        if place.project_id != project_id:
            raise no_folder_id(folder_id)
        if folder.path == ROOT:
            raise _of_root()
        within = store.in_and_below(tx, place.environment_id, folder.path)
        grants = grants_of(tx, actor, Scope(actor.org_id, place.project_id))
        for path in (parent_of(folder.path), *(each.path for each in within)):
            require_in(grants, actor, Action.DELETE_FOLDERS, access.scope_of(actor, replace(place, path=path)))
        return placed

    def ensure(self, tx: Tx, actor: Actor, place: Place) -> Folder:
        """Return the folder at the place; the root is made when it is not there yet. Raises NotFound for any other."""
        folder = store.at(tx, place.environment_id, place.path)
        if folder is None and place.path != ROOT:
            raise no_folder(place.path)
        return folder or self._make(tx, actor, place, None)

    def ensure_all(self, tx: Tx, actor: Actor, place: Place) -> Folder:
        """Return the folder at the place, which is made with those above it where they are missing."""
        return store.at(tx, place.environment_id, place.path) or self._make(tx, actor, place, None)

    def _make(self, tx: Tx, actor: Actor, place: Place, description: str | None) -> Folder:
        """Add the folder, after those above it that are missing."""
        parent = None
        if place.path != ROOT:
            above = replace(place, path=parent_of(place.path))
            parent = store.at(tx, place.environment_id, above.path) or self._make(tx, actor, above, None)
        if store.count(tx, place.environment_id) >= MOST_FOLDERS:
            raise too_many_folders()
        now, name = self._clock.now(), place.path.rpartition("/")[2]
        folder = Folder(
            self._ids.new(),
            place.environment_id,
            parent.id if parent else None,
            place.path,
            name or "root",
            description or None,
            1,
            now,
            now,
        )
        store.add(tx, folder)
        if parent is not None:
            note(tx, actor, events.FOLDER_CREATED, ChangeKind.FOLDER_CREATED, folder, place, now)
        return folder

    def _move(self, tx: Tx, actor: Actor, place: Place, folder: Folder, path: str, now: datetime) -> None:
        grants = grants_of(tx, actor, Scope(actor.org_id, place.project_id))
        within = store.in_and_below(tx, folder.environment_id, folder.path)
        for each in within:
            after = replace(place, path=path + each.path.removeprefix(folder.path))
            require_in(grants, actor, Action.EDIT_FOLDERS, access.scope_of(actor, after))
            require_no_gain(grants, actor, replace(place, path=each.path), after)
        if store.at(tx, folder.environment_id, path):
            raise folder_taken(path)
        store.move(tx, within, folder.path, path, now)


_IN_FOLDERS = {"secrets", "secret-folders", "secret-imports", "secret-rotation"}
"""What roles permit by paths."""


def _reads(actor: Actor, grants: Grants, place: Place, folder: Folder) -> bool:
    return grants.allow(Action.READ_FOLDERS, access.scope_of(actor, replace(place, path=folder.path)))


def _leading(folders: Sequence[Folder], paths: Sequence[str]) -> Sequence[Folder]:
    """Return the folders with these paths, and those above them."""
    above = {path[:end] for path in paths for end in range(len(path) + 1) if path[end : end + 1] in {"", "/"}}
    return [folder for folder in folders if folder.path in above]


def require_no_gain(grants: Grants, actor: Actor, before: Place, after: Place) -> None:
    """Raise Forbidden where what is in a folder would move from where somebody may not do something to where they may."""
    for action in Action:
        if action.subject in _IN_FOLDERS and grants.allow(action, access.scope_of(actor, after)):
            require_in(grants, actor, action, access.scope_of(actor, before))


def require_no_mapped(tx: Tx, grants: Grants, actor: Actor, place: Place) -> None:
    """Raise Refused when secrets in the folder at the place, or below it, come from a secret rotation."""
    paths = {folder.id: folder.path for folder in store.in_and_below(tx, place.environment_id, place.path)}
    seen: list[MappedSecret] = []
    unseen: list[MappedSecret] = []
    for each in mapped.in_folders(tx, list(paths)):
        scope = access.scope_of(actor, replace(place, path=paths[each.folder_id]))
        may_see = grants.allow(Action.READ_ROTATIONS, replace(scope, connection_id=each.connection_id))
        (seen if may_see else unseen).append(each)
    if seen or unseen:
        raise folder_in_use(seen, unseen)


def note(
    tx: Tx,
    actor: Actor,
    event: AuditEvent,
    kind: ChangeKind,
    folder: Folder,
    place: Place,
    now: datetime,
    before: Folder | None = None,
    **more: str,
) -> None:
    """Write a change of a folder into the trail and into the feed. ``before`` is what it was, for one that may have moved."""
    subject = Subject(SubjectKind.FOLDER, folder.id, place.project_id)
    record(
        tx, actor, event, subject, now, environment=place.environment, secretPath=place.path, name=folder.name, **more
    )
    change = Change(kind, folder.id, place.environment, place.path, folder.name)
    if before is not None and before.path != folder.path:
        change = replace(change, previous_name=before.name, previous_path=before.path)
    feed.append(tx, place.project_id, change, now)


def _found(tx: Tx, actor: Actor, action: Action, folder_id: str) -> PlacedFolder:
    folder_and_place = store.by_id(tx, actor.org_id, folder_id)
    if folder_and_place is None:
        raise no_folder_id(folder_id)
    access.require_there(tx, actor, action, folder_and_place[1])
    return PlacedFolder(*folder_and_place)


def too_many_folders() -> Refused:
    return Refused(
        f"This environment has {MOST_FOLDERS} folders, as many as one may have.",
        code="secrets.too_many_folders",
        fix="Delete what nobody needs.",
    )


def folder_taken(path: str) -> Refused:
    return Refused(
        f"There is a folder '{path}' already.",
        code="secrets.folder_taken",
        field="name",
        fix="Use that one, or choose another name.",
    )


def _of_root() -> Refused:
    return Refused(
        "The root of an environment cannot be renamed or removed.",
        code="secrets.folder_root",
        fix="Remove the environment, or what is in it.",
    )
