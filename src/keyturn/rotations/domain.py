"""What the protocol speaks of: rotations, their runs, and all that is known of one at a moment. Values only."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from keyturn.credentials.domain import Credential, State
from keyturn.delivery.use_domain import Use
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.provider import Tenant
from keyturn.rotations.evidence.domain import Evidence
from keyturn.rotations.freezes.domain import FreezeWindows
from keyturn.rotations.schedule import Anchor, Schedule


class RotationKind(StrEnum):
    CONNECTION = "connection"  # the connection's own application; its current secret is the connection's credential
    APPLICATION = "application"  # any other application; its current secret is published to mapped secrets


CLIENT_SECRET = "client-secret"
"""The kind of credential that is rotated for other applications."""


class Reason(StrEnum):
    ENABLED = "enabled"
    SCHEDULED = "scheduled"
    MANUAL = "manual"
    EXPIRY = "expiry"
    LEAKED = "leaked"
    VANISHED = "vanished"


ASKED_FOR = frozenset({Reason.MANUAL, Reason.LEAKED})
"""Only a person gives these."""


class RunState(StrEnum):
    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepName(StrEnum):
    OPEN = "open"  # begin a run
    INSPECT = "inspect"  # read the application before the first write: it is there, may be written, and has a free slot
    PLAN = "plan"  # write down what will be asked for, under a marker that is unique for ever
    ANNOUNCE = "announce"  # write down that it is asked for from now on: it may exist even if this process dies
    ISSUE = "issue"  # ask the provider for it, once, and seal the answer
    RESOLVE = "resolve"  # the answer was lost: look for the marker at the provider
    PROVE = "prove"  # sign in with it
    PUBLISH = "publish"  # make it the current one, and say how long readers may rely on the one before
    RETIRE = "retire"  # that time is over: write down that the one before will be removed
    REMOVE = "remove"  # ask the provider to remove it
    CONFIRM = "confirm"  # see in the provider's list that it is gone
    SWEEP = "sweep"  # between runs: read the application, and note what others changed there


@dataclass(frozen=True)
class Rotation:
    """A policy on one application."""

    id: str
    kind: RotationKind
    org_id: str
    project_id: str | None
    connection_id: str | None
    name: str
    tenant: Tenant
    app_id: str
    object_id: str
    application_name: str
    schedule: Schedule
    enabled: bool = True
    retired: bool = False
    credential_kind: str = CLIENT_SECRET
    """What is rotated: the method by which the connection signs in, and the provider's name for the kind."""
    lifetime_days: int | None = None
    short_lifetime: bool = False
    overlap: str = "until-proven"
    generation: int = 0
    anchor: Anchor | None = None
    next_run_at: datetime | None = None
    moved_days: int = 0
    """By how many days at most it is later than the schedule asks for, since nothing is rotated then."""
    wake_at: datetime | None = None
    wake_set_at: datetime | None = None
    sweep_at: datetime | None = None
    paused_until: datetime | None = None
    status: str | None = None
    last_message: str | None = None
    failures: int = 0
    last_attempt_at: datetime | None = None
    last_rotated_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    slots: int | None = None
    """How many secrets the application may hold, as last seen; None: no small limit, or not seen yet."""
    unreadable: str | None = None
    """Says which of its stored values cannot be understood, and what to do."""

    @property
    def due_at(self) -> datetime | None:
        """When the next run will start by itself: the schedule or the guard; after a failed run, whoever asked for it,
        when the pause ends."""
        if not self.enabled or self.retired or self.next_run_at is None:
            return None
        return self.paused_until or self.next_run_at


@dataclass(frozen=True)
class Run:
    """One attempt to take a rotation from its generation to the next."""

    id: str
    rotation_id: str
    reason: Reason
    state: RunState
    created_at: datetime
    requested_by: dict[str, Any] | None = None
    slot_at: datetime | None = None
    generation: int = 0
    tries: int = 0
    inspected_at: datetime | None = None
    retry_at: datetime | None = None
    retry_set_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure: dict[str, Any] | None = None
    requested_at: datetime | None = None
    """When somebody last asked for it, or joined it."""

    @property
    def asked_for(self) -> bool:
        """Whether a person asked for it, or joined it: then it is tried again after a failure even if nothing is due."""
        return self.reason in ASKED_FOR or self.requested_by is not None


@dataclass(frozen=True)
class RotationState:
    """A rotation with what it has now: the current credential and the newest run, which may be under way.

    ``windows`` are when nothing is rotated.
    """

    rotation: Rotation
    current: Credential | None = None
    last_run: Run | None = None
    windows: FreezeWindows = ()

    @property
    def active_run(self) -> Run | None:
        return self.last_run if self.last_run and self.last_run.finished_at is None else None

    @property
    def failed(self) -> bool:
        """Whether the last run failed, and no other is under way."""
        return self.rotation.status == "failed" and self.active_run is None

    @property
    def current_ends_at(self) -> datetime | None:
        return self.current.ends_at if self.current else None


@dataclass(frozen=True)
class Snapshot:
    """All that decide() looks at: the policy, the journal's rows that have not ended, and the run under way."""

    rotation: Rotation
    journal: tuple[Credential, ...] = ()
    run: Run | None = None
    signer_is_own: bool = True
    """Whether what signs in is one of the journal's rows, as the rotation's target says."""
    uses: tuple[Use, ...] = ()
    """Who has which credential, where one waits until nobody does; else nothing."""
    evidence: Evidence | None = None
    """What the provider reported of their use, likewise."""
    seen_at: datetime | None = None
    """When it was read, by the provider's clock."""
    windows: FreezeWindows = ()
    """When nothing is changed, where something waits for its removal; else nothing."""
    signer_works_since: datetime | None = None
    """When the connection that signs in for another application last got its credentials, or was last seen to work."""

    @property
    def try_again_since(self) -> datetime | None:
        """What was put off before this moment is tried at once: who signs in works since then, or somebody asks for a run."""
        moments = (self.signer_works_since, self.run.requested_at if self.run else None)
        return max((moment for moment in moments if moment), default=None)

    @property
    def current(self) -> Credential | None:
        return next((row for row in self.journal if row.state is State.CURRENT), None)

    @property
    def stand_in(self) -> Credential | None:
        """What signs in for the next run once the current secret has ended: the newest of those replaced that still works.

        Until a new one is published it is not removed: it is the last that can make one.
        """
        current, now = self.current, self.seen_at
        if (
            not self.signer_is_own
            or self.rotation.retired
            or current is None
            or now is None
            or not _ended(current, now)
        ):
            return None
        replaced = [
            row
            for row in self.journal
            if row.state in {State.RETIRING, State.REVOKING} and row.value and row.published_at and not _ended(row, now)
        ]
        return max(replaced, key=lambda row: (row.published_at or now, row.generation), default=None)

    @property
    def own_signers(self) -> tuple[Credential, ...]:
        """What to sign in with, the best first: the current secret; once the rotation has ended, all whose value is known.

        In the place of a current secret that has ended its :attr:`stand_in` does.

        The newest by time is the best of those: a secret that a user typed has the generation of the one before it. What was
        never published comes last: a certificate whose registration was not confirmed may be the only one left to remove it.
        Nothing where somebody else signs in.
        """
        if not self.signer_is_own:
            return ()
        if self.current and not self.rotation.retired:
            return (self.stand_in, self.current) if self.stand_in else (self.current,)
        candidates = [row for row in self.journal if row.value and (row.published_at or self.rotation.retired)]
        best = sorted(
            candidates, key=lambda row: (bool(row.published_at), row.published_at or row.planned_at, row.generation)
        )
        return tuple(reversed(best))

    @property
    def own_signer(self) -> Credential | None:
        return next(iter(self.own_signers), None)

    @property
    def candidate(self) -> Credential | None:
        return next((row for row in self.journal if row.state in _ON_THE_WAY), None)

    @property
    def unresolved(self) -> Credential | None:
        return next((row for row in self.journal if row.state is State.ASKING), None)

    def newer_than(self, row: Credential) -> frozenset[str]:
        """Return the ids of those that were published after this one."""
        published = row.published_at
        later = (each for each in self.journal if published and each.published_at and each.published_at > published)
        return frozenset(each.id for each in later)

    @property
    def waiting(self) -> tuple[Credential, ...]:
        """Those that were replaced, and go once nobody holds them."""
        return tuple(row for row in self.journal if row.state is State.RETIRING and row.wait_ends_at and row.promised)

    @property
    def unreadable(self) -> str | None:
        """Says which row of the journal cannot be understood: nothing is decided from a part of the journal."""
        return next((row.note for row in self.journal if row.state is State.UNREADABLE), None)

    @property
    def awaiting_removal(self) -> tuple[Credential, ...]:
        return tuple(row for row in self.journal if row.state in {State.REVOKING, State.LOST})


def _ended(row: Credential, now: datetime) -> bool:
    return row.ends_at is not None and row.ends_at <= now


_ON_THE_WAY = frozenset({State.PLANNED, State.ISSUED, State.PROVEN})
