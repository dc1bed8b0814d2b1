"""Everything that an emulator knows of its tenants, as one JSON value: to keep it, to hand it on, and to begin with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from entra_emulator.admin.demo import Demo
from entra_emulator.directory.audit_log import AuditRecord
from entra_emulator.directory.codec import Unreadable, decode, encode
from entra_emulator.directory.directory import Directory, ManagedIdentity, Tenant
from entra_emulator.directory.first_party import introduce
from entra_emulator.directory.issuers import KeptIssuers
from entra_emulator.directory.sessions import RefreshToken
from entra_emulator.directory.table import Table
from entra_emulator.directory.world import World
from entra_emulator.faults.ledger import Entry, Ledger

VERSION = 2
"""Version 1 kept consents as a list."""


@dataclass(slots=True)
class Snapshot:
    """What is kept of an emulator. `ahead`: by how many seconds its clock was moved; `randomness`: where its generator stands."""

    version: int = VERSION
    ahead: float = 0.0
    randomness: list[Any] = field(default_factory=list)
    tenants: list[Tenant] = field(default_factory=list)
    machine: list[ManagedIdentity] = field(default_factory=list)
    refresh_tokens: Table[RefreshToken] = field(default_factory=Table)
    demo: Demo | None = None
    issuer_keys: KeptIssuers = field(default_factory=KeptIssuers)


def take(world: World, ahead: float, demo: Demo | None) -> dict[str, Any]:
    """The state of this emulator as JSON knows it. Holds secrets: the values of all client secrets and refresh tokens."""
    version, numbers, gauss = world.rng.getstate()
    snapshot = state_of(world, ahead, demo)
    snapshot.randomness = [version, list(numbers), gauss]
    encoded: dict[str, Any] = encode(snapshot)
    return encoded


def state_of(world: World, ahead: float, demo: Demo | None) -> Snapshot:
    """The parts of this emulator themselves, but its randomness."""
    return Snapshot(
        ahead=ahead,
        tenants=list(world.directory.tenants.values()),
        machine=world.machine,
        refresh_tokens=world.sessions.refresh_tokens,
        demo=demo,
        issuer_keys=world.issuers.kept,
    )


def put(world: World, value: Any) -> Snapshot:
    """Makes this the state of the emulator, in place of all it knew. Raises ValueError, changing nothing, if it does not fit."""
    version = value.get("version") if isinstance(value, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise Unreadable(f"a newer entra-emulator wrote it (version {version}, not {VERSION})")
    if version not in {1, VERSION}:
        raise Unreadable(f"not a snapshot of version {VERSION}")
    snapshot = decode(Snapshot, value)
    directory = _directory(snapshot.tenants)
    world.clear(world.rng)
    if snapshot.randomness:
        form, numbers, gauss = snapshot.randomness
        world.rng.setstate((form, tuple(numbers), gauss))
    world.directory, world.machine = directory, snapshot.machine
    world.sessions.refresh_tokens = snapshot.refresh_tokens
    world.issuers.kept = snapshot.issuer_keys
    return snapshot


@dataclass(frozen=True, slots=True)
class News:
    """What came since a request: its lines of the logs and of the ledger, and the number of the newest request of this ledger."""

    log: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    last: int
    ledger: Ledger


def news(world: World, after: int) -> News:
    """What came after that number of the ledger; of changes in the audits, what came since this was last asked."""
    entries = world.ledger.after(after)
    log = [_sign_in_line(entry) for entry in entries if entry.outcome and entry.tenant]
    log += [_audit_line(*item) for item in world.audits.drain()]
    return News(log, [entry.as_line() for entry in entries], world.ledger.last, world.ledger)


def all_log_lines(world: World) -> list[dict[str, Any]]:
    """All that is in the logs of sign-ins and changes."""
    sign_ins = [_sign_in_line(entry) for entry in world.sign_ins.every(world.ledger)]
    return [*sign_ins, *(_audit_line(*item) for item in world.audits.every())]


def _sign_in_line(entry: Entry) -> dict[str, Any]:
    return {"sign_in": entry.as_line()}


def _audit_line(tenant_id: str, record: AuditRecord) -> dict[str, Any]:
    return {"tenant": tenant_id, "audit": encode(record)}


def take_over_ledger(world: World, lines: Sequence[Any], answered: int, changes: int) -> frozenset[str]:
    """Puts kept requests into the ledger. `answered` is the number of the newest one that the directory knows of.

    Gives the ids of those after it whose effect was lost with the process. Randomness goes on elsewhere than it did for them, and
    for the `changes` since the snapshot, so that no id is given twice. Raises ValueError for a line of another form.
    """
    entries = [decode(Entry, line) for line in lines]
    undone = [entry for entry in entries if entry.committed and entry.sequence > answered]
    for entry in undone:
        entry.committed = False
    world.ledger.take_over(entries, answered)
    world.sign_ins.begin_after(world.ledger.last)
    if world.ledger.last > answered or changes:
        world.rng.seed(f"{world.rng.getrandbits(64)} {world.ledger.last} {changes}")
    return frozenset(entry.request_id for entry in undone)


def take_over_log(world: World, lines: Sequence[Any], undone: frozenset[str]) -> None:
    """Puts kept lines into the logs, without changes that were `undone`, and without what no tenant shows any more.

    Raises ValueError for a line of another form.
    """
    now, tenants = world.clock.now(), world.directory.tenants
    for line in lines:
        if "sign_in" in line:
            entry = decode(Entry, line["sign_in"])
            if entry.tenant in tenants and entry.at >= now - tenants[entry.tenant].settings.log_retention:
                world.sign_ins.take_over(entry)
        else:
            record, tenant = decode(AuditRecord, line.get("audit")), tenants.get(str(line.get("tenant")))
            recent = tenant is not None and record.at >= now - tenant.settings.log_retention
            if tenant is not None and recent and record.id not in undone:
                world.audits.take_over(tenant.id, record)


def _directory(tenants: list[Tenant]) -> Directory:
    """The tenants with everything by which it is found."""
    directory = Directory()
    introduce(directory)
    for tenant in tenants:
        applications, principals = tenant.applications, tenant.principals
        tenant.applications, tenant.principals = Table(), Table()
        directory.add_tenant(tenant)
        for application in applications.values():
            directory.add_application(application)
        for principal in principals.values():
            directory.add_principal(principal)
    return directory
