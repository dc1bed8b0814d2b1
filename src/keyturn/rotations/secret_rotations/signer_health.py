"""Whether the connection that signs in for a secret rotation still can, and what a person has to do about it. Pure."""

from datetime import datetime, timedelta

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift
from keyturn.rotations.secret_rotations.domain import SecretRotationView

GRANT_KEPT = timedelta(days=90)
"""After so long without use Entra ID forgets what a person granted."""
WARN_BEFORE = timedelta(days=45)


@dataclass(frozen=True)
class SignerHealth:
    """``needs_sign_in``: only a person who signs in again can help. ``grant_ends_at``: when what a person granted is forgotten
    unless it is used before; None while that is far. ``refused_at``: since when the provider refuses the connection, with its
    words.
    """

    needs_sign_in: bool = False
    grant_ends_at: datetime | None = None
    refused_at: datetime | None = None
    code: str | None = None
    message: str | None = None
    fix: str | None = None


def signer_health(view: SecretRotationView, now: datetime) -> SignerHealth:
    """Return what is known of the connection: nothing is asked of the provider."""
    connection, grant = view.connection, view.grant
    needs_sign_in = connection.needs_reconnect or (grant is not None and grant.refresh_due_at is None)
    ends_at = None
    if grant and not needs_sign_in:
        # It is used every 30 days and at each run: it comes near only while every use fails, or the server was off.
        end = shift(grant.refreshed_at, GRANT_KEPT)
        ends_at = end if now >= shift(end, -WARN_BEFORE) else None
    if connection.refused_at is None and not needs_sign_in:
        return SignerHealth(grant_ends_at=ends_at)
    words = connection.refusal or connection.check_result or {}
    code, message, fix = (words.get(name) for name in ("code", "message", "fix"))
    return SignerHealth(needs_sign_in, ends_at, connection.refused_at, code, message, fix)
