"""Rotations of an application's secret into secrets of a project, as values.

The rotation of the application is one, with its journal, runs and lease; of secret rotations it may have several, each with
names of its own in a folder of its own.
"""

from collections.abc import Sequence
from datetime import datetime

from keyturn.connections.domain import Connection
from keyturn.credentials.domain import Credential
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.rotations.domain import Reason, Rotation, RotationState, Run
from keyturn.rotations.freezes.domain import FreezeWindows
from keyturn.rotations.run_schedule import next_attempt
from keyturn.rotations.schedule import Schedule
from keyturn.secrets.domain import Place
from keyturn.secrets.mapped import SecretNames


@dataclass(frozen=True)
class SecretRotation:
    """Where the current secret of an application is published, and how often somebody there wants a new one."""

    id: str
    rotation_id: str
    org_id: str
    project_id: str
    environment_id: str
    folder_id: str
    connection_id: str
    name: str
    description: str | None
    schedule: Schedule
    enabled: bool
    overlap: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class GrantUse:
    """When what a person granted to a connection was used last, and is next; ``refresh_due_at`` None: only a person can help."""

    refreshed_at: datetime
    refresh_due_at: datetime | None


@dataclass(frozen=True)
class SecretRotationView:
    """All that is shown of one. ``rotation`` is that of the application: its schedule is the strictest of all its mappings.

    ``last_run`` is its newest run, which may still be under way; ``current`` the secret that is published; ``grant`` is there
    where a person signed in for the connection.
    """

    secret_rotation: SecretRotation
    names: SecretNames
    rotation: Rotation
    connection: Connection
    place: Place
    last_run: Run | None = None
    current: Credential | None = None
    grant: GrantUse | None = None
    windows: FreezeWindows = ()
    """When nothing is rotated."""

    @property
    def state(self) -> RotationState:
        """How the rotation of the application is."""
        return RotationState(self.rotation, self.current, self.last_run, self.windows)

    @property
    def active_index(self) -> int:
        """Which of two alternating slots the current secret counts as being in."""
        return slot_of(self.current) if self.current else 0

    @property
    def next_rotation_at(self) -> datetime | None:
        """When the next run starts by itself; None while this mapping asks for none."""
        return next_attempt(self.state) if self.secret_rotation.enabled else None

    @property
    def last_was_manual(self) -> bool:
        """Whether a person asked for the newest run; the first one counts as asked for."""
        return self.last_run is None or self.last_run.asked_for or self.last_run.reason is Reason.ENABLED


@dataclass(frozen=True)
class SecretRotationRef:
    """A secret rotation by name, with the application that it rotates. ``rotation_id`` is shared by those of one application."""

    id: str
    rotation_id: str
    name: str
    application_name: str
    place: Place
    connection_id: str


@dataclass(frozen=True)
class RotatedThrough:
    """The secret rotations whose applications are rotated through a connection. ``hidden`` is how many the actor may not see.

    ``more`` is how many they may see besides those that are named.
    """

    seen: Sequence[SecretRotationRef]
    hidden: int
    more: int = 0

    @property
    def count(self) -> int:
        return len(self.seen) + self.more + self.hidden


@dataclass(frozen=True)
class SharedWith:
    """The other secret rotations of the same application. ``hidden`` is how many the actor may not see."""

    seen: Sequence[SecretRotationRef]
    hidden: int

    @property
    def count(self) -> int:
        return len(self.seen) + self.hidden


@dataclass(frozen=True)
class Awaited:
    """A run that a caller waits for, by asking again and again, no longer than ``until``; None: nothing has to be waited for."""

    secret_rotation_id: str
    rotation_id: str
    run_id: str | None
    until: datetime


@dataclass(frozen=True)
class GeneratedCredential:
    """One secret of the application that works, with its value."""

    credential: Credential
    value: Plaintext


@dataclass(frozen=True)
class GeneratedCredentials:
    """The current secret and the newest previous one that still works, in the order of their slots."""

    view: SecretRotationView
    credentials: Sequence[GeneratedCredential]


def slot_of(row: Credential) -> int:
    """Return which of two alternating slots a secret counts as being in."""
    return max(0, row.generation - 1) % 2
