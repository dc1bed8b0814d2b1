"""Use cases of conditions: what needs somebody, as far as the one who asks may see it. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from keyturn.alarms.conditions.domain import Condition
from keyturn.alarms.conditions.finder import ConditionFinder
from keyturn.audit.domain import SubjectKind
from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.connections import store as connections
from keyturn.connections.store import Tried
from keyturn.db.unit import Database, Tx
from keyturn.errors import Forbidden
from keyturn.kit.actor import Actor, Role
from keyturn.organizations import store as organizations
from keyturn.organizations.domain import Organization
from keyturn.ports.clock import Clock
from keyturn.projects import store as projects


@dataclass(frozen=True)
class Attention:
    """What needs somebody, the most severe first, and what was looked at: by it an empty list is more than a silence.

    ``projects`` are the names of the projects that conditions are in, by id.
    """

    conditions: Sequence[Condition]
    tried: Tried
    projects: Mapping[str, str]

    @property
    def needs_action(self) -> bool:
        return any(one.needs_action for one in self.conditions)


class Conditions:
    """Finds what needs somebody."""

    def __init__(self, database: Database, clock: Clock, finder: ConditionFinder) -> None:
        self._database = database
        self._clock = clock
        self._finder = finder

    def of(self, actor: Actor, project_id: str | None) -> Attention:
        """Return what the actor may see of the organization, or of one of its projects. Raises NotFound or Forbidden.

        A fixed number of statements. What is well is not loaded.
        """
        now = self._clock.now()
        with self._database.read() as tx:
            if project_id is None:
                found = self._finder.of_organization(tx, actor.org_id, now)
                sight = authorize.visible(tx, actor)
            else:
                authorize.require(tx, actor, Action.READ_PROJECT, Scope(actor.org_id, project_id))
                found = self._finder.of_project(tx, actor.org_id, project_id, now)
                sight = _connections_of(tx, actor, project_id)
            return _attention(tx, visible_conditions(tx, actor, found), sight)

    def of_server(self) -> list[tuple[Organization, Attention]]:
        """Return what needs somebody in each organization, for the operator of the server."""
        now = self._clock.now()
        with self._database.read() as tx:
            return [(each, self._all_of(tx, each.id, now)) for each in organizations.organizations_of_server(tx)]

    def _all_of(self, tx: Tx, org_id: str, now: datetime) -> Attention:
        everything = authorize.Visibility(org_id, organization=True, projects=None)
        return _attention(tx, self._finder.of_organization(tx, org_id, now), everything)


def _attention(tx: Tx, found: Sequence[Condition], sight: authorize.Visibility) -> Attention:
    of_projects = {one.project for one in found if one.project}
    names = {ref.id: ref.name for ref in projects.refs(tx, sight.org_id, None).values()} if of_projects else {}
    return Attention(found, connections.tried(tx, sight), {one: names[one] for one in of_projects if one in names})


def _connections_of(tx: Tx, actor: Actor, project_id: str) -> authorize.Visibility:
    try:
        return authorize.visible_in(tx, actor, project_id)
    except Forbidden:  # of a project, too, one may see other things than connections
        return authorize.Visibility(actor.org_id, organization=False, projects=frozenset())


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
