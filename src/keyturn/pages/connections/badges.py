"""What a connection's marks say: short words, and the sentence behind them. Pure."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from keyturn.connections.domain import Connection
from keyturn.errors import RefusalReason
from keyturn.kit.counting import distance_in_words
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ends import URGENT_BEFORE_END, WARNS_BEFORE_END
from keyturn.rotations.domain import RotationState
from keyturn.rotations.run_schedule import next_attempt, replaced_in_time


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
        *_sign_in(connection, service, now, replaced=state is not None and replaced_in_time(state, now)),
        *(rotation_badges(state, now) if state else _secret_ends(connection, now)),
    ]


def _sign_in(connection: Connection, service: str, now: datetime, *, replaced: bool) -> Iterator[Badge]:
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
    if warning and connection.ends_at and not replaced:
        yield Badge(
            "Certificate expired" if expired else f"Certificate expires {distance_in_words(connection.ends_at, now)}",
            "bad" if expired else "warn",
            "clock",
            warning,
            connection.ends_at,
            "Certificate's end",
        )


def _secret_ends(connection: Connection, now: datetime) -> Iterator[Badge]:
    """Say in good time that a secret ends which nothing replaces."""
    ends_at = connection.secret_ends_at
    if ends_at is None or ends_at > now + WARNS_BEFORE_END:
        return
    text = "Secret ended" if ends_at <= now else f"Secret ends {distance_in_words(ends_at, now)}"
    reason = "Nothing replaces it: enter another one, or set up rotation."
    yield Badge(text, "bad" if ends_at <= now + URGENT_BEFORE_END else "warn", "clock", reason, ends_at, "Secret's end")


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
    elif state.failed:
        yield Badge(
            "Rotation Failed", "bad", "warning", rotation.last_message or "", due, "Next attempt" if due else ""
        )
    elif due:
        text = "Rotating" if due <= now else f"Rotates {distance_in_words(due, now)}"
        yield Badge(text, "info", "rotate", "", due, "Next rotation")
