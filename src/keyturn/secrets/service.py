"""The use cases of secrets that change them: each change makes a new version."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from keyturn.audit import events
from keyturn.audit.domain import AuditEvent
from keyturn.authz.domain import Action
from keyturn.changes.domain import ChangeKind
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError, NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.batches import batches
from keyturn.kit.dataclasses import dataclass
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
    Secret,
    SecretChange,
    SecretType,
    StoredSecret,
    Tag,
    name_taken,
    no_secret,
    owner_for,
    require_name,
    require_size,
)
from keyturn.secrets.folders import Folders
from keyturn.secrets.imports import Imports
from keyturn.secrets.links import Links
from keyturn.secrets.past import Past
from keyturn.secrets.read_audit import ReadAudit
from keyturn.secrets.reading import SecretReader, note_read
from keyturn.secrets.references import has_references
from keyturn.secrets.sealed import details_of, seal_details, seal_value, value_of
from keyturn.secrets.several import Absent, PlacedChange
from keyturn.secrets.store import secrets as store
from keyturn.secrets.store import tags
from keyturn.secrets.tags import Tags, named_tags, tags_of
from keyturn.secrets.writes import changed_meanwhile, record_change, require_by_hand, require_unreserved

AT_ONCE = 50
"""Values that are in memory at the same time while many are looked at."""


class Secrets:
    """The use cases of secrets that change them, audited and numbered in the project's feed; ``reader`` has the others."""

    def __init__(
        self, database: Database, sealer: Sealer, clock: Clock, ids: Ids, read_audit: ReadAudit | None = None
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._ids = ids
        self.folders = Folders(database, clock, ids)
        self.tags = Tags(database, clock, ids)
        self.imports = Imports(database, sealer, clock, ids)
        self.reader = SecretReader(database, sealer, clock, read_audit)
        self.past = Past(database, sealer, clock, ids)

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
            folder = self._with_room(tx, actor, place, len(new))
            return [self._add(tx, actor, place, folder, each) for each in new]

    def write_all(
        self, actor: Actor, address: Address, new: Sequence[NewSecret], changes: Mapping[str, SecretChange]
    ) -> Mapping[str, KeyturnError]:
        """Add and change secrets of one folder in one transaction, ``changes`` by name; return those that were refused.

        Nothing of a refused one is written, and all the others are. Raises as :meth:`create` does for the folder.
        """
        refusals: dict[str, KeyturnError] = {}
        with self._database.write() as tx:
            place = access.locate(tx, actor, Action.CREATE_SECRETS, address)
            if changes:
                access.require_there(tx, actor, Action.EDIT_SECRETS, place)
            lock_project(tx, place.project_id)
            folder = self._with_room(tx, actor, place, len(new))
            for each in new:
                with _noted(refusals, each.name):
                    require_name(each.name)
                    require_size(each.value)
                    self._add(tx, actor, place, folder, each)
            for name, change in changes.items():
                with _noted(refusals, name):
                    require_size(change.value or Plaintext(""))
                    before = access.find_secret(tx, place, name, owner_for(actor, change.type))
                    self._publish(tx, actor, place, before, change)
        return refusals

    def update(self, actor: Actor, address: Address, name: str, change: SecretChange) -> Secret:
        """Change what is given, which makes a new version the current one. What is the same already changes nothing.

        Raises NotFound, and Refused for a new name that is in use there.
        """
        return self.update_all(actor, [PlacedChange(address, name, change)])[0]

    def update_all(
        self, actor: Actor, changes: Sequence[PlacedChange], absent: Absent = Absent.REFUSED
    ) -> Sequence[Secret]:
        """Change secrets of one environment one after the other: all of them, or none.

        ``absent`` says what becomes of those that are not there. Raises as :meth:`update`, and :meth:`create` where it adds.
        """
        for each in changes:
            if each.change.new_name is not None:
                require_name(each.change.new_name)
            require_size(each.change.value or Plaintext(""))
        with self._database.write() as tx:
            addresses = dict.fromkeys(each.address for each in changes)
            places = {each: access.locate(tx, actor, Action.EDIT_SECRETS, each) for each in addresses}
            lock_project(tx, next(iter(places.values())).project_id)
            results = (self._changed(tx, actor, places[each.address], each, absent) for each in changes)
            return [secret for secret in results if secret]

    def rollback(self, actor: Actor, secret_id: str, number: int) -> Secret:
        """Make what an older version said current again, as a new version; name and tags stay. Raises NotFound."""
        with self._database.write() as tx:
            row, place = access.found_by_id(tx, actor, Action.EDIT_SECRETS, secret_id)
            lock_project(tx, place.project_id)
            row, place = access.found_by_id(tx, actor, Action.EDIT_SECRETS, secret_id)
            require_by_hand(tx, actor, place, row)
            older = access.at_version(tx, row, number)
            details = details_of(self._sealer, place.project_id, older)
            change = SecretChange(
                value=value_of(self._sealer, place.project_id, older),
                comment=details.comment,
                metadata=details.metadata,
                reminder=(details.reminder_note, details.reminder_days),
                skip_multiline_encoding=older.skip_multiline_encoding,
            )
            # The value was not sent by the actor, so what comes out of the change is not handed out as it is.
            secret = self._opened(tx, actor, place, self._publish(tx, actor, place, row, change).stored)
            note_read(tx, actor, secret, self._clock.now())
            return secret

    def delete(self, actor: Actor, address: Address, name: str, kind: SecretType) -> Secret:
        """Remove a secret, and with everybody's the personal ones of that name. Raises NotFound.

        Views of the past still show it. The answer shows its value to those who may read it.
        """
        return self.delete_all(actor, address, [(name, kind)])[0]

    def delete_all(self, actor: Actor, address: Address, names: Sequence[tuple[str, SecretType]]) -> Sequence[Secret]:
        """Remove secrets of one folder: all of them, or none. Raises and answers as :meth:`delete`."""
        with self._database.write() as tx:
            place = access.locate(tx, actor, Action.DELETE_SECRETS, address)
            lock_project(tx, place.project_id)
            return [self._remove(tx, actor, place, name, kind) for name, kind in names]

    def put_all(
        self, actor: Actor, address: Address, values: Mapping[str, Plaintext], versions: Mapping[str, int]
    ) -> None:
        """Give each of these names its value, where there is no such secret by making it: all of them, or none.

        ``versions`` are those that the caller saw, 0 for a secret that was not there. Raises Refused when another is there
        now, or when one of them cannot be written. What has its value already stays as it is.
        """
        for name, value in values.items():
            require_name(name)
            require_size(value)
        with self._database.write() as tx:
            place = access.locate(tx, actor, Action.EDIT_SECRETS, address)
            lock_project(tx, place.project_id)
            folder = self._with_room(tx, actor, place, sum(not number for number in versions.values()))
            for names in batches(list(values), AT_ONCE):
                rows = {row.name: row for row in store.secrets_of_names(tx, folder.id, names)}
                if any((rows[name].version if name in rows else 0) != versions.get(name) for name in names):
                    raise changed_meanwhile()
                if len(rows) < len(names):
                    access.require_there(tx, actor, Action.CREATE_SECRETS, place)
                for name in names:
                    if name in rows:
                        self._publish(tx, actor, place, rows[name], SecretChange(value=values[name]))
                    else:
                        self._add(tx, actor, place, folder, NewSecret(name, values[name]))

    # --- parts --------------------------------------------------------------------------------------------------------

    def _changed(self, tx: Tx, actor: Actor, place: Place, each: PlacedChange, absent: Absent) -> Secret | None:
        row = access.look(tx, place, each.name, owner_for(actor, each.change.type))
        if row:
            return self._publish(tx, actor, place, row, each.change)
        if absent is Absent.ADDED:
            access.require_there(tx, actor, Action.CREATE_SECRETS, place)
            require_name((new := each.new()).name)
            return self._add(tx, actor, place, self._with_room(tx, actor, place, 1), new)
        if absent is Absent.REFUSED:
            raise no_secret(each.name)
        return None

    def _remove(self, tx: Tx, actor: Actor, place: Place, name: str, kind: SecretType) -> Secret:
        secret = access.find_secret(tx, place, name, owner_for(actor, kind))
        require_by_hand(tx, actor, place, secret)
        deleted = self._opened(tx, actor, place, secret)
        note_read(tx, actor, deleted, self._clock.now())
        overrides = store.personal(tx, secret.folder_id, name) if secret.owner_id is None else []
        for each in (secret, *overrides):
            revision = self._record(tx, actor, events.SECRET_DELETED, ChangeKind.SECRET_DELETED, place, each)
            store.remove(tx, each.id, revision)
        return deleted

    def _with_room(self, tx: Tx, actor: Actor, place: Place, number: int) -> Folder:
        """Return the folder at the place. Raises Refused when so many more secrets have no room in it."""
        folder = self.folders.ensure(tx, actor, place)
        if store.count(tx, folder.id) + number > MOST_IN_FOLDER:
            raise Refused(
                f"A folder holds up to {MOST_IN_FOLDER} secrets.",
                code="secrets.folder_full",
                fix="Use several folders.",
            )
        return folder

    def _add(self, tx: Tx, actor: Actor, place: Place, folder: Folder, new: NewSecret) -> Secret:
        owner = owner_for(actor, new.type)
        if owner == "":
            raise Refused(
                "Only people have personal values, a machine identity has none.",
                code="secrets.personal_machine",
                fix="Send the type shared.",
            )
        if store.one(tx, folder.id, new.name, owner):
            raise name_taken(new.name)
        if owner is None:
            require_unreserved(tx, actor, place, folder.id, new.name)
        elif store.one(tx, folder.id, new.name, None) is None:
            raise Refused(
                f"There is no shared secret '{new.name}' there that a personal value could stand in for.",
                code="secrets.nothing_to_override",
                fix="Create the shared one first.",
            )
        self._require_no_circle(tx, actor, place, new.name, new.value)
        of_this = named_tags(tx, place, new.tag_ids)
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
            has_references(new.value.reveal()),
        )
        revision = self._record(tx, actor, events.SECRET_CREATED, ChangeKind.SECRET_CREATED, place, secret)
        store.add(tx, secret, revision)
        if of_this:
            tags.put_on(tx, secret.id, [tag.id for tag in of_this])
        return Secret(secret, place, new.value, new.details, of_this)

    def _publish(self, tx: Tx, actor: Actor, place: Place, row: StoredSecret, change: SecretChange) -> Secret:
        if change.value is not None or change.new_name is not None:
            require_by_hand(tx, actor, place, row)
        before = _Content(
            row.name,
            value_of(self._sealer, place.project_id, row),
            details_of(self._sealer, place.project_id, row),
            tags_of(tx, place, row),
            row.skip_multiline_encoding,
        )
        after = _Content(
            change.new_name or before.name,
            before.value if change.value is None else change.value,
            change.details(before.details),
            before.tags if change.tag_ids is None else named_tags(tx, place, change.tag_ids),
            before.skip_multiline_encoding
            if change.skip_multiline_encoding is None
            else change.skip_multiline_encoding,
        )
        if after != before:
            self._require_no_circle(tx, actor, place, after.name, after.value)
            row = self._add_version(tx, actor, place, row, after)
        if change.value is not None:
            return Secret(row, place, after.value, after.details, after.tags)
        secret = self._opened(tx, actor, place, row)
        note_read(tx, actor, secret, self._clock.now())
        return secret

    def _add_version(
        self, tx: Tx, actor: Actor, place: Place, before: StoredSecret, content: "_Content"
    ) -> StoredSecret:
        now, version_id = self._clock.now(), self._ids.new()
        if content.name != before.name:
            self._rename(tx, actor, place, before, content.name, now)
        secret = replace(
            before,
            name=content.name,
            version=before.version + 1,
            version_id=version_id,
            value=seal_value(
                self._sealer,
                place.project_id,
                version_id,
                Plaintext(before.credential_id) if before.credential_id else content.value,
            ),
            details=seal_details(self._sealer, place.project_id, version_id, content.details),
            skip_multiline_encoding=content.skip_multiline_encoding,
            maker=Maker(actor.kind.value, actor.id, actor.name),
            updated_at=now,
            has_references=has_references(content.value.reveal()),
        )
        more = {"previousSecretKey": before.name} if content.name != before.name else {}
        revision = self._record(tx, actor, events.SECRET_UPDATED, ChangeKind.SECRET_UPDATED, place, secret, **more)
        store.publish(tx, secret, revision)
        tags.put_on(tx, secret.id, [tag.id for tag in content.tags])
        return secret

    def _require_no_circle(self, tx: Tx, actor: Actor, place: Place, name: str, value: Plaintext) -> None:
        """Raise Refused for a value whose references would lead back to it."""
        if Links(tx, self._sealer, actor, place.project_id).closes_circle(place, name, value):
            raise Refused(
                f"The references in the value of '{name}' lead back to it.",
                code="secrets.reference_circle",
                fix="Write the value out where the circle is to end.",
            )

    def _rename(self, tx: Tx, actor: Actor, place: Place, before: StoredSecret, name: str, now: datetime) -> None:
        """Make room for a new name. Personal values go with the shared one that they stand in for."""
        if before.owner_id is not None:
            raise Refused(
                "A personal value has the name of the shared secret that it stands in for.",
                code="secrets.personal_name",
                fix="Rename the shared one.",
            )
        if store.one(tx, before.folder_id, name, None):
            raise name_taken(name)
        require_unreserved(tx, actor, place, before.folder_id, name)
        for override in store.personal(tx, before.folder_id, before.name):
            store.rename(tx, override.id, name, now)

    def _record(
        self, tx: Tx, actor: Actor, event: AuditEvent, kind: ChangeKind, place: Place, secret: StoredSecret, **more: str
    ) -> int:
        return record_change(tx, actor, event, kind, place, secret, self._clock.now(), **more)

    def _opened(self, tx: Tx, actor: Actor, place: Place, secret: StoredSecret) -> Secret:
        """Return the secret with its value, when the actor may read it."""
        view = access.may_read_values(tx, actor, place)
        value = value_of(self._sealer, place.project_id, secret) if view else None
        details = details_of(self._sealer, place.project_id, secret)
        return Secret(secret, place, value, details, tags_of(tx, place, secret))


@dataclass(frozen=True)
class _Content:
    """All that a version says."""

    name: str
    value: Plaintext
    details: Details
    tags: Sequence[Tag]
    skip_multiline_encoding: bool


@contextmanager
def _noted(refusals: dict[str, KeyturnError], name: str) -> Iterator[None]:
    """Go on after a refusal, which comes before anything is written, and note it under the name of the secret."""
    try:
        yield
    except (Refused, NotFound) as error:
        refusals[name] = error
