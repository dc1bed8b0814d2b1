"""The use cases of imports: which folders a folder takes secrets from."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from keyturn.audit import events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, grants_of
from keyturn.authz.domain import Action
from keyturn.changes import store as feed
from keyturn.changes.domain import Change, ChangeKind
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.sealing import Sealer
from keyturn.projects.domain import place_at
from keyturn.projects.store import lock_project
from keyturn.secrets import access
from keyturn.secrets.domain import Address, Import, Place, no_folder
from keyturn.secrets.folders import Folders
from keyturn.secrets.links import Links
from keyturn.secrets.store import folders
from keyturn.secrets.store import imports as store

MOST_IMPORTS = 50
"""Of one folder."""


@dataclass(frozen=True)
class PlacedImport:
    """An import, the folder that has it, and the folder that it names."""

    row: Import
    place: Place
    source: Place


@dataclass(frozen=True)
class ImportChange:
    """What is to change of an import; None: it stays. ``position`` counts from 1 in the folder."""

    environment: str | None = None
    path: str | None = None
    position: int | None = None


class Imports:
    """The use cases of imports. Changes are audited and numbered in the project's feed."""

    def __init__(self, database: Database, sealer: Sealer, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._ids = ids
        self._folders = Folders(database, clock, ids)

    def list(self, actor: Actor, address: Address) -> Sequence[PlacedImport]:
        """Return the imports of a folder in their order; none when the folder is not there."""
        with self._database.read() as tx:
            place = access.locate(tx, actor, Action.READ_IMPORTS, address)
            folder = folders.at(tx, place.environment_id, place.path)
            rows = store.of_folder(tx, folder.id) if folder else []
            every = [_placed(tx, actor, row, place) for row in rows]
            # What is imported from where the reader may not look is not told.
            grants = grants_of(tx, actor, Scope(actor.org_id, place.project_id))
            return [
                each for each in every if grants.allow(Action.DESCRIBE_SECRETS, access.scope_of(actor, each.source))
            ]

    def get(self, actor: Actor, import_id: str) -> PlacedImport:
        with self._database.read() as tx:
            return _found(tx, actor, Action.READ_IMPORTS, import_id)

    def create(self, actor: Actor, address: Address, environment: str, path: str) -> PlacedImport:
        """Let a folder import another one, after those that it imports already.

        Raises NotFound for a folder that is not there, and Refused for one that is imported already or leads back to it.
        """
        now = self._clock.now()
        with self._database.write() as tx:
            place = access.locate(tx, actor, Action.CREATE_IMPORTS, address)
            lock_project(tx, place.project_id)
            folder = self._folders.ensure(tx, actor, place)
            source = self._source(tx, actor, place, environment, path)
            there = store.of_folder(tx, folder.id)
            if len(there) >= MOST_IMPORTS:
                raise Refused(
                    f"A folder imports up to {MOST_IMPORTS} others.",
                    code="secrets.imports_too_many",
                    fix="Remove imports that nobody needs.",
                )
            new = Import(self._ids.new(), folder.id, source.environment_id, source.path, len(there) + 1, now, now)
            _require_new(new, there)
            store.add(tx, new)
            folder_import = PlacedImport(new, place, source)
            _note(tx, actor, events.IMPORT_CREATED, folder_import, now)
        return folder_import

    def update(self, actor: Actor, import_id: str, change: ImportChange) -> PlacedImport:
        """Change what is given: what is imported, or the place in the order. The same again changes nothing."""
        with self._database.write() as tx:
            current = _found(tx, actor, Action.EDIT_IMPORTS, import_id)
            lock_project(tx, current.place.project_id)
            current = _found(tx, actor, Action.EDIT_IMPORTS, import_id)
            source = current.source
            if change.environment or change.path:
                environment, path = change.environment or source.environment, change.path or source.path
                source = self._source(tx, actor, current.place, environment, path)
            there = store.of_folder(tx, current.row.folder_id)
            order = place_at([row.id for row in there], import_id, change.position or current.row.position)
            after = replace(
                current.row, environment_id=source.environment_id, path=source.path, position=order.index(import_id) + 1
            )
            if after == current.row:
                return current
            after = replace(after, updated_at=self._clock.now())
            _require_new(after, [row for row in there if row.id != import_id])
            store.save(tx, after)
            store.set_order(tx, order)
            changed = PlacedImport(after, current.place, source)
            _note(tx, actor, events.IMPORT_UPDATED, changed, after.updated_at)
        return changed

    def delete(self, actor: Actor, import_id: str) -> PlacedImport:
        with self._database.write() as tx:
            folder_import = _found(tx, actor, Action.DELETE_IMPORTS, import_id)
            lock_project(tx, folder_import.place.project_id)
            folder_import = _found(tx, actor, Action.DELETE_IMPORTS, import_id)
            store.remove(tx, import_id)
            store.set_order(tx, [row.id for row in store.of_folder(tx, folder_import.row.folder_id)])
            _note(tx, actor, events.IMPORT_DELETED, folder_import, self._clock.now())
        return folder_import

    def _source(self, tx: Tx, actor: Actor, place: Place, environment: str, path: str) -> Place:
        """Return the folder that is to be imported. Raises NotFound, and Refused when it leads back to the place."""
        address = Address(place.project_id, None, environment, path)
        source = access.locate(tx, actor, Action.DESCRIBE_SECRETS, address)
        if folders.at(tx, source.environment_id, source.path) is None and source.path != "/":
            raise no_folder(source.path)
        links = Links(tx, self._sealer, actor, place.project_id)
        here, start = (place.environment_id, place.path), (source.environment_id, source.path)
        if here == start or links.reaches(start, here):
            raise Refused(
                "What that folder imports leads back to this one.",
                code="secrets.import_circle",
                field="path",
                fix="Import the folder that has the secrets themselves.",
            )
        return source


def _require_new(new: Import, there: Sequence[Import]) -> None:
    if any((row.environment_id, row.path) == (new.environment_id, new.path) for row in there):
        raise Refused(
            "This folder imports that one already.",
            code="secrets.import_taken",
            field="path",
            fix="Change the import that is there.",
        )


def _found(tx: Tx, actor: Actor, action: Action, import_id: str) -> PlacedImport:
    import_and_place = store.by_id(tx, actor.org_id, import_id)
    if import_and_place is None:
        raise NotFound(
            f"There is no import '{import_id}'.",
            code="secrets.import_not_found",
            fix="GET /api/v1/secret-imports lists the imports of a folder.",
        )
    access.require_there(tx, actor, action, import_and_place[1])
    placed_import = _placed(tx, actor, *import_and_place)
    access.require_there(tx, actor, Action.DESCRIBE_SECRETS, placed_import.source)
    return placed_import


def _placed(tx: Tx, actor: Actor, row: Import, place: Place) -> PlacedImport:
    environment = access.environment(tx, actor, place.project_id, row.environment_id)
    source = Place(place.project_id, environment.id, environment.slug, environment.name, row.path)
    return PlacedImport(row, place, source)


def _note(tx: Tx, actor: Actor, event: AuditEvent, changed: PlacedImport, now: datetime) -> None:
    row, place, source = changed.row, changed.place, changed.source
    facts = {
        "environment": place.environment,
        "secretPath": place.path,
        "importEnvironment": source.environment,
        "importPath": source.path,
        "position": row.position,
    }
    record(tx, actor, event, Subject(SubjectKind.SECRET_IMPORT, row.id, place.project_id), now, **facts)
    change = Change(ChangeKind.IMPORTS_CHANGED, row.id, place.environment, place.path)
    feed.append(tx, place.project_id, change, now)
