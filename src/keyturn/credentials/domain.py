"""The life of a password credential, from the plan to the proof that it is gone.

    planned -> asking -> issued -> proven -> current -> retiring -> revoking -> revoked
                 |          `---------------------------------------->'
                 |-> abandoned (never existed, confirmed)
                 `-> lost (exists, value unknown: being removed) -> revoked

The journal keeps one row per secret that this server asked for or adopted, and never deletes it.
"""

from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from keyturn.kit.clock_difference import WRONG
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import bound_delay, shift
from keyturn.kit.secret import SealContext, Sealed

MARKER_PREFIX = "keyturn"


class State(StrEnum):
    PLANNED = "planned"  # written down, not asked for
    ASKING = "asking"  # it may have been asked for: nobody knows whether it exists
    ISSUED = "issued"  # its value is known and sealed
    PROVEN = "proven"  # it signed in several times in a row
    CURRENT = "current"  # the one in use
    RETIRING = "retiring"  # replaced, and still promised to its readers
    REVOKING = "revoking"  # to be removed
    REVOKED = "revoked"  # gone
    ABANDONED = "abandoned"  # never made
    LOST = "lost"  # it exists, its value is not known: to be removed
    UNREADABLE = "unreadable"  # never stored: what its row says cannot be understood


MOVES: dict[State, frozenset[State]] = {
    State.PLANNED: frozenset({State.ASKING, State.ABANDONED}),
    State.ASKING: frozenset({State.ISSUED, State.LOST, State.ABANDONED}),
    State.ISSUED: frozenset({State.PROVEN, State.REVOKING}),
    State.PROVEN: frozenset({State.CURRENT, State.REVOKING}),
    State.CURRENT: frozenset({State.RETIRING}),
    State.RETIRING: frozenset({State.REVOKING, State.CURRENT}),  # somebody makes the previous one current again
    State.REVOKING: frozenset({State.REVOKED}),
    State.LOST: frozenset({State.REVOKED}),
    State.ABANDONED: frozenset({State.LOST}),  # a late replica showed that it existed after all
    State.REVOKED: frozenset({State.REVOKING}),  # a late replica showed it again
    State.UNREADABLE: frozenset(),
}

KEPT = "kept when the rotation ended"
SHARED = "other connections sign in with it"
USED_ELSEWHERE = "kept, used elsewhere"
OUT_OF_REACH = "expired, and nothing is left that could sign in to remove it"

ENDED = frozenset({State.REVOKED, State.ABANDONED})


@dataclass(frozen=True)
class Credential:
    """One row of the journal. ``value`` is sealed for :meth:`place` and kept only until the key is gone."""

    id: str
    rotation_id: str
    org_id: str
    object_id: str
    generation: int
    state: State
    marker: str
    run_id: str | None = None
    adopted: bool = False
    key_id: str | None = None
    hint: str | None = None
    value: Sealed | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    ask_token: int = 0
    ask_unknown: bool = False
    absences: int = 0
    absent_at: datetime | None = None
    proofs: int = 0
    proof_tries: int = 0
    proof_at: datetime | None = None
    not_yet_at: datetime | None = None
    revoke_after: datetime | None = None
    removed_at: datetime | None = None
    """When its removal was last asked for; of one that is handed out to readers, since when it is known to be gone."""
    retry_at: datetime | None = None
    retry_set_at: datetime | None = None
    tries: int = 0
    planned_at: datetime | None = None
    asked_at: datetime | None = None
    issued_at: datetime | None = None
    proven_at: datetime | None = None
    published_at: datetime | None = None
    retired_at: datetime | None = None
    retired_by: str | None = None
    ended_at: datetime | None = None
    note: str | None = None
    fingerprint: str | None = field(default=None, repr=False)
    wait_ends_at: datetime | None = None
    """Of one that was replaced: it goes before ``revoke_after`` once nobody holds it; how long it waits for those who announced
    how often they come. None: it is kept until then in any case."""
    grace_ends_at: datetime | None = None
    """Of one that was replaced and goes before ``revoke_after`` only once it is shown not to be used any more: until when it is
    kept in any case. None: its use decides nothing."""

    @property
    def kept(self) -> bool:
        """Whether the user chose to leave this key alone when its rotation ended."""
        return self.state in {State.CURRENT, State.RETIRING} and self.note == KEPT

    @property
    def used_elsewhere(self) -> bool:
        """Whether somebody made it by hand, and nobody has confirmed yet that it is not used any more."""
        return self.state is State.RETIRING and self.note == USED_ELSEWHERE

    @property
    def vanished(self) -> bool:
        """Whether it was handed out to readers and is known not to be at the provider any more, though nobody here removed it."""
        return self.state in {State.CURRENT, State.RETIRING} and self.removed_at is not None

    @property
    def promised(self) -> bool:
        """Whether its readers may rely on it for a while after it was replaced."""
        return self.revoke_after is not None and (self.retired_at is None or self.revoke_after > self.retired_at)

    @property
    def being_removed(self) -> bool:
        """Whether its removal is under way: begun, or about to begin since nothing was promised to its readers."""
        if self.state is State.RETIRING:
            return self.revoke_after is not None and not self.promised
        return self.state in {State.REVOKING, State.LOST}

    @property
    def begins_at(self) -> datetime | None:
        """The start of its life by the clock that its end was computed by: ours, or Entra's for one that a user supplied."""
        return self.asked_at or self.starts_at

    @property
    def seal_context(self) -> SealContext:
        return seal_context(self.id)


def seal_context(credential_id: str) -> SealContext:
    return SealContext("credentials", credential_id, "value")


def settled_at(published: datetime, settle: timedelta, now: datetime) -> datetime:
    """Return when every replica knows what was published then, also by a server whose clock was a little ahead.

    ``now`` is by the provider's clock: only so does a wrong one of ours not decide.
    """
    return bound_delay(shift(published, settle), now, settle + WRONG)


def marker(rotation_name: str, generation: int, nonce: str) -> str:
    """Return the display name of a new secret: readable in the portal, unique for ever, at most 80 characters."""
    return f"{MARKER_PREFIX} {rotation_name[:40]} g{generation} {nonce}"


def is_marker(name: str | None) -> bool:
    """Say whether a display name looks like one that a Keyturn server gave."""
    return bool(name) and str(name).startswith(MARKER_PREFIX + " ")
