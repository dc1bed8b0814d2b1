"""Use cases of conditions: what needs somebody, as far as the one who asks may see it. Reads only."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from keyturn.alarms.conditions import sign_in_store
from keyturn.alarms.conditions.domain import Condition, ConditionKind, Severity, in_order
from keyturn.alarms.conditions.finder import ConditionFinder
from keyturn.alarms.conditions.sign_in_rules import SignInTrouble
from keyturn.audit.domain import SubjectKind
from keyturn.authz import authorize
from keyturn.authz.authorize import Scope, Visibility
from keyturn.authz.domain import Action
from keyturn.db.unit import Database, Tx
from keyturn.errors import Forbidden
from keyturn.kit.actor import Actor, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.organizations import store as organizations
from keyturn.organizations.domain import Organization
from keyturn.ports.clock import Clock
from keyturn.projects import store as projects

ALL_KINDS = frozenset(ConditionKind)


@dataclass(frozen=True)
class Asked:
    """Which conditions will be asked for, as :meth:`Attention.conditions` is: these are found together with the counts."""

    first: int = 0
    size: int = 0
    kinds: Collection[ConditionKind] = ALL_KINDS


NOTHING_ASKED = Asked()


class Attention:
    """What needs somebody, the most severe first, and what was looked at: by it an empty list is more than a silence.

    When the provider is away all connections fail at once. They are counted, and only those asked for are put into words: ask
    while the transaction lasts in which this was found. ``counts`` are by severity, in the order of severities. ``projects``
    are names of projects by id, where there is anything to tell.
    """

    def __init__(
        self,
        tx: Tx,
        finder: ConditionFinder,
        sight: Visibility,
        now: datetime,
        others: Sequence[Condition],
        asked: Asked = NOTHING_ASKED,
    ) -> None:
        """``sight`` is which connections are told of, ``others`` all that is told but that these do not sign in, in order."""
        self._tx, self._finder, self._sight, self._now = tx, finder, sight, now
        self._others = others
        self._found = self._part(asked)
        self._sign_ins, self.tried, self._found_ids = sign_in_store.count(tx, sight, now, self._found)
        self.counts = self._count_severities()
        named = projects.refs(tx, sight.org_id, None).values() if any(self.counts.values()) else ()
        self.projects: Mapping[str, str] = {ref.id: ref.name for ref in named}

    @property
    def needing_action(self) -> int:
        """Return how many conditions need somebody: they come first."""
        return sum(number for severity, number in self.counts.items() if severity is not Severity.NOTICE)

    @property
    def needs_action(self) -> bool:
        return self.needing_action > 0

    def count(self, kinds: Collection[ConditionKind] = ALL_KINDS) -> int:
        """Return how many conditions there are of these kinds."""
        sign_ins = sum(number for trouble, number in self._sign_ins.items() if trouble.kind in kinds)
        return sign_ins + sum(one.kind in kinds for one in self._others)

    def conditions(self, first: int, size: int, kinds: Collection[ConditionKind] = ALL_KINDS) -> Sequence[Condition]:
        """Return so many conditions of these kinds, from the one with this number on: what else there is is not loaded."""
        part = self._part(Asked(first, size, kinds))
        others = [one for one in self._others if one.kind in kinds]
        merged = in_order([*others, *self._finder.of_sign_ins(self._tx, self._ids(part), self._now)])
        return merged[first - part.first : first - part.first + size]

    def _part(self, asked: Asked) -> sign_in_store.Part:
        """Return which connections may be among the conditions that are asked for."""
        troubles = frozenset(each for each in SignInTrouble if each.kind in asked.kinds)
        # Each of the others stands before or behind them: none of these moves by more than their number.
        begin = max(0, asked.first - sum(one.kind in asked.kinds for one in self._others))
        return sign_in_store.Part(troubles, begin, asked.first + asked.size - begin)

    def _ids(self, part: sign_in_store.Part) -> Sequence[str]:
        if part.troubles.isdisjoint(self._sign_ins):
            return ()
        return self._found_ids if part == self._found else sign_in_store.page(self._tx, self._sight, self._now, part)

    def _count_severities(self) -> Mapping[Severity, int]:
        counts = Counter(one.severity for one in self._others)
        for trouble, number in self._sign_ins.items():
            counts[trouble.severity] += number
        return {severity: counts[severity] for severity in Severity}


class Conditions:
    """Finds what needs somebody."""

    def __init__(self, database: Database, clock: Clock, finder: ConditionFinder) -> None:
        self._database = database
        self._clock = clock
        self._finder = finder

    @contextmanager
    def of(self, actor: Actor, project_id: str | None, asked: Asked = NOTHING_ASKED) -> Iterator[Attention]:
        """Find what the actor may see of the organization, or of one of its projects. Raises NotFound or Forbidden.

        A fixed number of statements. What is well is not loaded.
        """
        now = self._clock.now()
        with self._database.read() as tx:
            if project_id is None:
                found = self._finder.but_sign_ins(tx, actor.org_id, now)
                sight = authorize.visible(tx, actor)
            else:
                authorize.require(tx, actor, Action.READ_PROJECT, Scope(actor.org_id, project_id))
                found = self._finder.of_project_but_sign_ins(tx, actor.org_id, project_id, now)
                sight = _connections_of(tx, actor, project_id)
            yield Attention(tx, self._finder, sight, now, visible_conditions(tx, actor, found), asked)

    @contextmanager
    def of_server(self) -> Iterator[list[tuple[Organization, Attention]]]:
        """Find what needs somebody in each organization, for the operator of the server."""
        now = self._clock.now()
        with self._database.read() as tx:
            yield [(each, self._all_of(tx, each.id, now)) for each in organizations.organizations_of_server(tx)]

    def _all_of(self, tx: Tx, org_id: str, now: datetime) -> Attention:
        everything = Visibility(org_id, organization=True, projects=None)
        return Attention(tx, self._finder, everything, now, self._finder.but_sign_ins(tx, org_id, now))


def _connections_of(tx: Tx, actor: Actor, project_id: str) -> Visibility:
    try:
        return authorize.visible_in(tx, actor, project_id)
    except Forbidden:  # of a project, too, one may see other things than connections
        return Visibility(actor.org_id, organization=False, projects=frozenset())


def visible_conditions(tx: Tx, actor: Actor, conditions: Sequence[Condition]) -> list[Condition]:
    """Return those whose subject the actor may see: two statements at most."""
    rotations = [one for one in conditions if one.subject.kind is SubjectKind.SECRET_ROTATION]
    allowed = authorize.allowed_of(tx, actor, Action.READ_ROTATIONS, [one.place for one in rotations])
    visible_rotations = {one.key for one, may_see in zip(rotations, allowed, strict=True) if may_see}
    sight = authorize.visible(tx, actor)
    organization = authorize.grants_of(tx, actor, Scope(actor.org_id))
    reads_identities = organization.allow(Action.READ_IDENTITIES, Scope(actor.org_id))

    def may_see(one: Condition) -> bool:
        match one.subject.kind:
            case SubjectKind.SECRET_ROTATION:
                return one.key in visible_rotations
            case SubjectKind.IDENTITY:
                return reads_identities
            case SubjectKind.ORGANIZATION | SubjectKind.ALARM_CHANNEL:
                return actor.role is Role.ADMIN
            case _:
                return sight.covers(one.place)

    return [one for one in conditions if may_see(one)]
