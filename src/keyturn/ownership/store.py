"""SQL of owners, and what is written with the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from keyturn.db.tables import owners
from keyturn.db.tables.views import users
from keyturn.db.unit import Tx
from keyturn.kit.actor import Actor, ActorKind
from keyturn.kit.batches import batches
from keyturn.ownership.domain import NOBODY, WHO_MAKES_IT, Owned, Owner, OwnerChoice, unknown_user

_COLUMNS = {Owned.CONNECTION: "connection_id", Owned.SECRET_ROTATION: "secret_rotation_id"}
_OF = (
    sa.select(
        *(owners.c[name] for name in ("id", "user_id", "email", "contact")),
        users.c.email.label("now"),
        users.c.disabled_at,
    )
    .select_from(owners.outerjoin(users, sa.and_(users.c.id == owners.c.user_id, users.c.org_id == owners.c.org_id)))
    .where(owners.c.id.in_(sa.bindparam("ids", expanding=True)))
)
_DELETE = sa.delete(owners).where(owners.c.id == sa.bindparam("of_id"))
_INSERT = sa.insert(owners)
_EMAIL = sa.select(users.c.email).where(
    users.c.id == sa.bindparam("person"), users.c.org_id == sa.bindparam("org"), users.c.disabled_at.is_(None)
)
_OWNED = sa.select(owners.c.connection_id, owners.c.secret_rotation_id).where(
    owners.c.user_id == sa.bindparam("person"), owners.c.org_id == sa.bindparam("org")
)


def begin(tx: Tx, actor: Actor, kind: Owned, owned_id: str, now: datetime, choice: OwnerChoice = WHO_MAKES_IT) -> None:
    """Write who answers for a thing that is made. What a machine makes has nobody, unless somebody was chosen.

    Raises Refused for somebody who is no user of the organization.
    """
    maker = actor.id if actor.kind is ActorKind.USER else None
    user_id = choice.user_id or maker
    email = email_of(tx, actor.org_id, user_id) if user_id else ""
    if email is None and choice.user_id:
        raise unknown_user()
    owner = Owner(user_id, email, choice.contact or None) if email else Owner(contact=choice.contact or None)
    if owner != NOBODY:
        put(tx, actor.org_id, kind, owned_id, owner, now)


def put(tx: Tx, org_id: str, kind: Owned, owned_id: str, owner: Owner, now: datetime) -> None:
    """Write who answers for it, in place of who did. Safe to repeat."""
    tx.run(_DELETE, of_id=owned_id)
    tx.run(
        _INSERT,
        id=owned_id,
        org_id=org_id,
        user_id=owner.user_id,
        email=owner.email,
        contact=owner.contact,
        updated_at=now,
        **{_COLUMNS[kind]: owned_id},
    )


def of(tx: Tx, owned_ids: Sequence[str]) -> dict[str, Owner]:
    """Return the owner of each of these by its id, ``NOBODY`` where none was named: a statement for 500 of them."""
    found = dict.fromkeys(owned_ids, NOBODY)
    for ids in batches(owned_ids, 500):
        for row in tx.rows(_OF, ids=list(ids)):
            left = row["user_id"] is not None and (row["now"] is None or row["disabled_at"] is not None)
            found[row["id"]] = Owner(row["user_id"], row["now"] or row["email"], row["contact"], left)
    return found


def email_of(tx: Tx, org_id: str, user_id: str) -> str | None:
    """Return the address of a user of the organization who can sign in; None where there is no such user."""
    row = tx.one(_EMAIL, person=user_id, org=org_id)
    return row["email"] if row else None


def owned_by(tx: Tx, org_id: str, user_id: str) -> dict[Owned, list[str]]:
    """Return the ids of all that somebody answers for, by kind."""
    rows = tx.rows(_OWNED, person=user_id, org=org_id)
    return {kind: sorted(row[column] for row in rows if row[column]) for kind, column in _COLUMNS.items()}
