"""Who holds which credential: what programs last read or acknowledged, and what follows from that. Pure.

Nobody can ask a program what it signs in with. What is known is what it was handed out, and what it says itself. So a program
counts as holding a secret until something shows that it does not: it was given or acknowledged a newer one, or it announced
how often it comes and has stayed away.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from keyturn.delivery.domain import OTHERS
from keyturn.kit.clock_difference import WRONG
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import LAST, shift

MOST_INSTANCES = 1000
"""Of one identity that are told apart, for each credential."""
NOTED_EVERY = timedelta(minutes=1)
"""A program that comes more often than this is written down so often at most."""
BEFORE_RECORDING = "unknown"
"""The kind of those who may have read a credential before this server wrote down who does."""


@dataclass(frozen=True)
class Caller:
    """Who reads: an identity or a person, and the instance id that it gives itself; empty when it gives none."""

    kind: str
    id: str
    instance: str = ""

    @property
    def is_one(self) -> bool:
        """Whether it is known to be a single program: only then does what it reads next say what it has left."""
        return self.kind != BEFORE_RECORDING and self.instance not in {"", OTHERS}


@dataclass(frozen=True)
class Use:
    """What one caller showed of one credential. ``refresh`` is how often it announced to come; None: it never did.

    ``read_at`` is when it was last handed out, or was told that it still has the right one; ``acknowledged_at`` when the caller
    last said that it signs in with it. At least one of them is there.
    """

    credential_id: str
    caller: Caller
    first_at: datetime
    read_at: datetime | None = None
    acknowledged_at: datetime | None = None
    refresh: timedelta | None = None
    address: str | None = None

    @property
    def last_at(self) -> datetime:
        return max(at for at in (self.read_at, self.acknowledged_at, self.first_at) if at)


class Standing(StrEnum):
    """Whether somebody who had a credential has it still."""

    HOLDS = "holds"
    SWITCHED = "switched"
    SILENT = "silent"  # it announced how often it comes, and stayed away twice as long


@dataclass(frozen=True)
class Holder:
    """A caller that had the credential. ``until`` is how long it counts as holding it; None: as long as the credential is kept.

    ``switched_at`` is when it first read or acknowledged a newer one.
    """

    use: Use
    standing: Standing
    until: datetime | None = None
    switched_at: datetime | None = None

    @property
    def holds(self) -> bool:
        return self.standing is Standing.HOLDS


def holders(uses: Sequence[Use], credential_id: str, newer: Collection[str], now: datetime) -> list[Holder]:
    """Return everybody who ever had the credential, the longest first.

    ``uses`` are those of all credentials of the application; ``newer`` are those that were published after this one.
    """
    found = [_judge(own, others, newer, now) for own, others in _by_caller(uses, credential_id)]
    return sorted(found, key=lambda each: (each.use.first_at, each.use.caller.id, each.use.caller.instance))


def held_until(uses: Sequence[Use], credential_id: str, newer: Collection[str], now: datetime) -> datetime | None:
    """Return until when somebody counts as holding the credential: ``now`` when nobody does.

    None: as long as it is kept, because of somebody who never announced anything, or because nobody is known to have read it.
    """
    found = holders(uses, credential_id, newer, now)
    if not found:
        return None
    untils = [each.until for each in found if each.holds]
    ends = [until for until in untils if until is not None]
    return max(ends, default=now) if len(ends) == len(untils) else None


def _by_caller(uses: Sequence[Use], credential_id: str) -> Iterator[tuple[Use, list[Use]]]:
    others: dict[Caller, list[Use]] = {}
    for use in uses:
        if use.credential_id != credential_id:
            others.setdefault(use.caller, []).append(use)
    for use in uses:
        if use.credential_id == credential_id:
            yield use, others.get(use.caller, [])


def _judge(own: Use, others: list[Use], newer: Collection[str], now: datetime) -> Holder:
    if not own.caller.is_one:
        return Holder(own, Standing.HOLDS)  # one of them has it, whatever the others read since
    latest = max([own, *others], key=lambda use: use.last_at)
    acknowledged = [use for use in (own, *others) if _counts(use.acknowledged_at, latest.refresh, now)]
    if acknowledged:
        last = max(use.acknowledged_at for use in acknowledged if use.acknowledged_at)
        if own.acknowledged_at == last:
            return Holder(own, Standing.HOLDS, _end(last, latest.refresh, now))
        return _switched(own, [use for use in acknowledged if use.acknowledged_at == last])
    return _judge_by_reads(own, others, newer, now)


def _judge_by_reads(own: Use, others: list[Use], newer: Collection[str], now: datetime) -> Holder:
    """Judge a caller that acknowledges nothing, or has ceased to: what it was handed out last is what it has."""
    later = [use for use in others if _read_after(use, own, newer)]
    refresh = max([own, *others], key=lambda use: use.last_at).refresh
    if later:
        first = min(use.first_at for use in later)
        # It has the newer one. Until it comes again nobody knows whether it uses it.
        if refresh and now < (until := shift(first, refresh)) and until - now <= refresh + WRONG:
            return Holder(own, Standing.HOLDS, until)
        return _switched(own, later)
    if _counts(own.last_at, refresh, now):
        return Holder(own, Standing.HOLDS, _end(own.last_at, refresh, now))
    return Holder(own, Standing.SILENT, _last_end(own.last_at, refresh))


def _read_after(use: Use, own: Use, newer: Collection[str]) -> bool:
    """Whether this was handed out after the other, or in the same answer and is newer."""
    return (use.last_at, use.credential_id in newer) > (own.last_at, False)


def _switched(own: Use, to: list[Use]) -> Holder:
    return Holder(own, Standing.SWITCHED, switched_at=min(use.first_at for use in to))


def _counts(at: datetime | None, refresh: timedelta | None, now: datetime) -> bool:
    """Whether what was shown then counts still: for ever, unless the caller announced how often it comes."""
    if at is None:
        return False
    return refresh is None or (end := _end(at, refresh, now)) is None or end > now


def _end(at: datetime, refresh: timedelta | None, now: datetime) -> datetime | None:
    """Return when what was shown then ceases to count; None: not before the credential goes.

    What lies further ahead than that was dated by a wrong clock, and nobody knows when it was.
    """
    if refresh is None or at - now > WRONG:
        return None
    return _last_end(at, refresh)


def _last_end(at: datetime, refresh: timedelta | None) -> datetime:
    return LAST if refresh is None else shift(at, 2 * refresh + NOTED_EVERY)
