"""What the inventory of a tenant holds, what is wrong with it, and what is looked for. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from keyturn.inventory.policies import AppliedPolicy, PolicyState
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift
from keyturn.ports.inventory import KeyKind, ListedObject, ListedOwner, ObjectKind
from keyturn.rotations.domain import RotationState

LIVES_TOO_LONG = timedelta(days=366)
"""A credential that lives longer outlives whoever knew where it is used."""


class Origin(StrEnum):
    """Who made a credential. The text is a promise: programs read it."""

    OURS = "ours"
    ADOPTED = "adopted"
    FOREIGN = "foreign"


class Owners(StrEnum):
    """What is known of the owners of an object. Where it is not, that is said: it is no absence."""

    NONE = "none"
    DISABLED = "disabled"
    ONE = "one"
    SEVERAL = "several"
    NOT_READ = "not-read"
    HIDDEN = "hidden"


class Finding(StrEnum):
    """What is wrong with a credential, or with what holds it. The text is a promise."""

    NO_OWNER = "no-owner"
    OWNERS_DISABLED = "owners-disabled"
    LIVES_TOO_LONG = "lives-too-long"
    EXPIRED = "expired"
    FOREIGN_APPLICATION = "foreign-application"
    FEDERATED_BESIDE = "federated-beside"
    BLUEPRINT_SECRET = "blueprint-secret"
    DISABLED_APPLICATION = "disabled-application"
    APPEARED = "appeared"


MEANINGS = {
    Finding.NO_OWNER: "Nobody owns the application: nobody is told when it stops to work.",
    Finding.OWNERS_DISABLED: "All its owners are disabled.",
    Finding.LIVES_TOO_LONG: "The credential lives for more than a year.",
    Finding.EXPIRED: "It has ended, and is still registered.",
    Finding.FOREIGN_APPLICATION: "A credential on the service principal of an application that another tenant registered: who "
    "has it signs in as that application here.",
    Finding.FEDERATED_BESIDE: "The application already signs in without a secret: this one may not be needed.",
    Finding.BLUEPRINT_SECRET: "A secret on an agent identity blueprint, which Microsoft means for development only.",
    Finding.DISABLED_APPLICATION: "The application is disabled and keeps its credentials.",
    Finding.APPEARED: "It appeared on an application that this server rotates, and this server did not make it.",
}


@dataclass(frozen=True)
class Observed:
    """When a credential last signed in successfully, and what tells so."""

    at: datetime
    source: str


@dataclass(frozen=True)
class NotObservable:
    """Why it is not known when a credential last signed in: an empty cell says nothing about its use."""

    reason: str


@dataclass(frozen=True)
class ApplicationUse:
    """When an application last signed in, whichever of its credentials it was with; ``kind`` is None where it is not told."""

    at: datetime
    key_id: str
    kind: KeyKind | None = None


@dataclass(frozen=True)
class ShownConnection:
    """A connection as far as the inventory shows it."""

    id: str
    name: str
    project_id: str | None


@dataclass(frozen=True)
class SignIn:
    """That connections sign in as an application: ``connection`` is the first that may be named, None where none may be."""

    connection: ShownConnection | None


LastUse = Observed | NotObservable
REPORT = "Entra ID's report of credential activity"


@dataclass(frozen=True)
class Entry:
    """One credential with what holds it; without ``key_kind`` an object that has none.

    ``foreign``: the application is registered in another tenant. ``owners`` and ``federated`` are None as long as they are
    not read, and where they may not be read. ``slots_left`` is None where no small limit applies.
    """

    object_kind: ObjectKind
    object_id: str
    app_id: str
    name: str
    audience: str
    foreign: bool
    disabled: bool
    owner_state: Owners
    key_kind: KeyKind | None = None
    key_id: str | None = None
    key_name: str | None = None
    hint: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    issuer: str | None = None
    subject: str | None = None
    first_seen_at: datetime | None = None
    appeared_at: datetime | None = None
    has_federated: bool = False
    slots_left: int | None = None

    @property
    def lives_too_long(self) -> bool:
        return is_long_lived(self.starts_at, self.ends_at)


@dataclass(frozen=True)
class Row:
    """An entry as it is shown: with its owners and when these were read, and what this server has to do with it.

    ``rotation_id`` is that of a rotation of its application; ``sign_in``: connections sign in as that.
    """

    entry: Entry
    owners: Sequence[ListedOwner]
    owners_read_at: datetime | None
    origin: Origin | None
    rotation_id: str | None
    last_use: LastUse
    policy: AppliedPolicy
    application_use: ApplicationUse | None = None
    sign_in: SignIn | None = None
    rotation: RotationState | None = None
    """How the rotation is of which it is the current credential."""

    def findings(self, now: datetime) -> list[Finding]:
        return list(findings(self.entry, now))


def life(starts_at: datetime | None, ends_at: datetime | None) -> timedelta | None:
    """Return how long a credential lives from its start to its end; None for what has not both."""
    return None if starts_at is None or ends_at is None else ends_at - starts_at


def is_long_lived(starts_at: datetime | None, ends_at: datetime | None) -> bool:
    lives = life(starts_at, ends_at)
    return lives is not None and lives > LIVES_TOO_LONG


def findings(entry: Entry, now: datetime) -> Iterator[Finding]:
    """Yield what is wrong. The store has the same rules as conditions, to filter by them."""
    is_local = entry.object_kind is not ObjectKind.PRINCIPAL
    has_key = entry.key_kind in {KeyKind.SECRET, KeyKind.CERTIFICATE}
    if entry.owner_state is Owners.NONE and is_local:
        yield Finding.NO_OWNER
    if entry.owner_state is Owners.DISABLED:
        yield Finding.OWNERS_DISABLED
    if entry.lives_too_long:
        yield Finding.LIVES_TOO_LONG
    if entry.ends_at is not None and entry.ends_at <= now:
        yield Finding.EXPIRED
    if entry.foreign and has_key:
        yield Finding.FOREIGN_APPLICATION
    if entry.has_federated and entry.key_kind is KeyKind.SECRET:
        yield Finding.FEDERATED_BESIDE
    if entry.object_kind is ObjectKind.BLUEPRINT and entry.key_kind is KeyKind.SECRET:
        yield Finding.BLUEPRINT_SECRET
    if entry.disabled and has_key:
        yield Finding.DISABLED_APPLICATION
    if entry.appeared_at is not None:
        yield Finding.APPEARED


def owner_state(owners: Sequence[ListedOwner] | None, *, read: bool) -> Owners:
    """Return what is known of owners: None are those that were not read yet, or that may not be ``read``."""
    if owners is None:
        return Owners.HIDDEN if read else Owners.NOT_READ
    if not owners:
        return Owners.NONE
    if all(owner.disabled for owner in owners):
        return Owners.DISABLED
    return Owners.ONE if len(owners) == 1 else Owners.SEVERAL


def is_shown(listed: ListedObject) -> bool:
    """Whether an object has lines: of service principals those do that have credentials of their own."""
    return listed.kind is not ObjectKind.PRINCIPAL or bool(listed.keys)


def slots_left(listed: ListedObject) -> int | None:
    """Return how many secrets more the object may hold; None where no small limit applies."""
    if listed.secret_limit is None:
        return None
    secrets = sum(key.kind is KeyKind.SECRET for key in listed.keys)
    return max(listed.secret_limit - secrets, 0)


def first_end(ends: Sequence[datetime | None], now: datetime) -> datetime | None:
    """Return when the first of what has not ended will."""
    return min((end for end in ends if end is not None and end > now), default=None)


@dataclass(frozen=True)
class Ending:
    """How many credentials nobody rotates that end within a time, and when the first of them does."""

    count: int
    first: datetime


# --- what is looked for -----------------------------------------------------------------------------------------------


class Sort(StrEnum):
    """In which order: what ends next first and what has ended last; by name; or the oldest first."""

    ENDS = "ends"
    NAME = "name"
    AGE = "age"


@dataclass(frozen=True)
class InventoryFilter:
    """Which entries are shown: all conditions hold. ``words`` are parts of names, ids, key ids, or names of owners.

    ``kind`` may be ``none``: objects without a credential. ``within_days``: it has not ended, and will within so many days.
    ``older_than_days``: it began more than so many days ago. ``longer_than_days``: it lives for more from start to end.
    ``last_success``: whether one is known; ``quiet_for_days``: it is known, and so long ago. ``foreign``: another tenant
    registered the application. ``policy`` is what the policy that applies says of a new credential.
    """

    words: tuple[str, ...] = ()
    kind: str | None = None
    object_kind: ObjectKind | None = None
    owners: Owners | None = None
    origin: Origin | None = None
    rotated: bool | None = None
    finding: Finding | None = None
    audience: str | None = None
    disabled: bool | None = None
    expired: bool | None = None
    within_days: int | None = None
    has_slot: bool | None = None
    foreign: bool | None = None
    older_than_days: int | None = None
    longer_than_days: int | None = None
    last_success: bool | None = None
    quiet_for_days: int | None = None
    policy: PolicyState | None = None

    def until(self, now: datetime) -> datetime | None:
        return None if self.within_days is None else shift(now, timedelta(days=self.within_days))


NO_KEY = "none"
"""The kind of an entry without a credential, in filters and answers."""
