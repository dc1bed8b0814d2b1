"""The list of connections, of a project or of the organization: search, filter, sort and pages, all on the server."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlencode

from msgspec import Meta

from keyturn.connections.catalog import Found, Search
from keyturn.connections.domain import Connection
from keyturn.kit.actor import Actor
from keyturn.pages.connections.badges import Badge, badges
from keyturn.pages.connections.places import (
    MANIFESTS,
    OF_ORGANIZATION,
    OF_PROJECT,
    PageOfPlace,
    Place,
    Shelf,
    method_label,
)
from keyturn.pages.connections.removed import RemovalLink, links
from keyturn.providers.manifest import Manifest
from keyturn.rotations.domain import Rotation
from keyturn.web.pages import Redirect, Route, get
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import Wire


class ListQuery(Wire, rename=None):
    """What the address of a list says."""

    q: Annotated[Trimmed, Meta(max_length=200)] = ""
    app: Annotated[Trimmed, Meta(max_length=64)] | None = None
    sort: Literal["app", "name", "method", "home", "rotation"] = "app"
    order: Literal["asc", "desc"] = "asc"
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    size: Annotated[int, Meta(ge=1, le=100)] = 20
    scope: Literal["organization", "all"] = "organization"


@dataclass(frozen=True)
class Row:
    """A line of the list. ``can`` is what the viewer may do with this one."""

    connection: Connection
    app: Manifest
    method: str
    home: str | None
    home_path: str
    badges: Sequence[Badge]
    rotation: Rotation | None
    can: frozenset[str]


@dataclass(frozen=True)
class Column:
    key: str
    label: str
    href: str
    sorted: str
    """``ascending``, ``descending`` or empty, as ``aria-sort`` says it."""


@dataclass(frozen=True)
class ListPage(PageOfPlace):
    template: ClassVar[str] = "connections/list.html"
    compressed: ClassVar[bool] = True

    query: ListQuery
    found: Found
    rows: Sequence[Row]
    columns: Sequence[Column]
    manifests: Sequence[Manifest]
    earlier: str | None
    later: str | None
    first: int
    last: int
    here: str
    scopes: Sequence[tuple[str, str, str]]
    removals: Sequence[RemovalLink]
    """Of connections that were deleted from here, as long as credentials are being removed."""


def routes(shelf: Shelf) -> list[Route]:
    @get(OF_PROJECT)
    def list_of_project(actor: Actor, project_id: str, query: ListQuery) -> ListPage:
        return _page(shelf, actor, project_id, query)

    @get(OF_ORGANIZATION)
    def list_of_organization(actor: Actor, query: ListQuery) -> ListPage:
        return _page(shelf, actor, None, query)

    @get(OF_PROJECT + "/new")
    def choose_in_project(actor: Actor, project_id: str) -> Redirect:
        return Redirect(f"{shelf.place(actor, project_id).list_path}#add-connection")

    @get(OF_ORGANIZATION + "/new")
    def choose_in_organization(actor: Actor) -> Redirect:
        return Redirect(f"{shelf.place(actor, None).list_path}#add-connection")

    return [list_of_project, list_of_organization, choose_in_project, choose_in_organization]


def _page(shelf: Shelf, actor: Actor, project_id: str | None, query: ListQuery) -> ListPage:
    place = shelf.place(actor, project_id)
    everywhere = project_id is None and query.scope == "all"
    search = Search(query.q, query.app, query.sort, query.order == "desc", query.page, query.size, everywhere)
    found = shelf.catalog.page(actor, project_id, search)
    first = (found.page - 1) * query.size
    return ListPage(
        place=place,
        query=query,
        found=found,
        rows=_rows(shelf, found),
        removals=links(shelf, actor, project_id, everywhere=everywhere),
        columns=[_column(place, query, *column) for column in _columns(place, everywhere=everywhere)],
        manifests=MANIFESTS,
        earlier=_address(place, query, page=found.page - 1) if found.page > 1 else None,
        later=_address(place, query, page=found.page + 1) if found.page < found.pages else None,
        first=first + 1,
        last=first + len(found.connections),
        here=_address(place, query, page=found.page),
        scopes=[]
        if project_id
        else [
            ("organization", "Organization", _address(place, query, scope="organization")),
            ("all", "All", _address(place, query, scope="all")),
        ],
    )


def _columns(place: Place, *, everywhere: bool) -> list[tuple[str, str]]:
    managed = [("home", "Managed By")] if place.project is None and everywhere else []
    return [("app", "App"), ("name", "Name"), ("method", "Method"), *managed, ("rotation", "Rotation")]


def _column(place: Place, query: ListQuery, key: str, label: str) -> Column:
    mine = query.sort == key
    turned = "desc" if mine and query.order == "asc" else "asc"
    sorted_now = ("ascending" if query.order == "asc" else "descending") if mine else ""
    return Column(key, label, _address(place, query, sort=key, order=turned), sorted_now)


def _rows(shelf: Shelf, found: Found) -> list[Row]:
    now, overviews = shelf.clock.now(), shelf.rotations.overviews(found.connections)
    rows = []
    for one in found.connections:
        overview, home = overviews.get(one.id), found.homes.get(one.project_id or "")
        rotation = overview.rotation if overview else None
        run, ends_at = (overview.run, overview.current_ends_at) if overview else (None, None)
        rows.append(
            Row(
                one,
                next(known for known in MANIFESTS if known.app == one.app),
                method_label(one.method.value),
                home.name if home else None,
                OF_PROJECT.format(project_id=home.id) if home else "",
                badges(one, rotation, run, ends_at, now),
                rotation,
                found.can_in[one.project_id] if one.project_id else found.can,
            )
        )
    return rows


_PLAIN = ListQuery()


def _address(place: Place, query: ListQuery, **changes: object) -> str:
    """Return the list's address with these changes. What is as usual is left out; a change begins at page one."""
    said = {name: getattr(query, name) for name in ListQuery.__struct_fields__} | {"page": 1} | changes
    kept = {name: value for name, value in said.items() if value != getattr(_PLAIN, name)}
    return f"{place.list_path}?{urlencode(kept)}" if kept else place.list_path
