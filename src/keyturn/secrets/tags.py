"""The use cases of tags."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from keyturn.audit import events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, require
from keyturn.authz.domain import Action
from keyturn.changes import store as feed
from keyturn.changes.domain import Change, ChangeKind
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock, Ids
from keyturn.projects.store import lock_project
from keyturn.secrets.domain import Place, StoredSecret, Tag
from keyturn.secrets.store import tags as store

MOST_TAGS = 500
"""Of one project."""
MOST_ON_A_SECRET = 50


@dataclass(frozen=True)
class TagChange:
    """What is to change of a tag; None: it stays."""

    slug: str | None = None
    name: str | None = None
    color: str | None = None


class Tags:
    """The use cases of tags. Changes are audited and numbered in the project's feed."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    def list(self, actor: Actor, project_id: str) -> Sequence[Tag]:
        """Return the tags of a project by slug."""
        with self._database.read() as tx:
            require(tx, actor, Action.READ_TAGS, Scope(actor.org_id, project_id))
            return store.of_project(tx, project_id)

    def get(self, actor: Actor, project_id: str, tag_id: str) -> Tag:
        with self._database.read() as tx:
            require(tx, actor, Action.READ_TAGS, Scope(actor.org_id, project_id))
            return _found(store.by_id(tx, project_id, tag_id), tag_id)

    def by_slug(self, actor: Actor, project_id: str, slug: str) -> Tag:
        with self._database.read() as tx:
            require(tx, actor, Action.READ_TAGS, Scope(actor.org_id, project_id))
            return _found(store.by_slug(tx, project_id, slug), slug)

    def create(self, actor: Actor, project_id: str, slug: str, name: str | None, color: str | None) -> Tag:
        """Add a tag; its name is its slug unless one is given. Raises Refused for a slug in use."""
        now = self._clock.now()
        tag = Tag(self._ids.new(), project_id, slug, name or slug, color or "", now, now)
        with self._database.write() as tx:
            _begin(tx, actor, Action.CREATE_TAGS, project_id)
            if len(store.of_project(tx, project_id)) >= MOST_TAGS:
                raise Refused(
                    f"This project has {MOST_TAGS} tags, as many as one may have.",
                    code="secrets.too_many_tags",
                    fix="Delete what nobody needs.",
                )
            _require_free(tx, project_id, slug)
            store.add(tx, tag)
            _note(tx, actor, events.TAG_CREATED, ChangeKind.TAG_CREATED, tag, now)
        return tag

    def update(self, actor: Actor, project_id: str, tag_id: str, change: TagChange) -> Tag:
        """Change what is given. Raises Refused for a slug in use. The same again changes nothing."""
        with self._database.write() as tx:
            _begin(tx, actor, Action.EDIT_TAGS, project_id)
            before = _found(store.by_id(tx, project_id, tag_id), tag_id)
            after = replace(
                before,
                slug=change.slug or before.slug,
                name=change.name or before.name,
                color=before.color if change.color is None else change.color,
            )
            if after == before:
                return before
            if after.slug != before.slug:
                _require_free(tx, project_id, after.slug)
            after = replace(after, updated_at=self._clock.now())
            store.save(tx, after)
            _note(tx, actor, events.TAG_UPDATED, ChangeKind.TAG_UPDATED, after, after.updated_at)
        return after

    def delete(self, actor: Actor, project_id: str, tag_id: str) -> Tag:
        """Remove a tag from the project and from all secrets that have it."""
        with self._database.write() as tx:
            _begin(tx, actor, Action.DELETE_TAGS, project_id)
            tag = _found(store.by_id(tx, project_id, tag_id), tag_id)
            store.remove(tx, tag.id)
            _note(tx, actor, events.TAG_DELETED, ChangeKind.TAG_DELETED, tag, self._clock.now())
        return tag


def tags_of(tx: Tx, place: Place, secret: StoredSecret) -> Sequence[Tag]:
    """Return the tags of a secret by slug."""
    return list(store.of_secrets(tx, place.project_id, [secret.id]).get(secret.id, ()))


def named_tags(tx: Tx, place: Place, tag_ids: Sequence[str]) -> Sequence[Tag]:
    """Return the tags with these ids by slug, each once. Raises Refused for one that the project does not have."""
    if len(set(tag_ids)) > MOST_ON_A_SECRET:
        raise Refused(
            f"A secret has up to {MOST_ON_A_SECRET} tags.", code="secrets.too_many_tags", fix="Send fewer tagIds."
        )
    known_tags = {tag.id: tag for tag in store.of_project(tx, place.project_id)} if tag_ids else {}
    for tag_id in tag_ids:
        if tag_id not in known_tags:
            raise Refused(
                f"There is no tag '{tag_id}' in this project.", code="secrets.no_such_tag", fix="Create it first."
            )
    return [tag for tag in known_tags.values() if tag.id in set(tag_ids)]


def _begin(tx: Tx, actor: Actor, action: Action, project_id: str) -> None:
    require(tx, actor, action, Scope(actor.org_id, project_id))
    lock_project(tx, project_id)


def _require_free(tx: Tx, project_id: str, slug: str) -> None:
    if store.by_slug(tx, project_id, slug):
        raise Refused(
            f"There is a tag '{slug}' in this project already.",
            code="secrets.tag_taken",
            field="slug",
            fix="Use that one.",
        )


def _found(tag: Tag | None, id_or_slug: str) -> Tag:
    if tag is None:
        raise NotFound(
            f"There is no tag '{id_or_slug}' in this project.",
            code="secrets.tag_not_found",
            fix="GET /api/v1/projects/{id}/tags lists the tags of a project.",
        )
    return tag


def _note(tx: Tx, actor: Actor, event: AuditEvent, kind: ChangeKind, tag: Tag, now: datetime) -> None:
    subject = Subject(SubjectKind.TAG, tag.id, tag.project_id)
    record(tx, actor, event, subject, now, slug=tag.slug, name=tag.name, color=tag.color)
    feed.append(tx, tag.project_id, Change(kind, tag.id, name=tag.slug), now)
