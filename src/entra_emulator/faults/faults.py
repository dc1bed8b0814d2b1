"""How a tenant misbehaves: lasting settings, and a plan of faults for single calls."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from entra_emulator.core.wire import NORMAL, Wire

Range = tuple[float, float]
RetryAfterStyle = Literal["integer", "fraction", "date"]
Moment = Literal["before", "after"]

NEVER_LATE: Range = (0.0, 0.0)
WRITES = frozenset(
    {
        "createApplication",
        "updateApplication",
        "deleteApplication",
        "instantiateApplicationTemplate",
        "addPassword",
        "removePassword",
        "addOwner",
        "removeOwner",
        "createFederatedIdentityCredential",
        "updateFederatedIdentityCredential",
        "deleteFederatedIdentityCredential",
        "createServicePrincipal",
        "updateServicePrincipal",
        "deleteServicePrincipal",
        "addKey",
        "removeKey",
        "addServicePrincipalKey",
        "removeServicePrincipalKey",
        "addServicePrincipalPassword",
        "removeServicePrincipalPassword",
        "assignAppManagementPolicy",
        "unassignAppManagementPolicy",
        "updateDefaultAppManagementPolicy",
        "createAppManagementPolicy",
        "updateAppManagementPolicy",
        "deleteAppManagementPolicy",
        "createUser",
        "updateUser",
        "deleteUser",
        "setManager",
        "removeManager",
        "deleteDirectoryObject",
        "revokeSignInSessions",
        "createGroup",
        "updateGroup",
        "deleteGroup",
        "addGroupMember",
        "removeGroupMember",
        "addGroupOwner",
        "removeGroupOwner",
        "addServicePrincipalOwner",
        "removeServicePrincipalOwner",
        "assignAppRole",
        "unassignAppRole",
        "activateDirectoryRole",
        "addDirectoryRoleMember",
        "removeDirectoryRoleMember",
        "createRoleAssignment",
        "deleteRoleAssignment",
        "createPermissionGrant",
        "updatePermissionGrant",
        "deletePermissionGrant",
        "purgeDeletedItem",
        "restoreDeletedItem",
        "createKey",
        "rotateKey",
        "updateKey",
        "deleteKey",
        "recoverDeletedKey",
        "purgeDeletedKey",
    }
)


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `limit` requests in each window of `seconds`; refused requests count too."""

    limit: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Settings:
    """How one tenant behaves. All times in seconds; a range is drawn from uniformly, once per credential and replica.

    A quiet tenant (the default) has one replica that knows everything at once.
    """

    replicas: int = 1
    token_appear: Range = NEVER_LATE
    """Until an added secret or certificate is accepted by a replica of the token endpoint."""
    graph_appear: Range = NEVER_LATE
    """Until an added credential is shown by a replica of Graph."""
    token_vanish: Range = NEVER_LATE
    """How long a replica of the token endpoint goes on accepting a removed credential."""
    graph_vanish: Range = NEVER_LATE
    """How long a replica of Graph goes on showing a removed credential."""
    object_appear: Range = NEVER_LATE
    """Until a new application, service principal or grant is known to a replica (404, 403, 700016 until then)."""
    young_object_status: Literal[404, 403] = 404
    """How Graph refuses an application or service principal that the replica does not know yet."""
    expired_hides_unknown: bool = True
    """Where only expired secrets are visible, an unknown secret is answered with 7000222 instead of 7000215."""
    remove_needs_visible: bool = True
    """removePassword of a key that the answering replica does not show yet is a 400."""
    conflict_window: float = 0.0
    """How long after a write to an application another write to it may be a Directory_ConcurrencyViolation."""
    conflict_probability: float = 1.0
    conflict_status: Literal[409, 503] = 409
    token_budget: Budget | None = None
    """Per client of the token endpoint."""
    graph_budget: Budget | None = None
    """Per calling application."""
    key_select_budget: Budget | None = Budget(150, 60.0)
    """Per tenant, for `$select=keyCredentials`. Source: https://learn.microsoft.com/graph/api/application-list."""
    vault_budget: Budget | None = Budget(4000, 10.0)
    """Per key vault. Source: https://learn.microsoft.com/azure/key-vault/general/service-limits (RSA keys of software)."""
    retry_after: RetryAfterStyle = "integer"
    token_retry_after: float = 60.0
    """Source: https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/issues/2855."""
    personal_secret_cap: int = 2
    """Secrets that an application open to personal accounts may hold.

    Source of this and the next: https://learn.microsoft.com/entra/identity-platform/supported-accounts-validation.
    """
    object_item_cap: int = 1000
    """Items over all collections of one application."""
    owned_by_list_refused: bool = True
    """Listing applications with only Application.ReadWrite.OwnedBy is a 403.

    Source: https://learn.microsoft.com/graph/permissions-reference.
    """
    token_lifetime: Range = (3600.0, 5400.0)
    """Source of this and the next: https://learn.microsoft.com/entra/identity-platform/access-tokens."""
    long_token_lifetime: Range = (72_000.0, 100_800.0)
    """For clients that declare the CP1 capability, where `long_tokens` is on."""
    long_tokens: bool = True
    code_lifetime: float = 600.0
    """How long an authorization code can be redeemed.

    Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow; also of the refresh tokens of pages.
    """
    refresh_token_idle: float = 7_776_000.0
    """How long after it was issued a refresh token is accepted (90 days); each use gives a new one.

    Source: https://learn.microsoft.com/entra/identity-platform/refresh-tokens.
    """
    spa_refresh_lifetime: float = 86_400.0
    """How long after the sign-in the refresh tokens of a page are accepted, however often they are used."""
    users_may_consent: bool = True
    """Users may consent for themselves to what needs no administrator."""
    issuer_cache: Range = (3600.0, 3600.0)
    """How long the keys of an outside issuer are used before they are fetched again: a new key is unknown until then (7000272).

    Up to an hour was seen; and of an issuer that was never asked before, the keys may be unknown for 20 to 30 minutes.
    Source: https://github.com/Azure/azure-workload-identity/issues/1232 and its troubleshooting pages.
    """
    issuer_appear: Range = NEVER_LATE
    """Until the first keys of a new outside issuer are used."""
    premium: bool = True
    """The tenant has a licence (Entra ID P1 or P2) with which sign-ins and their reports can be read; else they are a 403.

    Source: https://learn.microsoft.com/graph/api/resources/signin.
    """
    reports_budget: Budget | None = Budget(5, 10.0)
    """Per calling application, for all audit logs and reports. Source: https://learn.microsoft.com/graph/throttling-limits."""
    sign_in_delay: Range = (120.0, 900.0)
    """Until a sign-in is in the log. Minutes, says https://learn.microsoft.com/entra/identity/monitoring-health/reference-log-latency;
    this and all numbers of logs down to `summary_delay` are assumed."""
    sign_in_tail: Range = (900.0, 7200.0)
    """The same for the few that are later than all others: `sign_in_tail_probability` of them."""
    sign_in_tail_probability: float = 0.0
    sign_in_doubles: float = 0.0
    """The share of sign-ins that are in the log twice, with one id."""
    sign_in_drops: float = 0.0
    """The share of sign-ins that never come to the log, nor to any report."""
    summary_delay: Range = (3600.0, 86_400.0)
    """Until a sign-in counts in the reports of credentials and service principals.

    Source of the 24 hours: https://learn.microsoft.com/entra/identity/monitoring-health/reference-log-latency.
    """
    audit_delay: Range = (120.0, 300.0)
    """Until a change is in the directory audit."""
    log_retention: float = 2_592_000.0
    """How long sign-ins and audits are kept: 30 days; a tenant without a licence keeps seven.

    Source: https://learn.microsoft.com/entra/identity/monitoring-health/reference-reports-data-retention.
    """
    policies_inherit: bool = False
    """Whether a restriction that an assigned policy does not speak of is still the tenant's.

    "Unless overridden", says https://learn.microsoft.com/graph/api/resources/tenantappmanagementpolicy of the tenant's policy.
    """
    delta_delay: Range = NEVER_LATE
    """Until a change shows in a delta query."""
    delta_lifetime: float = 604_800.0
    """How long the link of a delta query can be followed: seven days. Source: https://learn.microsoft.com/graph/delta-query-overview."""
    delta_shows_credentials: bool = True
    """Whether a change of nothing but credentials shows in a delta query, of which no page speaks."""
    deleted_retention: float = 2_592_000.0
    """How long deleted items can be restored: 30 days. Source: https://learn.microsoft.com/graph/api/resources/directory."""
    clock_skew: float = 0.0
    """How far this tenant's token endpoint and Graph run ahead of the clock (negative: behind)."""
    latency: Range = NEVER_LATE
    """Added to every answer. The core only names it; the server waits."""
    compress: bool = True
    """Graph answers with gzip where the client accepts it."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a fault does instead of the true answer: another status, a broken wire, or both (slow errors).

    `status` 0 keeps the true answer and only lets `wire` act on it. A status from 200 to 299 belongs to a fault that strikes
    `before`: a success that had no effect.
    """

    status: int = 0
    code: str = ""
    message: str = ""
    retry_after: float | None = None
    wire: Wire = NORMAL
    delay: float = 0.0


SERVICE_UNAVAILABLE = Effect(503, "ServiceUnavailable", "The service is unavailable.")
GATEWAY_TIMEOUT = Effect(504, "UnknownError", "The request timed out at the gateway.")
RESET = Effect(wire=Wire("reset"))
HANG = Effect(wire=Wire("hang"))


def slow(seconds: float) -> Effect:
    """The true answer, with its body arriving `seconds` late."""
    return Effect(wire=Wire("slow", seconds))


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted fault.

    It looks at calls of `operation` (a route name, `writes`, or `*`), where given only of one tenant id, one
    application object id or one caller's app id. It lets the first `skip` of them pass, then strikes `times` times
    (None: for ever), each time with `probability`. `before` strikes instead of the work, and counts every call; `after`
    strikes once the work is committed, so that the caller cannot know, and counts only calls that succeeded. One of
    `effects` is drawn.
    """

    operation: str
    effects: tuple[Effect, ...]
    when: Moment = "after"
    skip: int = 0
    times: int | None = 1
    probability: float = 1.0
    tenant: str | None = None
    application: str | None = None
    caller: str | None = None

    @property
    def id(self) -> str:
        """What equal faults, and no others, are called."""
        return hashlib.sha256(repr(self).encode("utf-8", "replace")).hexdigest()[:16]

    def concerns(self, operation: str, tenant: str, application: str, caller: str) -> bool:
        """Whether a call of this kind is looked at."""
        matches = self.operation in {"*", operation} or (self.operation == "writes" and operation in WRITES)
        return (
            matches
            and self.tenant in {None, tenant}
            and self.application in {None, application}
            and self.caller in {None, caller}
        )


@dataclass(slots=True)
class _Watch:
    fault: Fault
    count: int = 0
    struck: int = 0


class FaultPlan:
    """The scripted faults of one emulator, in the order they were added: the first that strikes wins.

    Safe to change from any thread while calls are answered.
    """

    def __init__(self) -> None:
        self._watches: list[_Watch] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Adds a fault; its count of calls starts now."""
        with self._lock:
            self._watches.append(_Watch(fault))

    def remove(self, fault_id: str) -> None:
        """Forgets the faults with that id; none is needed, so a repeat is safe."""
        with self._lock:
            self._watches = [watch for watch in self._watches if watch.fault.id != fault_id]

    def clear(self) -> None:
        """Forgets all faults."""
        with self._lock:
            self._watches.clear()

    def pending(self) -> list[Fault]:
        """The faults that can still strike."""
        with self._lock:
            return [watch.fault for watch in self._watches]

    def fail_next(self, operation: str, *effects: Effect, calls: int = 1, when: Moment = "after") -> None:
        """The next `calls` calls of `operation` fail with one of `effects` (default: 503)."""
        self.add(Fault(operation, effects or (SERVICE_UNAVAILABLE,), when=when, times=calls))

    def fail_nth(self, operation: str, nth: int, *effects: Effect, when: Moment = "after") -> None:
        """The `nth` call from now (1 is the next) of `operation` fails with one of `effects` (default: 503)."""
        self.add(Fault(operation, effects or (SERVICE_UNAVAILABLE,), when=when, skip=nth - 1))

    def strike(
        self, rng: random.Random, when: Moment, operation: str, tenant: str, application: str, caller: str
    ) -> Effect | None:
        """Counts a call that has come to this moment in every fault of it, and says which effect hits the call."""
        hit: Effect | None = None
        with self._lock:
            for watch in self._watches:
                fault = watch.fault
                if fault.when != when or not fault.concerns(operation, tenant, application, caller):
                    continue
                watch.count += 1
                if (
                    hit is None
                    and watch.count > fault.skip
                    and (fault.probability >= 1 or rng.random() < fault.probability)
                ):
                    watch.struck += 1
                    hit = rng.choice(fault.effects)
            if hit is not None:
                self._watches = [watch for watch in self._watches if not _spent(watch)]
        return hit


def _spent(watch: _Watch) -> bool:
    return watch.fault.times is not None and watch.struck >= watch.fault.times


@dataclass(slots=True)
class Throttle:
    """Counts requests in fixed windows."""

    _counts: dict[tuple[str, ...], tuple[float, int]] = field(default_factory=dict)

    def wait(self, budget: Budget | None, now: float, key: Iterable[str]) -> float | None:
        """Counts one request. None: within the budget; otherwise the seconds until the window ends."""
        if budget is None:
            return None
        name = tuple(key)
        start, count = self._counts.get(name, (now, 0))
        if now >= start + budget.seconds:
            start, count = now, 0
        self._counts[name] = (start, count + 1)
        return None if count < budget.limit else start + budget.seconds - now
