"""Use cases of looking for secret rotations: one page of a list. Reads only."""

from collections.abc import Sequence

from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action
from keyturn.authz.permissions import Grants
from keyturn.db.unit import Database, Tx
from keyturn.kit import pasted
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.rotations.secret_rotations.domain import SecretRotationView
from keyturn.rotations.store import secret_pages as store
from keyturn.rotations.store import secret_rotations
from keyturn.rotations.store.secret_pages import SORTS, STATUSES, SecretRotationFilter

__all__ = ["SORTS", "STATUSES", "SecretRotationMatches", "SecretRotationQuery", "SecretRotationSearch"]


@dataclass(frozen=True)
class SecretRotationQuery:
    """What somebody looks for. Pages count from 1."""

    text: str = ""
    status: str | None = None
    sort: str = "name"
    descending: bool = False
    page: int = 1
    size: int = 20


@dataclass(frozen=True)
class SecretRotationMatches:
    """One page. ``total`` counts what matches, ``all`` what there is without the search."""

    views: Sequence[SecretRotationView]
    total: int
    all: int
    page: int
    pages: int


class SecretRotationSearch:
    """Lists of secret rotations, as far as the caller may see them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def page(self, actor: Actor, project_id: str, search: SecretRotationQuery) -> SecretRotationMatches:
        """Return one page of a project's secret rotations; a page beyond the last one is the last one.

        Raises NotFound, or Forbidden for somebody who may see none.
        """
        with self._database.read() as tx:
            scope, now = Scope(actor.org_id, project_id), self._clock.now()
            grants = authorize.grants_of(tx, actor, scope)
            criteria = SecretRotationFilter(
                project_id,
                now,
                pasted.search_words(search.text),
                search.status,
                actor.id,
                search.sort,
                search.descending,
            )
            seen, page = _seen(tx, actor, grants, criteria), max(1, search.page)
            ids, total = _part(tx, criteria, seen, page, search.size)
            if not ids and page > 1:  # beyond the last one
                total = store.count(tx, criteria) if seen is None else len(seen)
                page = max(1, -(-total // search.size))
                ids, total = _part(tx, criteria, seen, page, search.size)
            pages, everything = max(1, -(-total // search.size)), total
            if search.text or search.status:
                everything = _count(tx, actor, grants, SecretRotationFilter(project_id, now))
            if not everything:
                authorize.require_in(grants, actor, Action.READ_ROTATIONS, scope)
            views = {view.secret_rotation.id: view for view in secret_rotations.views_among(tx, ids)}
            return SecretRotationMatches([views[one] for one in ids if one in views], total, everything, page, pages)


def _part(
    tx: Tx, criteria: SecretRotationFilter, seen: Sequence[str] | None, page: int, size: int
) -> tuple[Sequence[str], int]:
    first = (page - 1) * size
    if seen is None:
        return store.page(tx, criteria, size, first)
    return seen[first : first + size], len(seen)


def _count(tx: Tx, actor: Actor, grants: Grants, criteria: SecretRotationFilter) -> int:
    seen = _seen(tx, actor, grants, criteria)
    return store.count(tx, criteria) if seen is None else len(seen)


def _seen(tx: Tx, actor: Actor, grants: Grants, criteria: SecretRotationFilter) -> Sequence[str] | None:
    """Return the ids of those that match and the actor may see, in order; None: they may see all that match."""
    if grants.everywhere(Action.READ_ROTATIONS):
        return None
    return [
        one.id
        for one in store.places(tx, criteria)
        if grants.allow(
            Action.READ_ROTATIONS,
            Scope(actor.org_id, criteria.project_id, one.environment, one.path, one.connection_id),
        )
    ]
