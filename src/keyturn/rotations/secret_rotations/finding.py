"""Use case of finding secret rotations by name in all projects, as far as one may see them. Reads only."""

from collections.abc import Sequence

from keyturn.db.unit import Database
from keyturn.kit.actor import Actor
from keyturn.rotations.secret_rotations import access as secret_access
from keyturn.rotations.secret_rotations.domain import SecretRotationRef
from keyturn.rotations.store import secret_rotations as store

LOOKED_AT = 200


class SecretRotationFinder:
    """Finds secret rotations by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def named(self, actor: Actor, word: str, most: int) -> Sequence[SecretRotationRef]:
        """Return some with this in their name or application that the actor may see: two statements."""
        with self._database.read() as tx:
            return secret_access.seen_among(tx, actor, store.refs_named(tx, actor.org_id, word, LOOKED_AT))[:most]
