"""Who uses the secrets of an application: who holds which one, who has switched, and what a removal would stop. Reads only."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.credentials.domain import Credential, State
from keyturn.db.unit import Database, Tx
from keyturn.delivery import use_store as uses
from keyturn.delivery.use_domain import Caller, Holder, holders
from keyturn.errors import Refused
from keyturn.kit.actor import Actor, ActorKind
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.ports.use_reports import ReportTrouble
from keyturn.rotations import waits
from keyturn.rotations.consumers import counted_consumers
from keyturn.rotations.domain import Rotation, Snapshot
from keyturn.rotations.evidence.domain import ObservedUse, ObservedUser, Verdict, VerdictKind
from keyturn.rotations.secret_rotations import access as secret_access
from keyturn.rotations.secret_rotations.domain import SecretRotationView
from keyturn.rotations.store import consumers as store
from keyturn.rotations.store import evidence, policies
from keyturn.rotations.store import secret_rotations as rotations

SHORTEST_TOKEN = timedelta(minutes=60)
LONGEST_TOKEN = timedelta(minutes=90)
"""Entra ID gives each access token a life of its own between both.
https://learn.microsoft.com/entra/identity-platform/configurable-token-lifetimes: "a random value ranging between 60-90 minutes".
"""
LONGEST_CONTINUOUS_TOKEN = timedelta(hours=28)
"""Of a program that declares continuous access evaluation, to a resource that takes part in it.
https://learn.microsoft.com/entra/identity/conditional-access/concept-continuous-access-evaluation: "up to 28 hours".
"""
SHOWN = 200
"""Consumers of one secret that are shown one by one; those that hold it first."""
WARNED_BEFORE = timedelta(days=3)
TOLD_SINCE = timedelta(days=2)
"""For so long it is told that a secret that was removed is still in use."""
_MOST = 500


@dataclass(frozen=True)
class SecretConsumer:
    """Somebody who has or had a secret. ``name`` None: the actor may not see who it is, or nobody knows."""

    holder: Holder
    name: str | None = None
    visible: bool = True


@dataclass(frozen=True)
class ConsumedSecret:
    """A secret that may work, with who has or had it. ``holding`` is how many count as holding it.

    ``goes_at``: when it is removed if nobody shows anything new; None where that is not planned. ``verdict`` is whether one that
    was replaced is still used, by all that is known; ``observed`` is what was reported of its use, None where that was never
    asked for; ``why_silent`` is why nothing was.
    """

    credential: Credential
    consumers: Sequence[SecretConsumer]
    total: int
    holding: int
    goes_at: datetime | None
    verdict: Verdict | None = None
    observed: ObservedUse | None = None
    why_silent: Sequence[ReportTrouble] = ()

    @property
    def waits(self) -> bool:
        """Whether it would have gone by now if nobody held it."""
        return self.credential.state is State.RETIRING and self.credential.wait_ends_at is not None

    @property
    def in_use(self) -> bool:
        """Whether the provider reports that it is used, though it was replaced."""
        return self.verdict is not None and self.verdict.kind is VerdictKind.IN_USE

    @property
    def unknown(self) -> bool:
        """Whether nobody is known to have read it: then everybody may hold it."""
        return self.total == 0


@dataclass(frozen=True)
class UseOfEnding:
    """A secret of an application that is held while it is about to go, or is gone (``dead``).

    ``seen`` are those whom the provider reports to sign in with it while it still works.
    """

    rotation_id: str
    credential: Credential
    goes_at: datetime | None
    dead: bool
    holders: Sequence[Holder]
    seen: Sequence[ObservedUser] = ()


@dataclass(frozen=True)
class SlotWait:
    """A rotation whose next run finds no room while a previous secret waits for its consumers."""

    rotation: Rotation
    credential: Credential
    until: datetime


class SecretConsumers:
    """Shows who uses what. All raise NotFound or Forbidden."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def of(self, actor: Actor, secret_rotation_id: str) -> tuple[SecretRotationView, Sequence[ConsumedSecret]]:
        """Return every secret that may work, the newest first, with who has or had it."""
        with self._database.read() as tx:
            view = secret_access.get_view(tx, actor, Action.READ_ROTATIONS, secret_rotation_id)
            return view, consumed_secrets(tx, actor, view, self._clock.now())

    def after_removal(self, actor: Actor, secret_rotation_id: str) -> Sequence[ConsumedSecret]:
        """Return the secrets that were removed in the last days and that somebody was heard of to use since, with who that is."""
        now = self._clock.now()
        with self._database.read() as tx:
            view = secret_access.get_view(tx, actor, Action.READ_ROTATIONS, secret_rotation_id)
            rows = store.ending(tx, actor.org_id, now - TOLD_SINCE, now, _MOST, view.rotation.id)
            gone = [row for row in rows if row.state is State.REVOKED]
            snapshot = _with_uses(tx, view.rotation.id) if gone else None
            found = [use for row in gone if snapshot and (use := _use_of_ending(snapshot, row, now))]
            sight = _Sight.of(tx, actor, view, {each.use.caller for one in found for each in one.holders})
            return [
                ConsumedSecret(
                    one.credential,
                    [sight.consumer(each) for each in one.holders[:SHOWN]],
                    len(one.holders),
                    len(one.holders),
                    None,
                )
                for one in found
            ]

    def visible(self, actor: Actor, secret_rotation_id: str) -> Sequence[ConsumedSecret]:
        """As :meth:`of`, for a page of something else: nothing where the actor may not read the secret rotation."""
        with self._database.read() as tx:
            view = rotations.view(tx, secret_rotation_id)
            if view is None or not secret_access.is_allowed_on(tx, actor, Action.READ_ROTATIONS, view):
                return ()
            return consumed_secrets(tx, actor, view, self._clock.now())


def consumed_secrets(tx: Tx, actor: Actor, view: SecretRotationView, now: datetime) -> Sequence[ConsumedSecret]:
    """Return the secrets of the application that may work, the newest first, as the actor may see their consumers."""
    snapshot = _with_uses(tx, view.rotation.id)
    rows = [row for row in snapshot.journal if row.published_at] if snapshot else []
    if snapshot is None or not rows:
        return []
    known = {row.id: holders(snapshot.uses, row.id, snapshot.newer_than(row), now) for row in rows}
    shown = {row.id: sorted(known[row.id], key=lambda each: not each.holds)[:SHOWN] for row in rows}
    sight = _Sight.of(tx, actor, view, {each.use.caller for found in shown.values() for each in found})
    return [
        ConsumedSecret(
            row,
            [sight.consumer(each) for each in shown[row.id]],
            len(known[row.id]),
            sum(each.holds for each in known[row.id]),
            _goes_at(row, snapshot, now),
            waits.verdict(row, snapshot, now) if row.state is not State.CURRENT else None,
            snapshot.evidence.of(row.id) if snapshot.evidence else None,
            snapshot.evidence.why_silent(row.id) if snapshot.evidence else (),
        )
        for row in sorted(rows, key=lambda row: row.published_at or now, reverse=True)
    ]


def require_unused(
    tx: Tx, actor: Actor, view: SecretRotationView, row: Credential, now: datetime, *, confirmed: bool
) -> None:
    """Raise Refused, naming them, when consumers hold a secret that somebody wants removed, unless that was confirmed.

    Also when the provider reports that it is in use.
    """
    held = next((each for each in consumed_secrets(tx, actor, view, now) if each.credential.id == row.id), None)
    if held and held.in_use and not confirmed:
        raise _seen_in_use(held)
    if confirmed or held is None or not held.holding:
        return
    holding = [each for each in held.consumers if each.holder.holds]
    names = [each.name or _unnamed(each) for each in holding]
    words = ", ".join(list(dict.fromkeys(names))[:5])
    raise Refused(
        f"{counted_consumers(held.holding)} may still use this secret: {words}. They stop signing in when it is removed.",
        code="rotation.held_by_consumers",
        fix="Have them read the current one first, or say that you know, with 'confirmed'.",
        field="confirmed",
        details=[
            {
                "name": each.name,
                "instance": each.holder.use.caller.instance if each.visible else None,
                "lastSeenAt": each.holder.use.last_at.isoformat(),
            }
            for each in holding[:20]
        ],
    )


def _seen_in_use(held: ConsumedSecret) -> Refused:
    users = held.verdict.users if held.verdict else ()
    words = f": {', '.join(user.address or 'no address' for user in users[:5])}" if users else ""
    return Refused(
        f"The provider reports that this secret is in use{words}. Whoever uses it stops signing in when it is removed.",
        code="rotation.seen_in_use",
        fix="Have them read the current one first, or say that you know, with 'confirmed'.",
        field="confirmed",
        details=[
            {"address": user.address, "resource": user.resource, "lastAt": user.pace.last_at.isoformat()}
            for user in users[:20]
        ],
    )


def _unnamed(each: SecretConsumer) -> str:
    return "somebody who was deleted" if each.visible else "somebody whom you may not see"


def in_use_and_ending(tx: Tx, org_id: str, now: datetime) -> Sequence[UseOfEnding]:
    """Return the secrets that are held and will be gone within three days, and those that are used though they are gone.

    Who was never heard of again since it was removed does not count as using one that is gone. A few statements, whatever
    there is; no permission is asked: what is told of it to whom, the caller decides.
    """
    rows = store.ending(tx, org_id, now - TOLD_SINCE, now + WARNED_BEFORE, _MOST)
    snapshots = store.snapshots(tx, list(dict.fromkeys(row.rotation_id for row in rows)))
    found = (_use_of_ending(snapshots[row.rotation_id], row, now) for row in rows)
    return [each for each in found if each]


def slots_waited_for(tx: Tx, org_id: str, now: datetime) -> Sequence[SlotWait]:
    """Return the rotations due within three days that will find no slot, since a previous secret waits for its consumers."""
    rotation_ids = store.waiting_for_slots(tx, org_id, now + WARNED_BEFORE, _MOST)
    return [
        SlotWait(snapshot.rotation, row, until)
        for snapshot in store.snapshots(tx, rotation_ids).values()
        for row in snapshot.waiting
        if (due := waits.due(snapshot.rotation, now)) and (until := waits.over(row, snapshot, now)) > due
    ]


def _use_of_ending(snapshot: Snapshot, row: Credential, now: datetime) -> UseOfEnding | None:
    dead = row.vanished or row.state in {State.REVOKING, State.REVOKED}
    gone_at = row.removed_at or row.ended_at or now
    holding = [
        each
        for each in holders(snapshot.uses, row.id, snapshot.newer_than(row), now)
        if each.holds and (not dead or each.use.last_at > gone_at)
    ]
    goes_at = row.ends_at if row.state is State.CURRENT else _goes_at(row, snapshot, now)
    used = waits.verdict(row, snapshot, now) if row.state is State.RETIRING else None
    seen = used.users if used and used.kind is VerdictKind.IN_USE else ()
    return UseOfEnding(row.rotation_id, row, goes_at, dead, holding, seen) if holding or seen else None


def _with_uses(tx: Tx, rotation_id: str) -> Snapshot | None:
    snapshot = policies.snapshot(tx, rotation_id)
    if snapshot is None:
        return None
    known = uses.of_rotation(tx, rotation_id)
    return replace(snapshot, uses=tuple(known), evidence=evidence.of_rotation(tx, rotation_id))


def _goes_at(row: Credential, snapshot: Snapshot, now: datetime) -> datetime | None:
    if row.state is State.RETIRING and row.revoke_after:
        return waits.over(row, snapshot, now)
    return now if row.being_removed else None


@dataclass(frozen=True)
class _Sight:
    """Whose names an actor may see: everybody's, or those of members of the project, kind by kind."""

    names: dict[str, str]
    seen: frozenset[Caller]

    @classmethod
    def of(cls, tx: Tx, actor: Actor, view: SecretRotationView, callers: set[Caller]) -> "_Sight":
        project = Scope(actor.org_id, view.place.project_id)
        seen: set[Caller] = set()
        for kind, of_organization, of_project in _NAMES:
            mine = {caller for caller in callers if caller.kind == kind}
            if not mine:
                continue
            if authorize.is_allowed(tx, actor, of_organization, Scope(actor.org_id)):
                seen |= mine
            elif authorize.is_allowed(tx, actor, of_project, project):
                there = store.members(tx, view.place.project_id, kind)
                seen |= {caller for caller in mine if caller.id in there}
        names = store.names(tx, actor.org_id, {caller.id for caller in seen}) if seen else {}
        return cls(dict(names), frozenset(seen))

    def consumer(self, holder: Holder) -> SecretConsumer:
        caller = holder.use.caller
        visible = caller in self.seen
        return SecretConsumer(holder, self.names.get(caller.id) if visible else None, visible)


_NAMES = (
    (ActorKind.IDENTITY, Action.READ_IDENTITIES, Action.READ_IDENTITY_MEMBERS),
    (ActorKind.USER, Action.READ_USERS, Action.READ_MEMBERS),
)
