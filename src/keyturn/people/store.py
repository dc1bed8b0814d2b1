"""SQL for users, their sessions and their second factors."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.db import unread
from keyturn.db.access_triggers import KEEPS_ACCESS
from keyturn.db.tables import second_factors, sessions, users
from keyturn.db.tables.views import organizations
from keyturn.db.unit import Tx
from keyturn.kit.actor import Role
from keyturn.lockout.domain import Attempts, attempt_columns
from keyturn.people.domain import SecondFactor, Session, User

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


# A lock holds off others who write the row, not those who add a row that refers to it, such as a membership: they may hold what
# the one with this lock waits for.


def user_by_email(tx: Tx, email: str, *, lock: bool = False) -> User | None:
    query = sa.select(users).where(users.c.email == email)
    row = tx.one(query.with_for_update(key_share=True) if lock else query)
    return _user(row) if row else None


def user(tx: Tx, org_id: str, user_id: str) -> User | None:
    row = tx.one(sa.select(users).where(users.c.id == user_id, users.c.org_id == org_id))
    return _user(row) if row else None


def users_of(tx: Tx, org_id: str) -> list[User]:
    """Return the users, by e-mail address, those who are disabled as well."""
    return users_where(tx, users.c.org_id == org_id)


def users_where(tx: Tx, *conditions: sa.ColumnElement[bool], limit: int | None = None, offset: int = 0) -> list[User]:
    """Return the users for whom all this holds, by e-mail address; with a limit, some of them."""
    query = sa.select(users).where(*conditions).order_by(users.c.email)
    return [_user(row) for row in tx.rows(query if limit is None else query.limit(limit).offset(offset))]


def addresses(tx: Tx, org_id: str, limit: int) -> list[tuple[str, str]]:
    """Return id and address of the first users by address, without those who are disabled."""
    query = sa.select(users.c.id, users.c.email).where(users.c.org_id == org_id, users.c.disabled_at.is_(None))
    return [(row["id"], row["email"]) for row in tx.rows(query.order_by(users.c.email).limit(limit))]


def id_of_address(tx: Tx, org_id: str, email: str) -> str | None:
    """Return the id of the user of the organization with this address."""
    row = tx.one(sa.select(users.c.id).where(users.c.org_id == org_id, users.c.email == email))
    return str(row["id"]) if row else None


def count_users(tx: Tx, org_id: str) -> int:
    query = sa.select(sa.func.count()).where(users.c.org_id == org_id)
    return int(tx.connection.execute(query).scalar_one())


def admins_with_password(tx: Tx, org_id: str) -> frozenset[str]:
    """Return the ids of the admins who can sign in also when nobody else vouches for them."""
    query = sa.select(users.c.id).where(
        users.c.org_id == org_id,
        users.c.role == Role.ADMIN.value,
        users.c.disabled_at.is_(None),
        users.c.password_hash != "",
    )
    return frozenset(row["id"] for row in tx.rows(query))


def change_user(tx: Tx, user_id: str, now: datetime, **values: Any) -> None:
    tx.run(sa.update(users).where(users.c.id == user_id).values(values | {"updated_at": now}))


def set_user_attempts(tx: Tx, user_id: str, attempts: Attempts) -> None:
    tx.run(sa.update(users).where(users.c.id == user_id).values(**attempt_columns(attempts)))


def note_sign_in(tx: Tx, user_id: str, now: datetime) -> None:
    statement = sa.update(users).where(users.c.id == user_id).values(last_signed_in_at=now)
    tx.run(statement.execution_options(**KEEPS_ACCESS))


def remove_user(tx: Tx, user_id: str) -> None:
    tx.run(sa.delete(users).where(users.c.id == user_id))


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
        row["disabled_at"],
        unread.sentence("user", faults),
        row["last_signed_in_at"],
    )


# --- sign-in sessions -------------------------------------------------------------------------------------------------


def user_by_id(tx: Tx, user_id: str, *, lock: bool = False) -> User | None:
    query = sa.select(users).where(users.c.id == user_id)
    row = tx.one(query.with_for_update(key_share=True) if lock else query)
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


def session_of_user(tx: Tx, user_id: str, session_id: str) -> Session | None:
    row = tx.one(sa.select(sessions).where(sessions.c.id == session_id, sessions.c.user_id == user_id))
    return _session(row) if row else None


def end_session(tx: Tx, session_id: str) -> None:
    tx.run(sa.delete(sessions).where(sessions.c.id == session_id))


def end_sessions_of_user(tx: Tx, user_id: str) -> int:
    return tx.run(sa.delete(sessions).where(sessions.c.user_id == user_id))


def end_other_sessions(tx: Tx, user_id: str, own_session_id: str | None) -> None:
    """End all sessions of the user but one."""
    tx.run(sa.delete(sessions).where(sessions.c.user_id == user_id, sessions.c.id != (own_session_id or "")))


def count_guess(tx: Tx, session_id: str) -> int:
    """Count a wrong guess made in this session; return how many there were, 0 for what is no session."""
    tx.run(sa.update(sessions).where(sessions.c.id == session_id).values(wrong_guesses=sessions.c.wrong_guesses + 1))
    row = tx.one(sa.select(sessions.c.wrong_guesses).where(sessions.c.id == session_id))
    return row["wrong_guesses"] if row else 0


def forget_guesses(tx: Tx, session_id: str) -> None:
    guessed = (sessions.c.id == session_id, sessions.c.wrong_guesses > 0)
    tx.run(sa.update(sessions).where(*guessed).values(wrong_guesses=0))


def end_old_sessions(tx: Tx, user_id: str, *, unseen_since: datetime, made_before: datetime) -> None:
    """Clear away what has ended by itself."""
    old = sa.or_(sessions.c.seen_at <= unseen_since, sessions.c.created_at <= made_before)
    tx.run(sa.delete(sessions).where(sessions.c.user_id == user_id, old))


def _session(row: Mapping[str, Any]) -> Session:
    names = ("id", "user_id", "pending", "ip", "user_agent", "created_at", "seen_at", "method")
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


def has_second_factor(tx: Tx, user_id: str) -> bool:
    return tx.one(_CONFIRMED, user_id=user_id) is not None


def needs_set_up(tx: Tx, user_id: str) -> bool:
    """Say whether the organization wants a second factor of everybody, and this user has none."""
    return tx.one(_WITHOUT_WANTED_ONE, user_id=user_id) is not None


def session_needs_set_up(tx: Tx, session_id: str) -> bool:
    """Say so of a session's user; not where the session was not begun with a password."""
    return tx.one(_SESSION_WITHOUT_WANTED_ONE, session_id=session_id) is not None


_CONFIRMED = sa.select(second_factors.c.user_id).where(
    second_factors.c.user_id == sa.bindparam("user_id"), second_factors.c.confirmed_at.is_not(None)
)
_WITHOUT_WANTED_ONE = (
    sa.select(users.c.id)
    .join(organizations, organizations.c.id == users.c.org_id)
    .where(users.c.id == sa.bindparam("user_id"), organizations.c.second_factor_required)
    .where(
        ~sa.exists().where(second_factors.c.user_id == users.c.id, second_factors.c.confirmed_at.is_not(None)),
    )
)
_SESSION_WITHOUT_WANTED_ONE = (
    sa.select(sessions.c.id)
    .join(users, users.c.id == sessions.c.user_id)
    .join(organizations, organizations.c.id == users.c.org_id)
    .where(sessions.c.id == sa.bindparam("session_id"), sessions.c.method == "password")
    .where(organizations.c.second_factor_required)
    .where(
        ~sa.exists().where(second_factors.c.user_id == users.c.id, second_factors.c.confirmed_at.is_not(None)),
    )
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


def second_factor_holders_among(tx: Tx, user_ids: Sequence[str]) -> frozenset[str]:
    among = (second_factors.c.user_id.in_(user_ids), second_factors.c.confirmed_at.is_not(None))
    return frozenset(row["user_id"] for row in tx.rows(sa.select(second_factors.c.user_id).where(*among)))


def second_factor_holders(tx: Tx, org_id: str) -> frozenset[str]:
    query = (
        sa.select(second_factors.c.user_id)
        .join(users, users.c.id == second_factors.c.user_id)
        .where(users.c.org_id == org_id, second_factors.c.confirmed_at.is_not(None))
    )
    return frozenset(row["user_id"] for row in tx.rows(query))
