"""The time line of a connection's secrets as geometry: every bar in percent of the width, so that it fits any screen. Pure."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from keyturn.credentials.domain import Credential, State
from keyturn.kit.counting import counted, distance_in_words
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import in_zone, shift
from keyturn.rotations.store.observed import ObservedKey

SHOWN_ENDED = 4
ROW = 44
TOP = 30
BOTTOM = 26
_EDGE = 9
_TEXT_AT_MOST = 45.0
_STEPS = (1, 2, 3, 7, 14, 30, 61, 91, 182, 365, 730)
_MOST_TICKS = 5
_LEAST = timedelta(minutes=1)
"""The picture is at least so wide, also when now is the last moment of the calendar."""
At = Callable[[datetime], float]
"""Where a moment is, in percent of the width."""

_WORDS = {
    State.PLANNED: ("Planned", "pending"),
    State.ASKING: ("Being made", "pending"),
    State.ISSUED: ("Being proved", "pending"),
    State.PROVEN: ("Proved", "pending"),
    State.CURRENT: ("Current", "current"),
    State.RETIRING: ("Retiring", "retiring"),
    State.REVOKING: ("Being removed", "retiring"),
    State.LOST: ("Being removed", "retiring"),
    State.REVOKED: ("Removed", "ended"),
    State.ABANDONED: ("Never made", "ended"),
    State.UNREADABLE: ("Cannot be read", "pending"),
}


@dataclass(frozen=True)
class Secret:
    """One secret of the application, as the picture and its table show it. ``kind`` is how it is drawn."""

    name: str
    key_id: str | None
    hint: str | None
    status: str
    kind: str
    starts_at: datetime | None
    ends_at: datetime | None
    gone_at: datetime | None
    generation: int | None
    note: str = ""

    @property
    def until(self) -> datetime | None:
        """When it stops to sign in: removed, or at its end."""
        moments = [moment for moment in (self.gone_at, self.ends_at) if moment]
        return min(moments, default=None)

    def title(self, zone: ZoneInfo) -> str:
        """Say it in one sentence, for the pointer and for readers of the picture."""
        parts = [f"{self.name}: {self.status.lower()}"]
        if self.starts_at:
            parts.append(f"from {_day(self.starts_at, zone)}")
        if self.until:
            parts.append(f"to {_day(self.until, zone)}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Bar:
    """A drawn secret. Positions are percentages of the width; ``cut``: it goes on beyond the picture."""

    secret: Secret
    x: float
    width: float
    y: int
    cut: bool
    rest: float
    """Width of the time between its removal and the end that it would have had."""
    text_x: float


@dataclass(frozen=True)
class Tick:
    x: float
    label: str


@dataclass(frozen=True)
class TimeLine:
    """``today`` is where now is; ``secrets`` are all rows of the table, drawn or not."""

    bars: Sequence[Bar]
    ticks: Sequence[Tick]
    today: float
    height: int
    secrets: Sequence[Secret]
    summary: str


def secrets_of(journal: Iterable[Credential], foreign: Iterable[ObservedKey]) -> list[Secret]:
    """Return all secrets worth showing: ours newest first, then those of others that are still there."""
    ours = [_ours(row) for row in journal]
    others = [_foreign(observed_key) for observed_key in foreign if observed_key.gone_at is None]
    return ours + sorted(others, key=lambda each: (each.starts_at is None, each.starts_at), reverse=True)


def _ours(row: Credential) -> Secret:
    status, kind = _WORDS[row.state]
    if row.vanished:
        status, kind = "Gone", "ended"
    elif row.kept:
        status, kind = "Kept", "foreign"
    name = "Given by you" if row.adopted else f"Generation {row.generation}"
    return Secret(
        name,
        row.key_id,
        _short(row.hint),
        status,
        kind,
        row.starts_at,
        row.ends_at,
        row.removed_at if row.vanished else row.ended_at if row.state is State.REVOKED else None,
        row.generation,
        row.marker,
    )


def _foreign(observed_key: ObservedKey) -> Secret:
    name = observed_key.name or "No name"
    return Secret(
        name,
        observed_key.key_id,
        _short(observed_key.hint),
        "Not managed",
        "foreign",
        observed_key.starts_at,
        observed_key.ends_at,
        observed_key.gone_at,
        None,
    )


def _short(hint: str | None) -> str | None:
    """A thumbprint is told from others by its beginning, as a secret is by its own."""
    return hint[:8] if hint else None


def refuse_current(secrets: Iterable[Secret]) -> list[Secret]:
    """Return the secrets as they are when Entra ID refuses the current one: nothing is claimed of that any more."""
    return [
        replace(secret, status="Refused", kind="refused") if secret.kind == "current" else secret for secret in secrets
    ]


def draw(secrets: Sequence[Secret], now: datetime, zone: ZoneInfo) -> TimeLine:
    """Lay the secrets out. Of those that are gone the newest few are drawn; all are in the table."""
    each_secrets = [secret for secret in secrets if secret.kind != "ended" and secret.starts_at and secret.ends_at]
    each_secrets += [secret for secret in secrets if secret.kind == "ended" and secret.starts_at and secret.ends_at][
        :SHOWN_ENDED
    ]
    each_secrets.sort(key=lambda each: (each.kind == "foreign", each.starts_at or now))
    begin, end = _window(each_secrets, now)
    scale = 100 / (end - begin).total_seconds()

    def at(moment: datetime) -> float:
        return round(min(100.0, max(0.0, (moment - begin).total_seconds() * scale)), 3)

    bars = [_bar(secret, index, at, end) for index, secret in enumerate(each_secrets)]
    height = TOP + ROW * len(bars) + BOTTOM
    return TimeLine(bars, list(_ticks(begin, end, at, zone)), at(now), height, secrets, _summary(secrets, now))


def _bar(secret: Secret, index: int, at: At, end: datetime) -> Bar:
    starts, until, ends = secret.starts_at, secret.until, secret.ends_at
    if starts is None or until is None or ends is None:
        raise ValueError("a secret without dates has no bar")
    x = at(starts)
    width = max(0.6, round(at(until) - x, 3))
    rest = round(max(0.0, at(ends) - x - width), 3)
    return Bar(secret, min(x, 99.4), width, TOP + index * ROW, until > end, rest, min(x, _TEXT_AT_MOST))


def _window(secrets: Sequence[Secret], now: datetime) -> tuple[datetime, datetime]:
    """Span what is ours and a little around it; secrets of others may live for years, and are cut.

    So is the past of one that was given long ago: it would leave no room for the others.
    """
    ours = [secret for secret in secrets if secret.kind != "foreign"] or list(secrets)
    starts = [secret.starts_at for secret in ours if secret.starts_at]
    ends = [moment for secret in ours if (moment := secret.until if secret.kind == "ended" else secret.ends_at)]
    begin, end = min([*starts, shift(now, -_LEAST)]), max([*ends, shift(now, timedelta(days=1))])
    earliest = shift(now, -2 * max(end - now, timedelta(days=14)))
    begin = max(begin, earliest)
    margin = (end - begin) * 0.03
    return shift(begin, -margin), shift(end, margin)


def _ticks(begin: datetime, end: datetime, at: At, zone: ZoneInfo) -> Iterable[Tick]:
    days = (end - begin) / timedelta(days=1)
    step = next((size for size in _STEPS if days / size <= _MOST_TICKS), math.ceil(days / _MOST_TICKS))
    moment = shift(in_zone(begin, zone).replace(hour=0, minute=0, second=0, microsecond=0), timedelta(days=1))
    wide = days > 300
    while moment < end:
        x = at(moment)
        if _EDGE < x < 100 - _EDGE:
            yield Tick(x, f"{moment:%b %Y}" if wide else f"{moment.day} {moment:%b}")
        moment = shift(moment, timedelta(days=step))


def _summary(secrets: Sequence[Secret], now: datetime) -> str:
    """Count what signs in. One of which Entra ID tells no end has none that is known: it is not over for that."""
    lasting = [secret for secret in secrets if (secret.until > now if secret.until else secret.kind != "pending")]
    living = [secret for secret in lasting if secret.kind not in {"ended", "refused"}]
    current = next((secret for secret in secrets if secret.kind == "current"), None)
    text = f"{counted(len(living), 'secret signs', 'secrets sign')} in now."
    if current is None or current.until is None:
        return text
    return (
        f"{text} The current one {'ends' if current.until > now else 'ended'} {distance_in_words(current.until, now)}."
    )


def _day(moment: datetime, zone: ZoneInfo) -> str:
    here = in_zone(moment, zone)
    return f"{here.day} {here:%b %Y}"
