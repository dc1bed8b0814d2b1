"""Adding a connection: the form with its three methods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from keyturn.api.connections.sign_in_schemas import StartSignIn
from keyturn.authz.domain import Action
from keyturn.connections.domain import Method
from keyturn.errors import Forbidden, KeyturnError, NotFound, TooMany, Unauthenticated
from keyturn.kit import zones
from keyturn.kit.actor import Actor
from keyturn.kit.moments import in_zone, utc_of
from keyturn.kit.secret import Plaintext
from keyturn.pages.connections.forms import ConnectionForm, creation_of, filled_with, read
from keyturn.pages.connections.urls import (
    OF_ORGANIZATION,
    OF_PROJECT,
    ConnectionPages,
    PageOfPlace,
    PageScope,
    connection_path,
)
from keyturn.providers.azure.manifest import MANIFEST
from keyturn.providers.manifest import Field, Manifest
from keyturn.web.html.forms import EMPTY
from keyturn.web.pages import BrowserContext, FormState, Outcome, PageResponse, PageRoute, Redirect, get, post

NEW = f"/new/{MANIFEST.app}"
NOT_IN_FORMS = (Unauthenticated, Forbidden, NotFound, TooMany)
"""What is not about the form: the error page says it."""


@dataclass(frozen=True)
class FormField:
    """A field of the form with the methods that it belongs to."""

    field: Field
    methods: tuple[str, ...]


@dataclass(frozen=True)
class NewPage(PageOfPlace):
    template: ClassVar[str] = "connections/new.html"
    leaves_by: ClassVar[tuple[str, ...]] = ("https:",)

    manifest: Manifest
    fields: Sequence[FormField]
    filled: FormState
    oauth: bool
    site_url: str | None
    method: str
    rotate_at: str
    zone: str
    zones: Sequence[str]
    candidates: Sequence[Mapping[str, Any]]


def routes(pages: ConnectionPages) -> list[PageRoute]:
    @get(OF_PROJECT + NEW)
    def new_in_project(actor: Actor, project_id: str, visitor: BrowserContext, filled: FormState) -> NewPage:
        return new_page(pages, actor, pages.place(actor, project_id), visitor.zone, filled)

    @get(OF_ORGANIZATION + NEW)
    def new_in_organization(actor: Actor, visitor: BrowserContext, filled: FormState) -> NewPage:
        return new_page(pages, actor, pages.place(actor, None), visitor.zone, filled)

    @post(OF_PROJECT + NEW, form_page=new_in_project)
    def create_in_project(actor: Actor, project_id: str, form: ConnectionForm, visitor: BrowserContext) -> Outcome:
        return _create(pages, actor, pages.place(actor, project_id), form, visitor)

    @post(OF_ORGANIZATION + NEW, form_page=new_in_organization)
    def create_in_organization(actor: Actor, form: ConnectionForm, visitor: BrowserContext) -> Outcome:
        return _create(pages, actor, pages.place(actor, None), form, visitor)

    return [new_in_project, new_in_organization, create_in_project, create_in_organization]


def new_page(
    pages: ConnectionPages,
    actor: Actor,
    scope: PageScope,
    zone: ZoneInfo,
    filled: FormState = EMPTY,
    candidates: Sequence[Mapping[str, Any]] = (),
) -> NewPage:
    """Return the form, empty or as it was refused. Raises Forbidden for who may not add connections there."""
    if Action.CREATE_CONNECTIONS.value not in scope.can:
        raise Forbidden(
            f"{actor.name} may not add connections to {scope.name}.",
            code="access.forbidden",
            fix="Ask an admin for the role that may.",
        )
    usual = Method.OAUTH if pages.oauth else Method.CLIENT_SECRET
    return NewPage(
        place=scope,
        manifest=MANIFEST,
        fields=fields_of(MANIFEST),
        filled=filled,
        oauth=pages.oauth,
        site_url=pages.site_url,
        method=filled.value("method") or usual.value,
        rotate_at=midnight_utc(pages.clock.now(), zone),
        zone=zone.key,
        zones=sorted(zones.names()),
        candidates=candidates,
    )


def fields_of(manifest: Manifest) -> list[FormField]:
    """Return what the methods ask for, each field once. A code comes from the sign-in, a key id belongs to the rotation."""
    names: dict[str, FormField] = {}
    for method in manifest.methods:
        for field in method.fields:
            if field.rule in {"code", "key-id"}:
                continue
            form_field = names.get(field.name)
            names[field.name] = FormField(field, (*(form_field.methods if form_field else ()), method.key))
    return list(names.values())


def midnight_utc(now: datetime, zone: ZoneInfo) -> str:
    """Return 00:00 UTC on the clocks of the zone, the usual time to rotate."""
    return f"{in_zone(utc_of(now).replace(hour=0, minute=0), zone):%H:%M}"


def _create(
    pages: ConnectionPages, actor: Actor, scope: PageScope, form: ConnectionForm, visitor: BrowserContext
) -> Outcome:
    try:
        if form.method == Method.OAUTH:
            pages.require_site(visitor.origin, scope.new_path())
            return Redirect(_authorize_url(pages, actor, scope, form, visitor.session))
        request = creation_of(form, scope.project_id)
        schedule = request.schedule()
        connection = pages.rotations.create(actor, request.command(), schedule, move_along=form.move_others_along)
    except NOT_IN_FORMS:
        raise
    except KeyturnError as error:
        filled = filled_with(scope.new_path(), form, error)
        page = new_page(pages, actor, scope, visitor.zone, filled, candidates_of(error))
        return PageResponse(page, status=error.status)
    # The first rotation begins at once: it can be watched on the connection's own page.
    to = scope.list_path if schedule is None else connection_path(connection.id)
    return Redirect(to, toast=added(connection.name, rotating=schedule is not None))


def added(name: str, *, rotating: bool = False) -> str:
    """Return the notice on a new connection."""
    rotation_note = " Its secret is being replaced by a new one now." if rotating else ""
    return f"The {MANIFEST.name} connection {name} is now available for use.{rotation_note}"


def candidates_of(error: KeyturnError) -> Sequence[Mapping[str, Any]]:
    """Return the secrets to choose from, if that is what the refusal is about."""
    return [detail for detail in error.details if "keyId" in detail]


def _authorize_url(
    pages: ConnectionPages, actor: Actor, scope: PageScope, form: ConnectionForm, session: Plaintext | None
) -> str:
    request = read(
        StartSignIn,
        {
            "name": form.name or None,
            "description": form.description,
            "tenantId": form.tenant_id.strip() or None,
            "projectId": scope.project_id,
            "returnTo": scope.list_path,
        },
    )
    return pages.sign_ins.begin(actor, session, request.command()).url
