"""Freeze windows on pages: of the organization in its settings, of a project in those of the project.

A form shows which runs it would move before it is sent.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Meta, field

from keyturn.api.freezes.schemas import FreezeBody
from keyturn.authz.domain import Action
from keyturn.errors import Invalid, Refused
from keyturn.kit.actor import Actor, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.project_header import ProjectHeader, ProjectHeaders
from keyturn.pages.rotations.forms import values_of
from keyturn.ports.clock import Clock
from keyturn.rotations.freezes.domain import Freeze, FreezeWindow, next_freeze
from keyturn.rotations.freezes.service import FreezeChange, Freezes, MovedRun
from keyturn.web.html.forms import form_after_refusal
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
class FreezeTrial:
    """The runs that a form would move as it stands; None where that makes no sense, for the reason in ``fault``."""

    moved: Sequence[MovedRun] | None
    fault: str = ""


@dataclass(frozen=True)
class FreezesPage(Page):
    """``here`` is the address of the page. ``trial`` is of the form in ``form_state``, while it is filled in."""

    template: ClassVar[str] = "freezes/organization.html"
    section: ClassVar[str] = "freezes"

    here: str
    lines: Sequence[FreezeLine]
    may_edit: bool
    zone: str
    form_state: FormState
    trial: FreezeTrial | None


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
    first: Trimmed = field(name="from", default="")
    last: Trimmed = field(name="to", default="")
    time_zone: Trimmed = ""
    yearly: bool = False

    def body(self, nameless: str = "") -> FreezeBody:
        """Read it as the API does. ``nameless`` is its name where none was typed. Raises Invalid."""
        raw = {
            "name": self.name or nameless,
            "reason": self.reason,
            "timeZone": self.time_zone,
            "yearly": self.yearly,
        }
        days = {"from": self.first, "to": self.last}
        body: FreezeBody = parse(FreezeBody, raw | {name: text for name, text in days.items() if text})
        return body


class FreezeDraft(FreezeForm):
    """A form that is still being filled in: of the window ``freeze_id``, or (empty) of a new one."""

    freeze_id: Trimmed = ""


def router(freezes: Freezes, heads: ProjectHeaders, clock: Clock) -> Pages:
    """Return the pages."""
    return group(*_organization(freezes, clock), *_project(freezes, heads, clock))


def _organization(freezes: Freezes, clock: Clock) -> list[PageRoute]:
    @get(OF_ORGANIZATION)
    def show_freezes(actor: Actor, query: FreezeDraft, visitor: BrowserContext, form_state: FormState) -> FreezesPage:
        """The query is a form that is still being filled in: the runs that it would move are shown, nothing is changed."""
        form_state, trial = _tried(freezes, actor, OF_ORGANIZATION, None, query, form_state)
        may_edit = actor.role is Role.ADMIN
        lines = _lines(freezes.list(actor, None), clock.now(), None, may_edit=may_edit)
        return FreezesPage(OF_ORGANIZATION, lines, may_edit, visitor.zone.key, form_state, trial)

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
        actor: Actor, project_id: str, query: FreezeDraft, visitor: BrowserContext, form_state: FormState
    ) -> ProjectFreezesPage:
        """The query is a form that is still being filled in, as on the page of the organization."""
        project, here = heads.project(actor, project_id), OF_PROJECT.format(project_id=project_id)
        form_state, trial = _tried(freezes, actor, here, project_id, query, form_state)
        may_edit = Action.EDIT_PROJECT.value in project.can
        lines = _lines(freezes.list(actor, project_id), clock.now(), project_id, may_edit=may_edit)
        return ProjectFreezesPage(here, lines, may_edit, visitor.zone.key, form_state, trial, project)

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


def _tried(
    freezes: Freezes, actor: Actor, here: str, project_id: str | None, draft: FreezeDraft, form_state: FormState
) -> tuple[FormState, FreezeTrial | None]:
    """Return the form with what is wrong at its fields, and what it would move.

    Raises NotFound, or Forbidden for who may not send it.
    """
    if draft == FreezeDraft():
        return form_state, None
    form, values = f"{here}/{draft.freeze_id}" if draft.freeze_id else here, values_of(draft)
    try:
        new = draft.body("Freeze").command(project_id)
        if draft.freeze_id:
            change = freezes.update(actor, draft.freeze_id, new, dry_run=True)
        else:
            change = freezes.create(actor, new, dry_run=True)
    except (Invalid, Refused) as error:
        at = error.field if error.field in values else None
        state = form_after_refusal(form, {name: [text] for name, text in values.items()}, error, at or "")
        return replace(state, message=None, fix=None), FreezeTrial(
            None, "" if isinstance(error, Invalid) else error.message
        )
    return FormState(form, values), FreezeTrial(change.moved)


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
