"""The list of the secret rotations of a project: search, filter, sort and pages, all on the server."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from keyturn.kit.actor import Actor
from keyturn.kit.counting import distance_in_words
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.connections.badges import Badge, rotation_badges
from keyturn.pages.list_address import Column, ListAddress, Pager
from keyturn.pages.rotations.urls import OF_PROJECT, PageOfRotations, RotationPages
from keyturn.rotations.run_schedule import replaced_in_time
from keyturn.rotations.secret_rotations.domain import SecretRotationView
from keyturn.rotations.secret_rotations.search import SecretRotationMatches, SecretRotationQuery
from keyturn.rotations.secret_rotations.signer_health import signer_health
from keyturn.web.pages import PageRoute, get
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel


class ListQuery(ApiModel, rename=None):
    """What the address of a list says."""

    q: Annotated[Trimmed, Meta(max_length=200)] = ""
    status: Literal["failed", "refused", "ending", "paused", "mine"] | None = None
    sort: Literal["name", "application", "ends", "rotation"] = "name"
    order: Literal["asc", "desc"] = "asc"
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    size: Annotated[int, Meta(ge=1, le=100)] = 20


@dataclass(frozen=True)
class RotationRow:
    view: SecretRotationView
    badges: Sequence[Badge]
    replaced: bool
    """Whether its current secret is replaced by itself, in time."""


@dataclass(frozen=True)
class RotationsPage(PageOfRotations):
    template: ClassVar[str] = "rotations/list.html"
    compressed: ClassVar[bool] = True

    query: ListQuery
    found: SecretRotationMatches
    rows: Sequence[RotationRow]
    columns: Sequence[Column]
    chips: Sequence[tuple[str, str, bool]]
    """Label and address of each status, and whether the list shows that alone."""
    pager: Pager
    here: str
    busy: bool
    """Whether a rotation on the page is under way: then the list asks for itself again."""


STATUS_LABELS = {"failed": "Failed", "refused": "Refused", "ending": "Ending", "paused": "Paused", "mine": "Mine"}
_COLUMNS = (
    ("name", "Name"),
    ("application", "Application"),
    ("", "Secrets"),
    ("ends", "Secret ends"),
    ("rotation", "Rotation"),
)


def routes(pages: RotationPages) -> list[PageRoute]:
    @get(OF_PROJECT)
    def list_rotations(actor: Actor, project_id: str, query: ListQuery) -> RotationsPage:
        project, now = pages.project(actor, project_id), pages.clock.now()
        wanted = SecretRotationQuery(query.q, query.status, query.sort, query.order == "desc", query.page, query.size)
        found = pages.search.page(actor, project_id, wanted)
        address = ListAddress(OF_PROJECT.format(project_id=project_id), query, _PLAIN)
        return RotationsPage(
            project=project,
            query=query,
            found=found,
            rows=[RotationRow(view, badges_of(view, now), replaced_in_time(view.state, now)) for view in found.views],
            columns=[address.column(key, label) for key, label in _COLUMNS],
            chips=address.chips(STATUS_LABELS),
            pager=address.pager(found.page, found.pages, query.size, len(found.views), found.total),
            here=address.at(page=found.page),
            busy=any(view.state.active_run for view in found.views),
        )

    return [list_rotations]


_PLAIN = ListQuery()


def badges_of(view: SecretRotationView, now: datetime) -> list[Badge]:
    """Return the marks of a secret rotation, the most urgent first."""
    return [*_signer_badges(view, now), *rotation_badges(view.state, now)]


def _signer_badges(view: SecretRotationView, now: datetime) -> Iterator[Badge]:
    health, name = signer_health(view, now), view.connection.name
    label = "Since" if health.refused_at else ""
    if health.needs_sign_in:
        yield Badge(
            "Sign in again",
            "bad",
            "plug",
            f"Nobody is signed in for the connection '{name}' any more.",
            health.refused_at,
            label,
        )
    elif health.refused_at:
        yield Badge("Connection refused", "bad", "warning", health.message or "", health.refused_at, label)
    elif health.grant_ends_at:
        left = "ended" if health.grant_ends_at <= now else f"ends {distance_in_words(health.grant_ends_at, now)}"
        reason = f"What a person granted to the connection '{name}' could not be used for long."
        yield Badge(f"Sign-in {left}", "warn", "plug", reason, health.grant_ends_at, "Forgotten")
