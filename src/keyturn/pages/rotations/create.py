"""Setting up a secret rotation, a page for each step: connection, application, schedule and secrets, and a review of it all.

Each step has an address of its own, so that going back works and nothing is kept in between.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from keyturn.connections.domain import Connection
from keyturn.errors import Forbidden, KeyturnError, Upstream
from keyturn.kit import zones
from keyturn.kit.actor import Actor
from keyturn.kit.counting import every
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.sentences import upper_first
from keyturn.kit.slugs import slug_of
from keyturn.pages.choices import Choice
from keyturn.pages.connections.create import midnight_utc
from keyturn.pages.list_address import ListAddress, Pager
from keyturn.pages.owner_choice import value_of
from keyturn.pages.project_header import ProjectHeader
from keyturn.pages.rotations.forms import NewRotationForm, form_state_of, new_rotation, values_of
from keyturn.pages.rotations.plans import PlanInWords, folder, of_new
from keyturn.pages.rotations.urls import OF_PROJECT, PageOfRotations, RotationPages, rotation_path
from keyturn.pages.weekdays import ticks
from keyturn.ports.provider import ApplicationListing, ApplicationPage
from keyturn.projects.domain import Environment
from keyturn.rotations.commands import NewSecretRotation
from keyturn.rotations.history import History, preview_runs
from keyturn.rotations.overlap import UNTIL_NEXT_ROTATION
from keyturn.rotations.run_schedule import ComingRun
from keyturn.secrets.domain import clean_path
from keyturn.web.pages import BrowserContext, FormState, Outcome, PageResponse, PageRoute, Redirect, get, post
from keyturn.web.schema.validate import Trimmed, Uuid
from keyturn.web.schema.wire import ApiModel

NEW = OF_PROJECT + "/new"
APP = "azure-client-secrets"
ON_A_PAGE = 20
SHOWN_COMING = 5
_NO_APPLICATIONS = ApplicationPage(())


class StepQuery(ApiModel, rename=None):
    """What was chosen so far; and in the list of applications, what is searched for and which page it is."""

    connection: Uuid | None = None
    application: Uuid | None = None
    client: Uuid | None = None
    q: Annotated[Trimmed, Meta(max_length=200)] = ""
    cursor: Annotated[str, Meta(max_length=4000)] | None = None
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


@dataclass(frozen=True)
class PageOfStep(PageOfRotations):
    """``step`` is which of the steps it is, counted from 1."""

    step: ClassVar[int]
    steps: ClassVar[tuple[str, ...]] = ("Connection", "Application", "Schedule and secrets", "Review")

    @property
    def new_path(self) -> str:
        return f"{self.list_path}/new"


@dataclass(frozen=True)
class ConnectionStep(PageOfStep):
    template: ClassVar[str] = "rotations/new_connection.html"
    step: ClassVar[int] = 1

    query: StepQuery
    connections: Sequence[Connection]
    pager: Pager


@dataclass(frozen=True)
class ListedApplication:
    listing: ApplicationListing
    href: str
    ends_first: datetime | None
    """When the first of its secrets that have not ended will end."""
    living: int


@dataclass(frozen=True)
class ApplicationStep(PageOfStep):
    template: ClassVar[str] = "rotations/new_application.html"
    step: ClassVar[int] = 2

    connection: Connection
    query: StepQuery
    applications: Sequence[ListedApplication]
    later: str | None
    here: str
    problem: KeyturnError | None
    """Why the provider does not list them."""


@dataclass(frozen=True)
class DetailsStep(PageOfStep):
    template: ClassVar[str] = "rotations/new_details.html"
    step: ClassVar[int] = 3

    connection: Connection
    application: ApplicationListing
    environments: Sequence[Environment]
    zones: Sequence[str]
    people: Choice
    """Who may answer for it."""
    form_state: FormState


@dataclass(frozen=True)
class ReviewStep(PageOfStep):
    template: ClassVar[str] = "rotations/new_review.html"
    step: ClassVar[int] = 4

    connection: Connection
    plan: PlanInWords
    form: NewRotationForm
    fields: Sequence[tuple[str, str]]
    """The form again, to be sent as it was reviewed."""
    coming: Sequence[ComingRun]
    coming_zone: ZoneInfo
    form_state: FormState


def routes(pages: RotationPages) -> list[PageRoute]:
    @get(NEW)
    def new_rotation_step(
        actor: Actor, project_id: str, query: StepQuery, visitor: BrowserContext, form_state: FormState
    ) -> PageOfStep:
        project = _creatable(pages, actor, project_id)
        if query.connection is None:
            return _connections(pages, actor, project, query)
        connection = pages.connections.get(actor, query.connection)
        if query.application is None or query.client is None:
            return _applications(pages, actor, project, connection, query)
        application = _application(pages, actor, connection, query.application, query.client)
        usual = _usual(pages, actor, connection, application, visitor.zone)
        shown_form = form_state if form_state.sent else FormState(_path(project_id), values_of(usual))
        return _details(pages, actor, project, connection, application, shown_form)

    @post(NEW + "/review", form_page=new_rotation_step)
    def review_rotation(actor: Actor, project_id: str, form: NewRotationForm) -> Outcome:
        return _reviewed(pages, actor, _creatable(pages, actor, project_id), form)

    @post(NEW, form_page=new_rotation_step)
    def create_rotation(actor: Actor, project_id: str, form: NewRotationForm) -> Outcome:
        project = _creatable(pages, actor, project_id)
        try:
            begun = pages.rotations.create(actor, new_rotation(_named(pages, actor, form), project_id).command())
        except KeyturnError as error:
            return _again(pages, actor, project, form, error)
        # The first rotation has begun: it is watched on the page of its own.
        return Redirect(rotation_path(begun.secret_rotation_id), toast="The first secret is being made.")

    return [new_rotation_step, review_rotation, create_rotation]


def _path(project_id: str) -> str:
    return NEW.format(project_id=project_id)


def _creatable(pages: RotationPages, actor: Actor, project_id: str) -> ProjectHeader:
    project = pages.project(actor, project_id)
    if "create-secret-rotations" not in project.can:
        raise Forbidden(
            f"{actor.name} may not set up rotations in {project.name}.",
            code="access.forbidden",
            fix="Ask an admin of the project for the role that may.",
        )
    return project


# --- the steps --------------------------------------------------------------------------------------------------------


def _connections(pages: RotationPages, actor: Actor, project: ProjectHeader, query: StepQuery) -> ConnectionStep:
    found, total = pages.connections.find_available(actor, project.id, APP, query.q, query.page, ON_A_PAGE)
    address = ListAddress(_path(project.id), query, StepQuery())
    pager = address.pager(query.page, -(-total // ON_A_PAGE), ON_A_PAGE, len(found), total)
    return ConnectionStep(project, query, found, pager)


def _applications(
    pages: RotationPages, actor: Actor, project: ProjectHeader, connection: Connection, query: StepQuery
) -> ApplicationStep:
    path, problem, page = _path(project.id), None, _NO_APPLICATIONS
    try:
        page = pages.connections.find_applications(actor, connection.id, query.q, query.cursor)
    except Upstream as error:
        problem = error
    chosen, now = {"connection": connection.id}, pages.clock.now()
    later = {**chosen, "q": query.q, "cursor": page.cursor} if page.cursor else None
    return ApplicationStep(
        project=project,
        connection=connection,
        query=query,
        applications=[_listed(each, path, connection, now) for each in page.applications],
        later=f"{path}?{urlencode(later)}" if later else None,
        here=f"{path}?{urlencode(chosen)}",
        problem=problem,
    )


def _listed(listing: ApplicationListing, path: str, connection: Connection, now: datetime) -> ListedApplication:
    chosen = {"connection": connection.id, "application": listing.object_id, "client": listing.app_id}
    ends = listing.living_ends(now)
    return ListedApplication(listing, f"{path}?{urlencode(chosen)}", ends[0] if ends else None, len(ends))


def _application(
    pages: RotationPages, actor: Actor, connection: Connection, object_id: str, client_id: str
) -> ApplicationListing:
    """Return the application as it is listed; by its ids alone where the connection does not see it."""
    found = pages.connections.find_applications(actor, connection.id, client_id, None).applications
    unseen = ApplicationListing(object_id, client_id, client_id, ())
    return next((each for each in found if each.object_id == object_id), unseen)


def _usual(
    pages: RotationPages, actor: Actor, connection: Connection, application: ApplicationListing, zone: ZoneInfo
) -> NewRotationForm:
    form = NewRotationForm(
        name=slug_of(application.name, ""),
        is_auto_rotation_enabled=True,
        rotation_interval="30",
        rotate_at=midnight_utc(pages.clock.now(), zone),
        time_zone=zone.key,
        overlap=UNTIL_NEXT_ROTATION,
        connection_id=connection.id,
        client_id_name="AZURE_CLIENT_ID",
        client_secret_name="AZURE_CLIENT_SECRET",  # noqa: S106 - a name
        object_id=application.object_id,
        client_id=application.app_id,
        secret_path="/",  # noqa: S106 - a folder
        owner_id=value_of(pages.owner.people(actor), actor.id or "", actor.name),
    )
    return msgspec.structs.replace(form, **ticks())


def _details(
    pages: RotationPages,
    actor: Actor,
    project: ProjectHeader,
    connection: Connection,
    application: ApplicationListing,
    form_state: FormState,
) -> DetailsStep:
    return DetailsStep(
        project=project,
        connection=connection,
        application=application,
        environments=pages.projects.get(actor, project.id).environments,
        zones=sorted(zones.names()),
        people=pages.owner.people(actor),
        form_state=form_state,
    )


def _named(pages: RotationPages, actor: Actor, form: NewRotationForm) -> NewRotationForm:
    """Return the form with the id of the owner, also where an address was typed. Raises Refused."""
    return msgspec.structs.replace(form, owner_id=pages.owner.user_id(actor, form.owner_id))


def _reviewed(pages: RotationPages, actor: Actor, project: ProjectHeader, form: NewRotationForm) -> Outcome:
    try:
        new = new_rotation(_named(pages, actor, form), project.id).command()
        plan = pages.plans.of_new(actor, new)
    except KeyturnError as error:
        return _again(pages, actor, project, form, error)
    connection, now = plan.connection, pages.clock.now()
    environments = {each.slug: each.name for each in pages.projects.get(actor, project.id).environments}
    place = folder(environments.get(new.environment, new.environment), clean_path(new.path))
    return ReviewStep(
        project=project,
        connection=connection,
        plan=of_new(plan, new.names, place, _again_later(new)),
        form=form,
        fields=list(values_of(form).items()),
        coming=preview_runs(History(connection, windows=plan.windows), new.schedule, now, SHOWN_COMING)
        if new.enabled
        else (ComingRun(now),),
        coming_zone=zones.display_zone(new.schedule.time_zone),
        form_state=form_state_of(_path(project.id), form),
    )


def _again_later(new: NewSecretRotation) -> str:
    schedule = new.schedule
    if not new.enabled:
        return "After that it is rotated only when somebody asks for it."
    often = upper_first(every(schedule.interval_days))
    return f"{often} at {schedule.hour:02}:{schedule.minute:02} ({schedule.time_zone}) a new one takes its place."


def _again(
    pages: RotationPages, actor: Actor, project: ProjectHeader, form: NewRotationForm, error: KeyturnError
) -> PageResponse:
    """Show the form with what was refused."""
    connection = pages.connections.get(actor, form.connection_id)
    state = form_state_of(_path(project.id), form, error)
    application = _application(pages, actor, connection, form.object_id, form.client_id)
    page = _details(pages, actor, project, connection, application, state)
    return PageResponse(page, status=error.status)
