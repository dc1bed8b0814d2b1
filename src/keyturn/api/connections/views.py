"""JSON of app connections: what is answered. Nothing here can hold a secret."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from keyturn.api.connections.method_views import (
    FederatedIdentity,
    LastCheck,
    Refusal,
    SafeCredentials,
    last_check,
    refusal,
    safe,
)
from keyturn.api.connections.sharing_views import CredentialSharing, present_sharing
from keyturn.connections.domain import Connection
from keyturn.connections.holders import Sharing
from keyturn.credentials.domain import Credential
from keyturn.kit import zones
from keyturn.kit.clock import iso, iso_or_none
from keyturn.kit.moments import in_zone
from keyturn.ports.sign_in import AppProvider, SignInMethod
from keyturn.projects.domain import ProjectRef
from keyturn.providers.registry import Providers
from keyturn.rotations import waits
from keyturn.rotations.domain import RotationState, Run
from keyturn.rotations.run_schedule import coming_runs, next_attempt
from keyturn.rotations.schedule import Schedule, local_instant, weekday_names
from keyturn.web.schema.wire import ApiModel, Timestamp

SHOWN_RUNS = 5
# --- connections ------------------------------------------------------------------------------------------------------


class AppConnectionOption(ApiModel):
    name: str
    app: str
    methods: list[str]
    oauth_client_id: str | UnsetType = UNSET


class AppConnectionOptions(ApiModel):
    app_connection_options: list[AppConnectionOption]


class ClockTimeUtc(ApiModel):
    hours: int
    minutes: int


class ClockTime(ApiModel):
    time: str
    time_zone: str


class ComingRun(ApiModel):
    """``note`` says why a run is not when the schedule asks for it; null: it is."""

    at: Timestamp
    local: str
    note: str | None = None


class ActiveRun(ApiModel):
    id: str
    reason: str
    started_at: Timestamp


class RotationShown(ApiModel):
    """``rotateAtUtc`` of a schedule in another zone is the UTC time of its next run: it changes with daylight saving."""

    rotation_interval: int
    rotate_at_utc: ClockTimeUtc
    rotation_status: str | None
    next_rotation_at: Timestamp | None
    last_rotation_message: str | None
    rotate_at: ClockTime
    next_runs: list[ComingRun]
    is_paused: bool
    active_run: ActiveRun | None
    expires_at: Timestamp | None
    consecutive_failures: int
    weekdays: list[str]


class AppConnectionProject(ApiModel):
    id: str
    name: str
    slug: str
    type: str = "secret-manager"


class AppConnectionShown(ApiModel):
    id: str
    name: str
    description: str | None
    app: str
    method: str
    version: int
    org_id: str
    project_id: str | None
    project: AppConnectionProject | None
    is_auto_rotation_enabled: bool
    credentials_hash: str
    credentials: SafeCredentials
    created_at: Timestamp
    updated_at: Timestamp
    is_platform_managed_credentials: bool = False
    gateway_id: str | None = None
    gateway_pool_id: str | None = None
    rotation: RotationShown | UnsetType = UNSET
    last_check: LastCheck | None = None
    refusal: Refusal | None = None
    credential_ends_at: Timestamp | None = None
    certificate_expires_at: Timestamp | UnsetType = UNSET
    certificate_thumbprint: str | UnsetType = UNSET
    certificate_warning: str | UnsetType | None = UNSET
    oauth_account: str | UnsetType | None = UNSET
    federated_identity: FederatedIdentity | UnsetType = UNSET
    credential_sharing: CredentialSharing | UnsetType = UNSET


class AppConnectionAnswer(ApiModel):
    app_connection: AppConnectionShown


class AppConnectionList(ApiModel):
    app_connections: list[AppConnectionShown]


class AvailableAppConnection(ApiModel):
    app: str
    name: str
    id: str
    project_id: str | None
    org_id: str


class AvailableAppConnections(ApiModel):
    app_connections: list[AvailableAppConnection]


class ClientShown(ApiModel):
    id: str
    name: str
    app_id: str


class ClientList(ApiModel):
    clients: list[ClientShown]


class ValidSecret(ApiModel):
    """A secret that still signs in after its connection was deleted; ``reason`` says why it was kept."""

    key_id: str | None
    display_name: str
    hint: str | None
    generation: int
    ends_at: Timestamp | None
    reason: str | None


class DeletedAppConnection(ApiModel):
    app_connection: AppConnectionShown
    stays_valid: list[ValidSecret]


class SignInFinished(ApiModel):
    app_connection: AppConnectionShown
    return_to: str | None


# --- making them ------------------------------------------------------------------------------------------------------


def options(providers: Providers, oauth_client_id: str | None) -> AppConnectionOptions:
    return AppConnectionOptions([_option(provider, oauth_client_id) for provider in providers.all])


def _option(provider: AppProvider, oauth_client_id: str | None) -> AppConnectionOption:
    manifest, methods = provider.manifest, [method.key for method in provider.methods]
    client_id = oauth_client_id if provider.browser else None
    return AppConnectionOption(manifest.name, manifest.app, methods, client_id or UNSET)


def present_connection(
    connection: Connection,
    method: SignInMethod | None,
    state: RotationState | None,
    home: ProjectRef | None,
    now: datetime,
    sharing: Sharing | None = None,
) -> AppConnectionShown:
    """Show a connection, with its rotation if one was ever set up, and who else holds its credential."""
    facts = connection.facts or {}
    return AppConnectionShown(
        id=connection.id,
        name=connection.name,
        description=connection.description,
        app=connection.app,
        method=connection.method,
        version=connection.version,
        org_id=connection.org_id,
        project_id=connection.project_id,
        project=AppConnectionProject(home.id, home.name, home.slug) if home else None,
        is_auto_rotation_enabled=bool(state and state.rotation.enabled),
        credentials_hash=connection.credentials_hash,
        credentials=safe(connection, method),
        created_at=iso(connection.created_at),
        updated_at=iso(connection.updated_at),
        rotation=_rotation(state, now) if state else UNSET,
        last_check=last_check(connection),
        refusal=refusal(connection),
        credential_ends_at=iso_or_none(state.current_ends_at if state else connection.credential_ends_at),
        certificate_expires_at=iso(connection.ends_at) if connection.ends_at else UNSET,
        certificate_thumbprint=facts.get("thumbprint", UNSET),
        certificate_warning=_warning(connection, state, now),
        oauth_account=facts.get("account", UNSET),
        federated_identity=_federated(facts),
        credential_sharing=present_sharing(connection, sharing) if sharing else UNSET,
    )


def _federated(facts: Mapping[str, Any]) -> FederatedIdentity | UnsetType:
    if "tokenSource" not in facts:
        return UNSET
    return FederatedIdentity(facts["tokenSource"], facts.get("issuer", ""), facts.get("subject", ""))


def _warning(connection: Connection, state: RotationState | None, now: datetime) -> str | UnsetType | None:
    """Warn of a certificate's end, unless a new one will take its place in time."""
    if connection.ends_at is None:
        return UNSET
    replaced = state and state.rotation.enabled and now < connection.ends_at
    return None if replaced else connection.warning(now)


def _rotation(state: RotationState, now: datetime) -> RotationShown:
    rotation, schedule = state.rotation, state.rotation.schedule
    return RotationShown(
        rotation_interval=schedule.interval_days,
        rotate_at_utc=rotate_at_utc(schedule, rotation.due_at or now),
        rotation_status=rotation.status,
        next_rotation_at=iso_or_none(next_attempt(state)),
        last_rotation_message=rotation.last_message or waits.doubt(rotation, now),
        rotate_at=clock_time(schedule),
        next_runs=next_runs(state, now),
        is_paused=not rotation.enabled,
        active_run=active_run(state.active_run),
        expires_at=iso_or_none(state.current_ends_at),
        consecutive_failures=rotation.failures,
        weekdays=weekday_names(schedule.weekdays),
    )


def next_runs(state: RotationState, now: datetime) -> list[ComingRun]:
    zone = zones.display_zone(state.rotation.schedule.time_zone)
    coming = coming_runs(state, SHOWN_RUNS, now)
    return [
        ComingRun(iso(run.at), in_zone(run.at, zone).isoformat(timespec="minutes"), run.note or None) for run in coming
    ]


def active_run(run: Run | None) -> ActiveRun | None:
    return ActiveRun(run.id, run.reason.value, iso(run.started_at or run.created_at)) if run else None


def clock_time(schedule: Schedule) -> ClockTime:
    return ClockTime(f"{schedule.hour:02}:{schedule.minute:02}", schedule.time_zone)


def rotate_at_utc(schedule: Schedule, on: datetime) -> ClockTimeUtc:
    """Return the schedule's time in UTC, as it is on the (local) day of this moment."""
    if schedule.time_zone == "UTC":
        return ClockTimeUtc(schedule.hour, schedule.minute)
    day = in_zone(on, zones.display_zone(schedule.time_zone)).replace(tzinfo=None)
    try:
        at = local_instant(day, schedule)
    except (OverflowError, ValueError):
        return ClockTimeUtc(schedule.hour, schedule.minute)  # where the calendar ends
    return ClockTimeUtc(at.hour, at.minute)


def available(connection: Connection) -> AvailableAppConnection:
    return AvailableAppConnection(
        connection.app, connection.name, connection.id, connection.project_id, connection.org_id
    )


def valid_secret(row: Credential) -> ValidSecret:
    return ValidSecret(row.key_id, row.marker, row.hint, row.generation, iso_or_none(row.ends_at), row.note)
