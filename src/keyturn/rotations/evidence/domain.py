"""Whether a secret that was replaced is still used: what was reported of it, and what follows from that. Pure.

Absence proves nothing by itself. A secret counts as unused once it was observed for long enough, by every source, without a
use: longer than a program may live on a token, and longer than it was ever seen to pause. What was not observed is not unused.
"""

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from keyturn.kit.clock_difference import WRONG
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift
from keyturn.ports.use_reports import ReportSource, ReportTrouble, Unobservable

LEAST_WINDOW = timedelta(hours=28)
"""Of a token with continuous access evaluation, the longest life. A program that has one signs in no sooner.

https://learn.microsoft.com/entra/identity/conditional-access/concept-continuous-access-evaluation: "up to 28 hours".
"""
LOOKS_BACK = timedelta(days=30)
"""For so long Microsoft keeps sign-in logs with a licence. The longest pause between two uses is looked for in it.

https://learn.microsoft.com/entra/identity/monitoring-health/reference-reports-data-retention
"""
LOG_LAG = timedelta(hours=1)
"""Until then a sign-in counts as not reported yet: usually it takes minutes, at times longer."""
ACTIVITY_LAG = timedelta(hours=24)
"""https://learn.microsoft.com/entra/identity/monitoring-health/reference-log-latency"""
FRESH_LOG = timedelta(hours=2)
FRESH_ACTIVITY = timedelta(hours=26)
"""What was read longer ago says nothing of now."""
MOST_USERS = 50
"""Of a credential that are told apart."""


@dataclass(frozen=True)
class Pace:
    """When something was used first and last, and the longest pause in between that was seen."""

    first_at: datetime
    last_at: datetime
    longest_gap: timedelta = timedelta()

    def with_uses(self, moments: Sequence[datetime]) -> "Pace":
        """Return the pace with further uses, which may be the same again. Those between first and last change nothing."""
        first, last, gap = self.first_at, self.last_at, self.longest_gap
        for at in sorted(at for at in moments if at > last):
            gap, last = max(gap, at - last), at
        for at in sorted((at for at in moments if at < first), reverse=True):
            gap, first = max(gap, first - at), at
        return Pace(first, last, gap)

    @classmethod
    def of(cls, moments: Sequence[datetime]) -> "Pace":
        """Return the pace of at least one use."""
        return cls(min(moments), min(moments)).with_uses(moments)


@dataclass(frozen=True)
class ObservedUser:
    """Who signed in with a credential, as far as a log shows it: an address, and what it signed in to."""

    address: str
    resource: str
    pace: Pace


@dataclass(frozen=True)
class RefusedUser:
    """Who was refused with a credential that had been removed. ``certain``: the log names the credential itself."""

    address: str
    resource: str
    error: int
    first_at: datetime
    last_at: datetime
    certain: bool


@dataclass(frozen=True)
class ObservedUse:
    """All that was reported of one credential. ``reported_at`` is its last sign-in by whatever flow, as the activity says.

    ``credential_kind`` is what was presented at the last sign-in that the log shows, such as *client-secret*; empty: not told.
    """

    credential_id: str
    pace: Pace | None = None
    reported_at: datetime | None = None
    users: tuple[ObservedUser, ...] = ()
    refused: tuple[RefusedUser, ...] = ()
    credential_kind: str = ""

    @property
    def last_at(self) -> datetime | None:
        known = [at for at in (self.pace.last_at if self.pace else None, self.reported_at) if at]
        return max(known, default=None)

    @property
    def source(self) -> ReportSource:
        """What reported the last use."""
        by_log = self.pace is not None and self.pace.last_at == self.last_at
        return ReportSource.SIGN_IN_LOG if by_log else ReportSource.CREDENTIAL_ACTIVITY

    @property
    def longest_gap(self) -> timedelta:
        """The longest pause, of the credential as a whole or of one of its users: a weekly job has its own."""
        paces = [user.pace for user in self.users] + ([self.pace] if self.pace else [])
        return max((pace.longest_gap for pace in paces), default=timedelta())


@dataclass(frozen=True)
class Coverage:
    """What of an application's sign-ins was read: without a hole, from one moment to another.

    It begins with the oldest sign-in that the log showed: that the log was kept before is not known. ``more_before``: there are
    older ones that were not read yet. ``activity_at`` is when the credentials' activity was read last. A trouble is that of the
    last try.
    """

    since: datetime | None = None
    until: datetime | None = None
    more_before: bool = False
    activity_at: datetime | None = None
    log_trouble: ReportTrouble | None = None
    activity_trouble: ReportTrouble | None = None
    asked_at: datetime | None = None


@dataclass(frozen=True)
class Evidence:
    """All that was reported of the credentials of one application."""

    coverage: Coverage = field(default_factory=Coverage)
    uses: tuple[ObservedUse, ...] = ()

    def of(self, credential_id: str) -> ObservedUse:
        return next((use for use in self.uses if use.credential_id == credential_id), ObservedUse(credential_id))

    def why_silent(self, credential_id: str) -> tuple[ReportTrouble, ...]:
        """Return why no use of the credential was reported, as far as that is known; nothing where one was."""
        if self.of(credential_id).last_at:
            return ()
        return tuple(trouble for trouble in (self.coverage.log_trouble, self.coverage.activity_trouble) if trouble)


NOTHING_KNOWN = Evidence()


class VerdictKind(StrEnum):
    """The text is a promise: programs read it."""

    IN_USE = "in-use"
    QUIET = "quiet"
    NOT_OBSERVABLE = "not-observable"
    ACKNOWLEDGED = "acknowledged-elsewhere"


@dataclass(frozen=True)
class Verdict:
    """Whether a credential is still used.

    ``since``: of one in use, its last use; of a quiet one, when it was used last or else when it was watched from; of one that
    was acknowledged elsewhere, when the last program switched. ``window`` is how long it has to be quiet. ``until``: when it
    counts as quiet at the earliest, if nothing more is reported. ``unexplained``: it was used after every program that is known
    had switched.
    """

    kind: VerdictKind
    since: datetime | None = None
    sources: tuple[ReportSource, ...] = ()
    window: timedelta = LEAST_WINDOW
    until: datetime | None = None
    users: tuple[ObservedUser, ...] = ()
    troubles: tuple[ReportTrouble, ...] = ()
    unexplained: bool = False

    @property
    def releases(self) -> bool:
        """Whether it lets a removal go on that waits for it."""
        return self.kind in {VerdictKind.QUIET, VerdictKind.ACKNOWLEDGED}


def judge(
    evidence: Evidence, credential_id: str, newer: Sequence[str], switched_at: datetime | None, now: datetime
) -> Verdict:
    """Say whether the credential is still used.

    ``newer`` are the credentials that were published after it: this server signed in with each of them before, so a log that
    shows none of these sign-ins is not believed. ``switched_at`` is when the last of the programs that are known switched; None
    if one has not, or none is known. Total. A use that lies ahead of ``now`` counts as one of now.
    """
    use = evidence.of(credential_id)
    window, last = max(LEAST_WINDOW, min(use.longest_gap, LOOKS_BACK)), use.last_at
    if switched_at is not None and (last is None or last <= switched_at):
        return Verdict(VerdictKind.ACKNOWLEDGED, switched_at, window=window)
    shown = _shown(evidence.coverage, use, window)
    troubles = _troubles(evidence, newer, now)
    if shown and not troubles and shown.is_reached(evidence.coverage, now):
        return Verdict(VerdictKind.QUIET, last or evidence.coverage.since, _BOTH, window)
    until = shown.at if shown else None
    if last is not None and now - last < window + ACTIVITY_LAG:
        return _in_use(use, window, until, unexplained=switched_at is not None)
    if not troubles:
        troubles = (ReportTrouble(Unobservable.LAG, "It has not been watched for long enough yet."),)
    return Verdict(VerdictKind.NOT_OBSERVABLE, last, window=window, until=until, troubles=troubles)


_BOTH = (ReportSource.SIGN_IN_LOG, ReportSource.CREDENTIAL_ACTIVITY)


@dataclass(frozen=True)
class _Shown:
    """When what each source has read shows a credential unused for the window, should nothing more be reported."""

    by_log: datetime
    by_activity: datetime

    @property
    def at(self) -> datetime:
        return max(self.by_log, self.by_activity)

    def is_reached(self, coverage: Coverage, now: datetime) -> bool:
        """Whether both were read after that. What was read in the future counts as read now."""
        if coverage.until is None or coverage.activity_at is None:
            return False
        return self.by_log <= min(coverage.until, now) and self.by_activity <= min(coverage.activity_at, now)


def _shown(coverage: Coverage, use: ObservedUse, window: timedelta) -> _Shown | None:
    """None where the log covers nothing."""
    if coverage.since is None:
        return None
    last = use.last_at
    watched = coverage.since if last is None else max(last, coverage.since)
    # The activity knows each credential's last use, however long ago that was.
    return _Shown(shift(watched, window + LOG_LAG), shift(last or coverage.since, window + ACTIVITY_LAG))


def _in_use(use: ObservedUse, window: timedelta, until: datetime | None, *, unexplained: bool) -> Verdict:
    users = tuple(sorted(use.users, key=lambda user: user.pace.last_at, reverse=True))
    return Verdict(VerdictKind.IN_USE, use.last_at, (use.source,), window, until, users, unexplained=unexplained)


def _troubles(evidence: Evidence, newer: Sequence[str], now: datetime) -> tuple[ReportTrouble, ...]:
    """Return why what was read does not tell of now: each source has to be fresh, and the log has to show our own sign-ins."""
    coverage = evidence.coverage
    found: list[ReportTrouble] = []
    if not _fresh(coverage.until, FRESH_LOG, now):
        found.append(coverage.log_trouble or _NOT_READ)
    elif not any(evidence.of(credential_id).pace for credential_id in newer):
        found.append(_NOT_OURS)
    if not _fresh(coverage.activity_at, FRESH_ACTIVITY, now):
        if coverage.activity_trouble:
            found.append(coverage.activity_trouble)
        elif not found:  # where the log cannot be read, the activity is not asked for
            found.append(_NOT_READ)
    return tuple(dict.fromkeys(found))


def _fresh(at: datetime | None, age: timedelta, now: datetime) -> bool:
    """Whether it was read lately. What was read in the future was dated by a wrong clock, and nobody knows when it was."""
    return at is not None and shift(now, -age) <= at <= shift(now, WRONG)


_NOT_READ = ReportTrouble(Unobservable.LAG, "It has not been asked for yet.")
_NOT_OURS = ReportTrouble(
    Unobservable.LAG,
    "The sign-in log does not show the sign-ins of this server with the new secret: it lags, or it is not kept.",
)
