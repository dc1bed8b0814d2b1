"""SQL of what a folder had at a revision of its project, of which everybody's secrets are told."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import sqlalchemy as sa

from keyturn.db.tables import secret_versions, secrets
from keyturn.db.unit import Tx
from keyturn.secrets.domain import StoredSecret
from keyturn.secrets.store.heads import size_of
from keyturn.secrets.store.secrets import MAPPED_BY, VERSION, chunks, read_stored


class PastHead(NamedTuple):
    """A secret as it was, without its value. ``version_id`` is None when that version is not kept any more."""

    name: str | None
    version_id: str | None
    secret_id: str
    size: int
    is_mapped: bool
    """Whether its value then was, or is now, that of a secret rotation."""


def heads_at(tx: Tx, folder_id: str, revision: int) -> Iterator[PastHead]:
    """Yield the secrets that the folder had at the revision, by the names that they had."""
    return (PastHead(*row) for row in tx.stream(_heads_at(tx.postgres), folder=folder_id, past=revision))


def of_versions_as_they_were(tx: Tx, version_ids: Sequence[str]) -> Mapping[str, StoredSecret]:
    """Return the versions with these ids, each with the name and the moment of that version, as far as they are kept."""
    return {
        row["version_id"]: read_stored(row)
        for ids in chunks(version_ids)
        for row in tx.rows(_AS_THEY_WERE, versions=ids)
    }


_AS_THEY_WERE = (
    sa.select(
        secrets.c.id,
        secrets.c.folder_id,
        secrets.c.owner_id,
        secrets.c.created_at,
        secret_versions.c.name,
        secret_versions.c.created_at.label("updated_at"),
        *VERSION,
    )
    .join(secret_versions, secret_versions.c.secret_id == secrets.c.id)
    .where(secret_versions.c.id.in_(sa.bindparam("versions", expanding=True)))
)


@lru_cache(maxsize=4)
def _heads_at(postgres: bool) -> sa.Select[tuple[object, ...]]:
    past = sa.bindparam("past", type_=sa.BigInteger)
    of_then = (
        sa.select(sa.func.max(secret_versions.c.number))
        .where(secret_versions.c.secret_id == secrets.c.id, secret_versions.c.revision <= past)
        .correlate(secrets)
        .scalar_subquery()
    )
    name = sa.collate(secret_versions.c.name, "C") if postgres else secret_versions.c.name
    is_mapped = sa.or_(secret_versions.c.credential_id.is_not(None), MAPPED_BY.is_not(None))
    return (
        sa.select(secret_versions.c.name, secret_versions.c.id, secrets.c.id, size_of(postgres), is_mapped)
        .select_from(
            secrets.outerjoin(
                secret_versions,
                sa.and_(secret_versions.c.secret_id == secrets.c.id, secret_versions.c.number == of_then),
            )
        )
        .where(
            secrets.c.folder_id == sa.bindparam("folder"),
            secrets.c.owner_id.is_(None),
            secrets.c.added_revision <= past,
            sa.or_(secrets.c.removed_revision.is_(None), secrets.c.removed_revision > past),
        )
        .order_by(name)
    )
