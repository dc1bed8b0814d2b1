"""Reading secrets: what is handed out to whom, and that it is written down before."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.audit import events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.authz.authorize import Grants, Scope, grants_of
from keyturn.authz.domain import Action
from keyturn.changes import store as feed
from keyturn.credentials import store as journal
from keyturn.db.unit import Database, Tx
from keyturn.errors import Unavailable
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.recent import Recent
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Sealer
from keyturn.secrets import access
from keyturn.secrets.domain import (
    Address,
    Imported,
    Place,
    Reading,
    ReadValue,
    Secret,
    SecretList,
    SecretType,
    StoredSecret,
    Tag,
    Version,
    facts_of,
    no_secret,
    owner_for,
)
from keyturn.secrets.links import Links
from keyturn.secrets.read_audit import UNNAMED, Consumer, DirectReadAudit, ReadAudit, ValuesRead
from keyturn.secrets.sealed import details_of, value_of
from keyturn.secrets.selection import Group, Selection, fingerprint_of, select
from keyturn.secrets.store import folders, secrets, tags
from keyturn.secrets.store.heads import of_versions
from keyturn.secrets.store.secrets import chunks
from keyturn.secrets.vanished import require_there, require_values_there

MOST_COUNTED = 2000
"""Answers of which it is remembered what the references in them lead to: about 300 bytes each."""


@dataclass(frozen=True)
class Found:
    """One secret that was asked for, still sealed."""

    row: StoredSecret
    place: Place
    tags: Sequence[Tag]
    view: bool
    """Whether its value is handed out."""
    expand: bool
    """Whether there may be references in it, and they are to be replaced."""
    fingerprint: str
    """The same as long as the answer is."""


class SecretReader:
    """Reads secrets. Who gets values is in the audit trail before they do; when that cannot be written, nobody gets them.

    To look for secrets opens none of them, unless it is new what references in them lead to: whoever has an answer with the
    same fingerprint need not be given it again.
    """

    def __init__(self, database: Database, sealer: Sealer, clock: Clock, audit: ReadAudit | None = None) -> None:
        self._database = database
        self._sealer = sealer
        self._audit = audit or DirectReadAudit(database, clock)
        self._counted = Recent(MOST_COUNTED)

    # --- many ---------------------------------------------------------------------------------------------------------

    def list(self, actor: Actor, address: Address, reading: Reading) -> SecretList:
        """Return the secrets of a folder by name, all at once; none when the folder is not there."""
        own, *imports = [
            (group, [secret for part in parts for secret in part])
            for group, parts in self.opened(actor, self.select(actor, address, reading))
        ]
        return SecretList(own[1], [Imported(group.folder_id, group.place, secrets) for group, secrets in imports])

    def select(self, actor: Actor, address: Address, reading: Reading) -> Selection:
        """Look for the secrets of a folder; there are none when the folder is not there. Raises Refused for too many."""
        with self._database.read() as tx:
            place, grants = access.locate_above(tx, actor, Action.DESCRIBE_SECRETS, address)
            selection = select(tx, actor, grants, self._links(tx, actor, place), place, reading)
            access.require_some(
                grants, actor, Action.DESCRIBE_SECRETS, place, selection.located if reading.recursive else ()
            )
            require_values_there(
                tx, {each.credential_id: each.secret_id for each in selection.values if each.credential_id}
            )
            if not selection.referring_ids:
                return selection
            parts = (
                [self._open(selection, row) for row in of_versions(tx, version_ids).values()]
                for version_ids in chunks(selection.referring_ids)
            )
            return replace(selection, fingerprint=self._with_references(tx, actor, place, selection.fingerprint, parts))

    def opened(
        self, actor: Actor, selection: Selection, consumer: Consumer = UNNAMED
    ) -> Iterator[tuple[Group, Iterator[Sequence[Secret]]]]:
        """Yield each group of the selection with its secrets, of which only one part is in memory at a time.

        Raises Unavailable when some of them are not kept any more.
        """
        if selection.reading.metadata:
            selection = self._with_metadata(selection)
        read = read_of_list(selection)
        if read is not None:
            self._audit.handed_out(actor, consumer, read)
        for group in selection.groups:
            yield group, (self._part(actor, selection, version_ids) for version_ids in group.parts())

    def _part(self, actor: Actor, selection: Selection, version_ids: Sequence[str]) -> Sequence[Secret]:
        part = [self._open(selection, row) for row in self.rows(version_ids)]
        if not selection.referring_ids:
            return part
        with self._database.read() as tx:
            return self._links(tx, actor, selection.place).expand(part)

    def rows(self, version_ids: Sequence[str]) -> Sequence[StoredSecret]:
        """Return these versions, still sealed. Raises Unavailable when some of them are not kept any more."""
        with self._database.read() as tx:
            rows = of_versions(tx, version_ids)
        if len(rows) < len(version_ids):
            raise removed_meanwhile()
        return [rows[version_id] for version_id in version_ids]

    def _open(self, selection: Selection, row: StoredSecret) -> Secret:
        located = selection.located[row.folder_id]
        value = value_of(self._sealer, located.place.project_id, row) if located.view else None
        details = details_of(self._sealer, located.place.project_id, row)
        return Secret(row, located.place, value, details, selection.tags.get(row.id, ()))

    def _with_metadata(self, selection: Selection) -> Selection:
        """Leave out secrets without the entries that are asked for. Only what is written about each of them is opened."""
        project_id, groups = selection.place.project_id, []
        for group in selection.groups:
            smaller = Group(group.folder_id, group.place)
            for version_ids in group.parts():
                for row in self.rows(version_ids):
                    if selection.reading.wants_details(details_of(self._sealer, project_id, row)):
                        smaller.add(row.version_id, row.size)
            groups.append(smaller)
        return replace(selection, groups=groups)

    # --- one ----------------------------------------------------------------------------------------------------------

    def get(
        self, actor: Actor, address: Address, name: str, reading: Reading, kind: SecretType, version: int | None = None
    ) -> Secret:
        """Return a secret by its name, with the current version or the one asked for. Raises NotFound."""
        return self.open(actor, self.find(actor, address, name, reading, kind, version))

    def by_id(self, actor: Actor, secret_id: str, *, view: bool = True) -> Secret:
        """Return a secret by its id, wherever in the organization it is. Raises NotFound, for another's personal one too."""
        return self.open(actor, self.find_by_id(actor, secret_id, view=view))

    def find(
        self, actor: Actor, address: Address, name: str, reading: Reading, kind: SecretType, version: int | None = None
    ) -> Found:
        """Look for a secret by its name, with the current version or the one asked for. Raises NotFound."""
        with self._database.read() as tx:
            place = access.locate(tx, actor, Action.DESCRIBE_SECRETS, address)
            grants = grants_of(tx, actor, Scope(actor.org_id, place.project_id))
            row = access.look(tx, place, name, owner_for(actor, kind))
            if row is None and reading.imports and kind is SecretType.SHARED:
                place, row = _imported(tx, actor, grants, self._links(tx, actor, place), place, name)
            if row is None:
                raise no_secret(name)
            if version is not None:
                row = access.at_version(tx, row, version)
            return self._found(tx, actor, grants, place, row, reading)

    def find_by_id(self, actor: Actor, secret_id: str, *, view: bool = True) -> Found:
        """Look for a secret by its id. Raises NotFound."""
        with self._database.read() as tx:
            row, place = access.found_by_id(tx, actor, Action.DESCRIBE_SECRETS, secret_id)
            grants = grants_of(tx, actor, Scope(actor.org_id, place.project_id))
            return self._found(tx, actor, grants, place, row, Reading(view))

    def find_before(self, actor: Actor, found: Found) -> Found | None:
        """Look for the newest version of this secret that held another credential.

        None for a secret that is none, and when that one is known to be gone.
        """
        with self._database.read() as tx:
            row = found.row
            number = secrets.version_before(tx, row.id, row.credential_id) if row.credential_id else None
            if number is None:
                return None
            grants = grants_of(tx, actor, Scope(actor.org_id, found.place.project_id))
            before = access.at_version(tx, row, number)
            if before.credential_id and journal.vanished_among(tx, [before.credential_id]):
                return None
            return self._found(tx, actor, grants, found.place, before, Reading(found.view))

    def open(self, actor: Actor, found: Found, consumer: Consumer = UNNAMED) -> Secret:
        """Return the secret that was found, with its value when that is to be handed out."""
        row, place = found.row, found.place
        details = details_of(self._sealer, place.project_id, row)
        value = value_of(self._sealer, place.project_id, row) if found.view else None
        secret = Secret(row, place, value, details, found.tags)
        if found.expand:
            with self._database.read() as tx:
                [secret] = self._links(tx, actor, place).expand([secret])
        if found.view:
            self._audit.handed_out(actor, consumer, read_of_one(row, place))
        return secret

    def versions(self, actor: Actor, secret_id: str, limit: int, offset: int) -> Sequence[Version]:
        """Return some of the versions of a secret, without values, the newest first. Raises NotFound."""
        with self._database.read() as tx:
            row, _ = access.found_by_id(tx, actor, Action.DESCRIBE_SECRETS, secret_id)
            return secrets.versions(tx, row.id, limit, offset)

    def _found(self, tx: Tx, actor: Actor, grants: Grants, place: Place, row: StoredSecret, reading: Reading) -> Found:
        view = reading.view and grants.allow(Action.READ_SECRET_VALUES, access.scope_of(actor, place))
        if view:
            require_there(tx, [row])
        of_this = tags.of_secrets(tx, place.project_id, [row.id]).get(row.id, ())
        fingerprint = fingerprint_of(actor, grants, place, row, of_this, reading, view=view)
        expand = view and reading.expand and row.has_references
        if expand:
            secret = Secret(row, place, value_of(self._sealer, place.project_id, row))
            fingerprint = self._with_references(tx, actor, place, fingerprint, [[secret]])
        return Found(row, place, of_this, view, expand, fingerprint)

    # --- both ---------------------------------------------------------------------------------------------------------

    def openers(
        self, actor: Actor, project_id: str, found: Sequence[tuple[StoredSecret, Place]]
    ) -> Sequence[tuple[Callable[[], Plaintext], int]]:
        """Return what opens these values with their references replaced, and how many sealed bytes each holds.

        It is right as long as nothing changes in the project, nor what the actor may read.
        """
        with self._database.read() as tx:
            secrets_found = [Secret(row, place, value_of(self._sealer, project_id, row)) for row, place in found]
            return Links(tx, self._sealer, actor, project_id).openers(secrets_found)

    def unchanged(self, actor: Actor, seen: Selection | Found, consumer: Consumer) -> None:
        """Note that the actor was told that what they have is still right."""
        read = read_of(seen)
        if read is not None:
            self._audit.unchanged(actor, consumer, read)

    def _with_references(
        self, tx: Tx, actor: Actor, place: Place, fingerprint: str, parts: Iterable[Sequence[Secret]]
    ) -> str:
        """Return a fingerprint that counts what the references in these secrets lead to.

        What they name is inside sealed values, so these are opened; once while nothing in the project changes.
        """
        key = f"{fingerprint}:{feed.revision(tx, place.project_id)}"
        known = self._counted.get(key)
        if known is None:
            links = self._links(tx, actor, place)
            digest = hashlib.sha256(fingerprint.encode())
            for part in parts:
                digest.update(json.dumps(links.reached(part)).encode())
            known = digest.hexdigest()
            self._counted.put(key, known)
        return known

    def _links(self, tx: Tx, actor: Actor, place: Place) -> Links:
        return Links(tx, self._sealer, actor, place.project_id)


def removed_meanwhile() -> Unavailable:
    return Unavailable(
        "Some of these secrets were removed while they were read.",
        code="secrets.removed_meanwhile",
        retry_after=timedelta(seconds=1),
        fix="Read them again.",
    )


def note_read(tx: Tx, actor: Actor, secret: Secret, now: datetime) -> None:
    """Write down that the actor gets the value of the secret, if they do, in a transaction that ends before they do."""
    if secret.value is not None:
        read_of_one(secret.stored, secret.place).note(tx, actor, now)


def _imported(
    tx: Tx, actor: Actor, grants: Grants, links: Links, place: Place, name: str
) -> tuple[Place, StoredSecret | None]:
    """Return the secret of this name that the folder imports; of several imports that have it, that of the last one."""
    folder = folders.at(tx, place.environment_id, place.path)
    for reach in reversed(list(links.imported([folder] if folder else []))):
        for each, where in reach:
            if not grants.allow(Action.DESCRIBE_SECRETS, access.scope_of(actor, where)):
                continue
            row = secrets.one(tx, each.id, name, None)
            if row is not None:
                return where, row
    return place, None


def read_of(seen: Selection | Found) -> ValuesRead | None:
    """Return what is told of a read of this; None when no value is in it."""
    if isinstance(seen, Selection):
        return read_of_list(seen)
    return read_of_one(seen.row, seen.place) if seen.view else None


def read_of_one(row: StoredSecret, place: Place) -> ValuesRead:
    """Return what is told of a read of this secret's value."""
    subject = Subject(SubjectKind.SECRET, row.id, place.project_id)
    value = ReadValue(row.id, row.version_id, row.credential_id)
    key = f"read-secret:{row.version_id}"
    return ValuesRead(events.SECRET_READ, subject, key, facts_of(place, row), [value])


def read_of_list(selection: Selection) -> ValuesRead | None:
    """Return what is told of a read of this list; None when no value is in it."""
    place, reading, folder_id = selection.place, selection.reading, selection.groups[0].folder_id
    if folder_id is None or not selection.shows_values or not selection.number:
        return None
    facts = {
        "environment": place.environment,
        "secretPath": place.path,
        "numberOfSecrets": selection.number,
        "recursive": reading.recursive,
        "imports": reading.imports,
    }
    subject = Subject(SubjectKind.FOLDER, folder_id, place.project_id)
    key = f"read-folder:{folder_id}:{selection.fingerprint}"
    return ValuesRead(events.SECRETS_READ, subject, key, facts, selection.values)
