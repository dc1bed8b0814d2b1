"""The list of the secret rotations of a project: search and pages, on the server."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar
from urllib.parse import urlencode

from msgspec import Meta

from keyturn.kit.actor import Actor
from keyturn.pages.connections.badges import Badge, distance, rotation_badges
from keyturn.pages.rotations.urls import OF_PROJECT, PageOfRotations, RotationPages
from keyturn.rotations.secret_domain import SecretRotationView
from keyturn.rotations.signer_health import signer_health
from keyturn.web.pages import PageRoute, get
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel

SIZE = 50


class ListQuery(ApiModel, rename=None):
    q: Annotated[Trimmed, Meta(max_length=200)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


@dataclass(frozen=True)
class RotationRow:
    view: SecretRotationView
    badges: Sequence[Badge]


@dataclass(frozen=True)
class RotationsPage(PageOfRotations):
    template: ClassVar[str] = "rotations/list.html"
    compressed: ClassVar[bool] = True

    query: ListQuery
    rows: Sequence[RotationRow]
    some: bool
    """Whether the project has any, whatever is searched for."""
    first: int
    total: int
    earlier: str | None
    later: str | None


def routes(pages: RotationPages) -> list[PageRoute]:
    @get(OF_PROJECT)
    def list_rotations(actor: Actor, project_id: str, query: ListQuery) -> RotationsPage:
        project = pages.project(actor, project_id)
        views, now = pages.rotations.list(actor, project_id), pages.clock.now()
        matches = [view for view in views if _matches(view, query.q.lower().split())]
        number = min(query.page, max(1, -(-len(matches) // SIZE)))
        first = (number - 1) * SIZE
        shown = matches[first : first + SIZE]
        base = OF_PROJECT.format(project_id=project_id)
        return RotationsPage(
            project=project,
            query=query,
            rows=[RotationRow(view, badges_of(view, now)) for view in shown],
            some=bool(views),
            first=first + 1,
            total=len(matches),
            earlier=_address(base, query.q, number - 1) if number > 1 else None,
            later=_address(base, query.q, number + 1) if first + SIZE < len(matches) else None,
        )

    return [list_rotations]


def badges_of(view: SecretRotationView, now: datetime) -> list[Badge]:
    """Return the marks of a secret rotation, the most urgent first."""
    run = view.last_run if view.last_run and view.last_run.finished_at is None else None
    ends_at = view.current.ends_at if view.current else None
    return [*_signer_badges(view, now), *rotation_badges(view.rotation, run, ends_at, now)]


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
        left = "ended" if health.grant_ends_at <= now else f"ends {distance(health.grant_ends_at, now)}"
        reason = f"What a person granted to the connection '{name}' could not be used for long."
        yield Badge(f"Sign-in {left}", "warn", "plug", reason, health.grant_ends_at, "Forgotten")


def _matches(view: SecretRotationView, words: Sequence[str]) -> bool:
    each, rotation = view.secret_rotation, view.rotation
    names = (each.name, each.description or "", rotation.application_name, rotation.app_id, view.place.path)
    ids = (rotation.tenant.tenant_id, rotation.object_id, (view.current.key_id if view.current else None) or "")
    text = " ".join([*names, *ids, view.names.client_id, view.names.client_secret, view.connection.name]).lower()
    return all(word in text for word in words)


def _address(base: str, text: str, page: int) -> str:
    return f"{base}?{urlencode({'q': text, 'page': page} if text else {'page': page})}"
