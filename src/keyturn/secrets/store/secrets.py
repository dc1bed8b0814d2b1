"""SQL of secrets and their versions."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.credentials import store as journal
from keyturn.db.tables import mapped_secrets, secret_folders, secret_versions, secrets
from keyturn.db.tables.views import environments, projects
from keyturn.db.unit import Tx
from keyturn.secrets.domain import Maker, Place, StoredSecret, Version

CHUNK = 500
"""How many ids one statement names."""

_JOURNALED = (
    sa.select(journal.ENTRIES.c.value)
    .where(journal.ENTRIES.c.id == secret_versions.c.credential_id)
    .correlate(secret_versions)
    .scalar_subquery()
)
MAPPED_BY = (
    sa.select(mapped_secrets.c.secret_rotation_id)
    .where(mapped_secrets.c.secret_id == secrets.c.id)
    .correlate(secrets)
    .scalar_subquery()
)
VERSION = (
    secret_versions.c.id.label("version_id"),
    secret_versions.c.number,
    secret_versions.c.value,
    secret_versions.c.details,
    secret_versions.c.skip_multiline_encoding,
    secret_versions.c.has_references,
    secret_versions.c.credential_id,
    _JOURNALED.label("credential_value"),
    MAPPED_BY.label("secret_rotation_id"),
    secret_versions.c.made_by_kind,
    secret_versions.c.made_by_id,
    secret_versions.c.made_by_name,
)
THERE = secrets.c.removed_revision.is_(None)
"""Those that were removed stay for views of the past: each query says that it does not want them."""
CURRENT = sa.and_(secret_versions.c.secret_id == secrets.c.id, secret_versions.c.number == secrets.c.version, THERE)
_QUERY = sa.select(secrets, *VERSION).join(secret_versions, CURRENT)
_NAMED = _QUERY.where(secrets.c.folder_id == sa.bindparam("folder"), secrets.c.name == sa.bindparam("called"))
SHARED = sa.and_(secrets.c.owner_id.is_(None), THERE)
_NAMED_SHARED = _NAMED.where(SHARED)
_NAMED_OWNED = _NAMED.where(secrets.c.owner_id == sa.bindparam("owner"))
_COUNT = sa.select(sa.func.count().label("n")).where(secrets.c.folder_id == sa.bindparam("folder"), THERE)
_ADD, _ADD_VERSION = sa.insert(secrets), sa.insert(secret_versions)


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the ids in parts that one statement can name."""
    for first in range(0, len(ids), CHUNK):
        yield ids[first : first + CHUNK]


def one(tx: Tx, folder_id: str, name: str, owner_id: str | None) -> StoredSecret | None:
    """Return the secret of this name with its current version: everybody's, or that of an owner."""
    if owner_id is None:
        row = tx.one(_NAMED_SHARED, folder=folder_id, called=name)
    else:
        row = tx.one(_NAMED_OWNED, folder=folder_id, called=name, owner=owner_id)
    return read_stored(row) if row else None


def secrets_of_names(tx: Tx, folder_id: str, names: Sequence[str]) -> list[StoredSecret]:
    """Return everybody's secrets of these names, those that are there."""
    where = (secrets.c.folder_id == folder_id, SHARED)
    return [
        read_stored(row) for part in chunks(names) for row in tx.rows(_QUERY.where(*where, secrets.c.name.in_(part)))
    ]


def version_of(tx: Tx, secret_id: str, number: int) -> StoredSecret | None:
    """Return the secret with the version of this number."""
    query = (
        sa.select(secrets, *VERSION)
        .join(secret_versions, secret_versions.c.secret_id == secrets.c.id)
        .where(secrets.c.id == secret_id, secret_versions.c.number == number, THERE)
    )
    row = tx.one(query)
    return read_stored(row) if row else None


_BEFORE = (
    sa.select(sa.func.max(secret_versions.c.number).label("number"))
    .where(secret_versions.c.secret_id == sa.bindparam("secret"))
    .where(secret_versions.c.credential_id != sa.bindparam("credential"))
)


def names(tx: Tx, secret_ids: Sequence[str]) -> list[str]:
    """Return what these secrets are called."""
    return [str(row["name"]) for row in tx.rows(_NAMES, ids=list(secret_ids))]


_NAMES = sa.select(secrets.c.name).where(secrets.c.id.in_(sa.bindparam("ids", expanding=True))).order_by(secrets.c.name)


def version_before(tx: Tx, secret_id: str, credential_id: str) -> int | None:
    """Return the number of the newest version of the secret that holds another credential than this one."""
    row = tx.one(_BEFORE, secret=secret_id, credential=credential_id)
    return row["number"] if row else None


def versions(tx: Tx, secret_id: str, limit: int, offset: int) -> list[Version]:
    """Return some of the versions of a secret, the newest first."""
    query = (
        sa.select(
            secret_versions.c.number,
            secret_versions.c.name,
            secret_versions.c.made_by_kind,
            secret_versions.c.made_by_id,
            secret_versions.c.made_by_name,
            secret_versions.c.created_at,
            secrets.c.version,
        )
        .join(secrets, secrets.c.id == secret_versions.c.secret_id)
        .where(secret_versions.c.secret_id == secret_id)
        .order_by(secret_versions.c.number.desc())
        .limit(limit)
        .offset(offset)
    )
    return [
        Version(
            row["number"],
            row["name"],
            Maker(row["made_by_kind"], row["made_by_id"], row["made_by_name"]),
            row["created_at"],
            row["number"] == row["version"],
        )
        for row in tx.rows(query)
    ]


PLACED = (
    sa.select(
        secrets,
        *VERSION,
        secret_folders.c.path,
        secret_folders.c.environment_id,
        environments.c.project_id,
        environments.c.slug.label("environment"),
        environments.c.name.label("environment_name"),
    )
    .join(secret_versions, CURRENT)
    .join(secret_folders, secret_folders.c.id == secrets.c.folder_id)
    .join(environments, environments.c.id == secret_folders.c.environment_id)
    .join(projects, projects.c.id == environments.c.project_id)
)
"""Secrets with their current versions and where they are: read by :func:`read_placed`."""


def read_placed(row: Mapping[str, Any]) -> tuple[StoredSecret, Place]:
    place = Place(row["project_id"], row["environment_id"], row["environment"], row["environment_name"], row["path"])
    return read_stored(row), place


def by_id(tx: Tx, org_id: str, secret_id: str) -> tuple[StoredSecret, Place] | None:
    """Return the secret and where it is, wherever in the organization that may be."""
    row = tx.one(PLACED.where(secrets.c.id == secret_id, projects.c.org_id == org_id))
    return read_placed(row) if row else None


def personal(tx: Tx, folder_id: str, name: str) -> list[StoredSecret]:
    """Return the personal values of this name, whoever's they are."""
    return [
        read_stored(row)
        for row in tx.rows(_NAMED.where(secrets.c.owner_id.is_not(None)), folder=folder_id, called=name)
    ]


def count(tx: Tx, folder_id: str) -> int:
    row = tx.one(_COUNT, folder=folder_id)
    return int(row["n"]) if row else 0


def add(tx: Tx, secret: StoredSecret, revision: int) -> None:
    """Keep a new secret with its first version, which is there from this revision of the project on."""
    tx.run(
        _ADD,
        id=secret.id,
        folder_id=secret.folder_id,
        name=secret.name,
        owner_id=secret.owner_id,
        version=secret.version,
        created_at=secret.created_at,
        updated_at=secret.updated_at,
        added_revision=revision,
    )
    _add_version(tx, secret, revision)


def publish(tx: Tx, secret: StoredSecret, revision: int) -> None:
    """Keep a further version of a secret and make it the current one, from this revision of the project on."""
    _add_version(tx, secret, revision)
    values = {"name": secret.name, "version": secret.version, "updated_at": secret.updated_at}
    tx.run(sa.update(secrets).where(secrets.c.id == secret.id).values(values))


def rename(tx: Tx, secret_id: str, name: str, now: datetime) -> None:
    tx.run(sa.update(secrets).where(secrets.c.id == secret_id).values(name=name, updated_at=now))


def remove(tx: Tx, secret_id: str, revision: int) -> None:
    """Remove the secret, from this revision of the project on: only views of the past show it and its versions."""
    tx.run(sa.update(secrets).where(secrets.c.id == secret_id).values(removed_revision=revision))


def _add_version(tx: Tx, secret: StoredSecret, revision: int) -> None:
    tx.run(
        _ADD_VERSION,
        id=secret.version_id,
        secret_id=secret.id,
        number=secret.version,
        name=secret.name,
        value=secret.value,
        credential_id=secret.credential_id,
        details=secret.details,
        skip_multiline_encoding=secret.skip_multiline_encoding,
        has_references=secret.has_references,
        revision=revision,
        made_by_kind=secret.maker.kind,
        made_by_id=secret.maker.id,
        made_by_name=secret.maker.name,
        created_at=secret.updated_at,
    )


def read_stored(row: Mapping[str, Any]) -> StoredSecret:
    """Return a row of a secret with one of its versions."""
    return StoredSecret(
        row["id"],
        row["folder_id"],
        row["name"],
        row["owner_id"],
        row["number"],
        row["version_id"],
        row["value"],
        row["details"],
        row["skip_multiline_encoding"],
        Maker(row["made_by_kind"], row["made_by_id"], row["made_by_name"]),
        row["created_at"],
        row["updated_at"],
        row["has_references"],
        row["credential_id"],
        row["credential_value"],
        row["secret_rotation_id"],
    )
