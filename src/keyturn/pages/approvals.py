"""Requests for approval on pages: the list, each with what it would do, and the rules that ask for them."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.approvals.domain import (
    DEFAULT_HOURS,
    LONGEST_HOURS,
    ApprovalRequest,
    ApprovalSettings,
    ChangeKind,
    RequestState,
    all_changes,
    describe_change,
)
from keyturn.approvals.outcome import outcome_of
from keyturn.approvals.service import Approvals
from keyturn.authz.domain import Action, require_admin
from keyturn.errors import Forbidden
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.approval_forms import ApprovalFields, Why, asked_instead
from keyturn.pages.connections.removed import removal_path
from keyturn.pages.project_header import ProjectHeader, ProjectHeaders
from keyturn.ports.clock import Clock
from keyturn.rotations.approved_changes import ApprovedChanges, ChangePreview
from keyturn.web.pages import FormState, Page, PageRoute, Pages, Redirect, get, group, post
from keyturn.web.schema.wire import ApiModel

LIST = "/approvals"
ONE = LIST + "/{request_id}"
RULES = "/organization/approval-rules"
PROJECT_RULES = "/projects/{project_id}/approval-rules"
_STATES = {
    RequestState.PENDING: ("Waiting", "info", "clock"),
    RequestState.APPROVED: ("Approved and done", "good", "check"),
    RequestState.REJECTED: ("Rejected", "neutral", "x"),
    RequestState.WITHDRAWN: ("Taken back", "neutral", "x"),
    RequestState.EXPIRED: ("Expired", "neutral", "clock"),
    RequestState.BYPASSED: ("Done without approval", "warn", "warning"),
}
_DELETIONS = {ChangeKind.DELETE_CONNECTION, ChangeKind.DELETE_ROTATION}


@dataclass(frozen=True)
class RequestLine:
    request: ApprovalRequest
    summary: str
    text: str
    tone: str
    symbol: str
    own: bool


@dataclass(frozen=True)
class ApprovalsPage(Page):
    template: ClassVar[str] = "approvals/list.html"
    section: ClassVar[str] = "approvals"

    waiting: Sequence[RequestLine]
    decided: Sequence[RequestLine]


@dataclass(frozen=True)
class ApprovalPage(Page):
    template: ClassVar[str] = "approvals/one.html"
    section: ClassVar[str] = "approvals"

    line: RequestLine
    outcome: Sequence[str]
    preview: ChangePreview
    may_decide: bool
    waits: bool
    path: str
    form_state: FormState


@dataclass(frozen=True)
class RulesPage(Page):
    template: ClassVar[str] = "approvals/rules.html"
    section: ClassVar[str] = "approvals"

    here: str
    rules: ApprovalSettings
    longest: int
    form_state: FormState

    @property
    def changes(self) -> str:
        """Return what needs a second person where these rules say so."""
        return all_changes()


@dataclass(frozen=True)
class ProjectRulesPage(RulesPage):
    template: ClassVar[str] = "approvals/project_rules.html"
    section: ClassVar[str] = "projects"

    project: ProjectHeader
    tab: ClassVar[str] = "settings"


class RejectForm(ApiModel, rename=None):
    note: Why = ""


class RulesForm(ApprovalFields):
    required: bool = False
    emergency: bool = False
    hours: Annotated[int, Meta(ge=1, le=LONGEST_HOURS)] = DEFAULT_HOURS

    def settings(self) -> ApprovalSettings:
        return ApprovalSettings(self.required, self.emergency, self.hours)


def router(approvals: Approvals, changes: ApprovedChanges, heads: ProjectHeaders, clock: Clock) -> Pages:
    """Return the pages."""
    return group(*_requests(approvals, changes, clock), *_rules(approvals), *_project_rules(approvals, heads))


def _requests(approvals: Approvals, changes: ApprovedChanges, clock: Clock) -> list[PageRoute]:
    def line(actor: Actor, request: ApprovalRequest) -> RequestLine:
        text, tone, symbol = _STATES[request.state_at(clock.now())]
        summary = describe_change(request.kind, request.subject_name)
        return RequestLine(request, summary, text, tone, symbol, request.asked_by(actor))

    @get(LIST)
    def show_approvals(actor: Actor) -> ApprovalsPage:
        waiting = approvals.list(actor)
        ids = {request.id for request in waiting}
        decided = [request for request in approvals.list(actor, pending=False) if request.id not in ids]
        return ApprovalsPage([line(actor, each) for each in waiting], [line(actor, each) for each in decided])

    @get(ONE)
    def show_approval(actor: Actor, request_id: str, form_state: FormState) -> ApprovalPage:
        request = approvals.get(actor, request_id)
        return ApprovalPage(
            line(actor, request),
            outcome_of(request),
            changes.preview(actor, request),
            approvals.may_decide(actor, request),
            request.state_at(clock.now()) is RequestState.PENDING,
            _subject_path(request),
            form_state,
        )

    @post(ONE + "/approve", form_page=show_approval)
    def approve(actor: Actor, request_id: str) -> Redirect:
        request = changes.approve(actor, request_id)
        return Redirect(f"{LIST}/{request.id}", toast="It was approved, and is being done.")

    @post(ONE + "/reject", form_page=show_approval)
    def reject(actor: Actor, request_id: str, form: RejectForm) -> Redirect:
        approvals.reject(actor, request_id, form.note)
        return Redirect(LIST, toast="The request was rejected. Nothing was done.")

    @post(ONE + "/withdraw", form_page=show_approval)
    def withdraw(actor: Actor, request_id: str) -> Redirect:
        approvals.withdraw(actor, request_id)
        return Redirect(LIST, toast="The request was taken back.")

    return [show_approvals, show_approval, approve, reject, withdraw]


def _subject_path(request: ApprovalRequest) -> str:
    if request.kind is ChangeKind.LOOSEN:
        return PROJECT_RULES.format(project_id=request.project_id) if request.project_id else RULES
    rotation_id = request.seen.partition(" ")[0]
    if request.state is RequestState.APPROVED and request.kind in _DELETIONS:
        return removal_path(rotation_id) if rotation_id != "no" else ""
    return f"/{'app-connections' if request.kind.of_connection else 'secret-rotations'}/{request.subject_id}"


def _rules(approvals: Approvals) -> list[PageRoute]:
    @get(RULES)
    def show_approval_rules(actor: Actor, form_state: FormState) -> RulesPage:
        require_admin(actor)
        return RulesPage(RULES, approvals.rules(actor, None), LONGEST_HOURS, form_state)

    @post(RULES, form_page=show_approval_rules)
    def change_approval_rules(actor: Actor, form: RulesForm) -> Redirect:
        after = form.settings()
        asked = asked_instead(
            approvals, actor, form, lambda consent: approvals.change_rules(actor, None, after, consent)
        )
        return asked or Redirect(RULES, toast="The approval rules were saved.")

    return [show_approval_rules, change_approval_rules]


def _project_rules(approvals: Approvals, heads: ProjectHeaders) -> list[PageRoute]:
    @get(PROJECT_RULES)
    def show_project_rules(actor: Actor, project_id: str, form_state: FormState) -> ProjectRulesPage:
        project = heads.project(actor, project_id)
        if Action.EDIT_PROJECT.value not in project.can:
            raise Forbidden(
                f"{actor.name} may not change {project.name}.",
                code="access.forbidden",
                fix="Ask an admin of the project for the role that may.",
            )
        here, rules = PROJECT_RULES.format(project_id=project_id), approvals.rules(actor, project_id)
        return ProjectRulesPage(here, rules, LONGEST_HOURS, form_state, project)

    @post(PROJECT_RULES, form_page=show_project_rules)
    def change_project_rules(actor: Actor, project_id: str, form: RulesForm) -> Redirect:
        after = ApprovalSettings(form.required)
        asked = asked_instead(
            approvals, actor, form, lambda consent: approvals.change_rules(actor, project_id, after, consent)
        )
        return asked or Redirect(PROJECT_RULES.format(project_id=project_id), toast="The approval rules were saved.")

    return [show_project_rules, change_project_rules]
