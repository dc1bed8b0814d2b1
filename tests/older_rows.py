"""Connections as versions before 0012 of the tables wrote them: one sealed text with the value, the salt and the target."""

import json

import sqlalchemy as sa

from keyturn.connections import sealed
from keyturn.db.tables import app_connections
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.methods.certificate import Certificate
from keyturn.providers.azure.methods.client_secret import ClientSecret
from keyturn_simulation.world import World


def write_as_before(world: World, connection_id: str, *, bound: bool = True) -> None:
    """Write the connection anew; with ``bound`` False as the oldest versions did, which sealed no target."""
    connection = world.connections.get(world.actor, connection_id)
    data: dict[str, object] = {"salt": sealed.salt(world.sealer, connection).reveal()}
    given = world.stored_credentials(connection)
    if isinstance(given, ClientSecret):
        data["clientSecret"] = given.secret.reveal()
    elif isinstance(given, Certificate):
        data |= {"certificate": given.signing.chain, "privateKey": given.signing.private_key.reveal()}
    if bound:
        data["for"] = connection.target
    secret = world.sealer.seal(Plaintext(json.dumps(data)), connection.seal_context)
    row = sa.update(app_connections).where(app_connections.c.id == connection_id)
    with world.database.write() as tx:
        tx.run(row.values(secret=secret, salt=None, credential_id=None))
