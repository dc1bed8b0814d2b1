"""The use cases of secrets: reading, and writing with a new version each time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from keyturn.audit import events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record, recorded
from keyturn.authz.authorize import Scope, allowed
from keyturn.authz.domain import Action
from keyturn.changes import store as feed
from keyturn.changes.domain import Change, ChangeKind
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor, ActorKind
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.sealing import Sealer
from keyturn.projects.store import lock_project
from keyturn.secrets import access
from keyturn.secrets.domain import (
    MOST_IN_FOLDER,
    Address,
    Details,
    Folder,
    Maker,
    NewSecret,
    Place,
    Reading,
    Secret,
    SecretChange,
    SecretList,
    SecretType,
    StoredSecret,
    name_taken,
    no_folder,
    no_secret,
    require_name,
    require_size,
)
from keyturn.secrets.folders import Folders
from keyturn.secrets.sealed import details_of, seal_details, seal_value, value_of
from keyturn.secrets.store import folders as folder_store
from keyturn.secrets.store import secrets as store

MOST_AT_ONCE = 100
"""Secrets of one batch."""


@dataclass(frozen=True)
class _Read:
    """An event of the trail about values that are to be handed out. One with its key is written once a minute."""

    event: AuditEvent
    subject: Subject
    key: str
    facts: dict[str, object]


class Secrets:
    """The use cases of secrets. Changes are audited and numbered in the project's feed; so is who reads values, audited
    before they are handed out.
    """

    def __init__(self, database: Database, sealer: Sealer, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._ids = ids
        self.folders = Folders(database, clock, ids)

    # --- reading ------------------------------------------------------------------------------------------------------

    def list(self, actor: Actor, address: Address, reading: Reading) -> SecretList:
        """Return the secrets of a folder by name; none when the folder is not there."""
        with self._database.read() as tx:
            place = access.locate(tx, actor, Action.DESCRIBE_SECRETS, address)
            view = reading.view and self._may_read(tx, actor, place)
            folders = _folders(tx, place, recursive=reading.recursive)
            paths = {folder.id: folder.path for folder in folders}
            found = store.in_folders(tx, list(paths), _owner(actor) if reading.overrides else None)
            note = _read_of_list(actor, place, folders, found, reading) if view and found else None
        self._note(actor, note)
        return SecretList([self._shown(replace(place, path=paths[row.folder_id]), row, view=view) for row in found])

    def get(
        self, actor: Actor, address: Address, name: str, reading: Reading, kind: SecretType, version: int | None = None
    ) -> Secret:
        """Return a secret by its name, with the current version or the one asked for. Raises NotFound."""
        with self._database.read() as tx:
            place = access.locate(tx, actor, Action.DESCRIBE_SECRETS, address)
            view = reading.view and self._may_read(tx, actor, place)
            found = _found(tx, place, name, _owner_for(actor, kind))
            if version is not None and version != found.version:
                found = _at_version(tx, found, version)
        return self._handed_out(actor, place, found, view=view)

    def by_id(self, actor: Actor, secret_id: str, *, view: bool = True) -> Secret:
        """Return a secret by its id, wherever in the organization it is. Raises NotFound, for another's personal one too."""
        with self._database.read() as tx:
            found = store.by_id(tx, actor.org_id, secret_id)
            if found is None or found[0].owner_id not in {None, _owner(actor)}:
                raise NotFound(f"There is no secret '{secret_id}'.", code="secrets.not_found")
            secret, place = found
            access.require_there(tx, actor, Action.DESCRIBE_SECRETS, place)
            view = view and self._may_read(tx, actor, place)
        return self._handed_out(actor, place, secret, view=view)

    # --- writing ------------------------------------------------------------------------------------------------------

    def create(self, actor: Actor, address: Address, new: NewSecret) -> Secret:
        """Add a secret. Raises Refused for a name in use there, NotFound for a folder that is not there."""
        return self.create_all(actor, address, [new])[0]

    def create_all(self, actor: Actor, address: Address, new: Sequence[NewSecret]) -> Sequence[Secret]:
        """Add secrets to one folder: all of them, or none. Raises as :meth:`create`."""
        for each in new:
            require_name(each.name)
            require_size(each.value)
        with self._database.write() as tx:
            place = access.locate(tx, actor, Action.CREATE_SECRETS, address)
            lock_project(tx, place.project_id)
            folder = self.folders.ensure(tx, actor, place)
            if store.count(tx, folder.id) + len(new) > MOST_IN_FOLDER:
                raise Refused(
                    f"A folder holds up to {MOST_IN_FOLDER} secrets.",
                    code="secrets.folder_full",
                    fix="Use several folders.",
                )
            return [self._add(tx, actor, place, folder, each) for each in new]

    def update(self, actor: Actor, address: Address, name: str, change: SecretChange) -> Secret:
        """Change what is given, which makes a new version the current one. What is the same already changes nothing.

        Raises NotFound, and Refused for a new name that is in use there.
        """
        if change.new_name is not None:
            require_name(change.new_name)
        if change.value is not None:
            require_size(change.value)
        with self._database.write() as tx:
            place = access.locate(tx, actor, Action.EDIT_SECRETS, address)
            lock_project(tx, place.project_id)
            before = _found(tx, place, name, _owner_for(actor, change.type))
            return self._publish(tx, actor, place, before, change)

    def delete(self, actor: Actor, address: Address, name: str, kind: SecretType) -> Secret:
        """Remove a secret with its versions, and with everybody's the personal ones of that name. Raises NotFound.

        The answer shows its value to those who may read it.
        """
        with self._database.write() as tx:
            place = access.locate(tx, actor, Action.DELETE_SECRETS, address)
            lock_project(tx, place.project_id)
            found = _found(tx, place, name, _owner_for(actor, kind))
            overrides = store.personal(tx, found.folder_id, name) if found.owner_id is None else []
            for each in (found, *overrides):
                store.remove(tx, each.id)
                self._record(tx, actor, events.SECRET_DELETED, ChangeKind.SECRET_DELETED, place, each)
            return self._shown(place, found, view=self._may_read(tx, actor, place))

    # --- parts --------------------------------------------------------------------------------------------------------

    def _add(self, tx: Tx, actor: Actor, place: Place, folder: Folder, new: NewSecret) -> Secret:
        owner = _owner_for(actor, new.type)
        if owner == "":
            raise Refused(
                "Only people have personal values, a machine identity has none.",
                code="secrets.personal_machine",
                fix="Send the type shared.",
            )
        if store.one(tx, folder.id, new.name, owner):
            raise name_taken(new.name)
        if owner is not None and store.one(tx, folder.id, new.name, None) is None:
            raise Refused(
                f"There is no shared secret '{new.name}' there that a personal value could stand in for.",
                code="secrets.nothing_to_override",
                fix="Create the shared one first.",
            )
        version_id, now = self._ids.new(), self._clock.now()
        secret = StoredSecret(
            self._ids.new(),
            folder.id,
            new.name,
            owner,
            1,
            version_id,
            seal_value(self._sealer, place.project_id, version_id, new.value),
            seal_details(self._sealer, place.project_id, version_id, new.details),
            new.skip_multiline_encoding,
            Maker(actor.kind.value, actor.id, actor.name),
            now,
            now,
        )
        store.add(tx, secret)
        self._record(tx, actor, events.SECRET_CREATED, ChangeKind.SECRET_CREATED, place, secret)
        return Secret(secret, place, new.value, new.details)

    def _publish(self, tx: Tx, actor: Actor, place: Place, before: StoredSecret, change: SecretChange) -> Secret:
        value = value_of(self._sealer, place.project_id, before)
        details = details_of(self._sealer, place.project_id, before)
        after = _Content(
            change.new_name or before.name,
            value if change.value is None else change.value,
            change.details(details),
            before.skip_multiline_encoding
            if change.skip_multiline_encoding is None
            else change.skip_multiline_encoding,
        )
        view = change.value is not None or self._may_read(tx, actor, place)
        if after == _Content(before.name, value, details, before.skip_multiline_encoding):
            return Secret(before, place, value if view else None, details)
        now = self._clock.now()
        if after.name != before.name:
            self._rename(tx, place, before, after.name, now)
        version_id = self._ids.new()
        secret = replace(
            before,
            name=after.name,
            version=before.version + 1,
            version_id=version_id,
            value=seal_value(self._sealer, place.project_id, version_id, after.value),
            details=seal_details(self._sealer, place.project_id, version_id, after.details),
            skip_multiline_encoding=after.skip_multiline_encoding,
            maker=Maker(actor.kind.value, actor.id, actor.name),
            updated_at=now,
        )
        store.publish(tx, secret)
        more = {"previousSecretKey": before.name} if after.name != before.name else {}
        self._record(tx, actor, events.SECRET_UPDATED, ChangeKind.SECRET_UPDATED, place, secret, **more)
        return Secret(secret, place, after.value if view else None, after.details)

    def _rename(self, tx: Tx, place: Place, before: StoredSecret, name: str, now: datetime) -> None:
        """Make room for a new name. Personal values go with the shared one that they stand in for."""
        if before.owner_id is not None:
            raise Refused(
                "A personal value has the name of the shared secret that it stands in for.",
                code="secrets.personal_name",
                fix="Rename the shared one.",
            )
        if store.one(tx, before.folder_id, name, None):
            raise name_taken(name)
        for override in store.personal(tx, before.folder_id, before.name):
            store.rename(tx, override.id, name, now)

    def _record(
        self, tx: Tx, actor: Actor, event: AuditEvent, kind: ChangeKind, place: Place, secret: StoredSecret, **more: str
    ) -> None:
        subject = Subject(SubjectKind.SECRET, secret.id, place.project_id)
        now = self._clock.now()
        record(tx, actor, event, subject, now, **_facts(place, secret), **more)
        change = Change(kind, secret.id, place.environment, place.path, secret.name, secret.version, secret.owner_id)
        feed.append(tx, place.project_id, change, now)

    def _may_read(self, tx: Tx, actor: Actor, place: Place) -> bool:
        return allowed(tx, actor, Action.READ_SECRET_VALUES, Scope(actor.org_id, place.project_id))

    def _handed_out(self, actor: Actor, place: Place, secret: StoredSecret, *, view: bool) -> Secret:
        self._note(actor, _read_of_one(actor, place, secret) if view else None)
        return self._shown(place, secret, view=view)

    def _shown(self, place: Place, secret: StoredSecret, *, view: bool) -> Secret:
        value = value_of(self._sealer, place.project_id, secret) if view else None
        return Secret(secret, place, value, details_of(self._sealer, place.project_id, secret))

    def _note(self, actor: Actor, read: _Read | None) -> None:
        """Write down who is about to get values. When that cannot be written, nobody gets them."""
        if read is None:
            return
        now = self._clock.now()
        once = f"{read.key}:{now.replace(second=0, microsecond=0).isoformat()}"
        with self._database.read() as tx:
            if recorded(tx, once):
                return
        with self._database.write() as tx:
            record(tx, actor, read.event, read.subject, now, once, **read.facts)


@dataclass(frozen=True)
class _Content:
    """All that a version says."""

    name: str
    value: Plaintext
    details: Details
    skip_multiline_encoding: bool


def _folders(tx: Tx, place: Place, *, recursive: bool) -> Sequence[Folder]:
    if recursive:
        return folder_store.in_and_below(tx, place.environment_id, place.path)
    folder = folder_store.at(tx, place.environment_id, place.path)
    return [folder] if folder else []


def _found(tx: Tx, place: Place, name: str, owner_id: str | None) -> StoredSecret:
    folder = folder_store.at(tx, place.environment_id, place.path)
    if folder is None and place.path != "/":
        raise no_folder(place.path)
    secret = store.one(tx, folder.id, name, owner_id) if folder else None
    if secret is None:
        raise no_secret(name)
    return secret


def _at_version(tx: Tx, secret: StoredSecret, number: int) -> StoredSecret:
    found = store.version_of(tx, secret.id, number)
    if found is None:
        raise NotFound(
            f"The secret '{secret.name}' has no version {number}.",
            code="secrets.version_not_found",
            fix=f"Its newest is {secret.version}.",
        )
    return found


def _owner(actor: Actor) -> str | None:
    """Return whose personal values the actor has; machine identities have none."""
    return actor.id if actor.kind is ActorKind.USER else None


def _owner_for(actor: Actor, kind: SecretType) -> str | None:
    """Return the owner to look for; nobody owns what a machine identity asks for as personal."""
    if kind is SecretType.SHARED:
        return None
    return _owner(actor) or ""


def _facts(place: Place, secret: StoredSecret) -> dict[str, object]:
    return {
        "environment": place.environment,
        "secretPath": place.path,
        "secretKey": secret.name,
        "secretVersion": secret.version,
        "type": secret.type.value,
    }


def _read_of_one(actor: Actor, place: Place, secret: StoredSecret) -> _Read:
    subject = Subject(SubjectKind.SECRET, secret.id, place.project_id)
    key = f"read-secret:{actor.id}:{secret.id}:{secret.version}"
    return _Read(events.SECRET_READ, subject, key, _facts(place, secret))


def _read_of_list(
    actor: Actor, place: Place, folders: Sequence[Folder], found: Sequence[StoredSecret], reading: Reading
) -> _Read:
    newest = max(secret.updated_at for secret in found)
    kind = f"{len(found)}:{reading.recursive:d}:{newest.isoformat()}"
    facts = {
        "environment": place.environment,
        "secretPath": place.path,
        "numberOfSecrets": len(found),
        "recursive": reading.recursive,
    }
    subject = Subject(SubjectKind.FOLDER, folders[0].id, place.project_id)
    return _Read(events.SECRETS_READ, subject, f"read-folder:{actor.id}:{folders[0].id}:{kind}", facts)
