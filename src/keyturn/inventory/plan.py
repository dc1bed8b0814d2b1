"""What a scan reads next, and when: a full read once a week, what changed and the policies hourly in between. Pure.

A full read takes the lists page by page, then policies, then owners and federated credentials one call each, first of what ends
soon, at a pace that leaves a tenant's budget of requests to others. All that is needed to go on stands in the row of the
inventory.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from keyturn.errors import KeyturnError, Retryable
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import bound_delay
from keyturn.ports.inventory import Listing
from keyturn.ports.provider import Tenant

PAGE_SIZE = 999
"""The most that Graph gives at once (learn.microsoft.com/graph/api/application-list)."""
LEAST_PAGE = 62
PAGES_AT_ONCE = 4
OBJECTS_AT_ONCE = 25
DETAILS_EVERY = timedelta(seconds=9)
"""25 objects, two or three calls each, every nine seconds: 10,000 objects take an hour, and 70 of the 3,500 resource units that
the smallest tenants grant an application in ten seconds (learn.microsoft.com/graph/throttling-limits)."""
LOOK_EVERY = timedelta(hours=1)
LISTS_EVERY = timedelta(days=1)
"""Nobody promises that a change of nothing but a credential is among the changes; the lists cost a few calls."""
FULL_EVERY = timedelta(days=7)
USES_EVERY = timedelta(hours=20)
"""After the lists, which are read daily."""
USES_KEPT = timedelta(days=400)
"""Of credentials that are no more."""
TOKENS_LIVE = timedelta(days=6, hours=12)
"""Microsoft's hold for seven days."""
STALE_AFTER = timedelta(hours=26)
REFRESH_WITHIN = timedelta(days=30)
REFRESH_AFTER = timedelta(days=1)
"""Owners show in no list of changes: of what ends within 30 days they are read daily, of all else with each full read."""
TRACE_AFTER = timedelta(minutes=5)
TRACED_AT_LATEST = timedelta(hours=1)
"""The directory's audit log is some minutes late: so long is asked who made what appeared."""
POLICIES_TRIED = 3
"""So many failures in a row are waited for; then all else goes on without the policies, until the next look."""
FIRST_RETRY, LONGEST_RETRY = timedelta(minutes=1), timedelta(hours=1)
CLAIM = timedelta(minutes=10)
"""When a piece of a scan is done again that never came to its end."""


class Phase(StrEnum):
    """What is read at the moment. The text is a promise: programs read it."""

    BEGIN = "begin"
    APPLICATIONS = "applications"
    BLUEPRINTS = "blueprints"
    PRINCIPALS = "service-principals"
    OWNED = "owned-applications"
    POLICIES = "policies"
    DETAILS = "owners"
    USES = "last-use"
    REST = "rest"


LISTS = {
    Phase.APPLICATIONS: Listing.APPLICATIONS,
    Phase.BLUEPRINTS: Listing.BLUEPRINTS,
    Phase.PRINCIPALS: Listing.PRINCIPALS,
    Phase.OWNED: Listing.OWNED,
}
_AFTER = {
    Phase.APPLICATIONS: Phase.BLUEPRINTS,
    Phase.BLUEPRINTS: Phase.PRINCIPALS,
    Phase.PRINCIPALS: Phase.POLICIES,
    Phase.OWNED: Phase.POLICIES,
}


@dataclass(frozen=True)
class Inventory:
    """One tenant as it is kept. ``connection_id`` is the connection through which all of it was read.

    ``scan`` numbers the reads of the lists; ``full``: this one reads all details anew. ``began_at`` is when it began,
    ``full_at`` when the last full one was over, ``read_at`` the moment that the lists are known to be true of. Tokens ask what
    changed since ``tokens_at``. ``uses_at`` is when it was last read when credentials signed in, ``uses_trouble`` why that is
    not to be had; ``policies_trouble`` why it is not known which policies apply. ``trouble`` is why it does not go on.
    """

    id: str
    org_id: str
    cloud: str
    tenant_id: str
    connection_id: str
    created_at: datetime
    sees_all: bool = True
    warns: bool = False
    phase: Phase = Phase.BEGIN
    cursor: str | None = None
    page_size: int = PAGE_SIZE
    scan: int = 0
    full: bool = True
    began_at: datetime | None = None
    full_at: datetime | None = None
    read_at: datetime | None = None
    applications_token: str | None = None
    principals_token: str | None = None
    tokens_at: datetime | None = None
    uses_at: datetime | None = None
    uses_trouble: dict[str, object] | None = None
    policies_trouble: dict[str, object] | None = None
    failures: int = 0
    trouble: dict[str, object] | None = None

    @property
    def tenant(self) -> Tenant:
        return Tenant(self.cloud, self.tenant_id)


@dataclass(frozen=True)
class ReaderChoice:
    """A connection that the inventory of its tenant is switched on for. ``sees_all`` is None as long as nobody tried."""

    connection_id: str
    enabled_at: datetime
    sees_all: bool | None = None
    refused_at: datetime | None = None


def choose_reader(readers: Sequence[ReaderChoice], current: str | None) -> ReaderChoice | None:
    """Return which connection reads the tenant: one that is not refused, that sees all of it, the one that has read it so
    far, the one that was switched on first. None: it is switched on for none.
    """
    return min(
        readers,
        key=lambda each: (
            each.refused_at is not None,
            each.sees_all is False,
            each.connection_id != current,
            each.enabled_at,
            each.connection_id,
        ),
        default=None,
    )


def after_list(phase: Phase) -> Phase:
    """Return what follows a list that was read to its end."""
    return _AFTER[phase]


def full_is_due(inventory: Inventory, now: datetime) -> bool:
    """Say whether everything is to be read anew."""
    return inventory.full_at is None or now >= bound_delay(inventory.full_at + FULL_EVERY, now, FULL_EVERY)


def lists_are_due(inventory: Inventory, now: datetime) -> bool:
    """Say whether lists are to be read: daily, and when nobody would tell what changed, as there is no token or it is too old."""
    if full_is_due(inventory, now) or inventory.tokens_at is None or inventory.began_at is None:
        return True
    if now >= bound_delay(inventory.began_at + LISTS_EVERY, now, LISTS_EVERY):
        return True
    return not (inventory.tokens_at <= now < inventory.tokens_at + TOKENS_LIVE)


def uses_are_due(inventory: Inventory, now: datetime) -> bool:
    """Say whether it is to be read when credentials last signed in: daily, as the report itself lags by a day."""
    return inventory.uses_at is None or now >= bound_delay(inventory.uses_at + USES_EVERY, now, USES_EVERY)


def retry_after(error: KeyturnError, failures: int) -> timedelta:
    """Return when to go on after a failure that came ``failures`` times in a row before: as the provider asks, or ever later."""
    asked = error.retry_after if isinstance(error, Retryable) else None
    grown = min(FIRST_RETRY * 2 ** min(failures, 6), LONGEST_RETRY)
    return max(asked, timedelta(seconds=1)) if asked is not None else grown


def smaller_page(inventory: Inventory) -> int:
    """Return the size of pages after one did not come whole or in time."""
    return max(inventory.page_size // 2, LEAST_PAGE)
