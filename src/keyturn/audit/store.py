"""The append-only table of audit events. The database refuses to change a row, and to delete one above the floor."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keyturn.audit.chain_store import CONTENT
from keyturn.audit.domain import Event, Filter, StoredEvent, SubjectKind, Tenure
from keyturn.audit.project_events import PROJECT_CREATED, PROJECT_DELETED, PROJECT_RESTORED, PROJECT_UPDATED
from keyturn.db import unread
from keyturn.db.tables import audit_events, audit_floors
from keyturn.db.tables.views import (
    app_connections,
    identities,
    organizations,
    project_members,
    projects,
    rotations,
    users,
)
from keyturn.db.tables.views import secret_rotations as named_rotations
from keyturn.db.unit import Tx
from keyturn.kit.moments import FIRST

_MOST_NAMED = 500
_RENAMING = [each.name for each in (PROJECT_CREATED, PROJECT_UPDATED, PROJECT_DELETED, PROJECT_RESTORED)]
_WITH_KEY = sa.select(audit_events.c.id).where(audit_events.c.once == sa.bindparam("once"))


def append(tx: Tx, event: Event) -> bool:
    """Add the event; say whether it was. An event whose ``once`` key is already there is the same event: nothing happens."""
    # A trigger refuses to insert a key that is there, since SQLite would let it replace the event. There is one writer there.
    if event.once is not None and not tx.postgres and tx.one(_WITH_KEY, once=event.once):
        return False
    row = tx.added_row(
        audit_events,
        CONTENT,
        at=event.at,
        org_id=event.actor.org_id or None,
        project_id=event.project_id,
        actor_kind=event.actor.kind.value,
        actor_id=event.actor.id,
        actor_name=event.actor.name,
        event=event.name,
        subject_kind=event.subject_kind,
        subject_id=event.subject_id,
        data=event.data,
        once=event.once,
        request_id=event.actor.request_id,
    )
    if row is not None:
        tx.events.append(row)
    return row is not None


def has_key(tx: Tx, once: str) -> bool:
    return tx.one(_WITH_KEY, once=once) is not None


def with_key(tx: Tx, org_id: str, once: str) -> StoredEvent | None:
    """Return the event of the organization that carries this key."""
    row = tx.one(sa.select(audit_events).where(audit_events.c.org_id == org_id, audit_events.c.once == once))
    return read_event(row) if row else None


def newest(tx: Tx, criteria: Filter, limit: int) -> list[StoredEvent]:
    """Return the matching events, newest first."""
    column = audit_events.c
    where = [column.org_id == criteria.org_id]
    if criteria.before is not None:
        where.append(column.id < criteria.before)
    choices = (
        (column.project_id, criteria.project_id),
        (column.event, criteria.event),
        (column.subject_id, criteria.subject_id),
        (column.actor_id, criteria.actor_id),
    )
    where += [column == value for column, value in choices if value]
    if criteria.tenures is not None:
        where.append(sa.or_(sa.false(), *(_within(each) for each in criteria.tenures)))
    among = ((column.subject_id, criteria.subjects), (column.actor_id, criteria.actors))
    where += [column.in_(values) for column, values in among if values is not None]
    where += [column.at >= criteria.since] if criteria.since else []
    where += [column.at < criteria.until] if criteria.until else []
    query = sa.select(audit_events).where(*where).order_by(column.id.desc()).limit(limit)
    return [read_event(row) for row in tx.rows(query)]


def _within(tenure: Tenure) -> sa.ColumnElement[bool]:
    column = audit_events.c
    up_to = sa.true() if tenure.last is None else column.id <= tenure.last
    return sa.and_(column.project_id == tenure.project_id, column.id >= tenure.first, up_to)


def tenures(tx: Tx, org_id: str, slug: str) -> tuple[Tenure, ...]:
    """Return which projects of the organization had the slug, and when, as far as the trail reaches back.

    Of a project that has it now everything counts, whatever its slug was before.
    """
    column = audit_events.c
    now, before = column.data["slug"].as_string(), column.data["previousSlug"].as_string()
    query = (
        sa.select(column.subject_id, column.id, column.event, now.label("slug"), before.label("before"))
        .where(column.org_id == org_id, column.event.in_(_RENAMING), sa.or_(now == slug, before == slug))
        .order_by(column.id)
    )
    since: dict[str, int] = {}
    found = []
    for row in tx.rows(query):
        if row["event"] != PROJECT_DELETED.name and row["slug"] == slug:
            had_it = row["event"] == PROJECT_UPDATED.name and row["before"] is None
            since.setdefault(row["subject_id"], 0 if had_it else row["id"])
        else:
            found.append(Tenure(row["subject_id"], since.pop(row["subject_id"], 0), row["id"]))
    present = tx.rows(sa.select(projects.c.id).where(projects.c.org_id == org_id, projects.c.slug == slug))
    return (*found, *(Tenure(row["id"], 0, None) for row in present))


def project_with(tx: Tx, org_id: str, slug: str) -> str | None:
    """Return the id of the project of the organization that has this slug now."""
    row = tx.one(sa.select(projects.c.id).where(projects.c.org_id == org_id, projects.c.slug == slug))
    return row["id"] if row else None


def slugs(tx: Tx, org_id: str, limit: int) -> list[str]:
    """Return slugs of projects of the organization, in order."""
    query = sa.select(projects.c.slug).where(projects.c.org_id == org_id).order_by(projects.c.slug).limit(limit)
    return [row["slug"] for row in tx.rows(query)]


# --- names ------------------------------------------------------------------------------------------------------------

_NAMED = (
    (app_connections, app_connections.c.name, app_connections.c.org_id),
    (rotations, rotations.c.name, rotations.c.org_id),
    (named_rotations, named_rotations.c.name, named_rotations.c.org_id),
    (identities, identities.c.name, identities.c.org_id),
    (users, users.c.email, users.c.org_id),
    (projects, projects.c.name, projects.c.org_id),
    (organizations, organizations.c.name, organizations.c.id),
)
"""Tables of what has a name, with it and with its organization."""
_OF_CONNECTION = sa.select(rotations.c.id).where(rotations.c.connection_id.in_(sa.bindparam("ids", expanding=True)))
_OF_MAPPING = sa.select(named_rotations.c.rotation_id).where(
    named_rotations.c.id.in_(sa.bindparam("ids", expanding=True))
)
_BELOW = sa.union(_OF_CONNECTION, _OF_MAPPING)


def names(tx: Tx, ids: Collection[str]) -> dict[str, str]:
    """Return the names of connections, rotations, identities, users, projects and organizations by id: those that are there."""
    if not ids:
        return {}
    queries = (sa.select(table.c.id, name.label("name")).where(table.c.id.in_(list(ids))) for table, name, _ in _NAMED)
    return {row["id"]: row["name"] for row in tx.rows(sa.union_all(*queries))}


def ids_named(tx: Tx, org_id: str, text: str) -> list[str]:
    """Return the ids of what has this name in the organization; the text itself, as it may be an id, too."""
    queries = (
        sa.select(table.c.id).where(of == org_id, sa.func.lower(name) == text.lower()).limit(_MOST_NAMED).subquery()
        for table, name, of in _NAMED
    )
    return [text, *(row["id"] for row in tx.rows(sa.union_all(*(sa.select(query.c.id) for query in queries))))]


def any_exists(tx: Tx, org_id: str, ids: Collection[str]) -> bool:
    """Say whether something with a name in the organization has one of these ids."""
    queries = (sa.select(table.c.id).where(of == org_id, table.c.id.in_(list(ids))) for table, _, of in _NAMED)
    return tx.one(sa.union_all(*queries).limit(1)) is not None


_IN_PROJECT = (
    (SubjectKind.PROJECT, projects.c.id, projects.c.id),
    (SubjectKind.CONNECTION, app_connections.c.id, app_connections.c.project_id),
    (SubjectKind.ROTATION, rotations.c.id, rotations.c.project_id),
    (SubjectKind.SECRET_ROTATION, named_rotations.c.id, named_rotations.c.project_id),
    (SubjectKind.USER, project_members.c.user_id, project_members.c.project_id),
    (SubjectKind.IDENTITY, project_members.c.identity_id, project_members.c.project_id),
)
"""What a project has that has a name: its kind, the column of its id, and that of the project."""


def in_project(tx: Tx, project_id: str, ids: Collection[str]) -> list[tuple[SubjectKind, str]]:
    """Return those of these ids that are of the project, of something in it or of a member, with what they are of."""
    queries = (
        sa.select(sa.literal(kind.value).label("kind"), column.label("id")).where(
            of == project_id, column.in_(list(ids))
        )
        for kind, column, of in _IN_PROJECT
    )
    return [(SubjectKind(row["kind"]), row["id"]) for row in tx.rows(sa.union_all(*queries))]


def with_rotations(tx: Tx, ids: Collection[str]) -> list[str]:
    """Return the ids, and those of the rotations of the connections and secret rotations among them."""
    return [*ids, *(row["id"] for row in tx.rows(_BELOW, ids=list(ids)))]


def read_event(row: Mapping[str, Any]) -> StoredEvent:
    """Read an event. One that cannot be read says so among its facts: it never fails a page of the trail."""
    values, faults = unread.values(row, ("at", "data"))
    data = unread.mapping(values["data"])
    if data is None and not faults:
        faults.append("data is no object")
    sentence = unread.sentence("event", faults)
    return StoredEvent(
        row["id"],
        values["at"] or FIRST,
        row["event"],
        row["actor_kind"],
        row["actor_id"],
        row["actor_name"],
        row["subject_kind"],
        row["subject_id"],
        row["project_id"],
        row["request_id"],
        (data or {}) | ({"unreadable": sentence} if sentence else {}),
    )


# --- what is no longer kept -----------------------------------------------------------------------------------------


def floor(tx: Tx) -> int:
    """Return the id up to which events may be deleted; 0 as long as none may."""
    return int(tx.rows(sa.select(sa.func.coalesce(sa.func.max(audit_floors.c.up_to), 0).label("id")))[0]["id"])


def last_old(tx: Tx, before: datetime, now: datetime) -> int | None:
    """Return the id of the last event of before the moment that no event of after it precedes; None without one.

    An event from beyond ``now`` was written by a wrong clock: it says nothing.
    """
    column = audit_events.c
    young = tx.rows(sa.select(sa.func.min(column.id).label("id")).where(column.at >= before, column.at <= now))[0]["id"]
    old = sa.select(sa.func.max(column.id).label("id")).where(column.at < before)
    event_id: int | None = tx.rows(old if young is None else old.where(column.id < young))[0]["id"]
    return event_id


def any_before(tx: Tx, moment: datetime, above: int, up_to: int) -> bool:
    """Whether one of these events is older than the moment."""
    column = audit_events.c
    query = sa.select(column.id).where(column.at < moment, column.id > above, column.id <= up_to)
    return tx.one(query.limit(1)) is not None


def count_by_organization(tx: Tx, above: int, up_to: int) -> dict[str, int]:
    """Return how many events of each organization have these ids."""
    column = audit_events.c
    query = sa.select(column.org_id, sa.func.count().label("n")).where(column.id > above, column.id <= up_to)
    return {row["org_id"]: row["n"] for row in tx.rows(query.group_by(column.org_id).order_by(column.org_id))}


def raise_floor(tx: Tx, up_to: int, until: datetime, now: datetime) -> None:
    """Permit to delete events up to this id. The database refuses a floor that does not rise, or reaches the newest event."""
    tx.run(sa.insert(audit_floors), up_to=up_to, until=until, at=now)
