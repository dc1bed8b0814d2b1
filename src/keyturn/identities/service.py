"""Machine identities: programs that call this server, each with a role in the organization."""

from collections.abc import Sequence
from dataclasses import replace

from keyturn.audit import identity_events as events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, require
from keyturn.authz.domain import Action, require_at_most
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.identities import store
from keyturn.identities.domain import Identity, IdentityChange, Label, NewIdentity, Pairs
from keyturn.kit.actor import Actor
from keyturn.organizations import store as organization_store
from keyturn.organizations.domain import Organization
from keyturn.organizations.quotas import require_room
from keyturn.ports.clock import Clock, Ids
from keyturn.settings.model import USUAL_QUOTAS, Quotas


class Identities:
    """The use cases of machine identities. Changes need the permission to manage identities, and are audited."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, quotas: Quotas = USUAL_QUOTAS) -> None:
        self._quotas = quotas
        self._database = database
        self._clock = clock
        self._ids = ids

    def create(self, actor: Actor, new: NewIdentity) -> Identity:
        """Add an identity. It can do nothing until it gets a way to sign in. Raises Forbidden for a role above the caller's."""
        now = self._clock.now()
        with self._database.write() as tx:
            require(tx, actor, Action.MANAGE_IDENTITIES, Scope(new.org_id or actor.org_id))
            require_at_most(actor.role, new.role)
            there = store.count_identities(tx, actor.org_id)
            require_room(there, self._quotas.identities, "machine identities", "KEYTURN_MAX_IDENTITIES")
            identity = Identity(
                id=self._ids.new(),
                org_id=actor.org_id,
                name=new.name,
                role=new.role,
                has_delete_protection=new.has_delete_protection,
                metadata=self._labels(new.metadata),
                auth_methods=(),
                created_at=now,
                updated_at=now,
            )
            store.add_identity(tx, identity)
            store.note_maker(tx, identity.id, actor)
            record(tx, actor, events.IDENTITY_CREATED, _subject(identity), now, name=new.name, role=new.role.value)
        return identity

    def get(self, actor: Actor, identity_id: str) -> Identity:
        with self._database.read() as tx:
            require(tx, actor, Action.READ_IDENTITIES, Scope(actor.org_id))
            return found_identity(tx, actor, identity_id)

    def list(self, actor: Actor) -> Sequence[Identity]:
        """Return the identities of the organization, by name."""
        with self._database.read() as tx:
            require(tx, actor, Action.READ_IDENTITIES, Scope(actor.org_id))
            return store.identities_of(tx, actor.org_id)

    def page(self, actor: Actor, text: str, page: int, size: int) -> tuple[Sequence[Identity], int]:
        """Return a page of the identities whose names have these words, by name, and how many there are.

        Pages count from 1; one beyond the last is the last one.
        """
        with self._database.read() as tx:
            require(tx, actor, Action.READ_IDENTITIES, Scope(actor.org_id))
            return store.page_of_identities(tx, actor.org_id, text.split(), page, size)

    def update(self, actor: Actor, identity_id: str, change: IdentityChange) -> Identity:
        """Change what is given. Raises Forbidden when its role, before or after, is above the caller's."""
        with self._database.write() as tx:
            before = self.managed(tx, actor, identity_id)
            after = replace(
                before,
                name=before.name if change.name is None else change.name,
                role=change.role or before.role,
                has_delete_protection=(
                    before.has_delete_protection
                    if change.has_delete_protection is None
                    else change.has_delete_protection
                ),
                metadata=before.metadata if change.metadata is None else self._labels(change.metadata),
                updated_at=self._clock.now(),
            )
            require_at_most(actor.role, after.role)
            store.save_identity(tx, after)
            facts = {"name": after.name, "role": after.role.value, "hasDeleteProtection": after.has_delete_protection}
            record(tx, actor, events.IDENTITY_UPDATED, _subject(after), after.updated_at, **facts)
        return after

    def delete(self, actor: Actor, identity_id: str) -> Identity:
        """Remove the identity with its tokens and memberships. Raises Refused while it is protected against deletion."""
        with self._database.write() as tx:
            identity = self.managed(tx, actor, identity_id)
            if identity.has_delete_protection:
                raise Refused(
                    f"The identity '{identity.name}' is protected against deletion.",
                    code="access.identity_protected",
                    fix="Set hasDeleteProtection to false first.",
                )
            store.remove_identity(tx, identity.id)
            record(tx, actor, events.IDENTITY_DELETED, _subject(identity), self._clock.now(), name=identity.name)
        return identity

    def organization_of(self, actor: Actor) -> Organization:
        """Return the caller's own organization: every caller may know it."""
        with self._database.read() as tx:
            organization = organization_store.organization(tx, actor.org_id)
        if organization is None:
            raise NotFound(
                "There is no such organization.",
                code="access.organization_not_found",
                fix="Leave the organization out: the caller has one. GET /api/v1/identities/details shows it.",
            )
        return organization

    def managed(self, tx: Tx, actor: Actor, identity_id: str) -> Identity:
        """Return the identity when the actor may manage it: the permission, and a role not below the identity's."""
        require(tx, actor, Action.MANAGE_IDENTITIES, Scope(actor.org_id))
        if tx.writing:
            store.lock_identity(tx, identity_id)
        identity = found_identity(tx, actor, identity_id)
        require_at_most(actor.role, identity.role)
        return identity

    def _labels(self, metadata: Pairs) -> tuple[Label, ...]:
        return tuple(Label(self._ids.new(), key, value) for key, value in metadata)


def _subject(identity: Identity) -> Subject:
    return Subject(SubjectKind.IDENTITY, identity.id)


def found_identity(tx: Tx, actor: Actor, identity_id: str) -> Identity:
    """Return the identity of the actor's organization. Raises NotFound."""
    identity = store.identity(tx, actor.org_id, identity_id)
    if identity is None:
        raise NotFound(
            f"There is no identity '{identity_id}'.",
            code="access.identity_not_found",
            fix="GET /api/v1/identities lists them, as the page Machine identities does.",
        )
    return identity
