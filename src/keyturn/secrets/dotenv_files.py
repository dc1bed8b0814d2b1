"""Files of a folder: importing a .env file in two steps, which are what would come of it and doing that; and exporting one.

Between the two steps the file waits in the form that shows the first one, sealed: it is stored nowhere, and not shown again.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from keyturn.authz.domain import Action
from keyturn.db.unit import Database
from keyturn.errors import Misconfigured, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.batches import batches
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext, SealContext, Sealed
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Sealer
from keyturn.secrets import access
from keyturn.secrets.domain import Address, Place, Reading, StoredSecret, no_folder
from keyturn.secrets.dotenv import BadLine, DotenvEntry, WrittenDotenv, parse, write
from keyturn.secrets.sealed import value_of
from keyturn.secrets.service import AT_ONCE, Secrets
from keyturn.secrets.store import folders, secrets
from keyturn.secrets.writes import changed_meanwhile

DRAFT_LIFE = timedelta(hours=1)


class EntryStatus(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    OVERWRITTEN = "overwritten"
    """It is there, and whoever asks may not know whether it has this value."""
    ROTATED = "rotated"
    """It is there with another value, and only its secret rotation changes it."""


@dataclass(frozen=True)
class PlannedEntry:
    line: int
    name: str
    status: EntryStatus
    version: int
    """The current one of the secret that is there, 0 for none."""


@dataclass(frozen=True)
class ImportPlan:
    """What would come of a file. With a line that cannot be read there is no ``draft``: all of it is imported, or nothing."""

    place: Place
    entries: Sequence[PlannedEntry]
    bad_lines: Sequence[BadLine]
    draft: Sealed | None

    @property
    def counts(self) -> Mapping[EntryStatus, int]:
        counted = Counter(entry.status for entry in self.entries)
        return {status: counted[status] for status in EntryStatus}

    @property
    def writes(self) -> int:
        """How many secrets would be written."""
        return len(self.entries) - self.counts[EntryStatus.SAME]


class DotenvFiles:
    def __init__(self, database: Database, sealer: Sealer, clock: Clock, secrets: Secrets) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._secrets = secrets

    def plan(self, actor: Actor, address: Address, text: Plaintext) -> ImportPlan:
        """Return what would come of the file; nothing is written. Raises Refused for what is no such file, and NotFound."""
        file = parse(text)
        if not file.entries and not file.bad_lines:
            raise Refused(
                "There is no line NAME=value in this text.",
                code="secrets.dotenv_empty",
                field="text",
                fix="Paste the whole file.",
            )
        with self._database.read() as tx:
            place = access.locate(tx, actor, Action.EDIT_SECRETS, address)
            access.require_there(tx, actor, Action.CREATE_SECRETS, place)
            folder = folders.at(tx, place.environment_id, place.path)
            if folder is None and place.path != "/":
                raise no_folder(place.path)
            reads = access.may_read_values(tx, actor, place)
            entries: list[PlannedEntry] = []
            for part in batches(file.entries, AT_ONCE):
                rows = secrets.secrets_of_names(tx, folder.id, [entry.name for entry in part]) if folder else []
                by_name = {row.name: row for row in rows}
                entries += [self._planned(place, entry, by_name.get(entry.name), reads=reads) for entry in part]
        rotated = [entry for entry in entries if entry.status is EntryStatus.ROTATED]
        bad_lines = sorted([*file.bad_lines, *map(_rotated, rotated)], key=lambda bad: bad.line)
        draft = None if bad_lines else self._draft(actor, place, text, entries)
        return ImportPlan(place, [entry for entry in entries if entry not in rotated], bad_lines, draft)

    def apply(self, actor: Actor, address: Address, draft: Sealed) -> ImportPlan:
        """Import what a draft holds: all of it, or nothing. Returns the plan that was carried out.

        Raises Refused for a draft of another place or person or too long ago, and when somebody changed one of the secrets
        since.
        """
        with self._database.read() as tx:
            place = access.locate(tx, actor, Action.EDIT_SECRETS, address)
        text, versions = self._opened(actor, place, draft)
        plan = self.plan(actor, address, text)
        if plan.bad_lines:
            raise changed_meanwhile()
        to_write = {entry.name for entry in plan.entries if entry.status is not EntryStatus.SAME}
        values = {entry.name: entry.value for entry in parse(text).entries if entry.name in to_write}
        self._secrets.put_all(actor, address, values, {name: versions.get(name, 0) for name in values})
        return plan

    def export(self, actor: Actor, address: Address, *, resolved: bool) -> WrittenDotenv:
        """Return the secrets of a folder as a file; the trail says so before.

        With ``resolved`` as programs read them: with what the folder imports, and with references replaced.
        """
        with self._database.read() as tx:
            access.locate(tx, actor, Action.READ_SECRET_VALUES, address)
        found = self._secrets.reader.list(actor, address, Reading(expand=resolved, imports=resolved))
        values: dict[str, Plaintext] = {}
        for secrets_of_one in (*(each.secrets for each in found.imports), found.secrets):
            values |= {secret.stored.name: secret.value for secret in secrets_of_one if secret.value is not None}
        return write(sorted(values.items(), key=lambda pair: pair[0]))

    def _planned(self, place: Place, entry: DotenvEntry, row: StoredSecret | None, *, reads: bool) -> PlannedEntry:
        if row is None:
            return PlannedEntry(entry.line, entry.name, EntryStatus.NEW, 0)
        if reads and value_of(self._sealer, place.project_id, row) == entry.value:
            status = EntryStatus.SAME
        elif row.secret_rotation_id is not None:
            status = EntryStatus.ROTATED
        else:
            status = EntryStatus.CHANGED if reads else EntryStatus.OVERWRITTEN
        return PlannedEntry(entry.line, entry.name, status, row.version)

    # --- the draft ----------------------------------------------------------------------------------------------------

    def _draft(self, actor: Actor, place: Place, text: Plaintext, entries: Sequence[PlannedEntry]) -> Sealed:
        versions = {entry.name: entry.version for entry in entries}
        packed = json.dumps(
            [actor.id, place.path, self._clock.now().isoformat(), versions, text.reveal()], ensure_ascii=False
        )
        return self._sealer.seal(Plaintext(packed), _context(place))

    def _opened(self, actor: Actor, place: Place, draft: Sealed) -> tuple[Plaintext, Mapping[str, int]]:
        """Return the file and the versions that were there. Raises Refused."""
        try:
            packed = self._sealer.open(draft, _context(place)).reveal()
        except Misconfigured as error:
            raise _no_draft() from error
        actor_id, path, at, versions, text = json.loads(packed)
        age = self._clock.now() - datetime.fromisoformat(at)
        if (actor_id, path) != (actor.id, place.path) or not timedelta(0) <= age <= DRAFT_LIFE:
            raise _no_draft()
        return Plaintext(text), versions


def _rotated(entry: PlannedEntry) -> BadLine:
    return BadLine(entry.line, f"'{entry.name}' comes from a secret rotation, which alone changes it.")


def _context(place: Place) -> SealContext:
    return SealContext("dotenv_drafts", place.environment_id, "draft")


def _no_draft() -> Refused:
    return Refused(
        "What was looked at is not there any more. Nothing was written.",
        code="secrets.draft_ended",
        fix="Paste the file once more.",
    )
