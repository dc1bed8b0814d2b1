"""Looking for alarms in the caller's transaction: one page of a list, and how many are open. Reads only.

Who may see what an alarm is about sees the alarm, and so does its owner.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from keyturn.alarms import store
from keyturn.alarms.domain import Alarm
from keyturn.alarms.store import AlarmFilter, KindsInSight
from keyturn.audit.domain import SubjectKind
from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.db.unit import Tx
from keyturn.kit import pasted
from keyturn.kit.actor import Actor, Role
from keyturn.kit.dataclasses import dataclass

_READ = {
    SubjectKind.CONNECTION: Action.READ_CONNECTIONS,
    SubjectKind.ROTATION: Action.READ_CONNECTIONS,
    SubjectKind.SECRET_ROTATION: Action.READ_ROTATIONS,
    SubjectKind.IDENTITY: Action.READ_IDENTITIES,
}


@dataclass(frozen=True)
class AlarmQuery:
    """What somebody looks for: open or resolved ones, the newest first. Pages count from 1."""

    resolved: bool = False
    project_id: str | None = None
    text: str = ""
    status: str | None = None
    page: int = 1
    size: int = 50


@dataclass(frozen=True)
class AlarmMatches:
    """One page. ``total`` counts what matches, ``all`` what there is without the search."""

    alarms: Sequence[Alarm]
    total: int
    all: int
    page: int
    pages: int


class Placed(Protocol):
    """What is known of an alarm where only who may see it is asked."""

    @property
    def id(self) -> str: ...
    @property
    def subject_kind(self) -> str: ...
    @property
    def place(self) -> Scope: ...
    @property
    def owner_id(self) -> str | None: ...


AnyPlaced = TypeVar("AnyPlaced", bound=Placed)


def page(tx: Tx, actor: Actor, query: AlarmQuery) -> AlarmMatches:
    """Return one page of what the actor may see; a page beyond the last one is the last one. Raises NotFound for a project."""
    if query.project_id:
        authorize.grants_of(tx, actor, Scope(actor.org_id, query.project_id))
    sight = _sight(tx, actor)
    base = replace(sight.criteria, resolved=query.resolved, project_id=query.project_id)
    criteria = replace(base, words=pasted.search_words(query.text), status=query.status)
    ids = None if sight.is_exact else _seen_ids(tx, actor, criteria)
    total = store.count(tx, criteria) if ids is None else len(ids)
    pages = max(1, -(-total // query.size))
    number = min(max(1, query.page), pages)
    first = (number - 1) * query.size
    shown = (
        store.page(tx, criteria, query.size, first) if ids is None else store.with_ids(tx, ids[first:][: query.size])
    )
    everything = _count(tx, actor, replace(sight, criteria=base)) if criteria.words or criteria.status else total
    return AlarmMatches(shown, total, everything, number, pages)


def count_open(tx: Tx, actor: Actor) -> int:
    """Return how many alarms of what the actor may see go on and are not silenced."""
    if actor.role is Role.ADMIN:
        return store.count_open(tx, actor.org_id)
    sight = _sight(tx, actor)
    return _count(tx, actor, replace(sight, criteria=replace(sight.criteria, status="open")))


def visible_alarms(tx: Tx, actor: Actor, alarms: Sequence[AnyPlaced]) -> list[AnyPlaced]:
    """Return those of the alarms whose subject the actor may see: a statement for each kind of subject, at most."""
    ids: set[str] = set()
    for action, read_by_it in _by_action(alarms).items():
        # Each place is judged once: thousands of alarms may be in a few folders.
        places = list(dict.fromkeys(alarm.place for alarm in read_by_it if alarm.place.project_id))
        may = dict(zip(places, authorize.allowed_of(tx, actor, action, places), strict=True))
        of_organization = authorize.is_allowed(tx, actor, action, Scope(actor.org_id))
        ids |= {alarm.id for alarm in read_by_it if may.get(alarm.place, of_organization)}
    return [alarm for alarm in alarms if alarm.id in ids or alarm.owner_id == actor.id]


def _by_action(alarms: Sequence[AnyPlaced]) -> dict[Action, list[AnyPlaced]]:
    """Return the alarms by what somebody has to be permitted to see them."""
    reading = {kind: _reading_of(kind) for kind in {alarm.subject_kind for alarm in alarms}}
    found: dict[Action, list[AnyPlaced]] = {}
    for alarm in alarms:
        found.setdefault(reading[alarm.subject_kind], []).append(alarm)
    return found


@dataclass(frozen=True)
class _Sight:
    """What somebody may see at most. ``is_exact``: all of it; where not, each alarm is asked about."""

    criteria: AlarmFilter
    is_exact: bool = True


def _sight(tx: Tx, actor: Actor) -> _Sight:
    if actor.role is Role.ADMIN:
        return _Sight(AlarmFilter(actor.org_id, owner=actor.id))
    extents = authorize.extents_of(tx, actor, set(_READ.values()))
    kinds = tuple(
        KindsInSight(_kinds_read_by(action), each.organization, each.projects | each.partly)
        for action, each in extents.items()
    )
    is_exact = not any(each.partly for each in extents.values())
    return _Sight(AlarmFilter(actor.org_id, owner=actor.id, sight=kinds), is_exact)


def _kinds_read_by(action: Action) -> frozenset[str]:
    return frozenset(kind.value for kind, its_action in _READ.items() if its_action is action)


def _count(tx: Tx, actor: Actor, sight: _Sight) -> int:
    return store.count(tx, sight.criteria) if sight.is_exact else len(_seen_ids(tx, actor, sight.criteria))


def _seen_ids(tx: Tx, actor: Actor, criteria: AlarmFilter) -> Sequence[str]:
    """Return the ids of those that match and the actor may see, in order."""
    return [alarm.id for alarm in visible_alarms(tx, actor, store.places(tx, criteria))]


def _reading_of(subject_kind: str) -> Action:
    return _READ.get(_kind(subject_kind), Action.MANAGE_USERS)  # of the server and its channels: for administrators


def kind_of(alarm: Placed) -> SubjectKind:
    """Return the kind of its subject: that of the organization for one that cannot be read."""
    return _kind(alarm.subject_kind)


def _kind(subject_kind: str) -> SubjectKind:
    try:
        return SubjectKind(subject_kind)
    except ValueError:
        return SubjectKind.ORGANIZATION
