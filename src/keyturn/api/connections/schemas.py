"""JSON of app connections: what is asked about those of any app. The rest is in ``app_types``; what is answered in ``views``."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from keyturn.api.approvals.schemas import ApprovalReason, EmergencyReason
from keyturn.api.owners.schemas import FirstOwner
from keyturn.connections.domain import NewConnection
from keyturn.kit import zones
from keyturn.kit.secret import Plaintext
from keyturn.ownership.domain import WHO_MAKES_IT
from keyturn.ports.sign_in import Credentials, SignInMethod
from keyturn.rotations.commands import ConnectionChange, ScheduleChange
from keyturn.rotations.schedule import MAX_INTERVAL_DAYS, MIN_INTERVAL_DAYS, WEEKDAYS
from keyturn.web.schema.paging import Window
from keyturn.web.schema.validate import (
    Fault,
    Sentence,
    Slug,
    Tests,
    Uuid,
    json_object,
    trimmed,
)
from keyturn.web.schema.wire import ApiModel

Description = Annotated[str, trimmed, Meta(max_length=256)]


Interval = Annotated[int, Meta(ge=MIN_INTERVAL_DAYS, le=MAX_INTERVAL_DAYS, description="Whole days.")]
WallTime = Annotated[
    str,
    trimmed,
    Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"),
    Sentence("Write the time as HH:MM, from 00:00 to 23:59"),
]

Weekdays = Annotated[
    list[Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]],
    Meta(
        min_length=1,
        max_length=7,
        description="The days on which it may run; a run on another day moves to the next of them. All when never said.",
        examples=[["tuesday", "wednesday", "thursday"]],
    ),
    Sentence("Choose one day at least"),
]
FreezeReason = Annotated[
    str,
    trimmed,
    Meta(min_length=1, max_length=500, description="Why a rotation cannot wait for the end of a freeze."),
]


def weekday_set(names: Sequence[str] | None) -> frozenset[int] | None:
    return None if names is None else frozenset(WEEKDAYS.index(name) for name in names)


# --- rotation ---------------------------------------------------------------------------------------------------------


class RotateAtUtc(ApiModel):
    hours: Annotated[int, Meta(ge=0, le=23)]
    minutes: Annotated[int, Meta(ge=0, le=59)]


def _unknown_zone(name: str) -> str | None:
    return None if name in zones.names() else zones.refusal(name)


class RotateAt(ApiModel):
    """A time on the clocks of a place, in summer and in winter."""

    time: WallTime
    time_zone: Annotated[str, trimmed, Tests(_unknown_zone)]


class RotationSettings(ApiModel):
    """A first schedule. ``rotateAt`` wins over ``rotateAtUtc``; one of them is needed.

    A certificate is known by itself; ``certificateKeyId`` is for one that Entra ID lists without its thumbprint.
    ``confirmKeyId`` answers for a key id that the list says nothing for or against: a wrong one removes another's credential.
    With ``moveOthersAlong`` false it is refused, and the others are named, when other connections hold the same credential;
    otherwise each rotation moves them along.
    """

    rotation_interval: Interval
    rotate_at_utc: RotateAtUtc | None = None
    rotate_at: RotateAt | None = None
    confirm_key_id: bool = False
    move_others_along: bool = True
    weekdays: Weekdays | None = None

    def check(self) -> Iterator[Fault]:
        if self.rotate_at_utc is None and self.rotate_at is None:
            yield Fault("Required: say at what time, with rotateAtUtc or rotateAt", path=("rotateAtUtc",))

    def command(self) -> ScheduleChange:
        return _schedule_change(self)


class RotationChange(ApiModel):
    """What is absent stays as it is. ``clientSecretKeyId`` names the stored secret, so that nobody has to type it again."""

    rotation_interval: Interval | None = None
    rotate_at_utc: RotateAtUtc | None = None
    rotate_at: RotateAt | None = None
    confirm_key_id: bool = False
    move_others_along: bool = True
    weekdays: Weekdays | None = None

    def command(self) -> ScheduleChange:
        return _schedule_change(self)


def _schedule_change(rotation: RotationSettings | RotationChange) -> ScheduleChange:
    change = ScheduleChange(
        rotation.rotation_interval,
        key_id=_key_id_of(rotation),
        key_confirmed=rotation.confirm_key_id,
        weekdays=weekday_set(rotation.weekdays),
    )
    if rotation.rotate_at:
        hour, _, minute = rotation.rotate_at.time.partition(":")
        return replace(change, hour=int(hour), minute=int(minute), time_zone=rotation.rotate_at.time_zone)
    if rotation.rotate_at_utc:
        at = rotation.rotate_at_utc
        return replace(change, hour=at.hours, minute=at.minutes, time_zone="UTC")
    return change


def _key_id_of(rotation: RotationSettings | RotationChange) -> str | None:
    """Return what the provider calls the credential that is to be taken over, whichever field of a method said so."""
    shared = {field.name for field in msgspec.structs.fields(RotationSettings)}
    own = [field.name for field in msgspec.structs.fields(rotation) if field.name not in shared]
    return next((value for name in own if (value := getattr(rotation, name))), None)


# --- connections ------------------------------------------------------------------------------------------------------


def values_of(model: ApiModel) -> dict[str, Any]:
    """Return the values of a model by their keys in JSON."""
    return {field.encode_name: getattr(model, field.name) for field in msgspec.structs.fields(model)}


class CredentialsModel(ApiModel):
    """Credentials of a method, with its fields; see ``app_types``."""

    method: ClassVar[SignInMethod]

    def submission(self) -> Credentials:
        return self.method.supplied(values_of(self))


class AppConnectionDraft(ApiModel, kw_only=True):
    """What the methods have in common. Gateways and platform-managed credentials are not offered."""

    name: Slug
    credentials: CredentialsModel
    description: Description | None = None
    project_id: Uuid | None = None
    is_auto_rotation_enabled: bool | None = None
    rotation: RotationSettings | None = None
    is_platform_managed_credentials: Literal[False] | None = None
    gateway_id: UnsetType | None = UNSET
    gateway_pool_id: UnsetType | None = UNSET
    owner: FirstOwner | None = None

    def check(self) -> Iterator[Fault]:
        if self.is_auto_rotation_enabled and self.rotation is None:
            yield Fault(
                "Required: to enable automatic rotation, send rotation.rotationInterval and rotation.rotateAtUtc",
                path=("rotation",),
            )

    def command(self) -> NewConnection:
        owner = self.owner.command() if self.owner else WHO_MAKES_IT
        return NewConnection(self.name, self.credentials.submission(), self.description or None, self.project_id, owner)

    def schedule(self) -> ScheduleChange | None:
        """Return the first schedule; None for a connection that is not to rotate."""
        return self.rotation.command() if self.is_auto_rotation_enabled and self.rotation else None

    @property
    def moves_others_along(self) -> bool:
        return self.rotation is None or self.rotation.move_others_along


class UpdateAppConnection(ApiModel):
    """What is absent stays as it is; an empty description is removed. ``credentials`` have the shape of the method.

    A connection by ``federated`` takes a client secret or a certificate instead where ``method`` says so.
    """

    name: Slug | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    credentials: Annotated[Plaintext, json_object] | None = None
    is_auto_rotation_enabled: bool | None = None
    rotation: RotationChange | None = None
    method: str | None = None
    is_platform_managed_credentials: Literal[False] | None = None
    gateway_id: UnsetType | None = UNSET
    approval_reason: ApprovalReason | None = None

    def command(self, read: Callable[[Mapping[str, object], str], Credentials]) -> ConnectionChange:
        """Return the change. ``read`` reads credentials in the shape of a method, which only the connection tells."""
        sent = self.credentials
        return ConnectionChange(
            name=None if self.name is UNSET else self.name,
            description=None if self.description is UNSET else self.description or None,
            describe=self.description is not UNSET,
            read_credentials=(lambda method: read(json.loads(sent.reveal()), method)) if sent else None,
            method=self.method,
            enabled=self.is_auto_rotation_enabled,
            schedule=self.rotation.command() if self.rotation else None,
            move_along=self.rotation is None or self.rotation.move_others_along,
        )


class RotateCredentials(ApiModel):
    """``leaked``: the current secret and all that still overlap it are removed as soon as the new one works.

    ``freezeReason`` is asked for within a freeze, unless it leaked.
    """

    reason: Literal["manual", "leaked"] | None = None
    freeze_reason: FreezeReason | None = None
    approval_reason: ApprovalReason | None = None
    emergency_reason: EmergencyReason | None = None


# --- queries ----------------------------------------------------------------------------------------------------------


class InProject(ApiModel):
    project_id: Uuid | None = None


class PartOfProject(Window):
    project_id: Uuid | None = None


class DeleteAppConnection(ApiModel):
    """``true`` removes all secrets of the rotation at the provider, ``false`` none; else those that this server made."""

    revoke_credentials: bool | None = None
    approval_reason: ApprovalReason | None = None


class RunsPage(ApiModel):
    """``before``: the ``createdAt`` of the last run of the page before."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    before: datetime | None = None
