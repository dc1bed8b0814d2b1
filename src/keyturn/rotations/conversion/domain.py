"""A connection is made to sign in without a secret: which states it goes through, and when what is done. Pure.

    trusting -> proving -> watching -> done
        `----------`----------`-> withdrawing -> withdrawn     it failed, or somebody went back

Until *watching* the connection signs in as before; while it is watched the credential of before is kept, so that it can go back.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import bound_delay, not_after, shift
from keyturn.ports.provider import Trust
from keyturn.rotations.evidence.domain import LEAST_WINDOW

LEAST_WATCH = timedelta(hours=1)
USUAL_WATCH = timedelta(hours=24)
MOST_WATCH = timedelta(days=14)
PROOFS = 5
"""Sign-ins in a row: some servers of the provider lag behind others."""
PROOF_DEADLINE = timedelta(minutes=90)
"""A key of an issuer may be unknown for an hour, a new issuer for half of one."""
AGAIN = timedelta(seconds=15)
"""After what did not work and may work soon; and between two looks whether something is gone."""
LONGEST_PAUSE = timedelta(minutes=5)
LOOK_EVERY = timedelta(hours=1)
LOOK_AGAIN = timedelta(minutes=1)
"""After a look that raised doubt."""
DOUBTS = 3
"""Looks in a row that are refused before the connection goes back."""
ABSENCES = 2
"""Looks in a row that do not find it any more. They count once every replica would show what was asked for last."""
_REMOVAL = timedelta(minutes=1)
"""For removing it, and looking twice."""
GIVE_UP = timedelta(days=7)
"""Of removing what the application was made to trust, when nothing signs in any more."""


class ConversionState(StrEnum):
    TRUSTING = "trusting"
    """The application is being made to trust the identity of the server."""
    PROVING = "proving"
    WATCHING = "watching"
    """The connection signs in without a secret; the one of before is kept."""
    WITHDRAWING = "withdrawing"
    """The connection signs in as before; what the application was made to trust is being removed."""
    DONE = "done"
    """The secret of before is removed by its rotation, which has ended."""
    WITHDRAWN = "withdrawn"


UNDER_WAY = frozenset(
    {
        ConversionState.TRUSTING,
        ConversionState.PROVING,
        ConversionState.WATCHING,
        ConversionState.WITHDRAWING,
    }
)


class Step(StrEnum):
    TRUST = "trust"
    PROVE = "prove"
    PUBLISH = "publish"
    LOOK = "look"
    FINISH = "finish"
    TAKE_BACK = "take back"
    REMOVE = "remove"
    END = "end"


@dataclass(frozen=True)
class Conversion:
    """``tries`` and ``tried_at`` are about the state: proofs, doubts or absences in a row, and the newest of them.

    ``name`` is that of what the application is made to trust. ``rotated_before``: whether the rotation was enabled.
    ``settles_at`` is when every replica shows what was asked for last; None: nothing was. ``used_at`` and ``used_by`` say when
    somebody else was last reported to sign in with the credential of before. All three are by the provider's clock.
    """

    id: str
    connection_id: str
    org_id: str
    object_id: str
    state: ConversionState
    source: str
    name: str
    issuer: str
    subject: str
    audience: str
    method_before: str
    hash_before: str
    rotated_before: bool
    watch_seconds: int
    since: datetime
    created_at: datetime
    tries: int = 0
    tried_at: datetime | None = None
    settles_at: datetime | None = None
    used_at: datetime | None = None
    used_by: str | None = None
    wake_at: datetime | None = None
    version: int = 0
    reason: Mapping[str, Any] | None = None
    requested_by: Mapping[str, Any] | None = None
    ended_at: datetime | None = None

    @property
    def trust(self) -> Trust:
        return Trust(self.issuer, self.subject, self.audience)

    @property
    def under_way(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def rests(self) -> bool:
        """Whether the rotation of the connection's credential rests, so that the connection can go back to it."""
        return self.under_way and self.state is not ConversionState.WITHDRAWING

    @property
    def asked_back(self) -> bool:
        """Whether somebody asked to go back, which is still to be done."""
        return self.rests and bool((self.reason or {}).get("asked"))

    @property
    def left(self) -> bool:
        """Whether it was tried in vain to remove what the application was made to trust."""
        return bool((self.reason or {}).get("left"))

    @property
    def watched_until(self) -> datetime | None:
        """When the watch is over, as far as is known: whoever is seen to sign in with the credential of before puts it off."""
        if self.state is not ConversionState.WATCHING:
            return None
        return _until(self, self.since, self.used_at)

    def trust_removed_by(self, now: datetime) -> datetime | None:
        """Return by when what the application was made to trust is seen to be gone; None where nobody is about to remove it."""
        if self.state is not ConversionState.WITHDRAWING or self.left:
            return None
        return shift(max(self.settles_at or now, now), _REMOVAL)

    @property
    def used_until(self) -> datetime | None:
        """Until when somebody else counts as using the credential of before; None: nobody was seen to."""
        return self.used_at and shift(self.used_at, LEAST_WINDOW)


@dataclass(frozen=True)
class Due:
    """What is to be done, and not before this moment."""

    step: Step
    at: datetime


def decide(conversion: Conversion, now: datetime, spacing: timedelta, *, frozen: bool = False) -> Due | None:
    """Return the next step; None when it has come to its end. ``spacing`` lies between two proofs. Total.

    In a freeze nothing is given up: the watch goes on.

    What was put off by a clock that was wrong counts as now.
    """
    tried, state = conversion.tried_at, conversion.state
    if conversion.asked_back:
        return Due(Step.TAKE_BACK, _after(tried, LOOK_AGAIN, now))
    if state is ConversionState.TRUSTING:
        return Due(Step.TRUST, _after(tried, _patience(conversion), now))
    if state is ConversionState.PROVING:
        if conversion.tries >= PROOFS:
            return Due(Step.PUBLISH, now)
        return Due(Step.PROVE, _after(tried, spacing if conversion.tries else _patience(conversion), now))
    if state is ConversionState.WATCHING:
        return _watching(conversion, now, frozen=frozen)
    if state is ConversionState.WITHDRAWING:
        return _withdrawing(conversion, now)
    return None


def withdrawn(conversion: Conversion, now: datetime) -> dict[str, Any]:
    """Return what changes where it goes back: it has come to its end where the application was not asked for anything yet."""
    if conversion.state is ConversionState.TRUSTING and conversion.settles_at is None:
        return ended(now)
    return {"state": ConversionState.WITHDRAWING, "since": now, "tries": 0, "tried_at": None}


def ended(now: datetime) -> dict[str, Any]:
    """Return what changes where one that went back comes to its end."""
    return {"state": ConversionState.WITHDRAWN, "since": now, "ended_at": now, "wake_at": None}


def known_since(conversion: Conversion, now: datetime, *, clock_is_right: bool) -> datetime:
    """Return when the state began. By a clock that was ahead it would be waited for too little, and for too long."""
    return not_after(conversion.since, now) if clock_is_right else conversion.since


def _withdrawing(conversion: Conversion, now: datetime) -> Due:
    """It is looked for again as soon as every replica would show it."""
    if conversion.tries >= ABSENCES:
        return Due(Step.END, now)
    longest = LOOK_EVERY if conversion.left else LONGEST_PAUSE
    looked = _after(conversion.tried_at, AGAIN if conversion.tries else _patience(conversion, longest), now)
    settles_at = conversion.settles_at
    return Due(Step.REMOVE, min(looked, settles_at) if settles_at and settles_at > now else looked)


def _watching(conversion: Conversion, now: datetime, *, frozen: bool) -> Due:
    """A look comes before the end: the secret is removed only right after the connection has signed in without it."""
    used_at = conversion.used_at and not_after(conversion.used_at, now)
    until = _until(conversion, not_after(conversion.since, now), used_at)
    looked = _after(conversion.tried_at, LOOK_AGAIN if conversion.tries else LOOK_EVERY, now)
    if conversion.tries == 0 and conversion.tried_at is not None and until <= conversion.tried_at <= now:
        return Due(Step.LOOK, looked) if frozen else Due(Step.FINISH, now)
    return Due(Step.LOOK, min(looked, max(until, now)) if conversion.tries == 0 else looked)


def _until(conversion: Conversion, since: datetime, used_at: datetime | None) -> datetime:
    until = shift(since, timedelta(seconds=conversion.watch_seconds))
    return max(until, shift(used_at, LEAST_WINDOW)) if used_at else until


def _patience(conversion: Conversion, longest: timedelta = LONGEST_PAUSE) -> timedelta:
    """Wait longer the longer it did not work: what takes an hour is not tried hundreds of times."""
    waited = conversion.tried_at - conversion.since if conversion.tried_at else timedelta(0)
    return min(max(waited / 8, AGAIN), longest)


def _after(moment: datetime | None, pause: timedelta, now: datetime) -> datetime:
    return now if moment is None else bound_delay(moment + pause, now, pause)
