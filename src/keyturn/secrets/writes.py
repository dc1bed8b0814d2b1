"""What is written of secrets within a transaction of the caller: those whose values come from a secret rotation.

The caller has locked the project's row. Whoever locks several rows does it in this order, here and in ``rotations``: leases of
applications, fingerprints, rotations, connections, what applications are used for, projects by their ids, and then secrets.
"""

from dataclasses import replace
from datetime import datetime

from keyturn.audit import events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.changes import store as feed
from keyturn.changes.domain import Change, ChangeKind
from keyturn.credentials.domain import Credential
from keyturn.db.unit import Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Ids
from keyturn.ports.sealing import Sealer
from keyturn.secrets import access
from keyturn.secrets.domain import Maker, Place, StoredSecret, facts_of, name_taken, require_name
from keyturn.secrets.mapped import CLIENT_ID, CLIENT_SECRET, MappedSecret, SecretNames, read_only, reserved_refusal
from keyturn.secrets.sealed import details_of, seal_details, seal_value, value_of
from keyturn.secrets.store import mapped as mapped_store
from keyturn.secrets.store import secrets as store


def record_change(
    tx: Tx,
    actor: Actor,
    event: AuditEvent,
    kind: ChangeKind,
    place: Place,
    secret: StoredSecret,
    now: datetime,
    reason: str | None = None,
    **more: str,
) -> int:
    """Write a change of a secret into the trail and into the feed, and return its number there.

    ``reason`` is for the feed alone: why a rotation published a value.
    """
    subject = Subject(SubjectKind.SECRET, secret.id, place.project_id)
    record(tx, actor, event, subject, now, **facts_of(place, secret), **more)
    change = Change(
        kind,
        secret.id,
        place.environment,
        place.path,
        secret.name,
        secret.version,
        secret.owner_id,
        reason,
        more.get("previousSecretKey"),
    )
    return feed.append(tx, place.project_id, change, now)


# --- names that belong to secret rotations ----------------------------------------------------------------------------


def require_unreserved(tx: Tx, actor: Actor, place: Place, folder_id: str, name: str) -> None:
    """Raise Refused when the name, in the folder at the place, belongs to a secret rotation."""
    mapped = mapped_store.mapped_of_name(tx, folder_id, name)
    if mapped:
        raise reserved_refusal(mapped, seen=access.may_see_rotation(tx, actor, place, mapped.connection_id))


def require_by_hand(tx: Tx, actor: Actor, place: Place, secret: StoredSecret) -> None:
    """Raise Refused for a secret that a secret rotation alone changes."""
    if secret.secret_rotation_id is not None:
        rows = mapped_store.of_secret_rotation(tx, secret.secret_rotation_id)
        seen = (each for each in rows if access.may_see_rotation(tx, actor, place, each.connection_id))
        raise read_only(secret.name, next(seen, None))


def require_free(tx: Tx, actor: Actor, place: Place, folder_id: str, names: SecretNames) -> None:
    """Raise Refused unless both names may be taken in the folder at the place."""
    _require_two(names)
    for name in (names.client_id, names.client_secret):
        _require_one_free(tx, actor, place, folder_id, name)


def _require_one_free(tx: Tx, actor: Actor, place: Place, folder_id: str, name: str) -> None:
    require_name(name)
    require_unreserved(tx, actor, place, folder_id, name)
    if store.one(tx, folder_id, name, None):
        raise name_taken(name)


def _require_two(names: SecretNames) -> None:
    if names.client_id == names.client_secret:
        raise Refused(
            f"Client id and client secret cannot both be the secret '{names.client_id}'.",
            code="secrets.mapping_same_name",
            fix="Give them two names.",
        )


@dataclass(frozen=True)
class MappingWriter:
    """Writes the two secrets of a secret rotation, in the trail and the feed as well, for an actor."""

    sealer: Sealer
    ids: Ids
    actor: Actor
    now: datetime
    reason: str | None = None
    """Why a value is published, as the feed says it."""

    def reserve(self, tx: Tx, secret_rotation_id: str, place: Place, folder_id: str, names: SecretNames) -> None:
        """Keep both names for it, in the folder at the place. Raises Refused as :func:`require_free` does."""
        require_free(tx, self.actor, place, folder_id, names)
        for which in (CLIENT_ID, CLIENT_SECRET):
            mapped_store.add(tx, secret_rotation_id, which, folder_id, names.of(which))

    def publish(self, tx: Tx, secret_rotation_id: str, place: Place, client_id: str, credential: Credential) -> None:
        """Make a row of the journal the current version of the client secret; the client id is written with the first one.

        Nothing happens where that row is current already.
        """
        for mapped in mapped_store.of_secret_rotation(tx, secret_rotation_id):
            before = self._secret(tx, mapped)
            if mapped.which == CLIENT_ID:
                if before is None:
                    self._add(tx, place, mapped, Plaintext(client_id), None)
            elif before is None:
                self._add(tx, place, mapped, Plaintext(credential.id), credential.id)
            elif before.credential_id != credential.id:
                self._replace(tx, place, before, Plaintext(credential.id), credential.id)

    def rename(self, tx: Tx, secret_rotation_id: str, place: Place, names: SecretNames) -> None:
        """Give the two secrets other names. Raises Refused for names in use there; they may be exchanged."""
        before = mapped_store.of_secret_rotation(tx, secret_rotation_id)
        _require_two(names)
        for name in {names.client_id, names.client_secret} - {each.name for each in before}:
            _require_one_free(tx, self.actor, place, before[0].folder_id, name)
        changes = [each for each in before if each.name != names.of(each.which)]
        for each in changes:  # out of each other's way first: names are unique at every moment
            self._call(tx, each, f"{each.secret_rotation_id}:{each.which}")
        for each in changes:
            self._call(tx, each, names.of(each.which))
            secret = self._secret(tx, each)
            if secret:
                content = self._sealed_text(place, secret)
                self._replace(tx, place, secret, content, secret.credential_id, previousSecretKey=each.name)

    def release(self, tx: Tx, secret_rotation_id: str, place: Place, *, delete: bool) -> None:
        """Let the secrets be ordinary ones, with a copy of their value; or remove them with their personal overrides."""
        rows = mapped_store.of_secret_rotation(tx, secret_rotation_id)
        secrets = [secret for each in rows if (secret := self._secret(tx, each))]
        mapped_store.remove(tx, secret_rotation_id)
        for secret in secrets:
            if delete:
                for each in (secret, *store.personal(tx, secret.folder_id, secret.name)):
                    event, kind = events.SECRET_DELETED, ChangeKind.SECRET_DELETED
                    store.remove(tx, each.id, record_change(tx, self.actor, event, kind, place, each, self.now))
            elif secret.credential_id is not None:
                self._replace(tx, place, secret, value_of(self.sealer, place.project_id, secret), None)

    # --- parts --------------------------------------------------------------------------------------------------------

    def _secret(self, tx: Tx, mapped: MappedSecret) -> StoredSecret | None:
        found = store.by_id(tx, self.actor.org_id, mapped.secret_id) if mapped.secret_id else None
        return found[0] if found else None

    def _sealed_text(self, place: Place, secret: StoredSecret) -> Plaintext:
        """Return what is sealed in the version itself: its value, or which row of the journal has that."""
        if secret.credential_id is not None:
            return Plaintext(secret.credential_id)
        return value_of(self.sealer, place.project_id, secret)

    def _call(self, tx: Tx, mapped: MappedSecret, name: str) -> None:
        """Give it, its secret and the personal overrides of that another name."""
        secret = self._secret(tx, mapped)
        if secret:
            for each in (secret, *store.personal(tx, secret.folder_id, secret.name)):
                store.rename(tx, each.id, name, self.now)
        mapped_store.save(tx, replace(mapped, name=name))

    def _add(self, tx: Tx, place: Place, mapped: MappedSecret, text: Plaintext, credential_id: str | None) -> None:
        version_id = self.ids.new()
        secret = StoredSecret(
            self.ids.new(),
            mapped.folder_id,
            mapped.name,
            None,
            1,
            version_id,
            seal_value(self.sealer, place.project_id, version_id, text),
            None,
            skip_multiline_encoding=False,
            maker=self._maker,
            created_at=self.now,
            updated_at=self.now,
            has_references=False,
            credential_id=credential_id,
        )
        event, kind = events.SECRET_CREATED, ChangeKind.SECRET_CREATED
        store.add(tx, secret, record_change(tx, self.actor, event, kind, place, secret, self.now, self.reason))
        mapped_store.save(tx, replace(mapped, secret_id=secret.id))

    def _replace(
        self, tx: Tx, place: Place, before: StoredSecret, text: Plaintext, credential_id: str | None, **more: str
    ) -> None:
        """Add a version, which becomes the current one; what is written about the secret stays."""
        version_id, project_id = self.ids.new(), place.project_id
        secret = replace(
            before,
            version=before.version + 1,
            version_id=version_id,
            value=seal_value(self.sealer, project_id, version_id, text),
            details=seal_details(self.sealer, project_id, version_id, details_of(self.sealer, project_id, before)),
            credential_id=credential_id,
            maker=self._maker,
            updated_at=self.now,
        )
        event, kind = events.SECRET_UPDATED, ChangeKind.SECRET_UPDATED
        change = record_change(tx, self.actor, event, kind, place, secret, self.now, self.reason, **more)
        store.publish(tx, secret, change)

    @property
    def _maker(self) -> Maker:
        return Maker(self.actor.kind.value, self.actor.id, self.actor.name)


def changed_meanwhile() -> Refused:
    return Refused(
        "Somebody changed these secrets while you looked at them. Nothing was written.",
        code="secrets.changed_meanwhile",
        fix="Look at them again.",
    )
