"""What rows say about who is needed: a rule for each kind of condition. Pure: rows and ``now`` in, conditions out."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from keyturn.alarms.conditions.domain import (
    Condition,
    ConditionKind,
    ConditionSubject,
    Severity,
    days_before_end,
    severity_of_end,
    told_end,
)
from keyturn.audit.domain import SubjectKind
from keyturn.authz.permissions import Scope
from keyturn.connections.domain import Connection
from keyturn.kit.counting import counted, every
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift
from keyturn.kit.sentences import upper_first
from keyturn.rotations.domain import Reason, RotationState, RunState
from keyturn.rotations.run_schedule import next_attempt, replaced_in_time
from keyturn.rotations.secret_rotations.domain import SecretRotationView

OVERDUE_AFTER = timedelta(hours=1)
"""A run that is due begins within seconds; a pause after a failure is not counted here."""
SLACK = timedelta(days=3)
"""By so much more than its interval a current credential may be old: a run moves to its time of day, and may be late."""
GRANT_LIFE = timedelta(days=90)
"""What a person granted is forgotten by Entra ID when it was not used for so long.

https://learn.microsoft.com/en-us/entra/identity-platform/refresh-tokens#token-lifetime
"""
DUE_WITHIN = timedelta(days=1)


@dataclass(frozen=True)
class ConnectionState:
    """A connection. ``noun`` is what it signs in with; ``refreshed_at`` is when what a person granted was used last.

    ``converting``: it is being made to sign in without a secret, and its rotation rests.
    """

    connection: Connection
    noun: str
    rotating: RotationState | None = None
    refreshed_at: datetime | None = None
    converting: bool = False


@dataclass(frozen=True)
class About:
    """The subject of some conditions, where it lives and is shown, and what names its application."""

    subject: ConditionSubject
    place: Scope
    path: str
    application: str
    noun: str

    def condition(
        self,
        kind: ConditionKind,
        severity: Severity,
        cause: str,
        fix: str,
        *,
        of: str = "",
        since: datetime | None = None,
        ends_at: datetime | None = None,
    ) -> Condition:
        """Return one of these. ``of`` tells two of a kind apart that one subject may have."""
        key = ":".join(part for part in (kind.value, self.subject.kind.value, self.subject.id, of) if part)
        return Condition(kind, key, severity, self.subject, self.place, cause, fix, self.path, since, ends_at)


def of_connection(state: ConnectionState, now: datetime) -> Iterator[Condition]:
    """Yield the conditions of what a connection signs in with, and of the rotation of that: all but whether it signs in."""
    connection = state.connection
    about = about_connection(connection, state.noun)
    if state.rotating:
        for condition in _of_rotation(about, state.rotating, now, told=_told(connection)):
            # Nobody can resume it meanwhile: it goes on by itself, or its secret is not needed any more.
            if not (state.converting and condition.kind is ConditionKind.PAUSED_CREDENTIAL_ENDS):
                yield condition
    elif (ends_at := connection.credential_ends_at) and days_before_end(ends_at, now) is not None:
        yield _ends(about, ends_at, now, "Make a new one, and enter it here; or set up rotation.")
    if state.refreshed_at and not connection.refused_at and not connection.needs_reconnect:
        ends_at = shift(state.refreshed_at, GRANT_LIFE)
        if days_before_end(ends_at, now) is not None:
            cause = f"What was granted to '{connection.name}' at the sign-in was not used since "
            yield about.condition(
                ConditionKind.SIGN_IN_ENDS,
                severity_of_end(ends_at, now),
                f"{cause}{state.refreshed_at:%Y-%m-%d}, and {told_end(ends_at, now)}.",
                "Test the connection, which uses it; or sign in again.",
                ends_at=ends_at,
            )


def about_connection(connection: Connection, noun: str) -> About:
    return About(
        ConditionSubject(SubjectKind.CONNECTION, connection.id, connection.name),
        Scope(connection.org_id, connection.project_id, connection_id=connection.id),
        f"/app-connections/{connection.id}",
        f"application {connection.client_id}",
        noun,
    )


def about_secret_rotation(view: SecretRotationView, noun: str) -> About:
    """Return as a subject the rotation of an application whose secret becomes one of a project."""
    each, rotation = view.secret_rotation, view.rotation
    return About(
        ConditionSubject(SubjectKind.SECRET_ROTATION, each.id, each.name),
        Scope(each.org_id, each.project_id, view.place.environment, view.place.path, each.connection_id),
        f"/secret-rotations/{each.id}",
        f"'{rotation.application_name}' ({rotation.app_id})",
        noun,
    )


def of_secret_rotation(view: SecretRotationView, noun: str, now: datetime) -> Iterator[Condition]:
    """Yield the conditions of the rotation of an application whose secret becomes one of a project."""
    yield from _of_rotation(about_secret_rotation(view, noun), view.state, now, told="")


def _told(connection: Connection) -> str:
    """Return what is said of the connection already: a failure for the same reason is not said again."""
    return str((connection.refusal or {}).get("message") or "") if connection.refused_at else ""


# --- rotations --------------------------------------------------------------------------------------------------------


def _of_rotation(about: About, state: RotationState, now: datetime, *, told: str) -> Iterator[Condition]:
    rotation, run = state.rotation, state.last_run
    if rotation.retired:
        return
    if state.failed:
        yield from _failed(about, state, told)
    leaked = run is not None and run.reason is Reason.LEAKED and run.state in {RunState.ACTIVE, RunState.FAILED}
    if run and leaked:
        yield about.condition(
            ConditionKind.LEAK_OPEN,
            Severity.CRITICAL,
            f"The {about.noun} of {about.application} was reported as leaked, and still signs in.",
            "Watch the rotation here; if it has failed, repair its cause and rotate again.",
            since=run.created_at,
        )
    if not state.failed and not state.active_run:
        yield from _when(about, state, now)
    yield from _current_ends(about, state, now)


def _failed(about: About, state: RotationState, told: str) -> Iterator[Condition]:
    rotation, run = state.rotation, state.last_run
    failure = (run.failure if run and run.state is RunState.FAILED else None) or {}
    cause = str(failure.get("message") or rotation.last_message or "The rotation failed.")
    if told and told in cause:
        return
    next_try = next_attempt(state)
    kind = ConditionKind.ROTATION_FAILED if next_try else ConditionKind.ROTATION_HALTED
    again = (
        f"It is tried again on {next_try:%Y-%m-%d at %H:%M} UTC." if next_try else "It is not tried again by itself."
    )
    yield about.condition(
        kind,
        Severity.CRITICAL,
        cause,
        " ".join(part for part in (str(failure.get("fix") or ""), again) if part),
        since=(run.finished_at if run and failure else None) or rotation.last_attempt_at or rotation.updated_at,
    )


def _when(about: About, state: RotationState, now: datetime) -> Iterator[Condition]:
    """Yield that a run is due today, or should have begun long ago: the second is seen apart from what starts runs."""
    rotation, current = state.rotation, state.current
    due = next_attempt(state)
    if due is None:
        return
    began = current.published_at if current else rotation.created_at
    days = timedelta(days=rotation.schedule.interval_days + rotation.moved_days)
    oldest = shift(began, days + SLACK) if began else None
    if shift(due, OVERDUE_AFTER) < now or (oldest and oldest < now):
        age = f", its {about.noun} is {counted((now - began).days, 'day')} old" if began else ""
        yield about.condition(
            ConditionKind.ROTATION_OVERDUE,
            Severity.CRITICAL,
            f"{upper_first(about.application)} should rotate {every(rotation.schedule.interval_days)}"
            f"{age}, and no run has begun though one is due since {min(due, oldest or due):%Y-%m-%d %H:%M} UTC.",
            "Rotate now, and see whether a worker lives with: keyturn doctor",
            since=min(due, oldest or due),
        )
    elif due <= shift(now, DUE_WITHIN):
        yield about.condition(
            ConditionKind.ROTATION_DUE,
            Severity.NOTICE,
            f"The {about.noun} of {about.application} is replaced on {due:%Y-%m-%d at %H:%M} UTC.",
            "Nothing has to be done.",
            since=due,
        )


def _current_ends(about: About, state: RotationState, now: datetime) -> Iterator[Condition]:
    rotation, ends_at = state.rotation, state.current_ends_at
    if ends_at is None or days_before_end(ends_at, now) is None or replaced_in_time(state, now):
        return
    if not rotation.enabled:
        yield about.condition(
            ConditionKind.PAUSED_CREDENTIAL_ENDS,
            severity_of_end(ends_at, now),
            f"The rotation of {about.application} is paused, and its {about.noun} {_key(state)}{told_end(ends_at, now)}.",
            "Resume the rotation, or rotate now.",
            ends_at=ends_at,
        )
    else:
        yield _ends(about, ends_at, now, "Repair what keeps it from rotating, then rotate now.", _key(state))


def _key(state: RotationState) -> str:
    return f"with the Key ID {state.current.key_id} " if state.current and state.current.key_id else ""


def _ends(about: About, ends_at: datetime, now: datetime, fix: str, which: str = "") -> Condition:
    return about.condition(
        ConditionKind.CREDENTIAL_ENDS,
        severity_of_end(ends_at, now),
        f"The {about.noun} {which}of {about.application} {told_end(ends_at, now)}.",
        fix,
        ends_at=ends_at,
    )
