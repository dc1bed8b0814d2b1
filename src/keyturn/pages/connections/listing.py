"""The list of connections, of a project or of the organization: search, filter, sort and pages, all on the server."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from keyturn.connections.domain import Connection
from keyturn.connections.health import readable
from keyturn.connections.search import ConnectionMatches, ConnectionQuery
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.connections.badges import Badge, badges
from keyturn.pages.connections.removed import RemovalLink, links
from keyturn.pages.connections.urls import (
    OF_ORGANIZATION,
    OF_PROJECT,
    ConnectionPages,
    PageOfPlace,
    PageScope,
)
from keyturn.pages.list_address import Column, ListAddress, Pager
from keyturn.ports.manifest import Manifest
from keyturn.ports.sign_in import AppProvider, SignInMethod
from keyturn.rotations.domain import Rotation
from keyturn.rotations.run_schedule import replaced_in_time
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
    replaced: bool
    """Whether what ends is replaced by itself, in time."""
    can: frozenset[str]
    busy: bool


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
    pager: Pager
    here: str
    busy: bool
    """Whether a rotation on the page is under way: then the list asks for itself again."""
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
    known = [provider.manifest.app for provider in pages.providers.all]
    if query.app and query.app not in known:
        raise Refused(
            f"There is no kind of app '{query.app}'.",
            code="connections.app_unknown",
            fix=f"Use one of: {', '.join(known)}.",
            field="app",
        )
    search = ConnectionQuery(
        query.q, query.app, query.status, query.sort, query.order == "desc", query.page, query.size, everywhere
    )
    matches = pages.catalog.page(actor, project_id, search)
    address, rows = ListAddress(scope.list_path, query, _PLAIN), _rows(pages, matches)
    return ListPage(
        place=scope,
        query=query,
        found=matches,
        rows=rows,
        removals=links(pages, actor, project_id, everywhere=everywhere),
        columns=[address.column(*column) for column in _columns(scope, everywhere=everywhere)],
        apps=pages.providers.all,
        chips=address.chips(STATUS_LABELS),
        pager=address.pager(matches.page, matches.pages, query.size, len(matches.connections), matches.total),
        here=address.at(page=matches.page),
        busy=any(row.busy for row in rows),
        scopes=[]
        if project_id
        else [
            ("organization", "Organization", address.at(scope="organization")),
            ("all", "All", address.at(scope="all")),
        ],
    )


def _columns(scope: PageScope, *, everywhere: bool) -> list[tuple[str, str]]:
    managed = [("home", "Managed By")] if scope.project is None and everywhere else []
    return [
        ("name", "Name"),
        ("", "Client ID"),
        *managed,
        ("ends", "Secret ends"),
        ("", "Last rotated"),
        ("rotation", "Rotation"),
    ]


STATUS_LABELS = {
    "failed": "Failed",
    "refused": "Refused",
    "ending": "Ending",
    "paused": "Paused",
    "not-rotated": "Not rotated",
    "mine": "Mine",
}


def _rows(pages: ConnectionPages, matches: ConnectionMatches) -> list[ConnectionRow]:
    now, states = pages.clock.now(), pages.overviews.rotations(matches.connections)
    rows = []
    for connection in matches.connections:
        provider, method = pages.providers.for_display(connection)
        state, home = states.get(connection.id), matches.homes.get(connection.project_id or "")
        rows.append(
            ConnectionRow(
                connection,
                provider.manifest,
                method,
                home.name if home else None,
                OF_PROJECT.format(project_id=home.id) if home else "",
                badges(readable(connection, pages.providers), provider.manifest.service, state, now),
                state.rotation if state else None,
                state.current_ends_at if state else connection.credential_ends_at,
                state is not None and replaced_in_time(state, now),
                matches.can_in[connection.project_id] if connection.project_id else matches.can,
                state is not None and state.active_run is not None,
            )
        )
    return rows


_PLAIN = ListQuery()
