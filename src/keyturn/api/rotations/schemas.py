"""JSON of secret rotations: what is asked. What is answered is in ``views``."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from keyturn.api.approvals.schemas import ApprovalReason, EmergencyReason
from keyturn.api.connections.schemas import (
    Description,
    FreezeReason,
    Interval,
    RotateAt,
    RotateAtUtc,
    Weekdays,
    weekday_set,
)
from keyturn.api.owners.schemas import FirstOwner
from keyturn.api.secrets.schemas import Path, SecretName
from keyturn.kit.secret import Plaintext
from keyturn.ownership.domain import WHO_MAKES_IT
from keyturn.rotations.commands import HandedOver, NewSecretRotation, ScheduleChange, SecretRotationChange
from keyturn.rotations.overlap import UNTIL_NEXT_ROTATION
from keyturn.rotations.schedule import Schedule
from keyturn.secrets.mapped import SecretNames
from keyturn.web.schema.validate import Fault, NonEmpty, Slug, Uuid, coerced
from keyturn.web.schema.wire import ApiModel

CoercedInterval = Annotated[Interval, coerced]
Overlap = Annotated[
    NonEmpty,
    Meta(
        max_length=64,
        description="How long the previous secret keeps working: `until-next-rotation`; a time such as `12h` or `3d`; "
        "`until-consumers-switched`, or with a longest wait `until-consumers-switched:7d`; `until-unused`, or with a grace time "
        "`until-unused:3d`.",
        examples=[UNTIL_NEXT_ROTATION],
    ),
]


class RotationParameters(ApiModel):
    """The application at Entra ID; both ids must be of the same one. ``appName`` has no effect: its name is read there."""

    object_id: Uuid
    client_id: Uuid
    app_name: Annotated[str, Meta(max_length=256)] | None = None


class SecretsMapping(ApiModel):
    """The names of the two secrets that hold the application's client id and its current client secret."""

    client_id: Annotated[SecretName, Meta(min_length=1, examples=["AZURE_CLIENT_ID"])]
    client_secret: Annotated[SecretName, Meta(min_length=1, examples=["AZURE_CLIENT_SECRET"])]

    def check(self) -> Iterator[Fault]:
        if self.client_id == self.client_secret:
            yield Fault("Give the two secrets different names", path=("clientSecret",))

    def names(self) -> SecretNames:
        return SecretNames(self.client_id, self.client_secret)


class CreateSecretRotation(ApiModel):
    """``rotateAt`` wins over ``rotateAtUtc``; without either it is midnight UTC."""

    name: Slug
    project_id: Uuid
    connection_id: Uuid
    environment: Slug
    secret_path: Path
    rotation_interval: CoercedInterval
    parameters: RotationParameters
    secrets_mapping: SecretsMapping
    description: Description | None = None
    is_auto_rotation_enabled: bool = True
    rotate_at_utc: RotateAtUtc | None = None
    rotate_at: RotateAt | None = None
    overlap: Overlap = UNTIL_NEXT_ROTATION
    owner: FirstOwner | None = None
    weekdays: Weekdays | None = None

    def command(self) -> NewSecretRotation:
        return NewSecretRotation(
            name=self.name,
            project_id=self.project_id,
            environment=self.environment,
            path=self.secret_path,
            connection_id=self.connection_id,
            object_id=self.parameters.object_id,
            client_id=self.parameters.client_id,
            names=self.secrets_mapping.names(),
            schedule=_change(self).on(Schedule(self.rotation_interval, 0, 0, "UTC")),
            description=self.description or None,
            enabled=self.is_auto_rotation_enabled,
            overlap=self.overlap,
            owner=self.owner.command() if self.owner else WHO_MAKES_IT,
        )


class UpdateSecretRotation(ApiModel):
    """What is absent stays as it is; an empty description is removed.

    The application, the environment and the folder stay: they may be sent, and are refused when they are others.
    """

    name: Slug | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    connection_id: Uuid | None = None
    environment: Slug | None = None
    secret_path: Path | None = None
    rotation_interval: CoercedInterval | None = None
    rotate_at_utc: RotateAtUtc | None = None
    rotate_at: RotateAt | None = None
    parameters: RotationParameters | None = None
    secrets_mapping: SecretsMapping | None = None
    is_auto_rotation_enabled: bool | None = None
    overlap: Overlap | None = None
    weekdays: Weekdays | None = None

    def command(self) -> SecretRotationChange:
        schedule = _change(self)
        return SecretRotationChange(
            name=None if self.name is UNSET else self.name,
            description=None if self.description is UNSET else self.description or None,
            describe=self.description is not UNSET,
            connection_id=self.connection_id,
            environment=self.environment,
            path=self.secret_path,
            object_id=self.parameters.object_id if self.parameters else None,
            client_id=self.parameters.client_id if self.parameters else None,
            names=self.secrets_mapping.names() if self.secrets_mapping else None,
            schedule=None if schedule == ScheduleChange() else schedule,
            enabled=self.is_auto_rotation_enabled,
            overlap=self.overlap,
        )


def _change(sent: CreateSecretRotation | UpdateSecretRotation) -> ScheduleChange:
    change = ScheduleChange(sent.rotation_interval, weekdays=weekday_set(sent.weekdays))
    if sent.rotate_at:
        hour, _, minute = sent.rotate_at.time.partition(":")
        return replace(change, hour=int(hour), minute=int(minute), time_zone=sent.rotate_at.time_zone)
    if sent.rotate_at_utc:
        return replace(change, hour=sent.rotate_at_utc.hours, minute=sent.rotate_at_utc.minutes, time_zone="UTC")
    return change


class RotateSecrets(ApiModel):
    """``leaked``: the current secret and all that still overlap it are removed as soon as the new one works.

    ``freezeReason`` is asked for within a freeze, unless it leaked.
    """

    reason: Literal["manual", "leaked"] | None = None
    freeze_reason: FreezeReason | None = None
    approval_reason: ApprovalReason | None = None
    emergency_reason: EmergencyReason | None = None


class HandOverSecret(ApiModel):
    """A secret of the application that somebody made by hand."""

    key_id: Uuid
    client_secret: Annotated[Plaintext, Meta(min_length=1, max_length=200)]
    approval_reason: ApprovalReason | None = None

    def command(self) -> HandedOver:
        return HandedOver(self.key_id, self.client_secret)


class ReleaseSecret(ApiModel):
    """``keyId`` of a secret that nobody uses any more; ``confirmed``: not even who still holds it, or is seen to use it."""

    key_id: Uuid
    confirmed: bool = False
    approval_reason: ApprovalReason | None = None


# --- queries ----------------------------------------------------------------------------------------------------------


class OfProject(ApiModel):
    project_id: Uuid


class InFolder(ApiModel):
    project_id: Uuid
    environment: Slug
    secret_path: Path


class DeleteSecretRotation(ApiModel):
    """``deleteSecrets``: the two secrets go, too; else they stay as ordinary ones.

    ``revokeGeneratedCredentials``: the application's secrets that this server made are removed from Entra ID; else they stay
    valid until they end.
    """

    delete_secrets: bool = False
    revoke_generated_credentials: bool = False
    approval_reason: ApprovalReason | None = None
