"""JSON of app connections: what is answered. Nothing here can hold a secret."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from keyturn.connections.domain import Connection, Home
from keyturn.connections.holders import Sharing
from keyturn.connections.method_views import LastCheck, Refusal, SafeCredentials, last_check, refusal, safe
from keyturn.connections.sharing_views import CredentialSharing, shared
from keyturn.credentials.domain import Credential, State
from keyturn.kit import zones
from keyturn.kit.clock import iso
from keyturn.kit.moments import in_zone
from keyturn.providers.azure.manifest import MANIFEST
from keyturn.rotations import waits
from keyturn.rotations.domain import Run, coming_runs
from keyturn.rotations.schedule import Schedule, local_instant
from keyturn.rotations.store import Overview, StepRecord
from keyturn.web.wire import Timestamp, Wire

SHOWN_RUNS = 5
# --- connections ------------------------------------------------------------------------------------------------------


class AppConnectionOption(Wire):
    name: str
    app: str
    methods: list[str]
    oauth_client_id: str | UnsetType = UNSET


class AppConnectionOptions(Wire):
    app_connection_options: list[AppConnectionOption]


class ClockTimeUtc(Wire):
    hours: int
    minutes: int


class ClockTime(Wire):
    time: str
    time_zone: str


class ComingRun(Wire):
    at: Timestamp
    local: str


class ActiveRun(Wire):
    id: str
    reason: str
    started_at: Timestamp


class RotationShown(Wire):
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


class AppConnectionProject(Wire):
    id: str
    name: str
    slug: str
    type: str = "secret-manager"


class AppConnectionShown(Wire):
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
    certificate_expires_at: Timestamp | UnsetType = UNSET
    certificate_thumbprint: str | UnsetType = UNSET
    certificate_warning: str | UnsetType | None = UNSET
    oauth_account: str | UnsetType | None = UNSET
    credential_sharing: CredentialSharing | UnsetType = UNSET


class AppConnectionAnswer(Wire):
    app_connection: AppConnectionShown


class AppConnectionList(Wire):
    app_connections: list[AppConnectionShown]


class AvailableAppConnection(Wire):
    app: str
    name: str
    id: str
    project_id: str | None
    org_id: str


class AvailableAppConnections(Wire):
    app_connections: list[AvailableAppConnection]


class ClientShown(Wire):
    id: str
    name: str
    app_id: str


class ClientList(Wire):
    clients: list[ClientShown]


class ValidSecret(Wire):
    """A secret that still signs in after its connection was deleted; ``reason`` says why it was kept."""

    key_id: str | None
    display_name: str
    hint: str | None
    generation: int
    ends_at: Timestamp | None
    reason: str | None


class DeletedAppConnection(Wire):
    app_connection: AppConnectionShown
    stays_valid: list[ValidSecret]


# --- the journal, the runs, the test ----------------------------------------------------------------------------------


class JournalEntry(Wire):
    """``hint``: the first three characters of a client secret, or the thumbprint of a certificate."""

    id: str
    key_id: str | None
    display_name: str
    hint: str | None
    generation: int
    state: str
    adopted: bool
    starts_at: Timestamp | None
    ends_at: Timestamp | None
    planned_at: Timestamp | None
    asked_at: Timestamp | None
    issued_at: Timestamp | None
    proven_at: Timestamp | None
    published_at: Timestamp | None
    retired_at: Timestamp | None
    revoked_at: Timestamp | None
    revoke_after: Timestamp | None
    note: str | None


class Journal(Wire):
    credentials: list[JournalEntry]


class RunRequester(Wire):
    kind: str
    id: str | None
    name: str


class RunFailure(Wire):
    """``kind``: ``retryable``, or ``needs-action`` of somebody. ``requestId`` is for Microsoft's support."""

    code: str
    message: str
    fix: str | None
    kind: str
    request_id: str | None


class RunStep(Wire):
    step: str
    outcome: str
    started_at: Timestamp
    finished_at: Timestamp
    duration_ms: int
    repeats: int
    message: str | None


class RunShown(Wire):
    id: str
    reason: str
    state: str
    generation: int
    requested_by: RunRequester | None
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    duration_ms: int | None
    failure: RunFailure | None
    steps: list[RunStep]


class RunList(Wire):
    rotation_runs: list[RunShown]


class SignInFinished(Wire):
    app_connection: AppConnectionShown
    return_to: str | None


# --- making them ------------------------------------------------------------------------------------------------------


def options(oauth_client_id: str | None) -> AppConnectionOptions:
    methods = [method.key for method in MANIFEST.methods]
    return AppConnectionOptions([AppConnectionOption(MANIFEST.name, MANIFEST.app, methods, oauth_client_id or UNSET)])


def shown(
    connection: Connection,
    overview: Overview | None,
    home: Home | None,
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
        method=connection.method.value,
        version=connection.version,
        org_id=connection.org_id,
        project_id=connection.project_id,
        project=AppConnectionProject(home.id, home.name, home.slug) if home else None,
        is_auto_rotation_enabled=bool(overview and overview.rotation.enabled),
        credentials_hash=connection.credentials_hash,
        credentials=safe(connection),
        created_at=iso(connection.created_at),
        updated_at=iso(connection.updated_at),
        rotation=_rotation(overview, now) if overview else UNSET,
        last_check=last_check(connection),
        refusal=refusal(connection),
        certificate_expires_at=iso(connection.ends_at) if connection.ends_at else UNSET,
        certificate_thumbprint=facts.get("thumbprint", UNSET),
        certificate_warning=_warning(connection, overview, now),
        oauth_account=facts.get("account", UNSET),
        credential_sharing=shared(connection, sharing) if sharing else UNSET,
    )


def _warning(connection: Connection, overview: Overview | None, now: datetime) -> str | UnsetType | None:
    """Warn of a certificate's end, unless a new one will take its place in time."""
    if connection.ends_at is None:
        return UNSET
    replaced = overview and overview.rotation.enabled and now < connection.ends_at
    return None if replaced else connection.warning(now)


def _rotation(overview: Overview, now: datetime) -> RotationShown:
    rotation, run, schedule = overview.rotation, overview.run, overview.rotation.schedule
    zone = zones.shown(schedule.time_zone)
    return RotationShown(
        rotation_interval=schedule.interval_days,
        rotate_at_utc=_rotate_at_utc(schedule, rotation.due_at or now),
        rotation_status=rotation.status,
        next_rotation_at=_at(rotation.due_at),
        last_rotation_message=rotation.last_message or waits.doubt(rotation, now),
        rotate_at=ClockTime(f"{schedule.hour:02}:{schedule.minute:02}", schedule.time_zone),
        next_runs=[
            ComingRun(iso(at), in_zone(at, zone).isoformat(timespec="minutes"))
            for at in coming_runs(rotation, SHOWN_RUNS, now)
        ],
        is_paused=not rotation.enabled,
        active_run=ActiveRun(run.id, run.reason.value, iso(run.started_at or run.created_at)) if run else None,
        expires_at=_at(overview.current_ends_at),
        consecutive_failures=rotation.failures,
    )


def _rotate_at_utc(schedule: Schedule, on: datetime) -> ClockTimeUtc:
    """Return the schedule's time in UTC, as it is on the (local) day of this moment."""
    if schedule.time_zone == "UTC":
        return ClockTimeUtc(schedule.hour, schedule.minute)
    day = in_zone(on, zones.shown(schedule.time_zone)).replace(tzinfo=None)
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
    return ValidSecret(row.key_id, row.marker, row.hint, row.generation, _at(row.ends_at), row.note)


def journal_entry(row: Credential) -> JournalEntry:
    return JournalEntry(
        id=row.id,
        key_id=row.key_id,
        display_name=row.marker,
        hint=row.hint,
        generation=row.generation,
        state=row.state.value,
        adopted=row.adopted,
        starts_at=_at(row.starts_at),
        ends_at=_at(row.ends_at),
        planned_at=_at(row.planned_at),
        asked_at=_at(row.asked_at),
        issued_at=_at(row.issued_at),
        proven_at=_at(row.proven_at),
        published_at=_at(row.published_at),
        retired_at=_at(row.retired_at),
        revoked_at=_at(row.ended_at) if row.state is State.REVOKED else None,
        revoke_after=_at(row.revoke_after),
        note=row.note,
    )


def run(found: Run, steps: list[StepRecord]) -> RunShown:
    took = found.finished_at - (found.started_at or found.created_at) if found.finished_at else None
    return RunShown(
        id=found.id,
        reason=found.reason.value,
        state=found.state.value,
        generation=found.generation,
        requested_by=_requester(found.requested_by),
        created_at=iso(found.created_at),
        started_at=_at(found.started_at),
        finished_at=_at(found.finished_at),
        duration_ms=None if took is None else round(took.total_seconds() * 1000),
        failure=_failure(found.failure),
        steps=[_step(step) for step in steps],
    )


def _requester(by: Mapping[str, Any] | None) -> RunRequester | None:
    return RunRequester(_word(by, "kind"), by.get("id"), _word(by, "name")) if by else None


def _failure(said: Mapping[str, Any] | None) -> RunFailure | None:
    if not said:
        return None
    code, message, kind = (_word(said, name) for name in ("code", "message", "kind"))
    return RunFailure(code, message, said.get("fix"), kind, said.get("requestId"))


def _word(said: Mapping[str, Any], name: str) -> str:
    """A member of a stored document; words for what is not there."""
    return str(said.get(name) or "unknown")


def _step(step: StepRecord) -> RunStep:
    took = step.finished_at - step.started_at
    return RunStep(
        step.step,
        step.outcome,
        iso(step.started_at),
        iso(step.finished_at),
        round(took.total_seconds() * 1000),
        step.repeats,
        step.message,
    )


def _at(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None
