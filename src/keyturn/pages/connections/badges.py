"""What a connection's marks say: short words, and the sentence behind them. Pure."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.connections.domain import Connection
from keyturn.errors import RefusalReason
from keyturn.kit.counting import counted
from keyturn.kit.dataclasses import dataclass
from keyturn.rotations.domain import Rotation, RotationState
from keyturn.rotations.run_schedule import next_attempt
from keyturn.web.html.render import ago

SOON = timedelta(days=7)
SHOWN_BEFORE_END = timedelta(days=30)


@dataclass(frozen=True)
class Badge:
    """A mark. ``reason`` says why; ``at`` is when something comes next, and ``at_label`` what."""

    text: str
    tone: str
    symbol: str = ""
    reason: str = ""
    at: datetime | None = None
    at_label: str = ""


def badges(
    connection: Connection,
    service: str,
    state: RotationState | None,
    now: datetime,
) -> list[Badge]:
    """Return the marks of a connection, the most urgent first. ``service`` is what signs it in, by name."""
    return [
        *_sign_in(connection, service, state.rotation if state else None, now),
        *(rotation_badges(state, now) if state else _secret_ends(connection, now)),
    ]


def _sign_in(connection: Connection, service: str, rotation: Rotation | None, now: datetime) -> Iterator[Badge]:
    result = connection.check_result or {}
    reason = " ".join(str(result[key]) for key in ("message", "fix") if result.get(key))
    if connection.refused_at:
        refusal = connection.refusal or {}
        cause = str(refusal.get("message") or "")
        yield Badge(refusal_title(connection, service), "bad", "warning", cause, connection.refused_at, "Since")
    elif connection.needs_reconnect:
        yield Badge("Reconnect needed", "bad", "warning", reason)
    elif result.get("transient"):
        yield Badge("Could not be checked", "warn", "clock", reason)
    elif result.get("ok") is False:
        yield Badge("Test failed", "bad", "warning", reason)
    warning, expired = connection.warning(now), bool(connection.ends_at and now >= connection.ends_at)
    replaced = rotation is not None and rotation.enabled and not expired
    if warning and connection.ends_at and not replaced:
        yield Badge(
            "Certificate expired" if expired else f"Certificate expires {ago(connection.ends_at, now)}",
            "bad" if expired else "warn",
            "clock",
            warning,
            connection.ends_at,
            "Certificate's end",
        )


def _secret_ends(connection: Connection, now: datetime) -> Iterator[Badge]:
    """Say in good time that a secret ends which nothing replaces."""
    ends_at = connection.secret_ends_at
    if ends_at is None or ends_at > now + SHOWN_BEFORE_END:
        return
    text = "Secret ended" if ends_at <= now else f"Secret ends {ago(ends_at, now)}"
    reason = "Nothing replaces it: enter another one, or set up rotation."
    yield Badge(text, "bad" if ends_at <= now + SOON else "warn", "clock", reason, ends_at, "Secret's end")


def without(matches: Sequence[Badge], texts: Collection[str]) -> list[Badge]:
    """Return the marks without a reason that stands in full elsewhere on the page."""
    return [
        replace(badge, reason="") if any(text in badge.reason for text in texts if text) else badge for badge in matches
    ]


def refusal_title(connection: Connection, service: str) -> str:
    """Say in few words what became of a connection that is refused."""
    if connection.needs_reconnect:
        return "Reconnect needed"
    vanished = _reason(connection) == RefusalReason.CREDENTIAL_UNKNOWN
    return f"Removed or changed in {service}" if vanished else f"Refused by {service}"


def sign_in_refused(connection: Connection) -> bool:
    """Whether it does not even sign in: then nothing is said to."""
    return connection.refused_at is not None and _reason(connection) != RefusalReason.PERMISSION


def credential_refused(connection: Connection) -> bool:
    """Whether it is the credential itself that is refused, and not what it is used for."""
    of_credential = {RefusalReason.CREDENTIAL_UNKNOWN, RefusalReason.CREDENTIAL_EXPIRED}
    return connection.refused_at is not None and _reason(connection) in of_credential


def _reason(connection: Connection) -> str | None:
    return (connection.refusal or {}).get("reason")


def rotation_badges(state: RotationState, now: datetime) -> Iterator[Badge]:
    """Return the marks of a rotation alone."""
    rotation, due = state.rotation, next_attempt(state)
    if not rotation.enabled:
        yield Badge(
            "Paused",
            "neutral",
            "pause",
            "Nothing is rotated until it is resumed.",
            state.current_ends_at,
            "Current secret ends",
        )
    if state.active_run:
        yield Badge("Rotating", "info", "rotate", "A rotation is under way.")
    elif rotation.status == "failed":
        yield Badge(
            "Rotation Failed", "bad", "warning", rotation.last_message or "", due, "Next attempt" if due else ""
        )
    elif due:
        text = "Rotating" if due <= now else f"Rotates {distance(due, now)}"
        yield Badge(text, "warn" if due - now < SOON else "info", "rotate", "", due, "Next rotation")


_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def distance(moment: datetime, now: datetime) -> str:
    """Return how far ahead the moment is, rounded: ``in 12 days``, ``in 3 hours``."""
    seconds = max(0.0, (moment - now).total_seconds())
    for size, unit in _UNITS:
        count = round(seconds / size)
        if count:
            return f"in {counted(count, unit)}"
    return "in a moment"
