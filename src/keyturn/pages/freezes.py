"""Freeze windows on pages: of the organization in its settings, of a project in those of the project."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.api.freezes.schemas import FreezeBody
from keyturn.authz.domain import Action
from keyturn.kit import zones
from keyturn.kit.actor import Actor, Role
from keyturn.pages.project_header import ProjectHeader, ProjectHeaders
from keyturn.ports.clock import Clock
from keyturn.rotations.freezes.domain import Freeze, FreezeWindow, next_freeze
from keyturn.rotations.freezes.service import FreezeChange, Freezes
from keyturn.web.pages import BrowserContext, FormState, Page, PageRoute, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import Trimmed, parse
from keyturn.web.schema.wire import ApiModel

OF_ORGANIZATION = "/organization/freezes"
OF_PROJECT = "/projects/{project_id}/freezes"


@dataclass(frozen=True)
class FreezeLine:
    window: FreezeWindow
    next: Freeze | None
    now: bool
    editable: bool


@dataclass(frozen=True)
class FreezesPage(Page):
    """``here`` is the address of the page."""

    template: ClassVar[str] = "freezes/organization.html"
    section: ClassVar[str] = "freezes"

    here: str
    lines: Sequence[FreezeLine]
    may_edit: bool
    zone: str
    zones: Sequence[str]
    form_state: FormState


@dataclass(frozen=True)
class ProjectFreezesPage(FreezesPage):
    template: ClassVar[str] = "freezes/project.html"
    section: ClassVar[str] = "projects"

    project: ProjectHeader
    tab: ClassVar[str] = "settings"


class FreezeForm(ApiModel):
    """Names as in the JSON API."""

    name: Trimmed = ""
    reason: Annotated[Trimmed, Meta(max_length=500)] = ""
    from_day: Trimmed = ""
    to_day: Trimmed = ""
    time_zone: Trimmed = ""
    yearly: bool = False

    def body(self) -> FreezeBody:
        raw = {
            "name": self.name,
            "reason": self.reason,
            "from": self.from_day,
            "to": self.to_day,
            "timeZone": self.time_zone,
            "yearly": self.yearly,
        }
        body: FreezeBody = parse(FreezeBody, raw)
        return body


def router(freezes: Freezes, heads: ProjectHeaders, clock: Clock) -> Pages:
    """Return the pages."""
    return group(*_organization(freezes, clock), *_project(freezes, heads, clock))


def _organization(freezes: Freezes, clock: Clock) -> list[PageRoute]:
    @get(OF_ORGANIZATION)
    def show_freezes(actor: Actor, visitor: BrowserContext, form_state: FormState) -> FreezesPage:
        may_edit = actor.role is Role.ADMIN
        lines = _lines(freezes.list(actor, None), clock.now(), None, may_edit=may_edit)
        return FreezesPage(OF_ORGANIZATION, lines, may_edit, visitor.zone.key, sorted(zones.names()), form_state)

    @post(OF_ORGANIZATION, form_page=show_freezes)
    def add_freeze(actor: Actor, form: FreezeForm) -> Redirect:
        change = freezes.create(actor, form.body().command())
        return Redirect(OF_ORGANIZATION, toast=_told(change, "added"))

    @post(OF_ORGANIZATION + "/{freeze_id}", form_page=show_freezes)
    def edit_freeze(actor: Actor, freeze_id: str, form: FreezeForm) -> Redirect:
        change = freezes.update(actor, freeze_id, form.body().command())
        return Redirect(OF_ORGANIZATION, toast=_told(change, "changed"))

    @post(OF_ORGANIZATION + "/{freeze_id}/delete", form_page=show_freezes)
    def delete_freeze(actor: Actor, freeze_id: str) -> Redirect:
        change = freezes.delete(actor, freeze_id)
        return Redirect(OF_ORGANIZATION, toast=_told(change, "removed"))

    return [show_freezes, add_freeze, edit_freeze, delete_freeze]


def _project(freezes: Freezes, heads: ProjectHeaders, clock: Clock) -> list[PageRoute]:
    @get(OF_PROJECT)
    def show_project_freezes(
        actor: Actor, project_id: str, visitor: BrowserContext, form_state: FormState
    ) -> ProjectFreezesPage:
        project, here = heads.project(actor, project_id), OF_PROJECT.format(project_id=project_id)
        may_edit = Action.EDIT_PROJECT.value in project.can
        lines = _lines(freezes.list(actor, project_id), clock.now(), project_id, may_edit=may_edit)
        zone, names = visitor.zone.key, sorted(zones.names())
        return ProjectFreezesPage(here, lines, may_edit, zone, names, form_state, project)

    @post(OF_PROJECT, form_page=show_project_freezes)
    def add_project_freeze(actor: Actor, project_id: str, form: FreezeForm) -> Redirect:
        change = freezes.create(actor, form.body().command(project_id))
        return Redirect(OF_PROJECT.format(project_id=project_id), toast=_told(change, "added"))

    @post(OF_PROJECT + "/{freeze_id}", form_page=show_project_freezes)
    def edit_project_freeze(actor: Actor, project_id: str, freeze_id: str, form: FreezeForm) -> Redirect:
        change = freezes.update(actor, freeze_id, form.body().command(project_id))
        return Redirect(OF_PROJECT.format(project_id=project_id), toast=_told(change, "changed"))

    @post(OF_PROJECT + "/{freeze_id}/delete", form_page=show_project_freezes)
    def delete_project_freeze(actor: Actor, project_id: str, freeze_id: str) -> Redirect:
        change = freezes.delete(actor, freeze_id)
        return Redirect(OF_PROJECT.format(project_id=project_id), toast=_told(change, "removed"))

    return [show_project_freezes, add_project_freeze, edit_project_freeze, delete_project_freeze]


def _told(change: FreezeChange, what: str) -> str:
    count = len(change.moved)
    runs = f"{count} {'rotation runs' if count == 1 else 'rotations run'} at another time now." if count else ""
    return f"{change.window.name} was {what}. {runs or 'No rotation runs at another time.'}"


def _lines(
    windows: Sequence[FreezeWindow], now: datetime, project_id: str | None, *, may_edit: bool
) -> list[FreezeLine]:
    coming = [(window, next_freeze(window, now)) for window in windows]
    return [
        FreezeLine(window, freeze, bool(freeze and freeze.begins <= now), may_edit and window.project_id == project_id)
        for window, freeze in coming
    ]
