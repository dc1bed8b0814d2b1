"""The filters of an inventory's list: what the address says, and the addresses of other lists."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal
from urllib.parse import urlencode

from msgspec import Meta

from keyturn.inventory.domain import Finding, InventoryFilter, Origin, Owners, Sort
from keyturn.inventory.policies import PolicyState
from keyturn.kit import pasted
from keyturn.kit.counting import counted
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.inventory import KeyKind, ObjectKind
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel

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
POLICY_LABELS = {
    PolicyState.FORBIDDEN: "Forbids new ones",
    PolicyState.LIMITED: "Limits how long they live",
    PolicyState.EXEMPT: "Exempts this connection",
    PolicyState.UNRESTRICTED: "Limits nothing",
    PolicyState.NOT_KNOWN: "Not known",
}
SOON = 30


Days = Annotated[int, Meta(ge=0, le=36_500)] | None


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
    foreign: Literal["yes", "no"] | None = None
    policy: PolicyState | None = None
    success: Literal["known", "not-known"] | None = None
    quiet: Days = None
    ended: Literal["yes", "no"] | None = None
    within: Days = None
    older: Days = None
    lives: Days = None
    sort: Sort = Sort.ENDS
    order: Literal["asc", "desc"] = "asc"
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1

    def criteria(self) -> InventoryFilter:
        return InventoryFilter(
            words=pasted.search_words(self.q),
            kind=self.kind,
            object_kind=self.object,
            owners=self.owners,
            origin=self.origin,
            rotated=_flag(self.rotated),
            finding=self.finding,
            audience=self.audience,
            disabled=_flag(self.disabled),
            expired=_flag(self.ended),
            within_days=self.within,
            has_slot=None if self.slots is None else self.slots == "free",
            foreign=_flag(self.foreign),
            older_than_days=self.older,
            longer_than_days=self.lives,
            last_success=None if self.success is None else self.success == "known",
            quiet_for_days=self.quiet,
            policy=self.policy,
        )


def _flag(word: str | None) -> bool | None:
    return None if word is None else word == "yes"


@dataclass(frozen=True)
class SortLink:
    """A heading by which the list is sorted; ``state`` as ``aria-sort`` says it."""

    label: str
    href: str
    state: str


def chips(here: str, query: InventoryQuery, findings: Mapping[Finding, int]) -> list[tuple[str, str, bool]]:
    """A chip that is on leads to the list without it. What is not found has none."""
    is_soon = query.within == SOON
    chips = [(f"Ends in {SOON} days", address(here, query, within=None if is_soon else SOON), is_soon)]
    for finding, label in FINDING_LABELS.items():
        is_on = query.finding is finding
        if findings.get(finding) or is_on:
            href = address(here, query, finding=None if is_on else finding)
            chips.append((f"{label} {findings.get(finding, 0)}", href, is_on))
    return chips


def selects(audiences: Sequence[str]) -> list[tuple[str, str, Sequence[tuple[str, str]]]]:
    return [
        ("kind", "Credential", list(KIND_LABELS.items())),
        ("object", "Held by", [(kind.value, label) for kind, label in OBJECT_LABELS.items()]),
        ("owners", "Owners", [(state.value, label) for state, label in OWNER_LABELS.items()]),
        ("origin", "Made by", [(origin.value, label) for origin, label in ORIGIN_LABELS.items()]),
        ("rotated", "Rotated here", [("yes", "Rotated"), ("no", "Not rotated")]),
        ("disabled", "State", [("no", "Enabled"), ("yes", "Disabled")]),
        ("slots", "Room for secrets", [("free", "Has room"), ("full", "Full")]),
        ("ended", "Ended", [("no", "Not ended"), ("yes", "Ended")]),
        ("within", "Ends within", _days(7, SOON, 60, 90, 180)),
        ("older", "Older than", _days(90, 180, 365, 730)),
        ("lives", "Lives longer than", _days(90, 180, 366, 730)),
        ("success", "Last success", [("known", "Known"), ("not-known", "Not known")]),
        ("quiet", "Last success before", _days(7, SOON, 90, 180)),
        ("policy", "Policy", [(state.value, label) for state, label in POLICY_LABELS.items()]),
        ("foreign", "Registered in", [("no", "This tenant"), ("yes", "Another tenant")]),
        ("audience", "Audience", [(audience, audience) for audience in audiences]),
    ]


def _days(*numbers: int) -> list[tuple[str, str]]:
    return [(str(number), counted(number, "day")) for number in numbers]


def sort_link(here: str, query: InventoryQuery, sort: Sort) -> SortLink:
    labels = {Sort.ENDS: "Ends", Sort.NAME: "Application", Sort.AGE: "Age"}
    is_sorted = query.sort is sort
    following = "desc" if is_sorted and query.order == "asc" else "asc"
    state = ("ascending" if query.order == "asc" else "descending") if is_sorted else ""
    return SortLink(labels[sort], address(here, query, sort=sort, order=following), state)


_PLAIN = InventoryQuery()


def _parameters(query: InventoryQuery, **changes: object) -> dict[str, str]:
    values = {name: getattr(query, name) for name in InventoryQuery.__struct_fields__} | {"page": 1} | changes
    return {name: str(value) for name, value in values.items() if value is not None and value != getattr(_PLAIN, name)}


def address(here: str, query: InventoryQuery, **changes: object) -> str:
    """Return the list's address with these changes. What is as usual is left out; a change begins at page one."""
    parameters = _parameters(query, **changes)
    return f"{here}?{urlencode(parameters)}" if parameters else here


def csv_address(inventory_id: str, query: InventoryQuery) -> str:
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
        "expired": criteria.expired,
        "endsWithinDays": query.within,
        "foreign": criteria.foreign,
        "olderThanDays": query.older,
        "livesLongerThanDays": query.lives,
        "lastSuccess": query.success,
        "quietForDays": query.quiet,
        "policy": query.policy,
    }
    parameters = {
        name: str(value).lower() if value is True or value is False else str(value)
        for name, value in chosen.items()
        if value is not None
    }
    path = f"/api/v1/inventories/{inventory_id}/credentials.csv"
    return f"{path}?{urlencode(parameters)}" if parameters else path
