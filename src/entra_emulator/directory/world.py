"""What one emulator is made of, and one call on its way through it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from entra_emulator.core.clock import Clock
from entra_emulator.core.outside import Outside
from entra_emulator.core.wire import Request
from entra_emulator.directory.audit_log import AuditLog
from entra_emulator.directory.directory import Directory, ManagedIdentity, Tenant, User
from entra_emulator.directory.issuers import Issuers
from entra_emulator.directory.keys import SigningKey
from entra_emulator.directory.sessions import Sessions
from entra_emulator.directory.sign_in_log import SignInLog
from entra_emulator.faults.faults import FaultPlan, Settings, Throttle
from entra_emulator.faults.ledger import Entry, Ledger


@dataclass(slots=True)
class World:
    """The parts that the rooms share. Guarded by the emulator's one lock."""

    clock: Clock
    rng: random.Random
    signing: SigningKey
    directory: Directory = field(default_factory=Directory)
    faults: FaultPlan = field(default_factory=FaultPlan)
    throttle: Throttle = field(default_factory=Throttle)
    ledger: Ledger = field(default_factory=Ledger)
    sessions: Sessions = field(default_factory=Sessions)
    sign_ins: SignInLog = field(default_factory=SignInLog)
    audits: AuditLog = field(default_factory=AuditLog)
    issuers: Issuers = field(default_factory=Issuers)
    """Outside issuers for federated credentials."""
    machine: list[ManagedIdentity] = field(default_factory=list)
    """The managed identities of the machine whose metadata service this is."""
    identity_header: str = ""
    """What callers of App Service's endpoint send to show that they run there."""
    challenges: dict[str, float] = field(default_factory=dict)
    """Secrets of Azure Arc's challenges that were not answered yet -> until when they are taken."""
    outside: Outside | None = None

    def clear(self, rng: random.Random) -> None:
        """Forgets all state; the clock and the signing key stay."""
        self.rng = rng
        self.directory, self.throttle, self.ledger = Directory(), Throttle(), Ledger()
        self.sessions, self.sign_ins, self.audits = Sessions(), SignInLog(), AuditLog()
        self.faults.clear()
        self.issuers.clear()
        self.machine.clear()
        self.challenges.clear()


@dataclass(slots=True)
class Call:
    """One request, with what is found out about it on the way. `host` is the base URL that the caller used."""

    world: World
    request: Request
    entry: Entry
    now: float
    host: str
    path: str
    query: str
    headers: dict[str, str]
    tenant: Tenant | None = None
    replica: int = 0
    request_id: str = ""
    roles: frozenset[str] = frozenset()
    """Application permissions in the token; none where a user is present."""
    scopes: frozenset[str] = frozenset()
    """Delegated permissions in the token; none without a user."""
    directory_roles: frozenset[str] = frozenset()
    user: User | None = None
    """On whose behalf the call is made."""
    caller_oid: str = ""
    """The user's object id, or without a user that of the calling service principal."""
    spelled: Mapping[str, str] = field(default_factory=dict)
    """How Graph writes the names of properties, by their lower case."""
    listed: tuple[str, str] = ("", "")
    """Of a list of objects that kind only (in lower case), and as `$count` or `$ref`."""
    heeded: set[str] = field(default_factory=set)
    """The query options of Graph that were read."""
    property_path: tuple[str, ...] = ()
    """Of the object that is read only this property, or a member of it: names in lower case."""

    @property
    def settings(self) -> Settings:
        """How the tenant of this call behaves."""
        return self.tenant.settings if self.tenant else _DEFAULTS

    @property
    def local_now(self) -> float:
        """The time by the servers that answer: this tenant's, or as long as none is known, the first that is off."""
        if self.tenant is not None:
            return self.now + self.tenant.settings.clock_skew
        tenants = self.world.directory.tenants.values()
        return self.now + next((tenant.settings.clock_skew for tenant in tenants if tenant.settings.clock_skew), 0.0)

    def home(self) -> Tenant:
        """The tenant, once it is known."""
        assert self.tenant is not None, "asked for the tenant before it was found"  # noqa: S101 - order of the pipeline
        return self.tenant

    def enter(self, tenant: Tenant) -> None:
        """The call turns out to be about this tenant; from here on one replica of it answers."""
        self.tenant = tenant
        self.entry.tenant = tenant.id
        replicas = tenant.settings.replicas
        self.replica = self.world.rng.randrange(replicas) if replicas > 1 else 0

    def parameters(self) -> dict[str, str]:
        """The query's parameters; the first of equal names wins."""
        parameters: dict[str, str] = {}
        for part in self.query.split("&") if self.query else ():
            name, _, value = part.partition("=")
            parameters.setdefault(unquote(name.replace("+", " ")), unquote(value.replace("+", " ")))
        return parameters


_DEFAULTS = Settings()
