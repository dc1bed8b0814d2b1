"""What requests ask of rotations: of a connection that rotates, and of secrets that an application's secret goes to."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from keyturn.errors import Refused
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ownership.domain import WHO_MAKES_IT, OwnerChoice
from keyturn.ports.provider import RemoteApplication, RemoteCredential
from keyturn.ports.sign_in import Credentials
from keyturn.rotations.overlap import UNTIL_NEXT_ROTATION
from keyturn.rotations.schedule import Schedule, weekday_names
from keyturn.secrets.mapped import SecretNames


@dataclass(frozen=True)
class Adoption:
    """A secret or a certificate that was checked and may be taken over. ``accepted_at`` is by the provider's clock."""

    given: Credentials
    application: RemoteApplication
    key: RemoteCredential
    accepted_at: datetime


@dataclass(frozen=True)
class ScheduleChange:
    """What a request says about the schedule; None means unchanged.

    ``key_confirmed``: somebody answered for the key id of a credential of which the application's list does not tell.
    """

    interval_days: int | None = None
    hour: int | None = None
    minute: int | None = None
    time_zone: str | None = None
    key_id: str | None = None
    key_confirmed: bool = False
    weekdays: frozenset[int] | None = None

    def on(self, schedule: Schedule | None) -> Schedule:
        """Return the schedule after this change. Raises Refused when the first schedule is incomplete."""
        if schedule is None and (self.interval_days is None or self.hour is None):
            raise Refused(
                "To enable automatic rotation, say how often and at what time.",
                code="rotation.schedule_missing",
                fix="Send rotation.rotationInterval and rotation.rotateAtUtc (or rotation.rotateAt with a time zone).",
            )
        base = schedule or Schedule(30, 0, 0, "UTC")
        return Schedule(
            self.interval_days or base.interval_days,
            base.hour if self.hour is None else self.hour,
            base.minute if self.minute is None else self.minute,
            self.time_zone or base.time_zone,
            self.weekdays or base.weekdays,
        )


@dataclass(frozen=True)
class ConnectionChange:
    """What a request changes of a connection; None means unchanged, ``describe`` tells whether description was sent.

    ``read_credentials`` takes the place of ``credentials`` where only the connection's method tells how to read what was sent:
    given the method, it returns them, or raises Invalid or Refused. ``method`` is the one that they are said to be of, which
    counts where the connection switches to it by them. Without ``move_along`` a rotation that would move other
    connections along is refused, and they are named. ``key_id`` is that of the credentials, where they do not say it themselves.
    """

    name: str | None = None
    description: str | None = None
    describe: bool = False
    credentials: Credentials | None = None
    read_credentials: Callable[[str], Credentials] | None = None
    method: str | None = None
    enabled: bool | None = None
    schedule: ScheduleChange | None = None
    move_along: bool = True
    key_id: str | None = None
    key_confirmed: bool = False

    @property
    def of_credentials(self) -> bool:
        """Whether it is about what the connection signs in with, or about when that is replaced."""
        return bool(self.credentials or self.read_credentials or self.schedule) or self.enabled is not None

    @property
    def confirms_key_id(self) -> bool:
        """Whether somebody answered for the key id, with the credentials or with the schedule."""
        return self.key_confirmed or bool(self.schedule and self.schedule.key_confirmed)

    def for_method(self, method: str) -> "ConnectionChange":
        """Return the change with its credentials, as they are of this method."""
        return replace(self, credentials=self.read_credentials(method)) if self.read_credentials else self


@dataclass(frozen=True)
class NewSecretRotation:
    """The secret of an application is to be rotated into secrets of a project, signed in for by a connection.

    ``environment`` is a slug. ``object_id`` and ``client_id`` both name the application, and must name the same one.
    ``overlap`` is as :func:`keyturn.rotations.overlap.require_overlap` takes it.
    """

    name: str
    project_id: str
    environment: str
    path: str
    connection_id: str
    object_id: str
    client_id: str
    names: SecretNames
    schedule: Schedule
    description: str | None = None
    enabled: bool = True
    overlap: str = UNTIL_NEXT_ROTATION
    owner: OwnerChoice = WHO_MAKES_IT


@dataclass(frozen=True)
class SecretRotationChange:
    """What is to change of it; None: it stays. ``describe`` tells whether a description was sent.

    The application itself, the environment (its slug) and the folder stay: what is said of them is only compared.
    """

    name: str | None = None
    description: str | None = None
    describe: bool = False
    connection_id: str | None = None
    environment: str | None = None
    path: str | None = None
    object_id: str | None = None
    client_id: str | None = None
    names: SecretNames | None = None
    schedule: ScheduleChange | None = None
    enabled: bool | None = None
    overlap: str | None = None


@dataclass(frozen=True)
class HandedOver:
    """A secret that somebody made by hand, which readers are to see as the previous one: its Key ID and its value."""

    key_id: str
    value: Plaintext


def schedule_facts(schedule: Schedule) -> dict[str, Any]:
    return {
        "rotationInterval": schedule.interval_days,
        "rotateAt": f"{schedule.hour:02}:{schedule.minute:02}",
        "timeZone": schedule.time_zone,
        "weekdays": weekday_names(schedule.weekdays),
    }
