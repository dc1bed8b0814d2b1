"""Column types that keep the rules of the house: moments are UTC, secrets are sealed."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from keyturn.db.unread import Unread
from keyturn.kit.secret import Sealed


class Moment(sa.TypeDecorator[datetime]):
    """An aware moment, always UTC. PostgreSQL: ``timestamptz``; SQLite: ISO text, which sorts by time.

    What cannot be read comes as ``Unread``, or as the moment ``instead`` where one is given.
    """

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def __init__(self, instead: datetime | None = None) -> None:
        super().__init__()
        self.instead = instead

    # SQLite's way is text, written and read here in one call each: a rotation does it a thousand times.

    def bind_processor(self, dialect: Dialect) -> Any:
        return _to_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        parse = _from_text if dialect.name == "sqlite" else _from_driver
        if self.instead is None:
            return parse

        def read_or_instead(value: Any) -> Any:
            moment = parse(value)
            return self.instead if isinstance(moment, Unread) else moment

        return read_or_instead

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _in_utc(value)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a moment without a zone")
    return value.astimezone(UTC)


def _to_text(value: datetime | None) -> str | None:
    return None if value is None else _in_utc(value).replace(tzinfo=None).isoformat(" ", "microseconds")


def _from_text(value: Any) -> Any:
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except (ValueError, TypeError):
        return Unread(str(value))


def _from_driver(value: Any) -> Any:
    return _in_utc(value) if isinstance(value, datetime) else value


class SealedText(sa.TypeDecorator[Sealed]):
    """A sealed value. Loading never decrypts; plain text is refused."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if not isinstance(value, Sealed):
            raise TypeError("this column holds sealed values only")
        return value.text

    def process_result_value(self, value: str | None, dialect: Dialect) -> Sealed | None:
        return None if value is None else Sealed(value)


class DigestText(sa.TypeDecorator[str]):
    """A keyed digest, which names its data key, or a hash of an older release. It cannot be made anew without the value."""

    impl = sa.Text
    cache_ok = True
