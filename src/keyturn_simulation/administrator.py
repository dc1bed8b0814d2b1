"""The administrator of a world, and the organization that they are of."""

import sqlalchemy as sa

from keyturn.db.tables import organizations
from keyturn.db.unit import Database
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.ids import SeededIds


def administrator(database: Database, ids: SeededIds, clock: MovableClock) -> Actor:
    """Add the organization; return who may everything in it."""
    org, now = ids.new(), clock.now()
    with database.write() as tx:
        tx.run(sa.insert(organizations).values(id=org, name="Contoso", slug="contoso", created_at=now, updated_at=now))
    return Actor(ActorKind.USER, ids.new(), "Ada", org, Role.ADMIN)
