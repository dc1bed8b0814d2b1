"""Reading the audit trail. Writing it is part of each use case that changes something."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from functools import partial
from typing import TypedDict, Unpack

from keyturn.audit import chain_store, known, store
from keyturn.audit.chain import Anchor, Chain
from keyturn.audit.domain import Filter, StoredEvent, SubjectKind
from keyturn.authz.authorize import Grants, Scope, grants_of, is_allowed, require_in
from keyturn.authz.domain import Action
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused
from keyturn.kit import pasted
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass

MOST_SLUGS = 100
MOST_EXPORTED, _AT_ONCE_EXPORTED = 10_000, 1000
_AT_ONCE, _PARTS = 200, 50
"""Events that are looked at together, and how often, for those who may read some of them only."""
_ABOUT = (Action.DESCRIBE_SECRETS, Action.READ_CONNECTIONS, Action.READ_ROTATIONS)
_OF_CONNECTIONS = {SubjectKind.CONNECTION.value, SubjectKind.ROTATION.value}
_OF_SECRETS = {
    SubjectKind.SECRET.value,
    SubjectKind.FOLDER.value,
    SubjectKind.SECRET_IMPORT.value,
    SubjectKind.SECRET_ROTATION.value,
}


@dataclass(frozen=True)
class AuditEvents:
    """Events, newest first. ``cursor`` asks for the older ones; None: there are none."""

    events: tuple[StoredEvent, ...]
    cursor: str | None
    names: Mapping[str, str] = field(default_factory=dict)
    """Names of what the events are about and of connections in their facts, by id, as they are now."""


class AuditSearch(TypedDict, total=False):
    """Which events are wanted; what is absent or None does not matter.

    ``about`` is the id or the name of a thing: events of a connection's rotation are about the connection, too. ``by`` is the id
    or the name of who did it. ``until`` is the first moment that does not count any more.
    """

    project_id: str | None
    event: str | None
    subject_id: str | None
    actor_id: str | None
    about: str | None
    by: str | None
    since: datetime | None
    until: datetime | None
    project_slug: str | None


class AuditTrail:
    """The audit trail of one installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, actor: Actor, *, limit: int = 100, cursor: str | None = None, **search: Unpack[AuditSearch]
    ) -> AuditEvents:
        """Return one page of the events of a project, or (None) of the whole organization.

        With ``project_slug`` they are those of the project that has this slug, and of every other that had it, from the time
        when it had it. Events added meanwhile do not shift the following pages. Raises Refused for a bad cursor and for what
        names nothing, and as :func:`require` for an actor who may not read them. Events about what the reader may not know of
        are left out.
        """
        return self._page(actor, limit, cursor, search, require_known=True)

    def of_thing(self, actor: Actor, thing_id: str, project_id: str | None, limit: int) -> Sequence[StoredEvent]:
        """Return the newest events of something that the caller was allowed to read, and of its rotation.

        There may be none any more: events are kept for a time, and what they are about may be older.
        """
        return self._page(actor, limit, None, {"about": thing_id, "project_id": project_id}, require_known=False).events

    def _page(
        self, actor: Actor, limit: int, cursor: str | None, search: AuditSearch, *, require_known: bool
    ) -> AuditEvents:
        """``require_known``: what is looked for has to be something, or have events."""
        before = _position(cursor)
        with self._database.read() as tx:
            search = _within(tx, actor, search)
            project_id = search.get("project_id")
            scope = Scope(actor.org_id, project_id)
            grants = grants_of(tx, actor, scope)
            require_in(grants, actor, Action.READ_AUDIT_LOGS, scope)
            criteria = replace(criteria_of(tx, actor.org_id, search), before=before)
            if project_id is None or _sees_all(grants):
                found = store.newest(tx, criteria, limit + 1)
                page = _page(found, found[limit - 1].id if len(found) > limit else None, limit)
                fits: Fits = partial(_fits, tx)
            else:
                page = _readable(tx, criteria, grants, limit)
                fits = partial(_fits_readable, tx, grants)
            if require_known and not page.events and cursor is None:
                _require_known(tx, criteria, search, fits, partial(_exists, tx, actor, grants, project_id))
            return replace(page, names=store.names(tx, _ids_in(page.events)))

    def export(self, actor: Actor, **search: Unpack[AuditSearch]) -> AuditEvents:
        """Return the newest matching events, ten thousand at most; a ``cursor`` says that there are older ones."""
        found: list[StoredEvent] = []
        names: dict[str, str] = {}
        cursor: str | None = None
        while len(found) < MOST_EXPORTED:
            page = self.page(actor, limit=_AT_ONCE_EXPORTED, cursor=cursor, **search)
            found.extend(page.events)
            names.update(page.names)
            cursor = page.cursor
            if cursor is None:
                break
        return AuditEvents(tuple(found[:MOST_EXPORTED]), cursor, names)


Fits = Callable[[Filter], bool]


def _fits(tx: Tx, criteria: Filter) -> bool:
    return bool(store.newest(tx, criteria, 1))


def _fits_readable(tx: Tx, grants: Grants, criteria: Filter) -> bool:
    return bool(_readable(tx, criteria, grants, 1).events)


def _sees_all(grants: Grants) -> bool:
    return all(grants.everywhere(action) for action in _ABOUT)


def _exists(tx: Tx, actor: Actor, grants: Grants, project_id: str | None, ids: Sequence[str]) -> bool:
    """Say whether one of these is something that the reader may know of, whether or not there are events."""
    org_id = actor.org_id
    if project_id is None or is_allowed(tx, actor, Action.READ_AUDIT_LOGS, Scope(org_id)):
        return store.any_exists(tx, org_id, ids)
    found = store.in_project(tx, project_id, ids)
    return any(_may_know_of(grants, Scope(org_id, project_id), kind, thing_id) for kind, thing_id in found)


def _may_know_of(grants: Grants, scope: Scope, kind: SubjectKind, thing_id: str) -> bool:
    match kind:
        case SubjectKind.PROJECT:
            return True
        case SubjectKind.CONNECTION:
            return grants.allow(Action.READ_CONNECTIONS, replace(scope, connection_id=thing_id))
        case SubjectKind.USER:
            return grants.everywhere(Action.READ_MEMBERS)
        case SubjectKind.IDENTITY:
            return grants.everywhere(Action.READ_IDENTITY_MEMBERS)
        case _:
            return _sees_all(grants)


def _require_known(
    tx: Tx, criteria: Filter, search: AuditSearch, fits: Fits, exists: Callable[[Sequence[str]], bool]
) -> None:
    """Raise Refused for what names nothing. Who reads the events of one project learns of no name elsewhere."""
    whole = criteria.project_id is None
    known.require_known(
        criteria,
        fits,
        exists,
        search.get("project_slug"),
        lambda: store.slugs(tx, criteria.org_id, MOST_SLUGS) if whole else (),
    )


def _within(tx: Tx, actor: Actor, search: AuditSearch) -> AuditSearch:
    """Let a slug name the project itself for who may read its events, and not those of the organization."""
    slug = search.get("project_slug")
    if search.get("project_id") or not slug:
        return search
    if grants_of(tx, actor, Scope(actor.org_id)).allow(Action.READ_AUDIT_LOGS, Scope(actor.org_id)):
        return search
    project_id = store.project_with(tx, actor.org_id, slug)
    if project_id is None or not is_allowed(tx, actor, Action.READ_AUDIT_LOGS, Scope(actor.org_id, project_id)):
        return search
    return {**search, "project_id": project_id}


def require_known_anywhere(database: Database, org_ids: Sequence[str], search: AuditSearch) -> None:
    """Raise Refused for what names nothing in any of these organizations, for the operator of the machine."""
    refusals = []
    for org_id in org_ids:
        with database.read() as tx:
            try:
                exists = partial(store.any_exists, tx, org_id)
                _require_known(tx, criteria_of(tx, org_id, search), search, partial(_fits, tx), exists)
            except Refused as refusal:
                refusals.append(refusal)
    if refusals and len(refusals) == len(org_ids):
        raise refusals[0]


def criteria_of(tx: Tx, org_id: str, search: AuditSearch) -> Filter:
    """Return what is looked for in an organization: names are looked up. Raises Refused for an end before the beginning."""
    about, by = pasted.id_or_text(search.get("about") or ""), pasted.id_or_text(search.get("by") or "")
    slug = search.get("project_slug")
    since, until = search.get("since"), search.get("until")
    if since and until and until <= since:
        raise Refused(
            "The end of the search is not after its beginning.",
            code="audit.period_empty",
            fix="Give a later end, or an earlier beginning.",
            field="endDate",
        )
    return Filter(
        org_id,
        search.get("project_id"),
        search.get("event"),
        search.get("subject_id"),
        search.get("actor_id"),
        subjects=store.with_rotations(tx, store.ids_named(tx, org_id, about)) if about else None,
        actors=store.ids_named(tx, org_id, by) if by else None,
        since=since,
        until=until,
        tenures=None if slug is None else store.tenures(tx, org_id, slug),
    )


def _ids_in(events: Sequence[StoredEvent]) -> set[str]:
    connections = (event.data.get("connectionId") for event in events)
    return {event.subject_id for event in events} | {one for one in connections if isinstance(one, str)}


def newest(tx: Tx, conditions: Filter, limit: int) -> list[StoredEvent]:
    """Return the matching events, newest first, for a use case that has checked what the actor may see."""
    return store.newest(tx, conditions, limit)


@dataclass(frozen=True)
class Proven:
    """Events with position and hash of their links, by their ids, and the anchor of the chain's head.

    ``left_out`` is how many more there are, older ones.
    """

    events: Sequence[StoredEvent]
    links: Mapping[int, tuple[int, str]]
    head: Anchor
    left_out: int


def events_with_links(tx: Tx, conditions: Filter, wanted: Callable[[StoredEvent], bool], limit: int) -> Proven:
    """Return the matching events that are wanted, newest first, with their links, for a use case that has checked what the actor
    may see: so many at most, of however many match.

    Those without a link are left out: nothing proves them.
    """
    chains = chain_store.chains(tx, [conditions.org_id])
    head = (chains[0] if chains else Chain(conditions.org_id)).anchor
    events: list[StoredEvent] = []
    links: dict[int, tuple[int, str]] = {}
    left_out = 0
    while True:
        part = store.newest(tx, conditions, _AT_ONCE_EXPORTED)
        found = [event for event in part if wanted(event)]
        there = chain_store.links_of(tx, [event.id for event in found])
        linked = [event for event in found if event.id in there]
        taken = linked[: limit - len(events)]
        events += taken
        links |= {event.id: there[event.id] for event in taken}
        left_out += len(linked) - len(taken)
        if len(part) < _AT_ONCE_EXPORTED:
            return Proven(events, links, head, left_out)
        conditions = replace(conditions, before=part[-1].id)


def with_key(tx: Tx, org_id: str, once: str) -> tuple[StoredEvent, tuple[int, str] | None] | None:
    """Return the event that carries this key, with position and hash of its link, for a use case that has checked what the actor
    may see.
    """
    event = store.with_key(tx, org_id, once)
    return None if event is None else (event, chain_store.links_of(tx, [event.id]).get(event.id))


def _page(found: Sequence[StoredEvent], up_to: int | None, limit: int) -> AuditEvents:
    return AuditEvents(tuple(found[:limit]), None if up_to is None else str(up_to))


def _readable(tx: Tx, criteria: Filter, grants: Grants, limit: int) -> AuditEvents:
    """Return a page of those matching events that tell nothing of what the reader may not know of.

    So many are looked at for one page, at most, that it may have fewer than ``limit`` and yet have a next one.
    """
    found: list[StoredEvent] = []
    for _ in range(_PARTS):
        part = store.newest(tx, criteria, _AT_ONCE)
        for event in part:
            if _may_know(event, criteria, grants):
                found.append(event)
                if len(found) == limit:
                    return _page(found, event.id, limit)
        if len(part) < _AT_ONCE:
            return _page(found, None, limit)
        criteria = replace(criteria, before=part[-1].id)
    return _page(found, criteria.before, limit)


def _may_know(event: StoredEvent, criteria: Filter, grants: Grants) -> bool:
    """Say whether the reader may know of all that an event names: folders with what is in them, secret rotations, connections."""
    org_id, project_id, data = criteria.org_id, criteria.project_id, event.data
    for environment, path in (("environment", "secretPath"), ("importEnvironment", "importPath")):
        if path in data:
            scope = Scope(org_id, project_id, str(data.get(environment)), str(data[path]))
            if not grants.allow(Action.DESCRIBE_SECRETS, scope):
                return False
            of_rotation = replace(scope, connection_id=data.get("connectionId"))
            if event.subject_kind == SubjectKind.SECRET_ROTATION and not grants.allow(
                Action.READ_ROTATIONS, of_rotation
            ):
                return False
    if event.subject_kind in _OF_CONNECTIONS:
        connection_id = event.subject_id if event.subject_kind == SubjectKind.CONNECTION else data.get("connectionId")
        scope = Scope(org_id, project_id, connection_id=str(connection_id) if connection_id else None)
        return grants.allow(Action.READ_CONNECTIONS, scope)
    return event.subject_kind not in _OF_SECRETS or "secretPath" in data or grants.everywhere(Action.DESCRIBE_SECRETS)


def _position(cursor: str | None) -> int | None:
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise Refused(
            "This cursor was not made by this server.",
            code="audit.cursor_invalid",
            fix="Begin again without a cursor.",
        )
    return int(cursor)
