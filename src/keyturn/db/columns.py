"""Short words for the columns that most tables have."""

import sqlalchemy as sa

from keyturn.db.types import Moment
from keyturn.kit.moments import FIRST


def key(name: str = "id") -> sa.Column[str]:
    return sa.Column(name, sa.String(36), primary_key=True)


def ref(name: str, target: str, *, null: bool = False, cascade: bool = False) -> sa.Column[str]:
    target_key = sa.ForeignKey(f"{target}.id", ondelete="CASCADE" if cascade else None)
    return sa.Column(name, sa.String(36), target_key, nullable=null, index=True)


def at(name: str, *, null: bool = True, index: bool = False) -> sa.Column[object]:
    """A moment whose readers tell what could not be read."""
    return sa.Column(name, Moment, nullable=null, index=index)


def at_or_first(name: str, *, null: bool = True, index: bool = False) -> sa.Column[object]:
    """A moment that counts as long ago when it cannot be read: what it limits has ended, what it puts off is due."""
    return sa.Column(name, Moment(FIRST), nullable=null, index=index)


def text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


def whole(name: str, default: int = 0) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, default=default, server_default=str(default))


def flag(name: str, *, default: bool = False) -> sa.Column[bool]:
    return sa.Column(
        name, sa.Boolean, nullable=False, default=default, server_default=sa.true() if default else sa.false()
    )


def first_of(column: sa.Column[object]) -> sa.ScalarSelect[object]:
    """The earliest moment of an indexed column: one look into the index on both databases, however many rows there are.

    PostgreSQL answers ``EXISTS`` with a bound that it does not know by reading the table.
    """
    return sa.select(sa.func.min(column)).scalar_subquery()


def last_of(column: sa.Column[object]) -> sa.ScalarSelect[object]:
    """The latest moment of an indexed column, likewise."""
    return sa.select(sa.func.max(column)).scalar_subquery()
