"""What a provider reports of the use of an application's credentials. Reports lag, have holes, and need permissions and licences.

So whatever is not reported says why. A credential that nothing was reported of is not thereby unused.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from keyturn.kit.dataclasses import dataclass
from keyturn.ports.provider import AccessToken, Tenant


class ReportSource(StrEnum):
    """Where a use was reported."""

    SIGN_IN_LOG = "sign-in-log"
    """Each sign-in by itself, minutes later; only those without a user."""
    CREDENTIAL_ACTIVITY = "credential-activity"
    """When each credential signed in last, whatever for; up to a day later."""


class Unobservable(StrEnum):
    """Why nothing is known. The text is a promise: programs read it."""

    LICENCE = "licence"
    PERMISSION = "permission"
    CLOUD = "cloud"
    BETA_OFF = "beta-off"
    THROTTLED = "throttled"
    LAG = "lag"
    SIGN_IN = "sign-in"
    PROVIDER = "provider"


@dataclass(frozen=True)
class ReportTrouble:
    """Why a report could not be read, in words for people. ``retry_after`` is how long the provider asks to wait."""

    reason: Unobservable
    message: str
    fix: str | None = None
    retry_after: timedelta | None = None


@dataclass(frozen=True)
class SignIn:
    """One sign-in as the application. ``key_id`` is empty where it was not reported; ``error`` is 0 for one that succeeded.

    ``credential_kind`` is what was presented, such as *client-secret* or *certificate*; empty where that was not reported.
    """

    at: datetime
    key_id: str
    error: int = 0
    address: str = ""
    resource: str = ""
    credential_kind: str = ""


@dataclass(frozen=True)
class SignInReport:
    """Sign-ins, the newest first. ``complete``: there are no older ones that were asked for; ``requests``: so many were made."""

    sign_ins: tuple[SignIn, ...]
    complete: bool
    requests: int
    trouble: ReportTrouble | None = None


@dataclass(frozen=True)
class ActivityReport:
    """When each credential of an application signed in last, by key id. A credential that is missing was not reported."""

    last_used: Mapping[str, datetime]
    requests: int
    trouble: ReportTrouble | None = None


class UseReports(Protocol):
    """Reads reports of use. Never raises what the provider says: that is part of the answer. Repeatable; changes nothing."""

    refused_errors: frozenset[int]
    """The errors with which a credential that was removed, or has ended, is refused."""

    def sign_ins(
        self, tenant: Tenant, token: AccessToken, app_id: str, since: datetime, before: datetime, most_requests: int
    ) -> SignInReport:
        """Return sign-ins as the application from ``since`` on and up to ``before``, as many as so many requests bring."""

    def last_used(self, tenant: Tenant, token: AccessToken, app_id: str) -> ActivityReport:
        """Return when the application's credentials signed in last, by whatever flow. One request."""
