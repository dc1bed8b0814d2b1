"""JSON of secret rotations: what is answered. Values of secrets are in ``generated`` alone."""

from collections.abc import Sequence
from datetime import datetime

from keyturn.api.connections.history_views import JournalEntry, journal_entry
from keyturn.api.connections.views import (
    ActiveRun,
    ClockTime,
    ClockTimeUtc,
    ComingRun,
    ValidSecret,
    active_run,
    clock_time,
    next_runs,
    rotate_at_utc,
    valid_secret,
)
from keyturn.api.rotations.consumer_views import ConsumedSecretShown, consumed_secrets
from keyturn.credentials.domain import Credential
from keyturn.kit.clock import iso, iso_or_none
from keyturn.rotations import waits
from keyturn.rotations.domain import Rotation
from keyturn.rotations.schedule import weekday_names
from keyturn.rotations.secret_rotations.domain import (
    GeneratedCredentials,
    SecretRotationRef,
    SecretRotationView,
    SharedWith,
)
from keyturn.rotations.secret_rotations.history import usable_until
from keyturn.rotations.secret_rotations.kept_value import KeptValue
from keyturn.rotations.secret_rotations.service import DeletedSecretRotation
from keyturn.rotations.secret_rotations.signer_health import SignerHealth, signer_health
from keyturn.web.schema.wire import ApiModel, Timestamp

TYPE = "azure-client-secret"
CONNECTION = "azure-client-secrets"


class MappingTemplate(ApiModel):
    client_id: str
    client_secret: str


class RotationTemplate(ApiModel):
    secrets_mapping: MappingTemplate


class SecretRotationOption(ApiModel):
    """``template``: what the two secrets are usually called."""

    name: str
    type: str
    connection: str
    template: RotationTemplate


class SecretRotationOptions(ApiModel):
    secret_rotation_options: list[SecretRotationOption]


class ConnectionOfRotation(ApiModel):
    app: str
    name: str
    id: str


class EnvironmentOfRotation(ApiModel):
    slug: str
    name: str
    id: str


class FolderOfRotation(ApiModel):
    id: str
    path: str


class ParametersShown(ApiModel):
    object_id: str
    client_id: str
    app_name: str


class AppliedSchedule(ApiModel):
    """The strictest of all schedules on the application: it may be that of another rotation on it."""

    rotation_interval: int
    rotate_at: ClockTime
    weekdays: list[str]


class SignerShown(ApiModel):
    """The connection as the one that signs in. ``needsSignIn``: a person has to sign in again, on the connection's page.

    ``grantEndsAt``: when Entra ID forgets what that person granted, told in the last 45 days before. ``refusedAt``: since when
    Entra ID refuses the connection; ``code``, ``message`` and ``fix`` say why.
    """

    needs_sign_in: bool
    grant_ends_at: Timestamp | None
    refused_at: Timestamp | None
    code: str | None
    message: str | None
    fix: str | None


class SecretRotationShown(ApiModel):
    """``rotateAtUtc`` of a schedule in another zone is the UTC time of its next run: it changes with daylight saving.

    ``expiresAt`` is when the current secret ends at Entra ID.
    """

    id: str
    name: str
    description: str | None
    type: str
    project_id: str
    connection_id: str
    folder_id: str
    connection: ConnectionOfRotation
    environment: EnvironmentOfRotation
    folder: FolderOfRotation
    parameters: ParametersShown
    secrets_mapping: MappingTemplate
    is_auto_rotation_enabled: bool
    rotation_interval: int
    rotate_at_utc: ClockTimeUtc
    active_index: int
    rotation_status: str | None
    last_rotation_attempted_at: Timestamp | None
    last_rotated_at: Timestamp | None
    last_rotation_message: str | None
    is_last_rotation_manual: bool
    next_rotation_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
    rotate_at: ClockTime
    overlap: str
    applied_schedule: AppliedSchedule
    next_runs: list[ComingRun]
    active_run: ActiveRun | None
    expires_at: Timestamp | None
    consecutive_failures: int
    signer: SignerShown
    weekdays: list[str]
    last_rotation_job_id: str | None = None


class SecretRotationAnswer(ApiModel):
    secret_rotation: SecretRotationShown


class SecretRotationList(ApiModel):
    secret_rotations: list[SecretRotationShown]


class SharingSecretRotation(ApiModel):
    id: str
    name: str
    project_id: str
    environment: str
    secret_path: str


class SharedWithAnswer(ApiModel):
    """``hidden`` is how many others the caller may not see."""

    secret_rotations: list[SharingSecretRotation]
    hidden: int


class KeptValueShown(ApiModel):
    """The value that the two secrets keep as ordinary ones. ``worksUntil`` null: its end is not known.

    ``warning``: why it does not sign in, or not for long; null: it does.
    """

    works_until: Timestamp | None
    warning: str | None


class DeletedSecretRotationAnswer(ApiModel):
    """``staysValid`` lists the secrets that still sign in to Entra ID; ``consumers`` who had which one when it was deleted.

    ``keptValue`` is what its two secrets keep; null where they were deleted, or had no value.
    """

    secret_rotation: SecretRotationShown
    stays_valid: list[ValidSecret]
    consumers: list[ConsumedSecretShown]
    kept_value: KeptValueShown | None


class GeneratedCredentialShown(ApiModel):
    client_id: str
    client_secret: str
    key_id: str | None
    usable_until: Timestamp | None


class GeneratedCredentialsAnswer(ApiModel):
    """``activeIndex`` is the place of the current one."""

    generated_credentials: list[GeneratedCredentialShown]
    active_index: int
    rotation_id: str
    type: str


class RotationCredential(JournalEntry):
    """``usableUntil``: what holds this secret can rely on it until then; null once it is being removed or is gone."""

    usable_until: Timestamp | None


class RotationCredentials(ApiModel):
    credentials: list[RotationCredential]


# --- making them ------------------------------------------------------------------------------------------------------


def options() -> SecretRotationOptions:
    template = RotationTemplate(MappingTemplate("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"))
    return SecretRotationOptions([SecretRotationOption("Azure Client Secret", TYPE, CONNECTION, template)])


def present_rotation(view: SecretRotationView, now: datetime) -> SecretRotationShown:
    each, rotation, place = view.secret_rotation, view.rotation, view.place
    return SecretRotationShown(
        id=each.id,
        name=each.name,
        description=each.description,
        type=TYPE,
        project_id=each.project_id,
        connection_id=each.connection_id,
        folder_id=each.folder_id,
        connection=ConnectionOfRotation(view.connection.app, view.connection.name, view.connection.id),
        environment=EnvironmentOfRotation(place.environment, place.environment_name, place.environment_id),
        folder=FolderOfRotation(each.folder_id, place.path),
        parameters=ParametersShown(rotation.object_id, rotation.app_id, rotation.application_name),
        secrets_mapping=MappingTemplate(view.names.client_id, view.names.client_secret),
        is_auto_rotation_enabled=each.enabled,
        rotation_interval=each.schedule.interval_days,
        rotate_at_utc=rotate_at_utc(each.schedule, view.next_rotation_at or now),
        active_index=view.active_index,
        rotation_status=rotation.status,
        last_rotation_attempted_at=iso_or_none(rotation.last_attempt_at),
        last_rotated_at=iso_or_none(rotation.last_rotated_at),
        last_rotation_message=rotation.last_message or waits.doubt(rotation, now),
        is_last_rotation_manual=view.last_was_manual,
        next_rotation_at=iso_or_none(view.next_rotation_at),
        created_at=iso(each.created_at),
        updated_at=iso(each.updated_at),
        rotate_at=clock_time(each.schedule),
        overlap=each.overlap,
        applied_schedule=AppliedSchedule(
            rotation.schedule.interval_days,
            clock_time(rotation.schedule),
            weekday_names(rotation.schedule.weekdays),
        ),
        weekdays=weekday_names(each.schedule.weekdays),
        next_runs=next_runs(view.state, now),
        active_run=active_run(view.state.active_run),
        expires_at=iso_or_none(view.state.current_ends_at),
        consecutive_failures=rotation.failures,
        signer=_signer(signer_health(view, now)),
    )


def _signer(health: SignerHealth) -> SignerShown:
    return SignerShown(
        health.needs_sign_in,
        iso_or_none(health.grant_ends_at),
        iso_or_none(health.refused_at),
        health.code,
        health.message,
        health.fix,
    )


def answer(view: SecretRotationView, now: datetime) -> SecretRotationAnswer:
    return SecretRotationAnswer(present_rotation(view, now))


def present_rotations(views: Sequence[SecretRotationView], now: datetime) -> SecretRotationList:
    return SecretRotationList([present_rotation(view, now) for view in views])


def shared_with(result: SharedWith) -> SharedWithAnswer:
    return SharedWithAnswer(
        [sharing(ref) for ref in result.seen],
        result.hidden,
    )


def sharing(ref: SecretRotationRef) -> SharingSecretRotation:
    return SharingSecretRotation(ref.id, ref.name, ref.place.project_id, ref.place.environment, ref.place.path)


def kept_value(kept: KeptValue | None) -> KeptValueShown | None:
    return KeptValueShown(iso_or_none(kept.works_until), kept.warning) if kept else None


def present_deletion(result: DeletedSecretRotation, now: datetime) -> DeletedSecretRotationAnswer:
    valid = [valid_secret(row) for row in result.stays_valid]
    kept = kept_value(result.kept)
    return DeletedSecretRotationAnswer(
        present_rotation(result.view, now), valid, consumed_secrets(result.consumed), kept
    )


def present_credentials(result: GeneratedCredentials, now: datetime) -> GeneratedCredentialsAnswer:
    rotation, each = result.view.rotation, result.view.secret_rotation
    shown_credentials = [
        GeneratedCredentialShown(
            rotation.app_id,
            found.value.reveal(),
            found.credential.key_id,
            iso_or_none(usable_until(found.credential, rotation, now)),
        )
        for found in result.credentials
    ]
    return GeneratedCredentialsAnswer(shown_credentials, result.view.active_index, each.id, TYPE)


def credentials(view: SecretRotationView, rows: Sequence[Credential], now: datetime) -> RotationCredentials:
    return RotationCredentials([_credential(row, view.rotation, now) for row in rows])


def _credential(row: Credential, rotation: Rotation, now: datetime) -> RotationCredential:
    entry = journal_entry(row)
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    return RotationCredential(**fields, usable_until=iso_or_none(usable_until(row, rotation, now)))
