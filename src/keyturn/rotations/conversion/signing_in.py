"""Signing in for a connection that is to sign in without a secret, and whose secret may be gone.

An older backup may have been put back, from before it gave its secret up: since then its application trusts this server's
identity, and takes no secret any more.
"""

from keyturn.connections.domain import Connection
from keyturn.connections.stored import Stored
from keyturn.errors import NeedsAction, Retryable, Upstream
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.provider import AccessToken
from keyturn.ports.sign_in import Credentials, IdentityMethod


@dataclass(frozen=True)
class SignedIn:
    """``by_identity``: what is stored is refused, and the identity of this server has signed in instead."""

    connection: Connection
    token: AccessToken
    by_identity: bool


def sign_in_either_way(
    stored: Stored, identity: IdentityMethod, connection: Connection, credentials: Credentials, how_to_trust: str
) -> SignedIn:
    """Sign in with what is stored, or where the provider refuses that, with the ``credentials`` of the identity.

    Raises why what is stored is refused where neither signs in; ``how_to_trust`` is the command for the identity.
    """
    try:
        return SignedIn(*stored.sign_in(connection), by_identity=False)
    except Upstream as error:
        if isinstance(error, Retryable) or not error.refuses_credential:
            raise  # a new credential may still be spreading
        try:
            return SignedIn(connection, identity.sign_in(connection.tenant, credentials), by_identity=True)
        except Upstream:
            raise _neither(error, how_to_trust) from None


def _neither(error: Upstream, how_to_trust: str) -> NeedsAction:
    return NeedsAction(
        f"{error.message} Nor does the application trust the identity of this server.",
        code=error.code,
        fix=f"{error.fix or ''} Or let it trust the identity, and begin again: `{how_to_trust}`.".lstrip(),
        request_id=error.request_id,
        reason=error.reason,
        field=error.field,
    )
