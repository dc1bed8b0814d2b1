"""What the inventory reads of a directory: objects with their credentials, owners, and what changed.

The adapters live in ``providers``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from keyturn.kit.dataclasses import dataclass
from keyturn.ports.provider import AccessToken, Tenant
from keyturn.ports.use_reports import ReportTrouble


class ObjectKind(StrEnum):
    """What holds credentials in a directory. The text is a promise: programs read it."""

    APPLICATION = "application"
    BLUEPRINT = "agent-blueprint"
    PRINCIPAL = "service-principal"


class KeyKind(StrEnum):
    """What kind of credential it is. The text is a promise, too."""

    SECRET = "client-secret"
    CERTIFICATE = "certificate"
    FEDERATED = "federated"


class Listing(StrEnum):
    """A list of objects that can be read page by page. OWNED holds what the one who signed in owns, and nothing else."""

    APPLICATIONS = "applications"
    BLUEPRINTS = "blueprints"
    PRINCIPALS = "principals"
    OWNED = "owned"


@dataclass(frozen=True)
class ListedKey:
    """A credential as it is listed: never its value.

    ``hint`` is the first characters of a secret, or the thumbprint of a certificate; ``issuer`` and ``subject`` are what a
    federated credential trusts, which has neither start nor end.
    """

    kind: KeyKind
    key_id: str
    name: str | None = None
    hint: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    issuer: str | None = None
    subject: str | None = None


@dataclass(frozen=True)
class ListedObject:
    """An application or service principal with its secrets and certificates.

    ``home_tenant`` is the tenant that the application of a service principal is registered in, where that is told. ``disabled``
    is None where it is not told. ``secret_limit`` is how many secrets it may hold, None for no small limit. ``made_at`` is when
    the object itself was made.
    """

    kind: ObjectKind
    object_id: str
    app_id: str
    name: str
    audience: str = ""
    disabled: bool | None = None
    home_tenant: str | None = None
    keys: tuple[ListedKey, ...] = ()
    secret_limit: int | None = None
    made_at: datetime | None = None


@dataclass(frozen=True)
class ObjectPage:
    """A page of a list. ``cursor`` asks for the next one; None: there is none."""

    objects: tuple[ListedObject, ...]
    cursor: str | None = None


@dataclass(frozen=True)
class ListedOwner:
    """Who owns an object. ``name`` is empty, and ``disabled`` None, where the permission tells no more than the id."""

    id: str
    name: str
    kind: str
    disabled: bool | None = None


@dataclass(frozen=True)
class ChangedObjects:
    """Ids of what changed or went, some of them perhaps twice. ``cursor`` asks for the next page; None: that was all.

    ``token`` asks, from the last page on, for what changes after it.
    """

    object_ids: tuple[str, ...]
    cursor: str | None
    token: str | None


@dataclass(frozen=True)
class DirectoryChange:
    """Who changed the credentials of an object, as the directory's own audit log tells it."""

    at: datetime
    actor: str
    actor_id: str | None


@dataclass(frozen=True)
class UsedKey:
    """When a credential of an application last signed in. ``kind`` is None where it is not told."""

    at: datetime
    app_id: str = ""
    kind: KeyKind | None = None


@dataclass(frozen=True)
class UsedKeys:
    """A page of when credentials last signed in, by key id. ``trouble`` is why that is not to be had."""

    used: Mapping[str, UsedKey]
    cursor: str | None = None
    trouble: ReportTrouble | None = None


class PolicyScope(StrEnum):
    """What a policy is for: the objects that it is assigned to, or all others of a kind. The text is a promise."""

    ASSIGNED = "assigned"
    APPLICATIONS = "applications"
    PRINCIPALS = "service-principals"


@dataclass(frozen=True)
class PolicyRule:
    """What a policy says of new credentials of a kind: that there may be none, or how long they live at most.

    It is for objects that were made at ``made_after`` or later. ``exempts``: not for who reads; None: that cannot be seen.
    """

    kind: KeyKind
    forbids: bool = False
    longest: timedelta | None = None
    made_after: datetime | None = None
    exempts: bool | None = False


@dataclass(frozen=True)
class ListedPolicy:
    """A policy of the directory, with those of its rules that are in force."""

    id: str
    name: str
    scope: PolicyScope
    rules: tuple[PolicyRule, ...] = ()


@dataclass(frozen=True)
class Policies:
    """The policies of a directory, and the id of the one that is assigned to an object, by object id.

    ``trouble`` is why they are not to be had.
    """

    policies: tuple[ListedPolicy, ...] = ()
    assigned: Mapping[str, str] = field(default_factory=dict)
    trouble: ReportTrouble | None = None


class DirectoryReader(Protocol):
    """Reads a directory; changes nothing. One request each, if nothing else is said.

    All raise Retryable, NeedsAction or Permanent as a provider does; Permanent also for a cursor or token that is too old.
    """

    def sees_all(self, token: AccessToken) -> bool:
        """Say whether the token lists the whole directory, and not only what its principal owns. Pure."""

    def page(
        self, tenant: Tenant, token: AccessToken, listing: Listing, cursor: str | None, size: int
    ) -> ObjectPage | None:
        """Return a page of at most ``size`` objects; None where this directory has no such list. Repeatable."""

    def object(self, tenant: Tenant, token: AccessToken, kind: ObjectKind, object_id: str) -> ListedObject | None:
        """Return one object as it is now; None for one that is not there, or not of this kind. Repeatable."""

    def owners(
        self, tenant: Tenant, token: AccessToken, kind: ObjectKind, object_id: str
    ) -> Sequence[ListedOwner] | None:
        """Return who owns an object; None where that may not be read. Repeatable."""

    def federated(self, tenant: Tenant, token: AccessToken, object_id: str) -> Sequence[ListedKey] | None:
        """Return the federated credentials of an application; None where they may not be read. Repeatable."""

    def changes(self, tenant: Tenant, token: AccessToken, listing: Listing, since: str | None) -> ChangedObjects:
        """Return what changed since a token or cursor; with None nothing but a token to ask with later. Repeatable."""

    def uses(self, tenant: Tenant, token: AccessToken, cursor: str | None) -> UsedKeys:
        """Return when credentials last signed in, as far as the provider reports it. Raises nothing of its own. Repeatable."""

    def policies(self, tenant: Tenant, token: AccessToken) -> Policies:
        """Return which policies limit new credentials, and what they are assigned to. Repeatable.

        A request for the policy of all, one for each page of others, and one for each page of what those are assigned to.
        """

    def changed_by(
        self, tenant: Tenant, token: AccessToken, object_id: str, since: datetime
    ) -> Sequence[DirectoryChange] | None:
        """Return who changed the credentials of an object since then, newest first; None where that may not be read.

        The log is written minutes later than the change. Repeatable.
        """
