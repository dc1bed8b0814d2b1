"""The overview: what needs somebody, of the organization as home and of a project. One sentence and one button each."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.alarms.conditions.domain import Condition, ConditionKind, Severity
from keyturn.alarms.conditions.service import Asked, Attention, Conditions
from keyturn.alarms.conditions.sign_in_store import Tried
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.list_address import ListAddress, Pager
from keyturn.pages.project_header import ProjectHeader, ProjectHeaders
from keyturn.web.pages import Page, PageRoute, Pages, get, group
from keyturn.web.schema.wire import ApiModel

HOME = "/overview"
OF_PROJECT = "/projects/{project_id}/overview"
FIRST, ON_A_PAGE = 10, 50
"""So many lines of a group are shown, and so many of its pages when it is asked for alone."""


class Group(StrEnum):
    """A part of the page. The text stands in its address."""

    FAILING = "failing"
    APPROVALS = "approvals"
    ENDING = "ending"
    REMOVALS = "removals"
    CHANGED = "changed"
    DUE = "due"


_TITLES: Mapping[Group, tuple[str, str]] = {
    Group.FAILING: ("Failing", "Something does not work now, or nobody sees whether it does."),
    Group.APPROVALS: ("Approvals", "Waits for a second person, or was done without one."),
    Group.ENDING: ("Ending", "It stops working by itself, unless somebody replaces it first."),
    Group.REMOVALS: (
        "Waiting to be removed",
        "A credential that was replaced still signs in, or programs still try it.",
    ),
    Group.CHANGED: ("Changed by others", "Somebody did something that this server did not."),
    Group.DUE: ("Due today", "Happens by itself: nothing has to be done."),
}
K = ConditionKind
LINES: Mapping[ConditionKind, tuple[Group, str]] = {
    K.CONNECTION_REFUSED: (Group.FAILING, "Repair"),
    K.CONNECTION_FAILED: (Group.FAILING, "Repair"),
    K.CONNECTION_UNCHECKED: (Group.FAILING, "Test"),
    K.CONVERSION_WITHDRAWN: (Group.FAILING, "See why"),
    K.ROTATION_FAILED: (Group.FAILING, "See the failure"),
    K.ROTATION_HALTED: (Group.FAILING, "Repair"),
    K.ROTATION_OVERDUE: (Group.FAILING, "Rotate now"),
    K.ROTATION_DUE: (Group.DUE, "Look"),
    K.FREEZE_OVERRIDDEN: (Group.ENDING, "Rotate earlier"),
    K.LEAK_OPEN: (Group.FAILING, "Watch the rotation"),
    K.CREDENTIAL_ENDS: (Group.ENDING, "Replace it"),
    K.PAUSED_CREDENTIAL_ENDS: (Group.ENDING, "Resume"),
    K.SIGN_IN_ENDS: (Group.ENDING, "Sign in again"),
    K.SSO_CERTIFICATE_ENDS: (Group.ENDING, "See which"),
    K.SSO_CERTIFICATE_UNUSABLE: (Group.FAILING, "See which"),
    K.IDENTITY_SECRET_ENDS: (Group.ENDING, "Make a new one"),
    K.PROVISIONING_TOKEN_ENDS: (Group.ENDING, "Make a new one"),
    K.REMOVAL_UNCONFIRMED: (Group.REMOVALS, "Confirm"),
    K.REMOVAL_LATE: (Group.REMOVALS, "See why"),
    K.OLD_CREDENTIAL_USED: (Group.REMOVALS, "See who"),
    K.REMOVED_CREDENTIAL_USED: (Group.FAILING, "See who"),
    K.REMOVAL_BLOCKS_ROTATION: (Group.REMOVALS, "See who"),
    K.CREDENTIAL_APPEARED: (Group.CHANGED, "Look"),
    K.CREDENTIAL_VANISHED: (Group.FAILING, "Repair"),
    K.IDENTITY_LOCKED: (Group.FAILING, "Clear the lock"),
    K.SIGN_IN_OF_LEAVER: (Group.ENDING, "Sign in again"),
    K.OWNER_LEFT: (Group.CHANGED, "Name another"),
    K.NO_WORKER: (Group.FAILING, "See the server"),
    K.DATA_KEY_OVERDUE: (Group.FAILING, "See the server"),
    K.BACKUP_OVERDUE: (Group.FAILING, "See the server"),
    K.AUDIT_STREAM_FAILING: (Group.FAILING, "See how far it is"),
    K.APPROVAL_WAITS: (Group.APPROVALS, "Decide"),
    K.APPROVAL_BYPASSED: (Group.APPROVALS, "See"),
    K.CHANNEL_FAILING: (Group.FAILING, "Repair"),
    K.NOBODY_TOLD: (Group.FAILING, "Add a channel"),
    K.INVENTORY_STALE: (Group.FAILING, "See why"),
    K.TENANT_CREDENTIAL_ENDS: (Group.ENDING, "See which"),
}
"""Where each kind is shown, and what its button says."""


def button_of(kind: str) -> str:
    """Return what the button says of an alarm: the same as that of its condition, also for one of another version."""
    return LINES[ConditionKind(kind)][1] if kind in set(ConditionKind) else "Open"


_TONES = {
    Severity.CRITICAL: ("bad", "warning"),
    Severity.WARNING: ("warn", "warning"),
    Severity.NOTICE: ("info", "clock"),
}


@dataclass(frozen=True)
class OverviewLine:
    """A condition as it is shown. ``project`` is the name of the one it is in, where that is not said already."""

    condition: Condition
    button: str
    tone: str
    symbol: str
    project: str


@dataclass(frozen=True)
class OverviewGroup:
    """A part of the page. ``more`` is where the other lines are; ``pager`` leads through them where it is shown alone."""

    key: str
    title: str
    text: str
    count: int
    lines: Sequence[OverviewLine]
    more: str
    pager: Pager | None


@dataclass(frozen=True)
class OverviewPage(Page):
    template: ClassVar[str] = "overview/organization.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "overview"

    groups: Sequence[OverviewGroup]
    counts: Mapping[str, int]
    tried: Tried
    shown: str
    path: str


@dataclass(frozen=True)
class ProjectOverviewPage(OverviewPage):
    template: ClassVar[str] = "overview/project.html"
    section: ClassVar[str] = "projects"

    project: ProjectHeader
    tab: str = "overview"


class OverviewQuery(ApiModel, rename=None):
    """``show`` is one group, which is shown alone, page by page."""

    show: Group | None = None
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


def router(conditions: Conditions, heads: ProjectHeaders) -> Pages:
    """Return the pages of what needs somebody."""

    @get(HOME)
    def show_overview(actor: Actor, query: OverviewQuery) -> OverviewPage:
        with conditions.of(actor, None, _asked(query)) as attention:
            return OverviewPage(*_content(attention, attention.projects, query, HOME))

    @get(OF_PROJECT)
    def show_project(actor: Actor, project_id: str, query: OverviewQuery) -> ProjectOverviewPage:
        header = heads.project(actor, project_id)
        path = OF_PROJECT.format(project_id=header.id)
        with conditions.of(actor, project_id, _asked(query)) as attention:
            return ProjectOverviewPage(*_content(attention, {}, query, path), project=header)

    routes: list[PageRoute] = [show_overview, show_project]
    return group(*routes)


def _asked(query: OverviewQuery) -> Asked:
    """Return what is shown of the group that many conditions may be in at once, or of the one that is shown alone."""
    first, size = ((query.page - 1) * ON_A_PAGE, ON_A_PAGE) if query.show else (0, FIRST)
    return Asked(first, size, _kinds(query.show or Group.FAILING))


def _kinds(group: Group) -> set[ConditionKind]:
    return {kind for kind, (its_group, _) in LINES.items() if its_group is group}


Content = tuple[Sequence[OverviewGroup], Mapping[str, int], Tried, str, str]


def _content(attention: Attention, projects: Mapping[str, str], query: OverviewQuery, path: str) -> Content:
    """Return what both pages show, with the names of these projects. With ``show`` that group alone."""
    address = ListAddress(path, query, _PLAIN)
    groups = [_group(each, attention, projects, address, query) for each in Group if query.show in {None, each}]
    counts = {severity.value: number for severity, number in attention.counts.items()}
    return [each for each in groups if each.count], counts, attention.tried, query.show or "", path


def _group(
    group: Group, attention: Attention, projects: Mapping[str, str], address: ListAddress, query: OverviewQuery
) -> OverviewGroup:
    title, text = _TITLES[group]
    kinds = _kinds(group)
    count = attention.count(kinds)
    pages = -(-count // ON_A_PAGE)
    page = min(query.page, pages)
    first, size = ((page - 1) * ON_A_PAGE, ON_A_PAGE) if query.show else (0, FIRST)
    lines = [
        OverviewLine(one, LINES[one.kind][1], *_TONES[one.severity], projects.get(one.project or "", ""))
        for one in (attention.conditions(first, size, kinds) if count else ())
    ]
    more = "" if query.show or count <= FIRST else address.at(show=group)
    pager = address.pager(page, pages, ON_A_PAGE, len(lines), count) if query.show else None
    return OverviewGroup(group.value, title, text, count, lines, more, pager)


_PLAIN = OverviewQuery()
