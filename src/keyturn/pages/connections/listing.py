"""The list of connections, of a project or of the organization: search, filter, sort and pages, all on the server."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlencode

from msgspec import Meta

from keyturn.connections.domain import Connection
from keyturn.connections.health import readable
from keyturn.connections.search import ConnectionMatches, ConnectionQuery
from keyturn.kit.actor import Actor
from keyturn.pages.connections.badges import Badge, badges
from keyturn.pages.connections.removed import RemovalLink, links
from keyturn.pages.connections.urls import (
    OF_ORGANIZATION,
    OF_PROJECT,
    ConnectionPages,
    PageOfPlace,
    PageScope,
)
from keyturn.ports.manifest import Manifest
from keyturn.ports.sign_in import AppProvider, SignInMethod
from keyturn.rotations.domain import Rotation
from keyturn.web.pages import PageRoute, Redirect, get
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel


class ListQuery(ApiModel, rename=None):
    """What the address of a list says."""

    q: Annotated[Trimmed, Meta(max_length=200)] = ""
    app: Annotated[Trimmed, Meta(max_length=64)] | None = None
    status: Literal["failed", "refused", "ending", "paused", "not-rotated", "mine"] | None = None
    sort: Literal["app", "name", "method", "home", "ends", "rotation"] = "app"
    order: Literal["asc", "desc"] = "asc"
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    size: Annotated[int, Meta(ge=1, le=100)] = 20
    scope: Literal["organization", "all"] = "organization"


@dataclass(frozen=True)
class ConnectionRow:
    """A line of the list. ``can`` is what the viewer may do with this one."""

    connection: Connection
    app: Manifest
    method: SignInMethod
    home: str | None
    home_path: str
    badges: Sequence[Badge]
    rotation: Rotation | None
    ends_at: datetime | None
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
    found: ConnectionMatches
    rows: Sequence[ConnectionRow]
    columns: Sequence[Column]
    apps: Sequence[AppProvider]
    chips: Sequence[tuple[str, str, bool]]
    """Label and address of each status, and whether the list shows that alone."""
    earlier: str | None
    later: str | None
    end: str | None
    """The last page, where it is not this one or the next."""
    first: int
    last: int
    here: str
    scopes: Sequence[tuple[str, str, str]]
    removals: Sequence[RemovalLink]
    """Of connections that were deleted from here, as long as credentials are being removed."""


def routes(pages: ConnectionPages) -> list[PageRoute]:
    @get(OF_PROJECT)
    def list_of_project(actor: Actor, project_id: str, query: ListQuery) -> ListPage:
        return _page(pages, actor, project_id, query)

    @get(OF_ORGANIZATION)
    def list_of_organization(actor: Actor, query: ListQuery) -> ListPage:
        return _page(pages, actor, None, query)

    @get(OF_PROJECT + "/new")
    def choose_in_project(actor: Actor, project_id: str) -> Redirect:
        return Redirect(f"{pages.place(actor, project_id).list_path}#add-connection")

    @get(OF_ORGANIZATION + "/new")
    def choose_in_organization(actor: Actor) -> Redirect:
        return Redirect(f"{pages.place(actor, None).list_path}#add-connection")

    return [list_of_project, list_of_organization, choose_in_project, choose_in_organization]


def _page(pages: ConnectionPages, actor: Actor, project_id: str | None, query: ListQuery) -> ListPage:
    scope = pages.place(actor, project_id)
    everywhere = project_id is None and query.scope == "all"
    search = ConnectionQuery(
        query.q, query.app, query.status, query.sort, query.order == "desc", query.page, query.size, everywhere
    )
    matches = pages.catalog.page(actor, project_id, search)
    first = (matches.page - 1) * query.size
    return ListPage(
        place=scope,
        query=query,
        found=matches,
        rows=_rows(pages, matches),
        removals=links(pages, actor, project_id, everywhere=everywhere),
        columns=[_column(scope, query, *column) for column in _columns(scope, everywhere=everywhere)],
        apps=pages.providers.all,
        chips=[_chip(scope, query, status, label) for status, label in STATUS_LABELS.items()],
        end=_address(scope, query, page=matches.pages) if matches.page + 1 < matches.pages else None,
        earlier=_address(scope, query, page=matches.page - 1) if matches.page > 1 else None,
        later=_address(scope, query, page=matches.page + 1) if matches.page < matches.pages else None,
        first=first + 1,
        last=first + len(matches.connections),
        here=_address(scope, query, page=matches.page),
        scopes=[]
        if project_id
        else [
            ("organization", "Organization", _address(scope, query, scope="organization")),
            ("all", "All", _address(scope, query, scope="all")),
        ],
    )


def _columns(scope: PageScope, *, everywhere: bool) -> list[tuple[str, str]]:
    managed = [("home", "Managed By")] if scope.project is None and everywhere else []
    named = [("app", "App"), ("name", "Name"), ("method", "Method")]
    return [*named, *managed, ("ends", "Secret ends"), ("rotation", "Rotation")]


STATUS_LABELS = {
    "failed": "Failed",
    "refused": "Refused",
    "ending": "Ending",
    "paused": "Paused",
    "not-rotated": "Not rotated",
    "mine": "Mine",
}


def _chip(scope: PageScope, query: ListQuery, status: str, label: str) -> tuple[str, str, bool]:
    """A chip that is on leads to the list without it."""
    is_on = query.status == status
    return label, _address(scope, query, status=None if is_on else status), is_on


def _column(scope: PageScope, query: ListQuery, key: str, label: str) -> Column:
    is_sorted = query.sort == key
    next_order = "desc" if is_sorted and query.order == "asc" else "asc"
    aria_sort = ("ascending" if query.order == "asc" else "descending") if is_sorted else ""
    return Column(key, label, _address(scope, query, sort=key, order=next_order), aria_sort)


def _rows(pages: ConnectionPages, matches: ConnectionMatches) -> list[ConnectionRow]:
    now, overviews = pages.clock.now(), pages.overviews.rotations(matches.connections)
    rows = []
    for connection in matches.connections:
        provider, method = pages.providers.for_display(connection)
        overview, home = overviews.get(connection.id), matches.homes.get(connection.project_id or "")
        rotation = overview.rotation if overview else None
        run, ends_at = (overview.run, overview.current_ends_at) if overview else (None, None)
        rows.append(
            ConnectionRow(
                connection,
                provider.manifest,
                method,
                home.name if home else None,
                OF_PROJECT.format(project_id=home.id) if home else "",
                badges(readable(connection, pages.providers), provider.manifest.service, rotation, run, ends_at, now),
                rotation,
                ends_at if rotation else connection.credential_ends_at,
                matches.can_in[connection.project_id] if connection.project_id else matches.can,
            )
        )
    return rows


_PLAIN = ListQuery()


def _address(page_scope: PageScope, query: ListQuery, **changes: object) -> str:
    """Return the list's address with these changes. What is as usual is left out; a change begins at page one."""
    values = {name: getattr(query, name) for name in ListQuery.__struct_fields__} | {"page": 1} | changes
    parameters = {name: value for name, value in values.items() if value != getattr(_PLAIN, name)}
    return f"{page_scope.list_path}?{urlencode(parameters)}" if parameters else page_scope.list_path
