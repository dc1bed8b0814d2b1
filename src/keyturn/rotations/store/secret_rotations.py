"""SQL of secret rotations: where the secrets of applications are published."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from keyturn.connections.rows import read as read_connection
from keyturn.connections.store import CONNECTIONS, GRANTS
from keyturn.credentials import store as journal
from keyturn.db.tables import rotations, runs, secret_rotations
from keyturn.db.tables.views import environments, mapped_secrets, secret_folders
from keyturn.db.unit import Tx
from keyturn.db.words import has_word
from keyturn.kit.batches import batches
from keyturn.rotations.domain import Run
from keyturn.rotations.secret_rotations.domain import GrantUse, SecretRotation, SecretRotationRef, SecretRotationView
from keyturn.rotations.store import freezes
from keyturn.rotations.store.policies import CURRENT, NEWEST_RUN
from keyturn.rotations.store.rows import read_schedule, schedule_columns
from keyturn.rotations.store.rows import rotation as _rotation
from keyturn.rotations.store.rows import run as _run
from keyturn.secrets.domain import Place
from keyturn.secrets.mapped import CLIENT_ID, CLIENT_SECRET, SecretNames

_PLAIN = tuple(name for name in SecretRotation.__dataclass_fields__ if name != "schedule")


def read(row: Mapping[str, Any], prefix: str = "") -> SecretRotation:
    return SecretRotation(schedule=read_schedule(row, prefix), **{name: row[prefix + name] for name in _PLAIN})


def _columns(each: SecretRotation) -> dict[str, Any]:
    return {name: getattr(each, name) for name in _PLAIN} | schedule_columns(each.schedule)


def insert(tx: Tx, each: SecretRotation) -> None:
    tx.run(sa.insert(secret_rotations).values(**_columns(each)))


def save(tx: Tx, each: SecretRotation) -> None:
    tx.run(sa.update(secret_rotations).where(secret_rotations.c.id == each.id).values(**_columns(each)))


def delete(tx: Tx, secret_rotation_id: str) -> None:
    tx.run(sa.delete(secret_rotations).where(secret_rotations.c.id == secret_rotation_id))


def get(tx: Tx, secret_rotation_id: str) -> SecretRotation | None:
    row = tx.one(sa.select(secret_rotations).where(secret_rotations.c.id == secret_rotation_id))
    return read(row) if row else None


def rotation_of_name(tx: Tx, folder_id: str, name: str) -> SecretRotation | None:
    """Return the one of this name in the folder."""
    query = sa.select(secret_rotations).where(
        secret_rotations.c.folder_id == folder_id, secret_rotations.c.name == name
    )
    row = tx.one(query)
    return read(row) if row else None


def count(tx: Tx, project_id: str) -> int:
    """Return how many secret rotations publish into the project."""
    row = tx.one(sa.select(sa.func.count().label("n")).where(secret_rotations.c.project_id == project_id))
    return int(row["n"]) if row else 0


def of_rotation(tx: Tx, rotation_id: str) -> list[SecretRotation]:
    """Return all that share the rotation of one application, the oldest first."""
    query = sa.select(secret_rotations).where(secret_rotations.c.rotation_id == rotation_id)
    return [read(row) for row in tx.rows(query.order_by(secret_rotations.c.created_at, secret_rotations.c.id))]


def refs_of_connection(tx: Tx, connection_id: str, limit: int | None = None) -> list[SecretRotationRef]:
    """Return those whose application is rotated through the connection, by name; with a limit, the first of them."""
    return _refs(tx, secret_rotations.c.connection_id == connection_id, limit)


def count_of_connection(tx: Tx, connection_id: str) -> int:
    query = sa.select(sa.func.count().label("n")).where(secret_rotations.c.connection_id == connection_id)
    row = tx.one(query)
    return int(row["n"]) if row else 0


def refs_of_rotation(tx: Tx, rotation_id: str) -> list[SecretRotationRef]:
    """Return those that share the rotation of one application, by name."""
    return _refs(tx, secret_rotations.c.rotation_id == rotation_id)


def refs_of_rotations(tx: Tx, rotation_ids: Sequence[str]) -> list[SecretRotationRef]:
    """Return those that share the rotations of these applications, of each by name: a statement for each 10 000 ids."""
    parts = batches(rotation_ids, _AT_ONCE)
    return [ref for part in parts for ref in _refs(tx, secret_rotations.c.rotation_id.in_(part))]


def refs_of_project(tx: Tx, project_id: str) -> list[SecretRotationRef]:
    """Return those that publish into the project, by name."""
    return _refs(tx, secret_rotations.c.project_id == project_id)


def refs_named(tx: Tx, org_id: str, word: str, most: int) -> list[SecretRotationRef]:
    """Return the first of the organization with this in the name, or in that of the application, by name."""
    names = (secret_rotations.c.name, rotations.c.application_name, rotations.c.app_id)
    like = sa.or_(*(has_word(name, word) for name in names))
    return _refs(tx, sa.and_(secret_rotations.c.org_id == org_id, like), most)


def refs_of_environment(tx: Tx, environment_id: str) -> list[SecretRotationRef]:
    """Return those that publish into the environment, by name."""
    return _refs(tx, secret_rotations.c.environment_id == environment_id)


def _refs(tx: Tx, where: sa.ColumnElement[bool], most: int | None = None) -> list[SecretRotationRef]:
    query = (
        sa.select(
            secret_rotations.c.id,
            secret_rotations.c.rotation_id,
            secret_rotations.c.name,
            secret_rotations.c.connection_id,
            rotations.c.application_name,
            secret_rotations.c.project_id,
            secret_rotations.c.environment_id,
            environments.c.slug,
            environments.c.name.label("environment_name"),
            secret_folders.c.path,
        )
        .select_from(
            secret_rotations.join(rotations, rotations.c.id == secret_rotations.c.rotation_id)
            .join(secret_folders, secret_folders.c.id == secret_rotations.c.folder_id)
            .join(environments, environments.c.id == secret_rotations.c.environment_id)
        )
        .where(where)
        .order_by(secret_rotations.c.name, secret_rotations.c.id)
        .limit(most)
    )
    places = ("project_id", "environment_id", "slug", "environment_name", "path")
    return [
        SecretRotationRef(
            row["id"],
            row["rotation_id"],
            row["name"],
            row["application_name"],
            Place(*(row[name] for name in places)),
            row["connection_id"],
        )
        for row in tx.rows(query)
    ]


# --- with all that is shown -------------------------------------------------------------------------------------------


def _labelled(table: sa.FromClause, prefix: str) -> list[sa.Label[Any]]:
    return [column.label(f"{prefix}{column.name}") for column in table.columns]


_AT_ONCE = 10_000
_ID, _SECRET = mapped_secrets.alias("of_client_id"), mapped_secrets.alias("of_client_secret")
_VIEW = (
    sa.select(
        rotations,
        *_labelled(secret_rotations, "mapping_"),
        *_labelled(CONNECTIONS, "signer_"),
        *(runs.c[name].label(f"run_{name}") for name in Run.__dataclass_fields__),
        *journal.JOINED,
        GRANTS.c.refreshed_at,
        GRANTS.c.refresh_due_at,
        _ID.c.name.label("client_id_name"),
        _SECRET.c.name.label("client_secret_name"),
        secret_folders.c.path.label("folder_path"),
        environments.c.slug.label("environment_slug"),
        environments.c.name.label("environment_name"),
    )
    .select_from(
        secret_rotations.join(rotations, rotations.c.id == secret_rotations.c.rotation_id)
        .join(CONNECTIONS, CONNECTIONS.c.id == secret_rotations.c.connection_id)
        .join(secret_folders, secret_folders.c.id == secret_rotations.c.folder_id)
        .join(environments, environments.c.id == secret_rotations.c.environment_id)
        .join(_ID, sa.and_(_ID.c.secret_rotation_id == secret_rotations.c.id, _ID.c.which == CLIENT_ID))
        .join(_SECRET, sa.and_(_SECRET.c.secret_rotation_id == secret_rotations.c.id, _SECRET.c.which == CLIENT_SECRET))
        .outerjoin(runs, runs.c.id == NEWEST_RUN)
        .outerjoin(journal.ENTRIES, CURRENT)
        .outerjoin(GRANTS, GRANTS.c.connection_id == CONNECTIONS.c.id)
    )
    .order_by(secret_rotations.c.name, secret_rotations.c.id)
)


def view(tx: Tx, secret_rotation_id: str) -> SecretRotationView | None:
    return next(iter(_views(tx, secret_rotations.c.id == secret_rotation_id)), None)


def required_view(tx: Tx, secret_rotation_id: str) -> SecretRotationView:
    """Return one that is there: it was written or locked in this transaction."""
    found = view(tx, secret_rotation_id)
    if found is None:
        raise LookupError(secret_rotation_id)
    return found


def views(tx: Tx, project_id: str) -> Sequence[SecretRotationView]:
    """Return those of the project by name: a few statements. Never decrypts."""
    return _views(tx, secret_rotations.c.project_id == project_id)


def views_among(tx: Tx, secret_rotation_ids: Sequence[str]) -> Sequence[SecretRotationView]:
    """Return those with these ids, by name: a few statements for each 10 000 ids."""
    starts = range(0, len(secret_rotation_ids), _AT_ONCE)
    parts = (secret_rotation_ids[at : at + _AT_ONCE] for at in starts)
    return [view for part in parts for view in _views(tx, secret_rotations.c.id.in_(part))]


def views_of_rotation(tx: Tx, rotation_id: str) -> Sequence[SecretRotationView]:
    return _views(tx, secret_rotations.c.rotation_id == rotation_id)


def _views(tx: Tx, where: sa.ColumnElement[bool]) -> list[SecretRotationView]:
    found = [_view(row) for row in tx.rows(_VIEW.where(where))]
    frozen = {org_id: freezes.of_organization(tx, org_id) for org_id in {view.rotation.org_id for view in found}}
    return [replace(view, windows=frozen[view.rotation.org_id].of(view.rotation)) for view in found]


def _view(row: Mapping[str, Any]) -> SecretRotationView:
    mapping = read(row, "mapping_")
    connection = {column.name: row[f"signer_{column.name}"] for column in CONNECTIONS.columns}
    place = Place(
        mapping.project_id,
        mapping.environment_id,
        row["environment_slug"],
        row["environment_name"],
        row["folder_path"],
    )
    return SecretRotationView(
        mapping,
        SecretNames(row["client_id_name"], row["client_secret_name"]),
        _rotation(row),
        read_connection(connection),
        place,
        _run(row, "run_") if row["run_id"] else None,
        journal.joined(row) if row["credential_id"] else None,
        GrantUse(row["refreshed_at"], row["refresh_due_at"]) if row["refreshed_at"] else None,
    )
