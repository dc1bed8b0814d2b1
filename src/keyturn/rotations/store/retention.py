"""SQL that finds and removes what rotations of the past have left: steps, runs, and keys that are gone."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from keyturn.credentials import store as journal
from keyturn.db.tables import observed_keys, run_steps, runs
from keyturn.db.unit import Tx

_LATEST_RUN = (
    sa.select(runs.c.id)
    .where(runs.c.rotation_id == sa.bindparam("of_rotation"))
    .order_by(runs.c.created_at.desc(), runs.c.id)
    .limit(1)
    .correlate(None)
    .scalar_subquery()
)


# --- steps ----------------------------------------------------------------------------------------------------------


def with_steps_before(tx: Tx, moment: datetime) -> list[str]:
    """Return the rotations that have a step of before the moment."""
    query = sa.select(run_steps.c.rotation_id).where(run_steps.c.finished_at < moment).distinct()
    return [row["rotation_id"] for row in tx.rows(query.order_by(run_steps.c.rotation_id))]


_OF_ROTATION = run_steps.c.rotation_id == sa.bindparam("of_rotation")
_LAST = sa.select(sa.func.max(run_steps.c.id)).where(_OF_ROTATION).correlate(None).scalar_subquery()
_FIRST_TO_KEEP = sa.select(sa.func.min(run_steps.c.id).label("id")).where(
    _OF_ROTATION,
    sa.or_(
        run_steps.c.finished_at.between(sa.bindparam("before"), sa.bindparam("seen")),
        run_steps.c.run_id == _LATEST_RUN,
        run_steps.c.id == _LAST,
    ),
)
_LAST_OLD = sa.select(sa.func.max(run_steps.c.id).label("id")).where(
    _OF_ROTATION, run_steps.c.finished_at < sa.bindparam("before"), run_steps.c.id < sa.bindparam("first")
)


def last_old_step(tx: Tx, rotation_id: str, before: datetime, confirmed_at: datetime) -> int | None:
    """Return the id of the last step of before the moment that comes before all that are kept; None without one.

    Kept are the steps of since then, those of the latest run, and the last one, which may yet be extended. A step from beyond
    ``confirmed_at`` was written by a wrong clock: it says nothing.
    """
    first = tx.rows(_FIRST_TO_KEEP, of_rotation=rotation_id, before=before, seen=confirmed_at)[0]["id"]
    step_id: int | None = tx.rows(_LAST_OLD, of_rotation=rotation_id, before=before, first=first)[0]["id"]
    return step_id


def remove_steps(tx: Tx, rotation_id: str, up_to: int, most: int) -> int:
    """Delete the oldest steps up to this id, not more than so many; return how many."""
    oldest = sa.select(run_steps.c.id).where(run_steps.c.rotation_id == rotation_id, run_steps.c.id <= up_to)
    return tx.run(sa.delete(run_steps).where(run_steps.c.id.in_(oldest.order_by(run_steps.c.id).limit(most))))


# --- runs -----------------------------------------------------------------------------------------------------------


def with_runs_before(tx: Tx, moment: datetime) -> list[str]:
    """Return the rotations that have a run that ended before the moment."""
    query = sa.select(runs.c.rotation_id).where(runs.c.finished_at < moment).distinct()
    return [row["rotation_id"] for row in tx.rows(query.order_by(runs.c.rotation_id))]


_RUN_TO_KEEP = sa.select(sa.func.min(runs.c.created_at)).where(
    runs.c.rotation_id == sa.bindparam("of_rotation"),
    sa.or_(
        runs.c.finished_at.is_(None),
        runs.c.finished_at >= sa.bindparam("before"),
        runs.c.id == _LATEST_RUN,
        sa.exists().where(run_steps.c.run_id == runs.c.id),
    ),
)
_OLD_RUNS = (
    sa.select(runs.c.id)
    .where(
        runs.c.rotation_id == sa.bindparam("of_rotation"),
        runs.c.created_at < _RUN_TO_KEEP.correlate(None).scalar_subquery(),
    )
    .order_by(runs.c.created_at, runs.c.id)
    .limit(sa.bindparam("most"))
)


def old_runs(tx: Tx, rotation_id: str, before: datetime, most: int) -> list[str]:
    """Return the ids of the oldest runs, before all that are kept, not more than so many.

    Kept are runs that have not ended or did so since the moment, the latest one, and those that have steps.
    """
    return [row["id"] for row in tx.rows(_OLD_RUNS, of_rotation=rotation_id, before=before, most=most)]


def remove_runs(tx: Tx, ids: Sequence[str]) -> None:
    tx.run(sa.delete(runs).where(runs.c.id.in_(ids), runs.c.finished_at.is_not(None)))


# --- keys -----------------------------------------------------------------------------------------------------------

_OTHERS = observed_keys.alias("others")
_GONE_LONG = observed_keys.c.gone_at < sa.bindparam("before")
_OLD_KEYS = (
    sa.select(observed_keys.c.id)
    .where(
        _GONE_LONG,
        sa.exists().where(_OTHERS.c.rotation_id == observed_keys.c.rotation_id, _OTHERS.c.gone_at.is_(None)),
        ~sa.exists().where(journal.ENTRIES.c.key_id == observed_keys.c.key_id, journal.LIVE),
    )
    .order_by(observed_keys.c.gone_at, observed_keys.c.id)
    .limit(sa.bindparam("most"))
)


def old_keys(tx: Tx, before: datetime, most: int) -> list[str]:
    """Return the ids of keys that were gone before the moment, not more than so many.

    Kept are those that the journal has not done with; and all of an application of which no other key is left to be seen:
    whoever looks there next would take it for the first look.
    """
    return [row["id"] for row in tx.rows(_OLD_KEYS, before=before, most=most)]


def remove_keys(tx: Tx, ids: Sequence[str], before: datetime) -> None:
    """Delete those of the keys that have not come back."""
    tx.run(sa.delete(observed_keys).where(observed_keys.c.id.in_(ids), _GONE_LONG), before=before)
