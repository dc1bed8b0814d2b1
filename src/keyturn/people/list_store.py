"""SQL of the list of an organization's users: those of a page, and how many match."""

from collections.abc import Callable, Mapping
from datetime import datetime

import sqlalchemy as sa

from keyturn.db.tables import password_links, people_external_identities, second_factors, users
from keyturn.db.unit import Tx
from keyturn.db.words import has_word
from keyturn.kit.actor import Role
from keyturn.kit.dataclasses import dataclass
from keyturn.people.domain import Purpose, User
from keyturn.people.store import users_where


@dataclass(frozen=True)
class PeopleFilter:
    """Which users are looked for. Each of the words is in the address or a name; ``kind`` is one of KINDS."""

    org_id: str
    now: datetime
    words: tuple[str, ...] = ()
    kind: str | None = None


def page(tx: Tx, criteria: PeopleFilter, limit: int, offset: int) -> list[User]:
    """Return some of those that match, by address."""
    return users_where(tx, *_matching(criteria), limit=limit, offset=offset)


def count(tx: Tx, criteria: PeopleFilter) -> int:
    row = tx.one(sa.select(sa.func.count().label("n")).select_from(users).where(*_matching(criteria)))
    return int(row["n"]) if row else 0


def break_glass(tx: Tx, org_id: str) -> list[User]:
    """Return the administrators who can sign in with a password, by address."""
    return users_where(tx, users.c.org_id == org_id, _BREAK_GLASS)


def known_to(tx: Tx, org_id: str, issuer: str, limit: int) -> tuple[list[User], int]:
    """Return the first others, by address, who are somebody to the issuer, and how many there are."""
    known = sa.select(people_external_identities.c.user_id).where(people_external_identities.c.issuer == issuer)
    conditions = (users.c.org_id == org_id, sa.not_(_BREAK_GLASS), users.c.id.in_(known))
    row = tx.one(sa.select(sa.func.count().label("n")).select_from(users).where(*conditions))
    return users_where(tx, *conditions, limit=limit), int(row["n"]) if row else 0


_ENABLED = users.c.disabled_at.is_(None)
_BREAK_GLASS = sa.and_(_ENABLED, users.c.role == Role.ADMIN.value, users.c.password_hash != "")
_INVITED = users.c.id.in_(
    sa.select(password_links.c.user_id).where(
        password_links.c.purpose == Purpose.INVITATION.value,
        password_links.c.used_at.is_(None),
        password_links.c.revoked_at.is_(None),
        password_links.c.user_id.is_not(None),
    )
)
_HAS_SECOND_FACTOR = users.c.id.in_(
    sa.select(second_factors.c.user_id).where(second_factors.c.confirmed_at.is_not(None))
)
KINDS: Mapping[str, Callable[[datetime], sa.ColumnElement[bool]]] = {
    "admin": lambda _: users.c.role == Role.ADMIN.value,
    "invited": lambda _: sa.and_(_ENABLED, _INVITED),
    "locked": lambda now: sa.and_(_ENABLED, sa.not_(_INVITED), users.c.locked_until > now),
    "disabled": lambda _: users.c.disabled_at.is_not(None),
    "one-step": lambda _: sa.and_(_ENABLED, sa.not_(_INVITED), sa.not_(_HAS_SECOND_FACTOR)),
}
"""What a list can be limited to: the words for a person's state, and two more."""


def _matching(criteria: PeopleFilter) -> list[sa.ColumnElement[bool]]:
    conditions = [users.c.org_id == criteria.org_id, *(_contains(word) for word in criteria.words)]
    return [*conditions, KINDS[criteria.kind](criteria.now)] if criteria.kind else conditions


def _contains(word: str) -> sa.ColumnElement[bool]:
    return sa.or_(*(has_word(column, word) for column in (users.c.email, users.c.first_name, users.c.last_name)))
