"""The page of the applications that may be rotated through a connection: found, put on its list, and taken off it."""

from collections.abc import Sequence
from typing import Annotated, ClassVar
from urllib.parse import urlencode

from msgspec import Meta

from keyturn.authz.domain import Action
from keyturn.connections.allowed import FoundApplication, FoundApplications
from keyturn.connections.domain import Connection
from keyturn.errors import KeyturnError, Upstream
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.project_header import ProjectHeader, organization_can
from keyturn.pages.rotations.urls import RotationPages
from keyturn.web.pages import Page, PageRoute, Redirect, get, post
from keyturn.web.schema.validate import Trimmed, Uuid
from keyturn.web.schema.wire import ApiModel

OF_CONNECTION = "/app-connections/{connection_id}/applications"


class ApplicationQuery(ApiModel, rename=None):
    q: Annotated[Trimmed, Meta(max_length=200)] = ""
    cursor: Annotated[str, Meta(max_length=4000)] | None = None


class ListForm(ApiModel):
    """Which application; ``q`` is what was searched for, to come back to."""

    object_id: Uuid
    q: Annotated[Trimmed, Meta(max_length=200)] = ""


class OwnedForm(ApiModel):
    all_owned: bool = False


@dataclass(frozen=True)
class ApplicationsPage(Page):
    template: ClassVar[str] = "rotations/applications.html"
    tab: ClassVar[str] = "integrations"
    titled: ClassVar[bool] = True

    project: ProjectHeader | None
    may_edit: bool
    connection: Connection
    query: ApplicationQuery
    applications: Sequence[FoundApplication]
    listed: Sequence[str]
    all_owned: bool
    later: str | None
    problem: KeyturnError | None
    """Why the provider does not list them."""

    @property
    def section(self) -> str:
        return "projects" if self.project else "app-connections"


def routes(pages: RotationPages) -> list[PageRoute]:
    @get(OF_CONNECTION)
    def show_applications(actor: Actor, connection_id: str, query: ApplicationQuery) -> ApplicationsPage:
        connection = pages.connections.get(actor, connection_id)
        allowed = pages.applications.allowed(actor, connection_id)
        found, problem = FoundApplications((), None, allowed.all_owned), None
        try:
            found = pages.applications.find(actor, connection_id, query.q, query.cursor)
        except Upstream as error:
            problem = error
        project = pages.project(actor, connection.project_id) if connection.project_id else None
        edit = Action.EDIT_CONNECTIONS
        return ApplicationsPage(
            project=project,
            may_edit=edit.value in project.can if project else organization_can(actor, edit),
            connection=connection,
            query=query,
            applications=found.applications,
            listed=allowed.object_ids,
            all_owned=allowed.all_owned,
            later=_address(connection_id, query.q, found.cursor) if found.cursor else None,
            problem=problem,
        )

    @post(f"{OF_CONNECTION}/allow")
    def allow_application(actor: Actor, connection_id: str, form: ListForm) -> Redirect:
        pages.applications.allow(actor, connection_id, form.object_id)
        return Redirect(
            _address(connection_id, form.q), toast="The application may be rotated through this connection."
        )

    @post(f"{OF_CONNECTION}/disallow")
    def disallow_application(actor: Actor, connection_id: str, form: ListForm) -> Redirect:
        pages.applications.disallow(actor, connection_id, form.object_id)
        return Redirect(
            _address(connection_id, form.q), toast="It may not be rotated through this connection any more."
        )

    @post(f"{OF_CONNECTION}/owned")
    def change_owned(actor: Actor, connection_id: str, form: OwnedForm) -> Redirect:
        pages.applications.allow_all_owned(actor, connection_id, on=form.all_owned)
        return Redirect(_address(connection_id), toast="The list was saved.")

    return [show_applications, allow_application, disallow_application, change_owned]


def _address(connection_id: str, text: str = "", cursor: str | None = None) -> str:
    path = OF_CONNECTION.format(connection_id=connection_id)
    wanted = {name: value for name, value in (("q", text), ("cursor", cursor)) if value}
    return f"{path}?{urlencode(wanted)}" if wanted else path
