"""Whether everybody of an organization needs a second factor who signs in with a password.

Who has none sets one up right after signing in, before anything else; no page and no JSON route answers their session before.
Whom Entra ID vouches for is not concerned: whether they need one is decided there. Nor are machine identities, and access
tokens that are there; but a password alone gives no new one.
"""

from keyturn.audit import people_events as events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, require
from keyturn.authz.domain import Action, require_admin
from keyturn.db.unit import Database
from keyturn.errors import Refused
from keyturn.kit.actor import Actor, ActorKind
from keyturn.kit.dataclasses import dataclass
from keyturn.organizations import store as organization_store
from keyturn.people import store
from keyturn.ports.clock import Clock


@dataclass(frozen=True)
class SecondFactorPolicy:
    database: Database
    clock: Clock

    def required(self, actor: Actor) -> bool:
        """Say whether everybody needs one. Raises Forbidden for who may not see the users."""
        with self.database.read() as tx:
            require(tx, actor, Action.READ_USERS, Scope(actor.org_id))
            return organization_store.second_factor_required(tx, actor.org_id)

    def change(self, actor: Actor, *, required: bool) -> None:
        """Let everybody need one, or nobody. For admins of the organization; audited. Safe to repeat.

        Raises Refused for somebody who wants it of all and has none: so whoever switches it on knows how it is set up.
        """
        require_admin(actor)
        with self.database.write() as tx:
            organization_store.organization(tx, actor.org_id, lock=True)
            if organization_store.second_factor_required(tx, actor.org_id) is required:
                return
            if required and actor.kind is ActorKind.USER and not store.has_second_factor(tx, actor.id or ""):
                raise Refused(
                    "You have no second factor yourself.",
                    code="access.own_second_factor_needed",
                    fix="Set it up first: Settings, Two-step sign-in.",
                )
            now = self.clock.now()
            organization_store.require_second_factor(tx, actor.org_id, now, required=required)
            subject = Subject(SubjectKind.ORGANIZATION, actor.org_id)
            record(tx, actor, events.SECOND_FACTOR_POLICY_CHANGED, subject, now, required=required)
