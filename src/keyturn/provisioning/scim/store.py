"""SQL for tokens of clients that provision, and for the groups that they keep."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.db.tables import scim_group_members as members
from keyturn.db.tables import scim_groups as groups
from keyturn.db.tables import scim_tokens as tokens
from keyturn.db.unit import Tx
from keyturn.provisioning.scim.domain import Group, ScimToken

# --- tokens -----------------------------------------------------------------------------------------------------------


def add_token(tx: Tx, token: ScimToken, digest: str) -> None:
    values = {
        "id": token.id,
        "org_id": token.org_id,
        "name": token.name,
        "digest": digest,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }
    tx.run(sa.insert(tokens).values(values))


def token_by_digest(tx: Tx, digest: str) -> ScimToken | None:
    row = tx.one(sa.select(tokens).where(tokens.c.digest == digest))
    return _token(row) if row else None


def tokens_of(tx: Tx, org_id: str) -> list[ScimToken]:
    """Return all that were not revoked, the newest first."""
    query = sa.select(tokens).where(tokens.c.org_id == org_id, tokens.c.revoked_at.is_(None))
    return [_token(row) for row in tx.rows(query.order_by(tokens.c.created_at.desc(), tokens.c.id))]


def note_use(tx: Tx, token_id: str, now: datetime) -> None:
    tx.run(sa.update(tokens).where(tokens.c.id == token_id).values(last_used_at=now))


def revoke_token(tx: Tx, token_id: str, now: datetime) -> None:
    tx.run(sa.update(tokens).where(tokens.c.id == token_id).values(revoked_at=now))


def _token(row: Mapping[str, Any]) -> ScimToken:
    names = ("id", "org_id", "name", "created_at", "expires_at", "revoked_at", "last_used_at")
    return ScimToken(**{name: row[name] for name in names})


# --- groups -----------------------------------------------------------------------------------------------------------


_UNIQUE = {"id": groups.c.id, "externalid": groups.c.external_id}


def groups_of(tx: Tx, org_id: str, equals: tuple[str, str] | None = None) -> list[Group]:
    """Return the groups with their members, by name; ``equals`` is an attribute, in lower case, and the text it has to be.

    Of attributes that the database does not compare as clients do, all groups are returned.
    """
    which = groups.c.org_id == org_id
    if equals is not None and equals[0] in _UNIQUE:
        which = sa.and_(which, _UNIQUE[equals[0]] == equals[1])
    elif equals is not None and equals[0] == "displayname" and equals[1].isascii():
        which = sa.and_(which, sa.func.lower(groups.c.name) == equals[1].lower())
    held: dict[str, list[str]] = {}
    of_members = sa.select(members.c.group_id, members.c.user_id).join(groups, groups.c.id == members.c.group_id)
    for group_id, user_id in tx.tuples(of_members.where(which).order_by(members.c.user_id)):
        held.setdefault(group_id, []).append(user_id)
    query = sa.select(groups).where(which).order_by(groups.c.name, groups.c.id)
    return [_group(row, held.get(row["id"], ())) for row in tx.rows(query)]


def groups_by_user(tx: Tx, org_id: str) -> dict[str, list[Group]]:
    """Return the groups of each user who is in any, without their members."""
    known = {row["id"]: _group(row, ()) for row in tx.rows(sa.select(groups).where(groups.c.org_id == org_id))}
    found: dict[str, list[Group]] = {}
    of_members = sa.select(members.c.group_id, members.c.user_id).join(groups, groups.c.id == members.c.group_id)
    for group_id, user_id in tx.tuples(of_members.where(groups.c.org_id == org_id).order_by(groups.c.name)):
        found.setdefault(user_id, []).append(known[group_id])
    return found


def group(tx: Tx, org_id: str, group_id: str, *, lock: bool = False) -> Group | None:
    query = sa.select(groups).where(groups.c.id == group_id, groups.c.org_id == org_id)
    row = tx.one(query.with_for_update() if lock else query)
    if row is None:
        return None
    of_members = sa.select(members.c.user_id).where(members.c.group_id == group_id).order_by(members.c.user_id)
    return _group(row, [user_id for (user_id,) in tx.tuples(of_members)])


def group_taken(tx: Tx, org_id: str, name: str, external_id: str | None, but: str = "") -> bool:
    """Say whether another group has this name, or is called so by the client."""
    same = groups.c.name == name
    if external_id is not None:
        same = sa.or_(same, groups.c.external_id == external_id)
    query = sa.select(groups.c.id).where(groups.c.org_id == org_id, groups.c.id != but, same).limit(1)
    return tx.one(query) is not None


def count_groups(tx: Tx, org_id: str) -> int:
    query = sa.select(sa.func.count()).where(groups.c.org_id == org_id)
    return int(tx.connection.execute(query).scalar_one())


def add_group(tx: Tx, one: Group) -> None:
    values = {
        "id": one.id,
        "org_id": one.org_id,
        "external_id": one.external_id,
        "name": one.name,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }
    tx.run(sa.insert(groups).values(values))


def change_group(tx: Tx, one: Group) -> None:
    values = {"external_id": one.external_id, "name": one.name, "updated_at": one.updated_at}
    tx.run(sa.update(groups).where(groups.c.id == one.id).values(values))


def remove_group(tx: Tx, group_id: str) -> None:
    tx.run(sa.delete(groups).where(groups.c.id == group_id))


def add_members(tx: Tx, group_id: str, user_ids: Sequence[str]) -> None:
    tx.run_all(sa.insert(members), [{"group_id": group_id, "user_id": user_id} for user_id in user_ids])


def remove_members(tx: Tx, group_id: str, user_ids: Sequence[str]) -> None:
    for user_id in user_ids:
        tx.run(sa.delete(members).where(members.c.group_id == group_id, members.c.user_id == user_id))


def groups_of_user(tx: Tx, user_id: str) -> list[Group]:
    """Return the groups that the user is in, by name, without their members."""
    query = sa.select(groups).join(members, members.c.group_id == groups.c.id).where(members.c.user_id == user_id)
    return [_group(row, ()) for row in tx.rows(query.order_by(groups.c.name, groups.c.id))]


def _group(row: Mapping[str, Any], user_ids: Sequence[str]) -> Group:
    names = ("id", "org_id", "external_id", "name", "created_at", "updated_at")
    return Group(**{name: row[name] for name in names}, members=tuple(user_ids))
