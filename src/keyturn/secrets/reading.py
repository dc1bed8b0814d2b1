"""Reading secrets: what is handed out to whom, and that it is written down before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from keyturn.audit import events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record, recorded
from keyturn.authz.domain import Action
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Sealer
from keyturn.secrets import access
from keyturn.secrets.domain import (
    Address,
    Folder,
    Imported,
    Place,
    Reading,
    Secret,
    SecretList,
    SecretType,
    StoredSecret,
    Version,
    facts_of,
    no_secret,
    owner_for,
    owner_of,
)
from keyturn.secrets.links import Links
from keyturn.secrets.sealed import details_of, value_of
from keyturn.secrets.store import folders, secrets, tags

MOST_IN_ANSWER = 100_000


@dataclass(frozen=True)
class _Read:
    """An event of the trail about values that are to be handed out. One with its key is written once a minute."""

    event: AuditEvent
    subject: Subject
    key: str
    facts: dict[str, object]


class SecretReader:
    """Reads secrets. Who gets values is in the audit trail before they do; when that cannot be written, nobody gets them."""

    def __init__(self, database: Database, sealer: Sealer, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock

    def list(self, actor: Actor, address: Address, reading: Reading) -> SecretList:
        """Return the secrets of a folder by name; none when the folder is not there."""
        with self._database.read() as tx:
            place = access.locate(tx, actor, Action.DESCRIBE_SECRETS, address)
            view = reading.view and access.may_read_values(tx, actor, place)
            within = _folders(tx, place, recursive=reading.recursive)
            rows = secrets.in_folders(
                tx, [folder.id for folder in within], owner_of(actor) if reading.overrides else None
            )
            paths = {folder.id: folder.path for folder in within}
            placed = [(replace(place, path=paths[row.folder_id]), row) for row in rows]
            links = Links(tx, self._sealer, actor.org_id, place.project_id)
            brought = _brought(tx, links, within) if reading.imports else []
            _require_few(len(placed) + sum(len(each) for _, each in brought))
            listed_secrets = SecretList(
                self._shown(tx, placed, reading, view=view),
                [Imported(first[0].id, first[1], self._shown(tx, each, reading, view=view)) for first, each in brought],
            )
            if view and reading.expand:
                listed_secrets = _expanded(links, listed_secrets)
        self._note(actor, _read_of_list(actor, place, within, listed_secrets, reading) if view and within else None)
        return listed_secrets

    def get(
        self, actor: Actor, address: Address, name: str, reading: Reading, kind: SecretType, version: int | None = None
    ) -> Secret:
        """Return a secret by its name, with the current version or the one asked for. Raises NotFound."""
        with self._database.read() as tx:
            place = access.locate(tx, actor, Action.DESCRIBE_SECRETS, address)
            view = reading.view and access.may_read_values(tx, actor, place)
            links = Links(tx, self._sealer, actor.org_id, place.project_id)
            row = access.look(tx, place, name, owner_for(actor, kind))
            if row is None and reading.imports and kind is SecretType.SHARED:
                place, row = _imported(tx, links, place, name)
            if row is None:
                raise no_secret(name)
            if version is not None:
                row = access.at_version(tx, row, version)
            result = self._shown(tx, [(place, row)], Reading(), view=view)
            [secret] = links.expand(result) if view and reading.expand else result
        self._note(actor, _read_of_one(actor, secret) if view else None)
        return secret

    def by_id(self, actor: Actor, secret_id: str, *, view: bool = True) -> Secret:
        """Return a secret by its id, wherever in the organization it is. Raises NotFound, for another's personal one too."""
        with self._database.read() as tx:
            row, place = access.found_by_id(tx, actor, Action.DESCRIBE_SECRETS, secret_id)
            view = view and access.may_read_values(tx, actor, place)
            [secret] = self._shown(tx, [(place, row)], Reading(), view=view)
        self._note(actor, _read_of_one(actor, secret) if view else None)
        return secret

    def versions(self, actor: Actor, secret_id: str, limit: int, offset: int) -> Sequence[Version]:
        """Return some of the versions of a secret, without values, the newest first. Raises NotFound."""
        with self._database.read() as tx:
            row, _ = access.found_by_id(tx, actor, Action.DESCRIBE_SECRETS, secret_id)
            return secrets.versions(tx, row.id, limit, offset)

    def _shown(
        self, tx: Tx, placed: Sequence[tuple[Place, StoredSecret]], reading: Reading, *, view: bool
    ) -> Sequence[Secret]:
        """Return those that are asked for, opened. What is filtered out is not decrypted."""
        project_id = placed[0][0].project_id if placed else ""
        of_each = tags.of_secrets(tx, project_id, [row.id for _, row in placed])
        result = []
        for place, row in placed:
            of_this = of_each.get(row.id, ())
            if not reading.wants_tags(of_this):
                continue
            details = details_of(self._sealer, project_id, row)
            if reading.wants_details(details):
                value = value_of(self._sealer, project_id, row) if view else None
                result.append(Secret(row, place, value, details, of_this))
        return result

    def _note(self, actor: Actor, read: _Read | None) -> None:
        if read is None:
            return
        now = self._clock.now()
        with self._database.read() as tx:
            if recorded(tx, _once(read, now)):
                return
        with self._database.write() as tx:
            record(tx, actor, read.event, read.subject, now, _once(read, now), **read.facts)


def note_read(tx: Tx, actor: Actor, secret: Secret, now: datetime) -> None:
    """Write down that the actor gets the value of the secret, if they do, in a transaction that ends before they do."""
    if secret.value is not None:
        read = _read_of_one(actor, secret)
        record(tx, actor, read.event, read.subject, now, _once(read, now), **read.facts)


def _once(read: _Read, now: datetime) -> str:
    return f"{read.key}:{now.replace(second=0, microsecond=0).isoformat()}"


def _folders(tx: Tx, place: Place, *, recursive: bool) -> Sequence[Folder]:
    if recursive:
        return folders.in_and_below(tx, place.environment_id, place.path)
    folder = folders.at(tx, place.environment_id, place.path)
    return [folder] if folder else []


def _brought(
    tx: Tx, links: Links, within: Sequence[Folder]
) -> Sequence[tuple[tuple[Folder, Place], Sequence[tuple[Place, StoredSecret]]]]:
    """Return for each import of the folders the folder that it names, and the secrets that it brings."""
    rows: dict[str, Sequence[StoredSecret]] = {}
    result = []
    for reach in filter(None, links.imported(within)):
        by_name: dict[str, tuple[Place, StoredSecret]] = {}
        for folder, place in reach:
            if folder.id not in rows:
                rows[folder.id] = secrets.in_folders(tx, [folder.id], None)
            for row in rows[folder.id]:
                by_name.setdefault(row.name, (place, row))
        result.append((reach[0], [by_name[name] for name in sorted(by_name)]))
    return result


def _imported(tx: Tx, links: Links, place: Place, name: str) -> tuple[Place, StoredSecret | None]:
    """Return the secret of this name that the folder imports; of several imports that have it, that of the last one."""
    folder = folders.at(tx, place.environment_id, place.path)
    for reach in reversed(list(links.imported([folder] if folder else []))):
        for each, where in reach:
            row = secrets.one(tx, each.id, name, None)
            if row is not None:
                return where, row
    return place, None


def _expanded(links: Links, result: SecretList) -> SecretList:
    """Replace the references in all of them at once: what they have in common is looked up once."""
    every = [*result.secrets, *(secret for each in result.imports for secret in each.secrets)]
    expanded = iter(links.expand(every))
    own = [next(expanded) for _ in result.secrets]
    return SecretList(own, [replace(each, secrets=[next(expanded) for _ in each.secrets]) for each in result.imports])


def _require_few(count: int) -> None:
    if count > MOST_IN_ANSWER:
        raise Refused(
            f"These are {count} secrets; one answer holds up to {MOST_IN_ANSWER}.",
            code="secrets.answer_too_large",
            fix="Read folder by folder.",
        )


def _read_of_one(actor: Actor, secret: Secret) -> _Read:
    row, place = secret.stored, secret.place
    subject = Subject(SubjectKind.SECRET, row.id, place.project_id)
    return _Read(events.SECRET_READ, subject, f"read-secret:{actor.id}:{row.version_id}", facts_of(place, row))


def _read_of_list(
    actor: Actor, place: Place, within: Sequence[Folder], listed_secrets: SecretList, reading: Reading
) -> _Read | None:
    every = [*listed_secrets.secrets, *(secret for each in listed_secrets.imports for secret in each.secrets)]
    if not every:
        return None
    newest = max(secret.stored.updated_at for secret in every)
    kind = f"{len(every)}:{reading.recursive:d}{reading.imports:d}:{newest.isoformat()}"
    facts = {
        "environment": place.environment,
        "secretPath": place.path,
        "numberOfSecrets": len(every),
        "recursive": reading.recursive,
        "imports": reading.imports,
    }
    subject = Subject(SubjectKind.FOLDER, within[0].id, place.project_id)
    return _Read(events.SECRETS_READ, subject, f"read-folder:{actor.id}:{within[0].id}:{kind}", facts)
