"""Routes of owners: who answers for a connection or a secret rotation."""

from keyturn.alarms.owners import Owners
from keyturn.api.owners.schemas import ChangeOwner, OwnerAnswer, OwnerShown
from keyturn.kit.actor import Actor
from keyturn.ownership.domain import Owned, Owner
from keyturn.web.routes import Routes, get, group, put
from keyturn.web.schema.validate import Uuid


def router(owners: Owners) -> Routes:
    @get("/api/v1/owners/app-connections/{connection_id}")
    def get_connection_owner(actor: Actor, connection_id: Uuid) -> OwnerAnswer:
        """Show who answers for an app connection. Who makes one answers for it until somebody else is named."""
        return _shown(owners.of(actor, Owned.CONNECTION, connection_id))

    @put("/api/v1/owners/app-connections/{connection_id}")
    def change_connection_owner(actor: Actor, connection_id: Uuid, data: ChangeOwner) -> OwnerAnswer:
        """Name who answers for an app connection, and where they can be asked. Both are replaced."""
        return _shown(owners.change(actor, Owned.CONNECTION, connection_id, data.user_id, data.contact))

    @get("/api/v1/owners/secret-rotations/{rotation_id}")
    def get_rotation_owner(actor: Actor, rotation_id: Uuid) -> OwnerAnswer:
        """Show who answers for a secret rotation."""
        return _shown(owners.of(actor, Owned.SECRET_ROTATION, rotation_id))

    @put("/api/v1/owners/secret-rotations/{rotation_id}")
    def change_rotation_owner(actor: Actor, rotation_id: Uuid, data: ChangeOwner) -> OwnerAnswer:
        """Name who answers for a secret rotation, and where they can be asked. Both are replaced."""
        return _shown(owners.change(actor, Owned.SECRET_ROTATION, rotation_id, data.user_id, data.contact))

    return group("Owners", get_connection_owner, change_connection_owner, get_rotation_owner, change_rotation_owner)


def _shown(owner: Owner) -> OwnerAnswer:
    return OwnerAnswer(OwnerShown(owner.user_id, owner.email, owner.contact, owner.left))
