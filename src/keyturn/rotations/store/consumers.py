"""SQL of who holds secrets of applications: what they are called, and which secrets are about to go while they are held."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential
from keyturn.db.tables import rotations
from keyturn.db.tables.views import identities, project_members, users
from keyturn.db.unit import Tx
from keyturn.delivery import use_store as uses
from keyturn.kit.actor import ActorKind
from keyturn.rotations.domain import RotationKind, Snapshot
from keyturn.rotations.store import evidence
from keyturn.rotations.store.rows import rotation as read_rotation

_ROWS = journal.ENTRIES.c


def names(tx: Tx, org_id: str, caller_ids: Collection[str]) -> Mapping[str, str]:
    """Return what identities and people of the organization are called, by id."""
    found = sa.union_all(
        sa.select(identities.c.id, identities.c.name).where(
            identities.c.org_id == org_id, identities.c.id.in_(caller_ids)
        ),
        sa.select(users.c.id, users.c.email.label("name")).where(users.c.org_id == org_id, users.c.id.in_(caller_ids)),
    )
    return {row["id"]: row["name"] for row in tx.rows(found)}


def members(tx: Tx, project_id: str, kind: ActorKind) -> frozenset[str]:
    """Return the identities, or the people, that are members of the project."""
    column = project_members.c.identity_id if kind is ActorKind.IDENTITY else project_members.c.user_id
    query = sa.select(column.label("id")).where(project_members.c.project_id == project_id, column.is_not(None))
    return frozenset(row["id"] for row in tx.rows(query))


_GOES_AT = sa.func.coalesce(_ROWS.wait_ends_at, _ROWS.revoke_after)
_ENDING = sa.union_all(
    *(
        sa.select(_ROWS.id).where(_ROWS.org_id == sa.bindparam("org"), part)
        for part in (
            sa.and_(_ROWS.state == sa.literal_column("'current'"), _ROWS.ends_at < sa.bindparam("before")),
            sa.and_(
                _ROWS.state.in_([sa.literal_column(f"'{state}'") for state in ("retiring", "revoking", "lost")]),
                sa.or_(
                    _ROWS.state == "revoking", sa.and_(_ROWS.state == "retiring", sa.bindparam("before") > _GOES_AT)
                ),
            ),
            sa.and_(_ROWS.state == sa.literal_column("'revoked'"), _ROWS.ended_at > sa.bindparam("since")),
        )
    )
)
"""Each part has an index: its condition stands in the statement as it does there."""


def ending(
    tx: Tx, org_id: str, since: datetime, before: datetime, most: int, rotation_id: str | None = None
) -> Sequence[Credential]:
    """Return credentials of applications that end or are removed before a moment, or were removed since another one.

    Of all rotations, or of one.
    """
    query = (
        sa.select(journal.ENTRIES)
        .join(rotations, rotations.c.id == _ROWS.rotation_id)
        .where(
            _ROWS.id.in_(_ENDING),
            rotations.c.kind == RotationKind.APPLICATION.value,
            _ROWS.published_at.is_not(None),
            _ROWS.rotation_id == rotation_id if rotation_id else sa.true(),
        )
        .order_by(_ROWS.rotation_id, _ROWS.generation)
        .limit(most)
    )
    return [journal.read(row) for row in tx.rows(query, org=org_id, since=since, before=before)]


def waiting_for_slots(tx: Tx, org_id: str, before: datetime, most: int) -> Sequence[str]:
    """Return the rotations of applications with few slots, due before a moment, of which a secret waits until nobody holds it."""
    query = (
        sa.select(rotations.c.id)
        .join(journal.ENTRIES, _ROWS.rotation_id == rotations.c.id)
        .where(
            _ROWS.org_id == org_id,
            _ROWS.state == "retiring",
            _ROWS.wait_ends_at.is_not(None),
            rotations.c.slots.is_not(None),
            rotations.c.next_run_at < before,
        )
        .distinct()
        .limit(most)
    )
    return [row["id"] for row in tx.rows(query)]


def snapshots(tx: Tx, rotation_ids: Sequence[str]) -> Mapping[str, Snapshot]:
    """Return these rotations with their living and lately removed credentials, and all that is known of who has or uses those.

    Four statements. Runs are not part of it.
    """
    policies = {
        row["id"]: read_rotation(row) for row in tx.rows(sa.select(rotations).where(rotations.c.id.in_(rotation_ids)))
    }
    query = sa.select(journal.ENTRIES).where(_ROWS.rotation_id.in_(rotation_ids), _ROWS.published_at.is_not(None))
    rows = [journal.read(row) for row in tx.rows(query.order_by(*journal.OLDEST_FIRST))]
    rotation_of = {row.id: row.rotation_id for row in rows}
    known, reported = uses.of_credentials(tx, list(rotation_of)), evidence.of_rotations(tx, rotation_ids)
    return {
        rotation_id: Snapshot(
            policy,
            tuple(row for row in rows if row.rotation_id == rotation_id),
            uses=tuple(use for use in known if rotation_of[use.credential_id] == rotation_id),
            evidence=reported.get(rotation_id),
        )
        for rotation_id, policy in policies.items()
    }
