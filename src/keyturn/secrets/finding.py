"""Use case of finding secrets by name in all projects, as far as one may see that they are there. Reads only."""

from collections.abc import Sequence

from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.db.unit import Database
from keyturn.kit.actor import Actor
from keyturn.secrets.store.names import NamedSecret, search_names

LOOKED_AT = 200
"""As many are judged: who may see few of very many finds them by a longer part of the name."""


class SecretFinder:
    """Finds secrets by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def named(self, actor: Actor, word: str, most: int) -> Sequence[NamedSecret]:
        """Return some with this in their name that the actor may see: two statements, and no value."""
        with self._database.read() as tx:
            found = search_names(tx, actor.org_id, word, LOOKED_AT)
            scopes = [Scope(actor.org_id, one.project_id, one.environment, one.path) for one in found]
            allowed = authorize.allowed_of(tx, actor, Action.DESCRIBE_SECRETS, scopes)
        return [one for one, may_see in zip(found, allowed, strict=True) if may_see][:most]
