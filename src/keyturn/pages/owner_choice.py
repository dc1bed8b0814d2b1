"""Who may be chosen as the owner of something, and naming one."""

from collections.abc import Sequence
from dataclasses import dataclass

from keyturn.accounts.service import Access
from keyturn.alarms.owners import Owners
from keyturn.authz.domain import ORGANIZATION_ROLES, Action, permits
from keyturn.kit.actor import Actor, ActorKind
from keyturn.ownership.domain import NOBODY, Owned, Owner


@dataclass(frozen=True)
class OwnerChoice:
    """The use cases that forms with an owner need."""

    owners: Owners
    access: Access

    def people(self, actor: Actor, owner: Owner = NOBODY) -> Sequence[tuple[str, str]]:
        """Return ids and addresses to choose from: all users for those who may see them, else oneself and who it is now."""
        if permits(ORGANIZATION_ROLES, actor.role, Action.READ_USERS):
            return [(user.id, user.email) for user in self.access.users.list(actor) if user.disabled_at is None]
        known = {actor.id: actor.name} if actor.kind is ActorKind.USER else {}
        if owner.user_id and not owner.left:
            known[owner.user_id] = owner.email
        return [(user_id, email) for user_id, email in known.items() if user_id]

    def change(self, actor: Actor, kind: Owned, owned_id: str, user_id: str) -> Owner:
        """Name another owner (empty: nobody); the contact stays. Raises as :meth:`Owners.change`."""
        contact = self.owners.of(actor, kind, owned_id).contact
        return self.owners.change(actor, kind, owned_id, user_id or None, contact)
