"""SQL for access tokens."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.db import unread
from keyturn.db.access_triggers import KEEPS_ACCESS
from keyturn.db.tables import access_tokens
from keyturn.db.tables.views import identities, token_auths, universal_auths, users
from keyturn.db.unit import Tx
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.batches import batches
from keyturn.tokens.addresses import readable
from keyturn.tokens.domain import Lifetime, StoredToken

_PURGED_AT_ONCE = 5000
_READ_AT_ONCE = 500
_INSERT_TOKEN = sa.insert(access_tokens).execution_options(**KEEPS_ACCESS)
_KEPT_AFTER_END = timedelta(days=1)


def add_token(
    tx: Tx,
    token_id: str,
    digest: str,
    owner: Actor,
    lifetime: Lifetime,
    now: datetime,
    *,
    ttl: int,
    uses_limit: int = 0,
    client_secret_id: str | None = None,
    token_auth_id: str | None = None,
) -> None:
    """Keep a token; ``ttl`` is what a renewal gives."""
    tx.run(
        _INSERT_TOKEN,
        id=token_id,
        digest=digest,
        identity_id=owner.id if owner.kind is not ActorKind.USER else None,
        user_id=owner.id if owner.kind is ActorKind.USER else None,
        client_secret_id=client_secret_id,
        token_auth_id=token_auth_id,
        ttl=ttl,
        uses_limit=uses_limit,
        expires_at=lifetime.expires_at,
        renewable_until=lifetime.renewable_until,
        created_at=now,
    )


def clear_tokens(tx: Tx, owner: Actor, now: datetime) -> None:
    """Clear away tokens of this owner that ended long ago."""
    ended_before = now - _KEPT_AFTER_END
    old = (
        sa.select(access_tokens.c.id)
        .where(_owner_column(owner) == owner.id)
        .where(sa.or_(access_tokens.c.expires_at < ended_before, access_tokens.c.revoked_at < ended_before))
        .limit(_PURGED_AT_ONCE)
    )
    tx.run(sa.delete(access_tokens).where(access_tokens.c.id.in_(old)))


def token(tx: Tx, digest: str, *, lock: bool = False) -> StoredToken | None:
    """Return the token with its owner as they are now. ``lock`` keeps its row from other writers."""
    query = _TOKEN.where(access_tokens.c.digest == digest)
    row = tx.one(query.with_for_update(of=access_tokens) if lock else query)
    return _stored(row) if row else None


def tokens(tx: Tx, digests: Sequence[str]) -> dict[str, StoredToken]:
    """Return those of the tokens that are there, by their digests, each with its owner as they are now."""
    return {
        row["digest"]: _stored(row)
        for part in batches(digests, _READ_AT_ONCE)
        for row in tx.rows(_TOKEN.where(access_tokens.c.digest.in_(part)))
    }


def holds_given_token(identity_id: sa.ColumnElement[str]) -> sa.Exists:
    """Return the condition that the identity holds a token which was given to it, not got by signing in."""
    return (
        sa.exists()
        .where(access_tokens.c.identity_id == identity_id)
        .where(access_tokens.c.client_secret_id.is_(None), access_tokens.c.token_auth_id.is_(None))
        .where(access_tokens.c.revoked_at.is_(None))
    )


def use_token(tx: Tx, token_id: str, now: datetime) -> bool:
    """Count one use, in one statement; False when the token was revoked or is used up."""
    uses, limit = access_tokens.c.uses, access_tokens.c.uses_limit
    statement = (
        sa.update(access_tokens)
        .where(access_tokens.c.id == token_id, access_tokens.c.revoked_at.is_(None))
        .where(sa.or_(limit == 0, uses < limit))
        .values(uses=uses + 1, last_used_at=now)
        .execution_options(**KEEPS_ACCESS)
    )
    return tx.run(statement) == 1


def renew_token(tx: Tx, token_id: str, expires_at: datetime | None) -> None:
    tx.run(sa.update(access_tokens).where(access_tokens.c.id == token_id).values(expires_at=expires_at))


def revoke_token(tx: Tx, token_id: str, now: datetime) -> None:
    _revoke(tx, access_tokens.c.id == token_id, now)


def revoke_tokens_of_user(tx: Tx, user_id: str, now: datetime) -> int:
    return _revoke(tx, access_tokens.c.user_id == user_id, now)


def revoke_tokens_of_client_secret(tx: Tx, client_secret_id: str, now: datetime) -> int:
    return _revoke(tx, access_tokens.c.client_secret_id == client_secret_id, now)


def revoke_tokens_of_token_auth(tx: Tx, token_auth_id: str, now: datetime) -> int:
    return _revoke(tx, access_tokens.c.token_auth_id == token_auth_id, now)


def revoke_universal_tokens_of(tx: Tx, identity_id: str, now: datetime) -> int:
    """Revoke what the identity got by client id and secret; tokens given otherwise stay."""
    mine = access_tokens.c.identity_id == identity_id
    return _revoke(tx, sa.and_(mine, access_tokens.c.client_secret_id.is_not(None)), now)


def count_guess(tx: Tx, token_id: str) -> int:
    """Count a wrong guess made with this token; return how many there were, 0 for what is no token."""
    column = access_tokens.c.wrong_guesses
    tx.run(sa.update(access_tokens).where(access_tokens.c.id == token_id).values(wrong_guesses=column + 1))
    row = tx.one(sa.select(column).where(access_tokens.c.id == token_id))
    return row["wrong_guesses"] if row else 0


def forget_guesses(tx: Tx, token_id: str) -> None:
    guessed = (access_tokens.c.id == token_id, access_tokens.c.wrong_guesses > 0)
    tx.run(sa.update(access_tokens).where(*guessed).values(wrong_guesses=0))


def _revoke(tx: Tx, which: sa.ColumnElement[bool], now: datetime) -> int:
    return tx.run(sa.update(access_tokens).where(which, access_tokens.c.revoked_at.is_(None)).values(revoked_at=now))


def _owner_column(owner: Actor) -> sa.Column[Any]:
    return access_tokens.c.user_id if owner.kind is ActorKind.USER else access_tokens.c.identity_id


_TOKEN = sa.select(
    access_tokens,
    identities.c.name.label("identity_name"),
    identities.c.org_id.label("identity_org"),
    identities.c.role.label("identity_role"),
    users.c.email,
    users.c.org_id.label("user_org"),
    users.c.role.label("user_role"),
    users.c.disabled_at,
    universal_auths.c.access_token_trusted_ips,
    universal_auths.c.access_token_max_ttl,
    token_auths.c.access_token_trusted_ips.label("token_auth_trusted_ips"),
    token_auths.c.access_token_max_ttl.label("token_auth_max_ttl"),
).select_from(
    access_tokens.outerjoin(identities, identities.c.id == access_tokens.c.identity_id)
    .outerjoin(users, users.c.id == access_tokens.c.user_id)
    .outerjoin(
        universal_auths,
        sa.and_(
            universal_auths.c.identity_id == access_tokens.c.identity_id, access_tokens.c.client_secret_id.is_not(None)
        ),
    )
    .outerjoin(token_auths, token_auths.c.id == access_tokens.c.token_auth_id)
)


def _stored(row: Mapping[str, Any]) -> StoredToken:
    if row["user_id"]:
        role = unread.word(row, "user_role", Role.NO_ACCESS, [])
        actor = Actor(ActorKind.USER, row["user_id"], row["email"], row["user_org"], role, via=row["id"])
    else:
        role = unread.word(row, "identity_role", Role.NO_ACCESS, [])
        name, org_id = row["identity_name"], row["identity_org"]
        actor = Actor(ActorKind.IDENTITY, row["identity_id"], name, org_id, role, via=row["id"])
    way = "token_auth" if row["token_auth_id"] else "access_token"
    ips = row[f"{way}_trusted_ips"]
    return StoredToken(
        row["id"],
        row["ttl"],
        row[f"{way}_max_ttl"] or 0,
        row["uses"],
        row["uses_limit"],
        row["expires_at"],
        row["renewable_until"],
        row["revoked_at"] or row["disabled_at"],
        row["last_used_at"],
        None if ips is None else readable(ips),
        actor,
    )
