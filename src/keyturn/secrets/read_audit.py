"""Where reads of values are told, before any value is handed out. Who keeps them, and how, is not known here."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Protocol

from keyturn.audit.domain import AuditEvent, Subject
from keyturn.audit.record import is_recorded, record
from keyturn.db.unit import Database, Tx
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.secrets.domain import ReadValue

MOST_TOLD = 1000
"""Values of one list that are told one by one; of more, those that are credentials of the journal."""


@dataclass(frozen=True)
class Consumer:
    """Which program reads, in its own words. ``refresh_interval`` in seconds; ``in_use``: ids of keys that it signs in with."""

    ip: str = ""
    instance: str | None = None
    refresh_interval: int | None = None
    in_use: tuple[str, ...] = ()


UNNAMED = Consumer()


@dataclass(frozen=True)
class ValuesRead:
    """Values that are about to be handed out together, and the event that tells of it.

    ``key`` is the same for the same versions.
    """

    event: AuditEvent
    subject: Subject
    key: str
    facts: Mapping[str, object]
    values: Sequence[ReadValue]

    @cached_property
    def of_credentials(self) -> bool:
        """Whether one of the values is a credential of the journal, of which it is known who has it."""
        return any(value.credential_id for value in self.values)

    def once(self, actor: Actor, now: datetime) -> str:
        """Return the key of the event that is written once a minute."""
        return once(f"{self.key}:{actor.id}", now)

    def note(self, tx: Tx, actor: Actor, now: datetime) -> None:
        """Write the event down in the caller's transaction, unless there is one of this minute."""
        record(tx, actor, self.event, self.subject, now, self.once(actor, now), **self.facts)


class ReadAudit(Protocol):
    """Is told of reads."""

    def handed_out(self, actor: Actor, consumer: Consumer, read: ValuesRead) -> None:
        """Return when it is on the disk that the actor gets these values. Raises what then forbids to hand them out."""

    def unchanged(self, actor: Actor, consumer: Consumer, read: ValuesRead) -> None:
        """Count that the actor was told that the values they have are still right."""


class DirectReadAudit:
    """Writes the first read of a minute in a transaction of its own, and no other. For processes that serve no programs."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def handed_out(self, actor: Actor, consumer: Consumer, read: ValuesRead) -> None:
        now = self._clock.now()
        with self._database.read() as tx:
            if is_recorded(tx, read.once(actor, now)):
                return
        with self._database.write() as tx:
            read.note(tx, actor, now)

    def unchanged(self, actor: Actor, consumer: Consumer, read: ValuesRead) -> None:
        """Nobody asks a process that serves no programs who has which value."""


def once(key: str, now: datetime) -> str:
    """Return the key of an event that is written once a minute."""
    return f"{key}:{now.replace(second=0, microsecond=0).isoformat()}"
