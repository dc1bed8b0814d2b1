"""SQL of rotations that have ended while their credentials are being removed."""

import sqlalchemy as sa

from keyturn.authz.authorize import Visibility
from keyturn.credentials import store as journal
from keyturn.credentials.domain import KEPT
from keyturn.db.tables import rotations, run_steps
from keyturn.db.unit import Tx
from keyturn.rotations.domain import Rotation
from keyturn.rotations.store.rows import rotation as read
from keyturn.rotations.store.runs import StepRecord, read_step

_KEPT = sa.and_(journal.ENTRIES.c.state.in_(["current", "retiring"]), journal.ENTRIES.c.note.is_not_distinct_from(KEPT))
_TO_DO = sa.exists().where(journal.ENTRIES.c.rotation_id == rotations.c.id, journal.LIVE, sa.not_(_KEPT))


def under_way(tx: Tx, sight: Visibility, limit: int) -> list[Rotation]:
    """Return the ended rotations in sight that have a credential to be removed, by name."""
    places = []
    if sight.organization:
        places.append(rotations.c.project_id.is_(None))
    of_projects = rotations.c.project_id.is_not(None)
    places.append(of_projects if sight.projects is None else rotations.c.project_id.in_(sight.projects))
    query = sa.select(rotations).where(
        rotations.c.org_id == sight.org_id, rotations.c.retired.is_(True), sa.or_(*places), _TO_DO
    )
    return [read(row) for row in tx.rows(query.order_by(rotations.c.name, rotations.c.id).limit(limit))]


def last_steps(tx: Tx, rotation_id: str) -> dict[str, StepRecord]:
    """Return what was last tried with each credential of the rotation, by its id."""
    mine = run_steps.c.rotation_id == rotation_id
    newest = sa.select(sa.func.max(run_steps.c.id)).where(mine).group_by(run_steps.c.credential_id)
    rows = tx.rows(sa.select(run_steps).where(run_steps.c.id.in_(newest), run_steps.c.credential_id.is_not(None)))
    return {row["credential_id"]: read_step(row) for row in rows}
