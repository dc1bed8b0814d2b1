"""Changes as a tenant's directory audit shows them: what was changed, by whom, a little late."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from entra_emulator.directory.chances import chances, within
from entra_emulator.directory.sign_in_log import retention
from entra_emulator.faults.faults import Settings

_MOST = 50_000


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One change. `by_user` or `by_app` is an object id or an app id; `changed` are property, old and new value (JSON).

    `beside` are the id, name and type of other objects that it is about.
    """

    id: str
    at: float
    operation: str
    by_user: str
    by_app: str
    address: str
    target_id: str
    target_name: str
    target_type: str
    changed: tuple[tuple[str, str | None, str | None], ...] = field(default=())
    beside: tuple[tuple[str, str, str], ...] = field(default=())


class AuditLog:
    """The changes of all tenants. Guarded by the emulator's one lock; keeps the last of each tenant only."""

    def __init__(self) -> None:
        self._records: dict[str, deque[AuditRecord]] = {}
        self._fresh: deque[tuple[str, AuditRecord]] = deque(maxlen=1000)

    def add(self, tenant_id: str, record: AuditRecord) -> None:
        """Notes a change that took effect."""
        self.take_over(tenant_id, record)
        self._fresh.append((tenant_id, record))

    def take_over(self, tenant_id: str, record: AuditRecord) -> None:
        """Adds a change from before this log began."""
        self._records.setdefault(tenant_id, deque(maxlen=_MOST)).append(record)

    def drain(self) -> list[tuple[str, AuditRecord]]:
        """What was added since this was last asked, a thousand at most; each with its tenant."""
        fresh = list(self._fresh)
        self._fresh.clear()
        return fresh

    def every(self) -> list[tuple[str, AuditRecord]]:
        """All changes of all tenants, those of each tenant oldest first."""
        return [(tenant_id, record) for tenant_id, records in self._records.items() for record in records]

    def visible(self, tenant_id: str, settings: Settings, now: float) -> Iterator[AuditRecord]:
        """What the tenant's audit shows now, oldest first."""
        since = now - retention(settings)
        for record in self._records.get(tenant_id, ()):
            if record.at >= since and record.at + within(settings.audit_delay, chances(record.id).first) <= now:
                yield record
