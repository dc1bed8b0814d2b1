"""SQL for organizations, users and access tokens."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.access.addresses import readable
from keyturn.access.domain import Attempts, Lifetime
from keyturn.access.records import Organization, SecondFactor, Session, StoredToken, User
from keyturn.db import unread
from keyturn.db.tables import (
    access_tokens,
    identities,
    organizations,
    second_factors,
    sessions,
    universal_auths,
    users,
)
from keyturn.db.unit import Tx
from keyturn.kit.actor import Actor, ActorKind, Role

# --- organizations ----------------------------------------------------------------------------------------------------


def lock_installation(tx: Tx) -> None:
    """Let no other transaction add an organization until this one ends (SQLite: a writer is alone already)."""
    if tx.postgres:
        tx.connection.execute(sa.text("LOCK TABLE organizations IN EXCLUSIVE MODE"))


def any_organization(tx: Tx) -> bool:
    return tx.one(sa.select(organizations.c.id).limit(1)) is not None


def add_organization(tx: Tx, organization: Organization, now: datetime) -> None:
    values = {"id": organization.id, "name": organization.name, "slug": organization.slug}
    tx.run(sa.insert(organizations).values(values | {"created_at": now, "updated_at": now}))


def organization(tx: Tx, org_id: str, *, lock: bool = False) -> Organization | None:
    """Return it; ``lock`` holds off others who lock it, e.g. while the last admin is counted."""
    query = sa.select(organizations).where(organizations.c.id == org_id)
    row = tx.one(query.with_for_update() if lock else query)
    return Organization(row["id"], row["name"], row["slug"]) if row else None


# --- users ------------------------------------------------------------------------------------------------------------


def add_user(tx: Tx, user: User) -> None:
    tx.run(
        sa.insert(users).values(
            id=user.id,
            org_id=user.org_id,
            email=user.email,
            first_name=user.first_name,
            last_name=user.last_name,
            password_hash=user.password_hash,
            role=user.role.value,
            super_admin=user.super_admin,
            first_password=user.first_password,
            created_at=user.created_at,
            updated_at=user.updated_at,
        )
    )


def user_by_email(tx: Tx, email: str, *, lock: bool = False) -> User | None:
    query = sa.select(users).where(users.c.email == email)
    row = tx.one(query.with_for_update() if lock else query)
    return _user(row) if row else None


def user(tx: Tx, org_id: str, user_id: str) -> User | None:
    row = tx.one(sa.select(users).where(users.c.id == user_id, users.c.org_id == org_id))
    return _user(row) if row else None


def users_of(tx: Tx, org_id: str) -> list[User]:
    """Return the users, by e-mail address."""
    return [_user(row) for row in tx.rows(sa.select(users).where(users.c.org_id == org_id).order_by(users.c.email))]


def count_users(tx: Tx, org_id: str) -> int:
    query = sa.select(sa.func.count()).where(users.c.org_id == org_id)
    return int(tx.connection.execute(query).scalar_one())


def count_admin_users(tx: Tx, org_id: str) -> int:
    query = sa.select(sa.func.count()).where(users.c.org_id == org_id, users.c.role == Role.ADMIN.value)
    return int(tx.connection.execute(query).scalar_one())


def change_user(tx: Tx, user_id: str, now: datetime, **values: Any) -> None:
    tx.run(sa.update(users).where(users.c.id == user_id).values(values | {"updated_at": now}))


def set_user_attempts(tx: Tx, user_id: str, attempts: Attempts) -> None:
    tx.run(sa.update(users).where(users.c.id == user_id).values(**attempt_columns(attempts)))


def remove_user(tx: Tx, user_id: str) -> None:
    tx.run(sa.delete(users).where(users.c.id == user_id))


def attempt_columns(attempts: Attempts) -> dict[str, Any]:
    return {
        "failures": attempts.failures,
        "last_failure_at": attempts.last_failure_at,
        "locked_until": attempts.locked_until,
    }


def _user(row: Mapping[str, Any]) -> User:
    faults: list[str] = []
    role = unread.word(row, "role", Role.NO_ACCESS, faults)
    return User(
        row["id"],
        row["org_id"],
        row["email"],
        row["first_name"],
        row["last_name"],
        row["password_hash"],
        role,
        row["super_admin"],
        Attempts(row["failures"], row["last_failure_at"], row["locked_until"]),
        row["created_at"],
        row["updated_at"],
        row["first_password"],
        unread.sentence("user", faults),
    )


# --- tokens -----------------------------------------------------------------------------------------------------------

_PURGED_AT_ONCE = 5000
_INSERT_TOKEN = sa.insert(access_tokens)
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
) -> None:
    """Keep a token; ``ttl`` is what a renewal gives."""
    tx.run(
        _INSERT_TOKEN,
        id=token_id,
        digest=digest,
        identity_id=owner.id if owner.kind is not ActorKind.USER else None,
        user_id=owner.id if owner.kind is ActorKind.USER else None,
        client_secret_id=client_secret_id,
        ttl=ttl,
        uses_limit=uses_limit,
        expires_at=lifetime.expires_at,
        renewable_until=lifetime.renewable_until,
        created_at=now,
    )


def clear_tokens(tx: Tx, owner: Actor, now: datetime) -> None:
    """Clear away tokens of this owner that ended long ago."""
    ended = now - _KEPT_AFTER_END
    old = (
        sa.select(access_tokens.c.id)
        .where(_owner_column(owner) == owner.id)
        .where(sa.or_(access_tokens.c.expires_at < ended, access_tokens.c.revoked_at < ended))
        .limit(_PURGED_AT_ONCE)
    )
    tx.run(sa.delete(access_tokens).where(access_tokens.c.id.in_(old)))


def token(tx: Tx, digest: str, *, lock: bool = False) -> StoredToken | None:
    """Return the token with its owner as they are now. ``lock`` keeps its row from other writers."""
    query = _TOKEN.where(access_tokens.c.digest == digest)
    row = tx.one(query.with_for_update(of=access_tokens) if lock else query)
    return _stored(row) if row else None


def use_token(tx: Tx, token_id: str, now: datetime) -> bool:
    """Count one use, in one statement; False when the token was revoked or is used up."""
    uses, limit = access_tokens.c.uses, access_tokens.c.uses_limit
    statement = (
        sa.update(access_tokens)
        .where(access_tokens.c.id == token_id, access_tokens.c.revoked_at.is_(None))
        .where(sa.or_(limit == 0, uses < limit))
        .values(uses=uses + 1, last_used_at=now)
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


def revoke_universal_tokens_of(tx: Tx, identity_id: str, now: datetime) -> int:
    """Revoke what the identity got by client id and secret; tokens given otherwise stay."""
    mine = access_tokens.c.identity_id == identity_id
    return _revoke(tx, sa.and_(mine, access_tokens.c.client_secret_id.is_not(None)), now)


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
    universal_auths.c.access_token_trusted_ips,
    universal_auths.c.access_token_max_ttl,
).select_from(
    access_tokens.outerjoin(identities, identities.c.id == access_tokens.c.identity_id)
    .outerjoin(users, users.c.id == access_tokens.c.user_id)
    .outerjoin(
        universal_auths,
        sa.and_(
            universal_auths.c.identity_id == access_tokens.c.identity_id, access_tokens.c.client_secret_id.is_not(None)
        ),
    )
)


def _stored(row: Mapping[str, Any]) -> StoredToken:
    if row["user_id"]:
        role = unread.word(row, "user_role", Role.NO_ACCESS, [])
        actor = Actor(ActorKind.USER, row["user_id"], row["email"], row["user_org"], role, via=row["id"])
    else:
        role = unread.word(row, "identity_role", Role.NO_ACCESS, [])
        name, org_id = row["identity_name"], row["identity_org"]
        actor = Actor(ActorKind.IDENTITY, row["identity_id"], name, org_id, role, via=row["id"])
    ips = row["access_token_trusted_ips"]
    return StoredToken(
        row["id"],
        row["ttl"],
        row["access_token_max_ttl"] or 0,
        row["uses"],
        row["uses_limit"],
        row["expires_at"],
        row["renewable_until"],
        row["revoked_at"],
        row["last_used_at"],
        None if ips is None else readable(ips),
        actor,
    )


# --- sign-in sessions -------------------------------------------------------------------------------------------------


def user_by_id(tx: Tx, user_id: str, *, lock: bool = False) -> User | None:
    query = sa.select(users).where(users.c.id == user_id)
    row = tx.one(query.with_for_update() if lock else query)
    return _user(row) if row else None


def add_session(tx: Tx, session: Session, digest: str) -> None:
    tx.run(sa.insert(sessions).values(asdict(session) | {"digest": digest}))


def session(tx: Tx, digest: str) -> Session | None:
    row = tx.one(sa.select(sessions).where(sessions.c.digest == digest))
    return _session(row) if row else None


def sessions_of_user(tx: Tx, user_id: str) -> list[Session]:
    """Return all sessions of the user, the last used first."""
    query = sa.select(sessions).where(sessions.c.user_id == user_id)
    return [_session(row) for row in tx.rows(query.order_by(sessions.c.seen_at.desc(), sessions.c.id))]


def note_session(tx: Tx, session_id: str, ip: str, now: datetime) -> None:
    tx.run(sa.update(sessions).where(sessions.c.id == session_id).values(seen_at=now, ip=ip))


def change_session_digest(tx: Tx, session_id: str, digest: str) -> None:
    tx.run(sa.update(sessions).where(sessions.c.id == session_id).values(digest=digest))


def end_session(tx: Tx, session_id: str) -> None:
    tx.run(sa.delete(sessions).where(sessions.c.id == session_id))


def end_sessions_of_user(tx: Tx, user_id: str) -> int:
    return tx.run(sa.delete(sessions).where(sessions.c.user_id == user_id))


def end_other_sessions(tx: Tx, user_id: str, kept: str | None) -> None:
    """End all sessions of the user but one."""
    tx.run(sa.delete(sessions).where(sessions.c.user_id == user_id, sessions.c.id != (kept or "")))


def count_guess(tx: Tx, via: str) -> int:
    """Count a wrong guess made with this access token or session; return how many there were."""
    counted = 0
    for table in (access_tokens, sessions):
        tx.run(sa.update(table).where(table.c.id == via).values(wrong_guesses=table.c.wrong_guesses + 1))
        row = tx.one(sa.select(table.c.wrong_guesses).where(table.c.id == via))
        counted = max(counted, row["wrong_guesses"] if row else 0)
    return counted


def forget_guesses(tx: Tx, via: str) -> None:
    for table in (access_tokens, sessions):
        tx.run(sa.update(table).where(table.c.id == via, table.c.wrong_guesses > 0).values(wrong_guesses=0))


def end_old_sessions(tx: Tx, user_id: str, *, unseen_since: datetime, made_before: datetime) -> None:
    """Clear away what has ended by itself."""
    old = sa.or_(sessions.c.seen_at <= unseen_since, sessions.c.created_at <= made_before)
    tx.run(sa.delete(sessions).where(sessions.c.user_id == user_id, old))


def _session(row: Mapping[str, Any]) -> Session:
    names = ("id", "user_id", "pending", "ip", "user_agent", "created_at", "seen_at")
    return Session(**{name: row[name] for name in names})


# --- second factors ---------------------------------------------------------------------------------------------------


def second_factor(tx: Tx, user_id: str, *, lock: bool = False) -> SecondFactor | None:
    query = sa.select(second_factors).where(second_factors.c.user_id == user_id)
    row = tx.one(query.with_for_update() if lock else query)
    if row is None:
        return None
    return SecondFactor(
        row["user_id"], row["secret"], row["last_counter"], unread.texts(row["recovery"]), row["confirmed_at"]
    )


def put_second_factor(tx: Tx, factor: SecondFactor, now: datetime) -> None:
    """Write it anew, whatever was there."""
    remove_second_factor(tx, factor.user_id)
    values = {
        "user_id": factor.user_id,
        "secret": factor.secret,
        "last_counter": factor.last_counter,
        "recovery": list(factor.recovery),
        "confirmed_at": factor.confirmed_at,
        "created_at": now,
    }
    tx.run(sa.insert(second_factors).values(values))


def use_code(tx: Tx, user_id: str, counter: int, recovery: tuple[str, ...]) -> None:
    values = {"last_counter": counter, "recovery": list(recovery)}
    tx.run(sa.update(second_factors).where(second_factors.c.user_id == user_id).values(values))


def remove_second_factor(tx: Tx, user_id: str) -> bool:
    return tx.run(sa.delete(second_factors).where(second_factors.c.user_id == user_id)) > 0


def second_factor_holders(tx: Tx, org_id: str) -> frozenset[str]:
    query = (
        sa.select(second_factors.c.user_id)
        .join(users, users.c.id == second_factors.c.user_id)
        .where(users.c.org_id == org_id, second_factors.c.confirmed_at.is_not(None))
    )
    return frozenset(row["user_id"] for row in tx.rows(query))
