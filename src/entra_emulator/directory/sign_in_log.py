"""Sign-ins as a tenant's log shows them: late, some much later, some twice, some never.

Sources of doubles and delays: https://learn.microsoft.com/entra/identity/monitoring-health/reports-faq and
.../reference-log-latency. They are read off the ledger when somebody asks, by the settings of that moment: a sign-in itself costs
nothing more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from entra_emulator.directory.chances import chances, within
from entra_emulator.faults.faults import Settings
from entra_emulator.faults.ledger import Entry, Ledger

_MOST = 200_000
_FREE_RETENTION = 604_800.0


@dataclass(frozen=True, slots=True)
class SignIn:
    """One row of the log. `copy` is 1 for the second one of a sign-in that is there twice."""

    entry: Entry
    copy: int = 0

    @property
    def event_type(self) -> str:
        """Which of the logs it belongs to.

        Source: https://learn.microsoft.com/graph/api/resources/signin (signInEventTypes). That a redeemed code belongs to the
        interactive sign-in before it is assumed.
        """
        if self.entry.credential_type == "managedIdentity":
            return "managedIdentity"
        if not self.entry.user:
            return "servicePrincipal"
        return "nonInteractiveUser" if self.entry.grant == "refresh_token" else "interactiveUser"


class SignInLog:
    """The sign-ins of all tenants. Guarded by the emulator's one lock."""

    def __init__(self) -> None:
        self._read = 0
        self._entries: dict[str, deque[Entry]] = {}

    def visible(self, ledger: Ledger, tenant_id: str, settings: Settings, now: float) -> Iterator[SignIn]:
        """What the tenant's log shows now, in no order."""
        since = now - retention(settings)
        for entry in self._of(ledger, tenant_id):
            luck = chances(entry.request_id)
            late = luck.second < settings.sign_in_tail_probability
            delay = within(settings.sign_in_tail if late else settings.sign_in_delay, luck.first)
            if entry.at < since or entry.at + delay > now or luck.third < settings.sign_in_drops:
                continue
            yield SignIn(entry)
            if luck.third > 1 - settings.sign_in_doubles:
                yield SignIn(entry, 1)

    def summarized(self, ledger: Ledger, tenant_id: str, settings: Settings, now: float) -> Iterator[SignIn]:
        """The successful sign-ins that the reports count by now, in no order."""
        for entry in self._of(ledger, tenant_id):
            luck = chances(entry.request_id)
            delay = within(settings.summary_delay, luck.second)
            if entry.outcome == "0" and entry.at + delay <= now and luck.third >= settings.sign_in_drops:
                yield SignIn(entry)

    def every(self, ledger: Ledger) -> list[Entry]:
        """All sign-ins of all tenants, those of each tenant oldest first."""
        self._of(ledger, "")
        return [entry for entries in self._entries.values() for entry in entries]

    def take_over(self, entry: Entry) -> None:
        """Adds a sign-in from before this log began."""
        self._entries.setdefault(entry.tenant, deque(maxlen=_MOST)).append(entry)

    def begin_after(self, sequence: int) -> None:
        """Leaves out the requests up to that number of the ledger: what they were is taken over."""
        self._read = sequence

    def _of(self, ledger: Ledger, tenant_id: str) -> deque[Entry]:
        for entry in ledger.after(self._read):
            self._read = entry.sequence
            if entry.outcome and entry.tenant:
                self._entries.setdefault(entry.tenant, deque(maxlen=_MOST)).append(entry)
        return self._entries.get(tenant_id, deque())


def retention(settings: Settings) -> float:
    """How many seconds the tenant's logs reach back."""
    return settings.log_retention if settings.premium else min(settings.log_retention, _FREE_RETENTION)
