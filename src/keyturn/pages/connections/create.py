"""Adding a connection: the form with the methods of its app."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import msgspec

from keyturn.api.connections.schemas import values_of
from keyturn.api.connections.sign_in_schemas import StartSignIn
from keyturn.authz.domain import Action
from keyturn.errors import Forbidden, KeyturnError, NotFound, TooMany, Unauthenticated
from keyturn.kit import zones
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import in_zone, utc_of
from keyturn.kit.secret import Plaintext
from keyturn.pages.choices import Choice
from keyturn.pages.connections.forms import ConnectionForm, creation_of, form_state_of, method_in, read
from keyturn.pages.connections.urls import (
    OF_ORGANIZATION,
    OF_PROJECT,
    ConnectionPages,
    PageOfPlace,
    PageScope,
    connection_path,
)
from keyturn.pages.owner_choice import value_of
from keyturn.ports.fields import AskedWhere, Field
from keyturn.ports.manifest import Manifest
from keyturn.ports.sign_in import AppProvider, SignInMethod
from keyturn.web.html.forms import EMPTY
from keyturn.web.pages import BrowserContext, FormState, Outcome, PageResponse, PageRoute, Redirect, get, post

NOT_IN_FORMS = (Unauthenticated, Forbidden, NotFound, TooMany)
"""What is not about the form: the error page says it."""


@dataclass(frozen=True)
class FormField:
    """A field of the form with the methods that it belongs to, by their place among those of the app, counted from 1."""

    field: Field
    methods: tuple[int, ...]


@dataclass(frozen=True)
class NewPage(PageOfPlace):
    template: ClassVar[str] = "connections/new.html"
    leaves_by: ClassVar[tuple[str, ...]] = ("https:",)

    manifest: Manifest
    methods: Sequence[SignInMethod]
    fields: Sequence[FormField]
    rotation_fields: Sequence[FormField]
    rotating: Sequence[int]
    """Which methods, counted from 1, rotate their own credential."""
    browser: int
    """Which method is by browser; 0 for none."""
    form_state: FormState
    oauth: bool
    site_url: str | None
    method: str
    rotate_at: str
    zone: str
    zones: Sequence[str]
    candidates: Sequence[Mapping[str, Any]]
    people: Choice
    """Who may answer for it; ``viewer`` does, unless somebody else is chosen."""
    viewer: str


def routes(pages: ConnectionPages) -> list[PageRoute]:
    return [route for provider in pages.providers.all for route in _of_app(pages, provider)]


def _of_app(pages: ConnectionPages, provider: AppProvider) -> list[PageRoute]:
    new, form_type = f"/new/{provider.manifest.app}", {"form": pages.forms.connection}

    @get(OF_PROJECT + new)
    def new_in_project(actor: Actor, project_id: str, visitor: BrowserContext, form_state: FormState) -> NewPage:
        return new_page(pages, provider, actor, pages.place(actor, project_id), visitor.zone, form_state)

    @get(OF_ORGANIZATION + new)
    def new_in_organization(actor: Actor, visitor: BrowserContext, form_state: FormState) -> NewPage:
        return new_page(pages, provider, actor, pages.place(actor, None), visitor.zone, form_state)

    @post(OF_PROJECT + new, form_page=new_in_project, types=form_type)
    def create_in_project(actor: Actor, project_id: str, form: ConnectionForm, visitor: BrowserContext) -> Outcome:
        return _create(pages, provider, actor, pages.place(actor, project_id), form, visitor)

    @post(OF_ORGANIZATION + new, form_page=new_in_organization, types=form_type)
    def create_in_organization(actor: Actor, form: ConnectionForm, visitor: BrowserContext) -> Outcome:
        return _create(pages, provider, actor, pages.place(actor, None), form, visitor)

    return [new_in_project, new_in_organization, create_in_project, create_in_organization]


def new_page(
    pages: ConnectionPages,
    provider: AppProvider,
    actor: Actor,
    scope: PageScope,
    zone: ZoneInfo,
    form_state: FormState = EMPTY,
    candidates: Sequence[Mapping[str, Any]] = (),
) -> NewPage:
    """Return the form, empty or as it was refused. Raises Forbidden for who may not add connections there."""
    if Action.CREATE_CONNECTIONS.value not in scope.can:
        raise Forbidden(
            f"{actor.name} may not add connections to {scope.name}.",
            code="access.forbidden",
            fix="Ask an admin for the role that may.",
        )
    methods, people = provider.methods, pages.owner.people(actor)
    usual = next((method.key for method in methods if pages.oauth or not method.browser), "")
    return NewPage(
        place=scope,
        manifest=provider.manifest,
        methods=methods,
        fields=[one for one in fields_of(methods) if one.field.asked is AskedWhere.CREDENTIALS],
        rotation_fields=[one for one in fields_of(methods) if one.field.asked is AskedWhere.ROTATION],
        rotating=[number for number, method in enumerate(methods, 1) if method.kind() is not None],
        browser=next((number for number, method in enumerate(methods, 1) if method.browser), 0),
        form_state=form_state,
        oauth=pages.oauth,
        site_url=pages.site_url,
        method=form_state.value("method") or usual,
        rotate_at=midnight_utc(pages.clock.now(), zone),
        zone=zone.key,
        zones=sorted(zones.names()),
        candidates=candidates,
        people=people,
        viewer=value_of(people, actor.id or "", actor.name),
    )


def fields_of(methods: Sequence[SignInMethod]) -> list[FormField]:
    """Return what a form may ask for, each field once. A code comes from the sign-in."""
    names: dict[str, FormField] = {}
    for number, method in enumerate(methods, 1):
        for field in method.fields:
            if field.asked is not AskedWhere.SIGN_IN:
                form_field = names.get(field.name)
                names[field.name] = FormField(field, (*(form_field.methods if form_field else ()), number))
    return list(names.values())


def key_fields(method: SignInMethod) -> list[Field]:
    """Return what a form asks for beside a schedule: what the provider calls the credential."""
    return [field for field in method.rotation_fields if field.label]


def midnight_utc(now: datetime, zone: ZoneInfo) -> str:
    """Return 00:00 UTC on the clocks of the zone, the usual time to rotate."""
    return f"{in_zone(utc_of(now).replace(hour=0, minute=0), zone):%H:%M}"


def _create(
    pages: ConnectionPages,
    provider: AppProvider,
    actor: Actor,
    scope: PageScope,
    form: ConnectionForm,
    visitor: BrowserContext,
) -> Outcome:
    types, path = pages.forms.apps[provider.manifest.app], scope.new_path(provider.manifest.app)
    method = method_in(form, types)
    try:
        if types.sign_in and method.browser:
            pages.require_site(visitor.origin, path)
            return Redirect(_authorize_url(pages, actor, scope, form, types.sign_in, visitor.session))
        named = msgspec.structs.replace(form, owner_id=pages.owner.user_id(actor, form.owner_id))
        request = creation_of(named, types, scope.project_id)
        schedule = request.schedule()
        connection = pages.rotations.create(actor, request.command(), schedule, move_along=form.move_others_along)
    except NOT_IN_FORMS:
        raise
    except KeyturnError as error:
        form_state = form_state_of(path, form, error, method)
        page = new_page(pages, provider, actor, scope, visitor.zone, form_state, candidates_of(error))
        return PageResponse(page, status=error.status)
    # The first rotation begins at once: it can be watched on the connection's own page.
    to = scope.list_path if schedule is None else connection_path(connection.id)
    return Redirect(to, toast=added_toast(provider.manifest, connection.name, rotating=schedule is not None))


def added_toast(manifest: Manifest, name: str, *, rotating: bool = False) -> str:
    """Return the notice on a new connection."""
    rotation_note = " Its secret is being replaced by a new one now." if rotating else ""
    return f"The {manifest.name} connection {name} is now available for use.{rotation_note}"


def candidates_of(error: KeyturnError) -> Sequence[Mapping[str, Any]]:
    """Return the secrets to choose from, if that is what the refusal is about."""
    return [detail for detail in error.details if "keyId" in detail]


def _authorize_url(
    pages: ConnectionPages,
    actor: Actor,
    scope: PageScope,
    form: ConnectionForm,
    start: type[StartSignIn],
    session: Plaintext | None,
) -> str:
    tenant_id = str(values_of(form).get("tenantId") or "").strip()
    request = read(
        start,
        {
            "name": form.name or None,
            "description": form.description,
            "tenantId": tenant_id or None,
            "projectId": scope.project_id,
            "returnTo": scope.list_path,
            "owner": {"userId": pages.owner.user_id(actor, form.owner_id)} if form.owner_id else None,
        },
    )
    return pages.sign_ins.begin(actor, session, request.command()).url
