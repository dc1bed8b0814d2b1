"""The feed of a project's changes: one row for each write, numbered by the project's revision."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from keyturn.changes.domain import Change, ChangeKind
from keyturn.db.tables import changes
from keyturn.db.tables.views import access_revisions
from keyturn.db.tables.views import project_revisions as projects
from keyturn.db.unit import Tx
from keyturn.kit.batches import batches

_AT_ONCE = 500

_NEXT = (
    sa.update(projects)
    .where(projects.c.id == sa.bindparam("project"))
    .values(revision=projects.c.revision + 1)
    .returning(projects.c.revision)
)
_ADD = sa.insert(changes)
_REVISION = sa.select(projects.c.revision).where(projects.c.id == sa.bindparam("project"))


def append(tx: Tx, project_id: str, change: Change, at: datetime) -> int:
    """Add the change and return its number, in the transaction of the write itself.

    The project's row stays locked until the transaction ends, so numbers appear in the order in which writes are committed:
    whoever has read up to a number misses none below it.
    """
    number = int(tx.changed_row(_NEXT, project=project_id)["revision"])
    tx.run(
        _ADD,
        project_id=project_id,
        revision=number,
        at=at,
        kind=change.kind.value,
        subject_id=change.subject_id,
        environment=change.environment,
        path=change.path,
        name=change.name,
        version=change.version,
        owner_id=change.owner_id,
        reason=change.reason,
        previous_name=change.previous_name,
        previous_path=change.previous_path,
    )
    tx.announce()
    return number


def revision(tx: Tx, project_id: str) -> int:
    """Return the number of the project's last change; 0 before the first, and for a project that is not there."""
    row = tx.one(_REVISION, project=project_id)
    return int(row["revision"]) if row else 0


def revisions(tx: Tx, project_ids: Sequence[str]) -> dict[str, int]:
    """Return the number of the last change of each of these projects that is there."""
    query = sa.select(projects.c.id, projects.c.revision)
    return {
        row.id: row.revision
        for ids in batches(project_ids, _AT_ONCE)
        for row in tx.tuples(query.where(projects.c.id.in_(ids)))
    }


_ACCESS = sa.select(access_revisions.c.revision)


def access_revision(tx: Tx) -> int:
    """Return the number that is another one after each write that may change who reads what."""
    row = tx.one(_ACCESS)
    return int(row["revision"]) if row else 0


def floor(tx: Tx, project_id: str) -> int:
    """Return the number below which changes may have been removed: of those after it none is missing."""
    row = tx.one(_FIRST, project=project_id)
    first = row["first"] if row else None
    return revision(tx, project_id) if first is None else int(first) - 1


def revision_at(tx: Tx, project_id: str, moment: datetime) -> int | None:
    """Return the number of the last change up to the moment: 0 before the first one, None when it was removed."""
    row = tx.one(_UP_TO, project=project_id, moment=moment)
    if row:
        return int(row["revision"])
    return None if floor(tx, project_id) else 0


_FIRST = sa.select(sa.func.min(changes.c.revision).label("first")).where(
    changes.c.project_id == sa.bindparam("project")
)
_UP_TO = (
    sa.select(changes.c.revision)
    .where(changes.c.project_id == sa.bindparam("project"), changes.c.at <= sa.bindparam("moment"))
    .order_by(changes.c.revision.desc())
    .limit(1)
)


# --- retention --------------------------------------------------------------------------------------------------------


def projects_with_changes_before(tx: Tx, moment: datetime) -> Sequence[str]:
    """Return the projects that have a change of before the moment."""
    query = sa.select(changes.c.project_id).where(changes.c.at < moment).distinct().order_by(changes.c.project_id)
    return [row["project_id"] for row in tx.rows(query)]


def last_before(tx: Tx, project_id: str, moment: datetime, confirmed_at: datetime) -> int | None:
    """Return the number of the last change of before the moment that comes before all others; None without one.

    A change from beyond ``confirmed_at`` was written by a wrong clock: its moment says nothing.
    """
    of_project = changes.c.project_id == project_id
    kept = tx.one(
        sa.select(sa.func.min(changes.c.revision).label("first")).where(
            of_project, changes.c.at.between(moment, confirmed_at)
        )
    )
    old = sa.select(sa.func.max(changes.c.revision).label("last")).where(of_project, changes.c.at < moment)
    if kept and kept["first"] is not None:
        old = old.where(changes.c.revision < kept["first"])
    row = tx.one(old)
    return row["last"] if row else None


def remove_up_to(tx: Tx, project_id: str, number: int, most: int) -> int:
    """Delete the oldest changes up to this number, not more than so many; return how many."""
    of_project = changes.c.project_id == project_id
    oldest = sa.select(changes.c.revision).where(of_project, changes.c.revision <= number)
    ordered = oldest.order_by(changes.c.revision).limit(most)
    return tx.run(sa.delete(changes).where(of_project, changes.c.revision.in_(ordered)))


# --- reading ----------------------------------------------------------------------------------------------------------


def since(tx: Tx, project_id: str, number: int, limit: int) -> Sequence[tuple[int, Change]]:
    """Return up to ``limit`` changes after the number, in their order, each with its own number."""
    query = (
        sa.select(changes)
        .where(changes.c.project_id == project_id, changes.c.revision > number)
        .order_by(changes.c.revision)
        .limit(limit)
    )
    return [
        (
            row["revision"],
            Change(
                ChangeKind(row["kind"]),
                row["subject_id"],
                row["environment"],
                row["path"],
                row["name"],
                row["version"],
                row["owner_id"],
                row["reason"],
                row["previous_name"],
                row["previous_path"],
            ),
        )
        for row in tx.rows(query)
    ]
