"""JSON of inventories: what a tenant holds, and how far it is read."""

from typing import Annotated, Literal

from msgspec import Meta

from keyturn.inventory.domain import Finding, InventoryFilter, Origin, Owners, Sort
from keyturn.inventory.list_store import Slice
from keyturn.inventory.policies import PolicyState
from keyturn.kit import pasted
from keyturn.ports.inventory import ObjectKind
from keyturn.web.schema.validate import Trimmed, coerced
from keyturn.web.schema.wire import ApiModel, Timestamp

Kind = Literal["client-secret", "certificate", "federated", "none"]

# --- what is asked ----------------------------------------------------------------------------------------------------


class InventoryCriteria(ApiModel):
    """All that is given has to hold.

    `search`: words that are parts of names, client ids, object ids, Key IDs, hints, or names of owners. `kind` `none` are
    objects without a credential. `rotated`: whether this server rotates the application. `endsWithinDays`: it has not
    ended, and will. `olderThanDays`: it began more than so many days ago; `livesLongerThanDays`: more days are between its start
    and its end. `lastSuccess` `known` or `not-known`; `quietForDays`: it is known, and so long ago. `foreign`: another tenant
    registered the application. `policy`: what the policy that applies says of a new credential of the kind.
    """

    search: Annotated[Trimmed, Meta(max_length=200)] = ""
    kind: Kind | None = None
    object_type: ObjectKind | None = None
    owners: Owners | None = None
    origin: Origin | None = None
    rotated: bool | None = None
    finding: Finding | None = None
    audience: Annotated[Trimmed, Meta(max_length=100)] | None = None
    disabled: bool | None = None
    expired: bool | None = None
    ends_within_days: Annotated[int, coerced, Meta(ge=0, le=36_500)] | None = None
    has_slot: bool | None = None
    foreign: bool | None = None
    older_than_days: Annotated[int, coerced, Meta(ge=0, le=36_500)] | None = None
    lives_longer_than_days: Annotated[int, coerced, Meta(ge=0, le=36_500)] | None = None
    last_success: Literal["known", "not-known"] | None = None
    quiet_for_days: Annotated[int, coerced, Meta(ge=0, le=36_500)] | None = None
    policy: PolicyState | None = None

    def criteria(self) -> InventoryFilter:
        return InventoryFilter(
            words=pasted.search_words(self.search),
            kind=self.kind,
            object_kind=self.object_type,
            owners=self.owners,
            origin=self.origin,
            rotated=self.rotated,
            finding=self.finding,
            audience=self.audience,
            disabled=self.disabled,
            expired=self.expired,
            within_days=self.ends_within_days,
            has_slot=self.has_slot,
            foreign=self.foreign,
            older_than_days=self.older_than_days,
            longer_than_days=self.lives_longer_than_days,
            last_success=None if self.last_success is None else self.last_success == "known",
            quiet_for_days=self.quiet_for_days,
            policy=self.policy,
        )


class InventoryCredentialsQuery(InventoryCriteria):
    """`sort` `ends`: what ends next comes first, and what has ended last."""

    sort: Sort = Sort.ENDS
    order: Literal["asc", "desc"] = "asc"
    offset: Annotated[int, coerced, Meta(ge=0, le=10_000_000)] = 0
    limit: Annotated[int, coerced, Meta(ge=1, le=500)] = 100

    def part(self) -> Slice:
        return Slice(self.sort, self.order == "desc", self.offset, self.limit)


class RotationStartQuery(ApiModel):
    """`offset`: so many connections were tried before, and are not tried again."""

    offset: Annotated[int, coerced, Meta(ge=0, le=10_000_000)] = 0


class InventorySwitch(ApiModel):
    enabled: bool


class InventoryWarnings(ApiModel):
    """`warns`: whether somebody is told of credentials that end and that nobody rotates, in the daily message."""

    warns: bool


# --- what is answered -------------------------------------------------------------------------------------------------


class InventoryConnection(ApiModel):
    id: str
    name: str
    project_id: str | None


class InventoryTrouble(ApiModel):
    """Why a read does not go on."""

    code: str
    message: str
    fix: str | None
    at: str


class InventoryShown(ApiModel):
    """The inventory of a tenant, read through one connection.

    `seesAll` false: the connection is shown only what it owns, and nothing is known of all else. `phase` is what is read at the
    moment; `rest`: everything was, and changes are asked for hourly. `ownersRead` is of how many `objects` the owners are known.
    `readAt` is the moment that the lists are true of, `fullReadAt` the end of the last read of everything, which is weekly.
    `isStale`: that is more than 26 hours ago.
    """

    id: str
    cloud: str
    tenant_id: str
    connection: InventoryConnection
    other_connections: list[InventoryConnection]
    sees_all: bool
    phase: str
    objects: int
    owners_read: int
    credentials: int
    began_at: Timestamp | None
    read_at: Timestamp | None
    full_read_at: Timestamp | None
    is_stale: bool
    warns: bool
    trouble: InventoryTrouble | None


class InventoryList(ApiModel):
    inventories: list[InventoryShown]


class InventoryAnswer(ApiModel):
    inventory: InventoryShown


class InventoryOwner(ApiModel):
    """`name` is empty, and `isDisabled` null, where the connection's permission tells no more than the id."""

    id: str
    type: str
    name: str
    is_disabled: bool | None


class LastSuccess(ApiModel):
    """When a credential last signed in, and what tells so; or `notObservable`: why that is not known."""

    at: Timestamp | None
    source: str | None
    not_observable: str | None


class ApplicationLastSuccess(ApiModel):
    """When the application last signed in, and with which credential; `kind` is null where that is not told."""

    at: Timestamp
    key_id: str
    kind: str | None


class InventoryPolicy(ApiModel):
    """The app management policy that applies to a new credential of the kind, of a secret where there is none.

    `state` `forbidden`: there may be none. `limited`: it lives `longestSeconds` at most. `exempt`: it is forbidden or limited,
    and not for the connection that reads. `unrestricted`; `not-known`, and `notKnown` says why. `isAssigned`: it is the
    application's own, and not that of the tenant. `exempts`: the connection that reads is exempted from something; null where
    that cannot be seen.
    """

    state: str
    name: str | None
    is_assigned: bool
    longest_seconds: int | None
    exempts: bool | None
    not_known: str | None


class InventoryCredential(ApiModel):
    """A credential with what holds it. `kind` `none`: the object has no credential.

    `isForeign`: another tenant registered the application. `slotsLeft` is null where no small limit applies. `firstSeenAt`
    is when the inventory found it; `appearedAt`: it appeared on an application that this server rotates, and somebody else
    made it. `signsIn`: a connection signs in as the application, and alone may rotate its secret; `signInConnection` is it, null
    where the caller may not see it.
    """

    object_type: str
    object_id: str
    app_id: str
    display_name: str
    audience: str
    is_foreign: bool
    is_disabled: bool
    kind: str
    key_id: str | None
    name: str | None
    hint: str | None
    issuer: str | None
    subject: str | None
    starts_at: Timestamp | None
    ends_at: Timestamp | None
    age_days: int | None
    days_left: int | None
    life_days: int | None
    owner_state: str
    owners: list[InventoryOwner]
    owners_read_at: Timestamp | None
    last_success: LastSuccess
    application_last_success: ApplicationLastSuccess | None
    policy: InventoryPolicy
    origin: str | None
    rotation_id: str | None
    slots_left: int | None
    first_seen_at: Timestamp | None
    appeared_at: Timestamp | None
    findings: list[str]
    signs_in: bool
    sign_in_connection: InventoryConnection | None


class InventoryCredentials(ApiModel):
    """`total` is how many match; `nextOffset` asks for the next page, null after the last one."""

    inventory: InventoryShown
    credentials: list[InventoryCredential]
    total: int
    next_offset: int | None


class InventoryFindings(ApiModel):
    """How many credentials have each finding, by its name."""

    findings: dict[str, int]


class RefusedConnection(ApiModel):
    """A connection through which the application cannot be rotated, and what would change that."""

    connection: InventoryConnection
    code: str
    message: str
    fix: str | None


class InventoryRotationStart(ApiModel):
    """Through what an application can be rotated.

    `connection`: create a secret rotation through this one; null: no connection that was tried may. `signInConnection`: it signs
    in as the application, whose secret its own rotation rotates, and nothing else. `refused` are the connections that were tried
    in vain; `untried` counts the others to the tenant that the caller may use, and `nextOffset` asks for these, null where there
    are none.
    """

    connection: InventoryConnection | None
    sign_in_connection: InventoryConnection | None
    refused: list[RefusedConnection]
    untried: int
    next_offset: int | None
