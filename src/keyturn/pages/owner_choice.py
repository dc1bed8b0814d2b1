"""Who may be chosen as the owner of something, and naming one."""

from keyturn.accounts.service import Access
from keyturn.alarms.owners import Owners
from keyturn.authz.domain import ORGANIZATION_ROLES, Action, permits
from keyturn.kit.actor import Actor, ActorKind
from keyturn.kit.dataclasses import dataclass
from keyturn.ownership.domain import NOBODY, Owned, Owner, unknown_user
from keyturn.pages.choices import MOST, Choice, choice_of


def people_of(access: Access, actor: Actor) -> Choice:
    """Return the people of the organization to choose from. Raises Forbidden for who may not see them."""
    choice = choice_of(access.users.addresses(actor, MOST + 1))
    return Choice([(email, email) for _, email in choice.options], more=True) if choice.more else choice


def value_of(choice: Choice, user_id: str, email: str) -> str:
    """Return what stands for a person among such options: the address where any may be typed, else the id."""
    return email if choice.more else user_id


def user_id_of(access: Access, actor: Actor, chosen: str) -> str:
    """Return the id of whom a form names, by an id or by an address. Raises Refused for an address that nobody has."""
    if "@" not in chosen:
        return chosen
    user_id = access.users.id_of(actor, chosen)
    if user_id is None:
        raise unknown_user()
    return user_id


@dataclass(frozen=True)
class OwnerChoice:
    """The use cases that forms with an owner need."""

    owners: Owners
    access: Access

    def people(self, actor: Actor, owner: Owner = NOBODY) -> Choice:
        """Return whom to choose from: all users for those who may see them, else oneself and who it is now."""
        if permits(ORGANIZATION_ROLES, actor.role, Action.READ_USERS):
            return people_of(self.access, actor)
        known = {actor.id: actor.name} if actor.kind is ActorKind.USER else {}
        if owner.user_id and not owner.left:
            known[owner.user_id] = owner.email
        return Choice([(user_id, email) for user_id, email in known.items() if user_id])

    def user_id(self, actor: Actor, chosen: str) -> str:
        """Return the id of whom a form names. Raises Refused for an address that nobody has."""
        return user_id_of(self.access, actor, chosen)

    def change(self, actor: Actor, kind: Owned, owned_id: str, chosen: str) -> Owner:
        """Name another owner (empty: nobody); the contact stays. Raises as :meth:`Owners.change`."""
        contact = self.owners.of(actor, kind, owned_id).contact
        return self.owners.change(actor, kind, owned_id, self.user_id(actor, chosen) or None, contact)
