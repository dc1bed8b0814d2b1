"""Removes what is kept of the past of secrets: old changes with the secrets that were removed then, and versions too many.

Of the changes of a project, and of the versions of a secret, the oldest go, without a gap. What is current always stays.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from keyturn.audit.retention import ALONE, AT_ONCE, OVERDUE
from keyturn.changes import store as feed
from keyturn.db.unit import Database
from keyturn.secrets.store import retention as store
from keyturn.settings.model import RetentionSettings

NO_LIMIT = 2**31 - 1


def remove_old_versions(database: Database, retention: RetentionSettings, stopped: Callable[[], bool]) -> bool:
    """Remove the oldest versions of secrets that have more than are to be kept, by the server or by their project.

    ``stopped`` is asked after each part of it. Repeatable. Returns whether it was stopped, so that something may be left.
    """
    kept = retention.secret_versions or NO_LIMIT
    while True:
        with database.read() as tx:
            version_ids = store.versions_too_many(tx, kept, AT_ONCE)
        if not version_ids:
            break
        with database.write() as tx:
            tx.alone_with(ALONE)
            store.remove_versions(tx, version_ids)
        if stopped():
            return True
    return False


def remove_old_changes(
    database: Database, retention: RetentionSettings, confirmed_at: datetime, stopped: Callable[[], bool]
) -> bool:
    """Remove changes that are older than they are to be kept, and the secrets that nothing but these could still show.

    Ages count from ``confirmed_at``, a moment that is certain to have come. Otherwise as :func:`remove_old_versions`.
    """
    if not retention.change_days:
        return False
    before = confirmed_at - timedelta(days=retention.change_days)
    with database.read() as tx:
        due = feed.projects_with_changes_before(tx, before - OVERDUE)
        last = {project_id: feed.last_before(tx, project_id, before, confirmed_at) for project_id in due}
    for project_id, up_to in last.items():
        count = AT_ONCE if up_to else 0
        while count >= AT_ONCE:
            with database.write() as tx:
                tx.alone_with(ALONE)
                count = feed.remove_up_to(tx, project_id, up_to or 0, AT_ONCE)
                count = max(count, store.remove_unreachable(tx, project_id, feed.floor(tx, project_id), AT_ONCE))
            if stopped():
                return True
    return False
