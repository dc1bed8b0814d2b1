"""The inventory of tenants: how far each is read, and the list of all credentials, searched and filtered on the server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlencode

from msgspec import Meta

from keyturn.inventory.domain import MEANINGS, Finding, InventoryFilter, NotObservable, Origin, Owners, Row, Sort
from keyturn.inventory.export import age_in_days
from keyturn.inventory.list_store import Slice
from keyturn.inventory.plan import Phase
from keyturn.inventory.service import Inventories, InventoryPage, TenantView
from keyturn.kit.actor import Actor
from keyturn.pages.choices import MOST, Choice, choice_of
from keyturn.pages.project_header import ProjectHeaders
from keyturn.ports.clock import Clock
from keyturn.ports.inventory import KeyKind, ObjectKind
from keyturn.projects.domain import Project
from keyturn.web.pages import FormState, Outcome, Page, PageRoute, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import Trimmed, Uuid
from keyturn.web.schema.wire import ApiModel

HOME = "/inventory"
ONE = HOME + "/{inventory_id}"
WIZARD = "/projects/{project_id}/integrations/secret-rotations/new"
SIZE = 50
MOST_PROJECTS = 50
FINDING_LABELS = {
    Finding.EXPIRED: "Ended",
    Finding.NO_OWNER: "No owner",
    Finding.OWNERS_DISABLED: "Owners disabled",
    Finding.LIVES_TOO_LONG: "Lives too long",
    Finding.FOREIGN_APPLICATION: "On a foreign application",
    Finding.FEDERATED_BESIDE: "Federated beside it",
    Finding.BLUEPRINT_SECRET: "Secret of a blueprint",
    Finding.DISABLED_APPLICATION: "Application disabled",
    Finding.APPEARED: "Appeared",
}
KIND_LABELS = {
    KeyKind.SECRET.value: "Client secret",
    KeyKind.CERTIFICATE.value: "Certificate",
    KeyKind.FEDERATED.value: "Federated",
    "none": "None",
}
OBJECT_LABELS = {
    ObjectKind.APPLICATION: "Application",
    ObjectKind.PRINCIPAL: "Service principal",
    ObjectKind.BLUEPRINT: "Agent blueprint",
}
OWNER_LABELS = {
    Owners.NONE: "No owner",
    Owners.ONE: "One owner",
    Owners.SEVERAL: "Several owners",
    Owners.DISABLED: "All disabled",
    Owners.HIDDEN: "May not be read",
    Owners.NOT_READ: "Not read yet",
}
ORIGIN_LABELS = {Origin.OURS: "Made by Keyturn", Origin.ADOPTED: "Taken over", Origin.FOREIGN: "Made by others"}
PHASE_LABELS = {
    Phase.BEGIN: "Beginning",
    Phase.APPLICATIONS: "Reading applications",
    Phase.OWNED: "Reading applications",
    Phase.BLUEPRINTS: "Reading agent blueprints",
    Phase.PRINCIPALS: "Reading service principals",
    Phase.DETAILS: "Reading owners",
    Phase.USES: "Reading last uses",
    Phase.REST: "Up to date",
}
_SOON = 30


class InventoryQuery(ApiModel, rename=None):
    """What the address of the list says."""

    q: Annotated[Trimmed, Meta(max_length=200)] = ""
    kind: Literal["client-secret", "certificate", "federated", "none"] | None = None
    object: ObjectKind | None = None
    owners: Owners | None = None
    origin: Origin | None = None
    rotated: Literal["yes", "no"] | None = None
    finding: Finding | None = None
    audience: Annotated[Trimmed, Meta(max_length=100)] | None = None
    disabled: Literal["yes", "no"] | None = None
    slots: Literal["full", "free"] | None = None
    within: Annotated[int, Meta(ge=0, le=36_500)] | None = None
    sort: Sort = Sort.ENDS
    order: Literal["asc", "desc"] = "asc"
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1

    def criteria(self) -> InventoryFilter:
        return InventoryFilter(
            words=tuple(self.q.split()),
            kind=self.kind,
            object_kind=self.object,
            owners=self.owners,
            origin=self.origin,
            rotated=_flag(self.rotated),
            finding=self.finding,
            audience=self.audience,
            disabled=_flag(self.disabled),
            within_days=self.within,
            has_slot=None if self.slots is None else self.slots == "free",
        )


def _flag(word: str | None) -> bool | None:
    return None if word is None else word == "yes"


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
    age: int | None
    rotate: str


@dataclass(frozen=True)
class SortLink:
    """A heading by which the list is sorted; ``state`` as ``aria-sort`` says it."""

    label: str
    href: str
    state: str


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


@dataclass(frozen=True)
class RotateFromInventoryPage(Page):
    """Which project an application's secret is to be kept in, before its rotation is set up."""

    template: ClassVar[str] = "inventory/rotate.html"
    section: ClassVar[str] = "inventory"

    tenant: TenantView
    projects: Sequence[Project]
    total: int
    application: str
    client: str
    q: str

    def wizard(self, project: Project) -> str:
        return _wizard(project.id, self.tenant.connection.id, self.application, self.client)


class SwitchForm(ApiModel, rename=None):
    connection_id: Uuid
    on: bool = True


class WarnForm(ApiModel, rename=None):
    warns: bool


class RotateQuery(ApiModel, rename=None):
    application: Uuid
    client: Uuid
    q: Annotated[Trimmed, Meta(max_length=200)] = ""


def router(inventories: Inventories, heads: ProjectHeaders, clock: Clock) -> Pages:
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
        part = Slice(query.sort, query.order == "desc", (query.page - 1) * SIZE, SIZE)
        page = inventories.page(actor, inventory_id, query.criteria(), part, summary=True)
        return _list(page, query, clock.now())

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
        tenant = inventories.tenant(actor, inventory_id)
        if tenant.connection.project_id:
            project_id = tenant.connection.project_id
            return Redirect(_wizard(project_id, tenant.connection.id, query.application, query.client))
        projects, total = heads.projects.page(actor, query.q, MOST_PROJECTS)
        return RotateFromInventoryPage(tenant, projects, total, query.application, query.client, query.q)

    routes: list[PageRoute] = [
        *(show_inventories, switch_inventory, show_inventory, read_inventory, warn_of_inventory, rotate_from_inventory)
    ]
    return group(*routes)


def _wizard(project_id: str, connection_id: str, application: str, client: str) -> str:
    chosen = urlencode({"connection": connection_id, "application": application, "client": client})
    return f"{WIZARD.format(project_id=project_id)}?{chosen}"


def _list(page: InventoryPage, query: InventoryQuery, now: datetime) -> InventoryListPage:
    here, offset = ONE.format(inventory_id=page.tenant.inventory.id), (query.page - 1) * SIZE
    selects = _selects(page.audiences)
    used = [name for name, _, _ in selects if getattr(query, name) is not None]
    has_later = offset + len(page.rows) < page.total
    return InventoryListPage(
        tenant=page.tenant,
        query=query,
        lines=[_line(here, row, now) for row in page.rows],
        total=page.total,
        chips=_chips(here, query, page.findings),
        selects=selects,
        sorts={sort.value: _sort(here, query, sort) for sort in Sort},
        labels={
            "kinds": KIND_LABELS,
            "objects": {kind.value: label for kind, label in OBJECT_LABELS.items()},
            "owners": {state.value: label for state, label in OWNER_LABELS.items()},
            "origins": {origin.value: label for origin, label in ORIGIN_LABELS.items()},
            "phases": {phase.value: label for phase, label in PHASE_LABELS.items()},
        },
        earlier=_address(here, query, page=query.page - 1) if query.page > 1 else "",
        later=_address(here, query, page=query.page + 1) if has_later else "",
        first=offset + 1,
        csv=_csv(page.tenant.inventory.id, query),
        filtered=query.criteria() != InventoryFilter(),
        filters_open=bool(used),
        unobserved=_unobserved(page.rows),
    )


def _unobserved(rows: Sequence[Row]) -> str:
    uses = [row.last_use for row in rows if row.entry.key_kind is not None]
    reasons = {use.reason if isinstance(use, NotObservable) else "" for use in uses}
    return reasons.pop() if len(reasons) == 1 else ""


def _line(here: str, row: Row, now: datetime) -> InventoryLine:
    entry = row.entry
    marks = [(FINDING_LABELS[finding], MEANINGS[finding]) for finding in row.findings(now)]
    may_rotate = entry.object_kind is ObjectKind.APPLICATION and row.rotation_id is None and not entry.disabled
    chosen = urlencode({"application": entry.object_id, "client": entry.app_id})
    rotate = f"{here}/rotate?{chosen}" if may_rotate and entry.key_kind is not KeyKind.FEDERATED else ""
    return InventoryLine(row, marks, age_in_days(entry.starts_at, now), rotate)


def _chips(here: str, query: InventoryQuery, findings: Mapping[Finding, int]) -> list[tuple[str, str, bool]]:
    """A chip that is on leads to the list without it. What is not found has none."""
    is_soon = query.within == _SOON
    chips = [(f"Ends in {_SOON} days", _address(here, query, within=None if is_soon else _SOON), is_soon)]
    for finding, label in FINDING_LABELS.items():
        is_on = query.finding is finding
        if findings.get(finding) or is_on:
            href = _address(here, query, finding=None if is_on else finding)
            chips.append((f"{label} {findings.get(finding, 0)}", href, is_on))
    return chips


def _selects(audiences: Sequence[str]) -> list[tuple[str, str, Sequence[tuple[str, str]]]]:
    return [
        ("kind", "Credential", list(KIND_LABELS.items())),
        ("object", "Held by", [(kind.value, label) for kind, label in OBJECT_LABELS.items()]),
        ("owners", "Owners", [(state.value, label) for state, label in OWNER_LABELS.items()]),
        ("origin", "Made by", [(origin.value, label) for origin, label in ORIGIN_LABELS.items()]),
        ("rotated", "Rotated here", [("yes", "Rotated"), ("no", "Not rotated")]),
        ("disabled", "State", [("no", "Enabled"), ("yes", "Disabled")]),
        ("slots", "Room for secrets", [("free", "Has room"), ("full", "Full")]),
        ("audience", "Audience", [(audience, audience) for audience in audiences]),
    ]


def _sort(here: str, query: InventoryQuery, sort: Sort) -> SortLink:
    labels = {Sort.ENDS: "Ends", Sort.NAME: "Application", Sort.AGE: "Age"}
    is_sorted = query.sort is sort
    following = "desc" if is_sorted and query.order == "asc" else "asc"
    state = ("ascending" if query.order == "asc" else "descending") if is_sorted else ""
    return SortLink(labels[sort], _address(here, query, sort=sort, order=following), state)


_PLAIN = InventoryQuery()


def _parameters(query: InventoryQuery, **changes: object) -> dict[str, str]:
    values = {name: getattr(query, name) for name in InventoryQuery.__struct_fields__} | {"page": 1} | changes
    return {name: str(value) for name, value in values.items() if value is not None and value != getattr(_PLAIN, name)}


def _address(here: str, query: InventoryQuery, **changes: object) -> str:
    """Return the list's address with these changes. What is as usual is left out; a change begins at page one."""
    parameters = _parameters(query, **changes)
    return f"{here}?{urlencode(parameters)}" if parameters else here


def _csv(inventory_id: str, query: InventoryQuery) -> str:
    """Return where the API gives what is shown as a file."""
    criteria = query.criteria()
    chosen = {
        "search": query.q or None,
        "kind": query.kind,
        "objectType": query.object,
        "owners": query.owners,
        "origin": query.origin,
        "rotated": criteria.rotated,
        "finding": query.finding,
        "audience": query.audience,
        "disabled": criteria.disabled,
        "hasSlot": criteria.has_slot,
        "endsWithinDays": query.within,
    }
    parameters = {
        name: str(value).lower() if value is True or value is False else str(value)
        for name, value in chosen.items()
        if value is not None
    }
    path = f"/api/v1/inventories/{inventory_id}/credentials.csv"
    return f"{path}?{urlencode(parameters)}" if parameters else path
