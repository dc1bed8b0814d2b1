"""The inventory of tenants: how far each is read, and the list of all credentials, searched and filtered on the server."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar
from urllib.parse import urlencode

from msgspec import Meta, structs

from keyturn.authz.domain import Action
from keyturn.inventory.domain import MEANINGS, InventoryFilter, NotObservable, Row, Sort
from keyturn.inventory.export import age_in_days, life_in_days
from keyturn.inventory.list_store import Slice
from keyturn.inventory.plan import Phase
from keyturn.inventory.policies import AppliedPolicy, PolicyState
from keyturn.inventory.rotation_start import RotationStart, RotationStarts
from keyturn.inventory.service import Inventories, InventoryPage, TenantView
from keyturn.kit.actor import Actor
from keyturn.kit.counting import counted, duration_in_words
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.choices import MOST, Choice, choice_of
from keyturn.pages.connections.urls import connection_path
from keyturn.pages.inventory_filters import (
    FINDING_LABELS,
    KIND_LABELS,
    OBJECT_LABELS,
    ORIGIN_LABELS,
    OWNER_LABELS,
    InventoryQuery,
    SortLink,
    address,
    chips,
    csv_address,
    selects,
    sort_link,
)
from keyturn.pages.project_header import ProjectHeaders
from keyturn.ports.clock import Clock
from keyturn.ports.inventory import KeyKind, ObjectKind
from keyturn.projects.domain import Project
from keyturn.rotations.run_schedule import replaced_in_time
from keyturn.web.pages import FormState, Outcome, Page, PageRoute, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import Trimmed, Uuid
from keyturn.web.schema.wire import ApiModel

HOME = "/inventory"
ONE = HOME + "/{inventory_id}"
WIZARD = "/projects/{project_id}/integrations/secret-rotations/new"
SIZE = 50
MOST_PROJECTS = 50
PHASE_LABELS = {
    Phase.BEGIN: "Beginning",
    Phase.APPLICATIONS: "Reading applications",
    Phase.OWNED: "Reading applications",
    Phase.BLUEPRINTS: "Reading agent blueprints",
    Phase.PRINCIPALS: "Reading service principals",
    Phase.POLICIES: "Reading policies",
    Phase.DETAILS: "Reading owners",
    Phase.USES: "Reading last uses",
    Phase.REST: "Up to date",
}


@dataclass(frozen=True)
class InventoryHomePage(Page):
    template: ClassVar[str] = "inventory/home.html"
    section: ClassVar[str] = "inventory"

    tenants: Sequence[TenantView]
    phases: Mapping[Phase, str]
    switchable: Choice
    form_state: FormState


@dataclass(frozen=True)
class InventoryLine:
    """A row of the list. ``rotate`` leads to setting up a rotation, where that is possible."""

    row: Row
    marks: Sequence[tuple[str, str]]
    """Label and meaning of each finding."""
    age: str
    """How old it is, in words; empty for what has no start."""
    life: str
    """For how long it lives; empty for what has no start or no end."""
    policy: str
    """What the policy that applies says of a new credential; empty where nothing has to be said."""
    rotate: str
    own: str
    """Leads to the connection that signs in as the application: its own rotation rotates this."""
    replaced: bool
    """Whether a rotation replaces it by itself, in time."""


@dataclass(frozen=True)
class InventoryListPage(Page):
    template: ClassVar[str] = "inventory/list.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "inventory"

    tenant: TenantView
    query: InventoryQuery
    lines: Sequence[InventoryLine]
    total: int
    chips: Sequence[tuple[str, str, bool]]
    selects: Sequence[tuple[str, str, Sequence[tuple[str, str]]]]
    """Name, label and options of each filter."""
    sorts: Mapping[str, SortLink]
    labels: Mapping[str, Mapping[str, str]]
    earlier: str
    later: str
    first: int
    csv: str
    filtered: bool
    filters_open: bool
    unobserved: str
    """Why nothing on the page tells when it last signed in, where that is the same everywhere."""
    unknown_policy: str
    """Why it is not known which policies apply."""


@dataclass(frozen=True)
class RotateFromInventoryPage(Page):
    """Which project an application's secret is to be kept in, before its rotation is set up; or why it can not be rotated."""

    template: ClassVar[str] = "inventory/rotate.html"
    section: ClassVar[str] = "inventory"

    start: RotationStart
    projects: Sequence[Project]
    total: int
    q: str

    @property
    def here(self) -> str:
        return _rotate(ONE.format(inventory_id=self.start.inventory.id), self.start.application.object_id)

    @property
    def others(self) -> str:
        """Leads to trying the connections that were not tried yet."""
        return f"{self.here}&offset={self.start.following}"

    def wizard(self, project: Project) -> str:
        return _wizard(project.id, self.start)


class SwitchForm(ApiModel, rename=None):
    connection_id: Uuid
    on: bool = True


class WarnForm(ApiModel, rename=None):
    warns: bool


class RotateQuery(ApiModel, rename=None):
    application: Uuid
    offset: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    q: Annotated[Trimmed, Meta(max_length=200)] = ""


def router(inventories: Inventories, starts: RotationStarts, heads: ProjectHeaders, clock: Clock) -> Pages:
    """Return the pages of inventories, for who may use the connections that these are read through."""

    @get(HOME)
    def show_inventories(actor: Actor, form_state: FormState) -> InventoryHomePage:
        found = [(one.id, f"{one.name}, tenant {one.tenant_id}") for one in inventories.switchable(actor, MOST + 1)]
        return InventoryHomePage(inventories.tenants(actor), PHASE_LABELS, choice_of(found), form_state)

    @post(HOME + "/switch", form_page=show_inventories)
    def switch_inventory(actor: Actor, form: SwitchForm) -> Redirect:
        inventories.switch(actor, form.connection_id, on=form.on)
        toast = "The tenant is being read." if form.on else "Switched off. What was read was removed."
        return Redirect(HOME, toast=toast)

    @get(ONE)
    def show_inventory(actor: Actor, inventory_id: str, query: InventoryQuery) -> InventoryListPage:
        return _list(*_page(inventories, actor, inventory_id, query), clock.now())

    @post(ONE + "/read")
    def read_inventory(actor: Actor, inventory_id: str) -> Redirect:
        inventories.read_now(actor, inventory_id)
        return Redirect(ONE.format(inventory_id=inventory_id), toast="The tenant is being read anew.")

    @post(ONE + "/warn")
    def warn_of_inventory(actor: Actor, inventory_id: str, form: WarnForm) -> Redirect:
        inventories.warn(actor, inventory_id, on=form.warns)
        toast = "What ends and nobody rotates is told of, once a day." if form.warns else "Nobody is warned any more."
        return Redirect(ONE.format(inventory_id=inventory_id), toast=toast)

    @get(ONE + "/rotate")
    def rotate_from_inventory(actor: Actor, inventory_id: str, query: RotateQuery) -> Outcome:
        start = starts.of(actor, inventory_id, query.application, query.offset)
        if start.sign_in:
            return Redirect(connection_path(start.sign_in.id))
        if start.connection is None:
            return RotateFromInventoryPage(start, (), 0, query.q)
        if start.connection.project_id:
            return Redirect(_wizard(start.connection.project_id, start))
        projects, total = heads.projects.page(actor, query.q, MOST_PROJECTS, action=Action.CREATE_ROTATIONS)
        return RotateFromInventoryPage(start, projects, total, query.q)

    routes: list[PageRoute] = [
        *(show_inventories, switch_inventory, show_inventory, read_inventory, warn_of_inventory, rotate_from_inventory)
    ]
    return group(*routes)


def _page(
    inventories: Inventories, actor: Actor, inventory_id: str, query: InventoryQuery
) -> tuple[InventoryPage, InventoryQuery]:
    """Return the page that is asked for, and with which query it is asked for: one beyond the last one is the last one."""
    page = inventories.page(actor, inventory_id, query.criteria(), _part(query), summary=True)
    if page.rows or not page.total:
        return page, query
    last = structs.replace(query, page=-(-page.total // SIZE))
    return inventories.page(actor, inventory_id, query.criteria(), _part(last), summary=True), last


def _part(query: InventoryQuery) -> Slice:
    return Slice(query.sort, query.order == "desc", (query.page - 1) * SIZE, SIZE)


def _wizard(project_id: str, start: RotationStart) -> str:
    application, connection_id = start.application, start.connection.id if start.connection else ""
    chosen = {"connection": connection_id, "application": application.object_id, "client": application.app_id}
    return f"{WIZARD.format(project_id=project_id)}?{urlencode(chosen)}"


def _rotate(here: str, object_id: str) -> str:
    return f"{here}/rotate?{urlencode({'application': object_id})}"


def _list(page: InventoryPage, query: InventoryQuery, now: datetime) -> InventoryListPage:
    here, offset = ONE.format(inventory_id=page.tenant.inventory.id), (query.page - 1) * SIZE
    filters = selects(page.audiences)
    used = [name for name, _, _ in filters if getattr(query, name) is not None]
    has_later = offset + len(page.rows) < page.total
    return InventoryListPage(
        tenant=page.tenant,
        query=query,
        lines=[_line(here, row, now) for row in page.rows],
        total=page.total,
        chips=chips(here, query, page.findings),
        selects=filters,
        sorts={sort.value: sort_link(here, query, sort) for sort in Sort},
        labels={
            "kinds": KIND_LABELS,
            "objects": {kind.value: label for kind, label in OBJECT_LABELS.items()},
            "owners": {state.value: label for state, label in OWNER_LABELS.items()},
            "origins": {origin.value: label for origin, label in ORIGIN_LABELS.items()},
            "phases": {phase.value: label for phase, label in PHASE_LABELS.items()},
        },
        earlier=address(here, query, page=query.page - 1) if query.page > 1 else "",
        later=address(here, query, page=query.page + 1) if has_later else "",
        first=offset + 1,
        csv=csv_address(page.tenant.inventory.id, query),
        filtered=query.criteria() != InventoryFilter(),
        filters_open=bool(used),
        unobserved=_unobserved(page.rows),
        unknown_policy=next((row.policy.unknown for row in page.rows if row.policy.unknown), ""),
    )


def _unobserved(rows: Sequence[Row]) -> str:
    uses = [row.last_use for row in rows if row.entry.key_kind is not None]
    reasons = {use.reason if isinstance(use, NotObservable) else "" for use in uses}
    return reasons.pop() if len(reasons) == 1 else ""


def _line(here: str, row: Row, now: datetime) -> InventoryLine:
    entry = row.entry
    marks = [(FINDING_LABELS[finding], MEANINGS[finding]) for finding in row.findings(now)]
    is_application = entry.object_kind is ObjectKind.APPLICATION and row.rotation_id is None and not entry.disabled
    may_rotate = is_application and entry.key_kind is not KeyKind.FEDERATED
    own = row.sign_in and row.sign_in.connection
    life = life_in_days(entry)
    return InventoryLine(
        row,
        marks,
        _age(entry.starts_at, now),
        "" if life is None else _whole_days(life),
        _policy(row.policy, entry.key_kind),
        _rotate(here, entry.object_id) if may_rotate and row.sign_in is None else "",
        connection_path(own.id) if own and may_rotate else "",
        row.rotation is not None and replaced_in_time(row.rotation, now),
    )


def _age(starts_at: datetime | None, now: datetime) -> str:
    days = age_in_days(starts_at, now)
    if starts_at is None or days is None:
        return ""
    return "not valid yet" if starts_at > now else f"{_whole_days(days)} old"


def _whole_days(days: int) -> str:
    return counted(days, "day") if days else "less than a day"


def _policy(policy: AppliedPolicy, kind: KeyKind | None) -> str:
    """Say what the policy says of a new credential of the kind, and of whom it does not."""
    noun = "certificate" if kind is KeyKind.CERTIFICATE else "client secret"
    longest = "" if policy.longest is None else duration_in_words(policy.longest)
    said = {
        PolicyState.FORBIDDEN: f"no new {noun}",
        PolicyState.LIMITED: f"a new {noun} lives {longest} at most",
        PolicyState.EXEMPT: f"it limits new {noun}s, but not for this connection",
    }.get(policy.state, "")
    unseen = ", unless who signs in is exempted, which cannot be seen" if policy.exempts is None else ""
    return f"{policy.name}: {said}{unseen}" if said else ""
