"""Removes what rotations of the past have left, once it is older than the operator wants to keep.

Of a rotation's steps and runs the oldest go, without a gap. The journal of credentials stays: it tells what this server has to
remove at the provider.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from keyturn.audit.retention import ALONE, AT_ONCE, OVERDUE
from keyturn.db.unit import Database
from keyturn.rotations.store import retention as store
from keyturn.settings.model import RetentionSettings


def remove_old_history(
    database: Database, retention: RetentionSettings, confirmed_at: datetime, stopped: Callable[[], bool]
) -> bool:
    """Remove steps, runs and keys that are older than they are to be kept.

    Ages count from ``seen``, a moment that is certain to have come. ``stopped`` is asked after each part of it. Repeatable.
    Returns whether it was stopped, so that something may be left.
    """
    if retention.step_days and _remove_steps(
        database, confirmed_at, confirmed_at - timedelta(days=retention.step_days), stopped
    ):
        return True
    if retention.run_days and _remove_runs(database, confirmed_at - timedelta(days=retention.run_days), stopped):
        return True
    return bool(retention.gone_key_days) and _remove_keys(
        database, confirmed_at - timedelta(days=retention.gone_key_days), stopped
    )


def _remove_steps(database: Database, confirmed_at: datetime, before: datetime, stopped: Callable[[], bool]) -> bool:
    with database.read() as tx:
        due = store.with_steps_before(tx, before - OVERDUE)
        last = {rotation_id: store.last_old_step(tx, rotation_id, before, confirmed_at) for rotation_id in due}
    for rotation_id, up_to in last.items():
        removed = AT_ONCE if up_to else 0
        while up_to and removed == AT_ONCE:
            with database.write() as tx:
                tx.alone_with(ALONE)
                removed = store.remove_steps(tx, rotation_id, up_to, AT_ONCE)
            if stopped():
                return True
    return False


def _remove_runs(database: Database, before: datetime, stopped: Callable[[], bool]) -> bool:
    with database.read() as tx:
        due = store.with_runs_before(tx, before - OVERDUE)
    for rotation_id in due:
        while True:
            with database.read() as tx:
                run_ids = store.old_runs(tx, rotation_id, before, AT_ONCE)
            if not run_ids:
                break
            with database.write() as tx:
                tx.alone_with(ALONE)
                store.remove_runs(tx, run_ids)
            if stopped():
                return True
    return False


def _remove_keys(database: Database, before: datetime, stopped: Callable[[], bool]) -> bool:
    while True:
        with database.read() as tx:
            key_ids = store.old_keys(tx, before, AT_ONCE)
        if not key_ids:
            return False
        with database.write() as tx:
            tx.alone_with(ALONE)
            store.remove_keys(tx, key_ids, before)
        if stopped():
            return True
