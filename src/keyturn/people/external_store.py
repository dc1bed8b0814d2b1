"""SQL for the external identities of users: one user has at most one for each issuer, and each is one user's."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from keyturn.db.tables import people_external_identities as links
from keyturn.db.tables import users
from keyturn.db.unit import Tx
from keyturn.people.domain import ExternalIdentity


def user_id_of(tx: Tx, issuer: str, subject: str) -> str | None:
    """Return the id of the user who is known by this to the issuer."""
    row = tx.one(sa.select(links.c.user_id).where(links.c.issuer == issuer, links.c.subject == subject))
    return row["user_id"] if row else None


def of_user(tx: Tx, user_id: str) -> list[ExternalIdentity]:
    """Return all of one user, the oldest first."""
    query = sa.select(links).where(links.c.user_id == user_id).order_by(links.c.created_at, links.c.id)
    return [_link(row) for row in tx.rows(query)]


def of_users(tx: Tx, user_ids: Sequence[str]) -> dict[str, tuple[ExternalIdentity, ...]]:
    """Return those of these users, by the user's id."""
    return _by_user(tx, sa.select(links).where(links.c.user_id.in_(user_ids)))


def of_organization(tx: Tx, org_id: str) -> dict[str, tuple[ExternalIdentity, ...]]:
    """Return those of all users of the organization, by the user's id."""
    return _by_user(tx, sa.select(links).join(users, users.c.id == links.c.user_id).where(users.c.org_id == org_id))


def _by_user(tx: Tx, query: sa.Select[Any]) -> dict[str, tuple[ExternalIdentity, ...]]:
    found: dict[str, tuple[ExternalIdentity, ...]] = {}
    for row in tx.rows(query.order_by(links.c.created_at, links.c.id)):
        found[row["user_id"]] = (*found.get(row["user_id"], ()), _link(row))
    return found


def link(tx: Tx, identity: ExternalIdentity) -> None:
    """Write that the user is known by this; what the user was known by to the same issuer is forgotten.

    Raises IntegrityError where it is another user's.
    """
    unlink(tx, identity.user_id, identity.issuer)
    tx.run(
        sa.insert(links).values(
            id=identity.id,
            user_id=identity.user_id,
            issuer=identity.issuer,
            subject=identity.subject,
            created_at=identity.created_at,
        )
    )


def unlink(tx: Tx, user_id: str, issuer: str) -> bool:
    """Forget by what the issuer knows the user; say whether there was anything."""
    return tx.run(sa.delete(links).where(links.c.user_id == user_id, links.c.issuer == issuer)) > 0


def _link(row: Mapping[str, Any]) -> ExternalIdentity:
    names = ("id", "user_id", "issuer", "subject", "created_at")
    return ExternalIdentity(**{name: row[name] for name in names})
