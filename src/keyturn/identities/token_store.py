"""SQL for the ways in which identities sign in with tokens that others sign."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from keyturn.db.tables import token_auths
from keyturn.db.unit import Tx
from keyturn.identities.bindings import METHODS
from keyturn.identities.token_auth import TokenAuth
from keyturn.tokens.addresses import readable
from keyturn.tokens.domain import TokenRules

_OF_IDENTITY = sa.select(token_auths).where(
    token_auths.c.identity_id == sa.bindparam("identity"), token_auths.c.method == sa.bindparam("name")
)
# Many programs of one identity sign in at once; only a change of how they do waits for them.
_HELD = _OF_IDENTITY.with_for_update(read=True)


def token_auth(tx: Tx, identity_id: str, method: str, *, hold: bool = False) -> TokenAuth | None:
    """Return how the identity signs in by this method. ``hold`` keeps others from changing it until this transaction ends."""
    row = tx.one(_HELD if hold else _OF_IDENTITY, identity=identity_id, name=method)
    return _token_auth(row) if row else None


def token_auths_of(tx: Tx, identity_id: str) -> list[TokenAuth]:
    """Return all of an identity, by method."""
    query = sa.select(token_auths).where(token_auths.c.identity_id == identity_id).order_by(token_auths.c.method)
    return [_token_auth(row) for row in tx.rows(query) if row["method"] in METHODS]


def add_token_auth(tx: Tx, auth: TokenAuth) -> None:
    fixed = {"id": auth.id, "identity_id": auth.identity_id, "method": auth.method, "created_at": auth.created_at}
    tx.run(sa.insert(token_auths).values(fixed | _columns(auth)))


def save_token_auth(tx: Tx, auth: TokenAuth) -> None:
    tx.run(sa.update(token_auths).where(token_auths.c.id == auth.id).values(_columns(auth)))


def remove_token_auth(tx: Tx, auth_id: str) -> None:
    tx.run(sa.delete(token_auths).where(token_auths.c.id == auth_id))


def _columns(auth: TokenAuth) -> dict[str, Any]:
    return {
        "binding": asdict(auth.binding),
        "access_token_ttl": auth.rules.ttl,
        "access_token_max_ttl": auth.rules.max_ttl,
        "access_token_uses_limit": auth.rules.uses_limit,
        "access_token_trusted_ips": list(auth.trusted_ips),
        "reviewer_token": auth.reviewer_token,
        "updated_at": auth.updated_at,
    }


def _token_auth(row: Mapping[str, Any]) -> TokenAuth:
    return TokenAuth(
        row["id"],
        row["identity_id"],
        _binding(METHODS[row["method"]], row["binding"]),
        row["created_at"],
        row["updated_at"],
        TokenRules(row["access_token_ttl"], row["access_token_max_ttl"], row["access_token_uses_limit"]),
        readable(row["access_token_trusted_ips"]),
        row["reviewer_token"],
    )


def _binding(kind: type[Any], stored: object) -> Any:
    """Return the binding; one that cannot be read is empty, and an empty one lets nobody in."""
    try:
        return kind(**stored) if isinstance(stored, dict) else kind()
    except TypeError:
        return kind()
