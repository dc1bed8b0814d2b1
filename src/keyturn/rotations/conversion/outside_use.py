"""Whether somebody else signs in with the credential that a connection gives up, by what the provider reports.

This server does not sign in with it while the connection is watched, so whoever is seen to is a program outside. A report that
cannot be read says nothing: the watch is not put off by it, and why is told.
"""

from dataclasses import replace
from datetime import datetime

from keyturn.connections import holders
from keyturn.connections.domain import Connection
from keyturn.credentials.domain import Credential
from keyturn.db.unit import Database
from keyturn.errors import Retryable
from keyturn.kit.clock_difference import WRONG, provider_time
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import not_after, shift
from keyturn.ports.clock import Clock
from keyturn.ports.provider import AccessToken
from keyturn.ports.use_reports import ActivityReport, ReportTrouble, SignInReport
from keyturn.providers.registry import Providers
from keyturn.rotations.conversion.domain import Conversion
from keyturn.rotations.evidence.reading import BUDGET_WINDOW
from keyturn.rotations.store import evidence

PAGES = 2


@dataclass(frozen=True)
class OutsideUse:
    """When the credential was last used by somebody else, and by whom, as far as a report says; or why that is not known."""

    at: datetime | None = None
    who: str | None = None
    trouble: ReportTrouble | None = None


@dataclass(frozen=True)
class OutsideUses:
    """Reads the reports of an application within the budget of its tenant."""

    database: Database
    providers: Providers
    clock: Clock

    def newest(
        self, told: Conversion, connection: Connection, token: AccessToken, kept: Credential | None
    ) -> OutsideUse:
        """Return the newest use since the connection was switched. Raises Retryable while others ask for the tenant's reports.

        Nothing is asked for a credential that other connections hold: they are seen to use it, and it is not removed.
        """
        reports = self.providers.of(connection.app).use_reports
        if reports is None or kept is None or not kept.key_id or self._is_held(connection, kept):
            return OutsideUse()
        self._take_turn(connection)
        now, tenant = provider_time(self.clock.now(), self.providers.clock_ahead()), connection.tenant
        log = reports.sign_ins(tenant, token, connection.client_id, told.since, now, PAGES)
        activity = ActivityReport({}, 0) if log.trouble else reports.last_used(tenant, token, connection.client_id)
        known = [each for each in log.sign_ins if each.error not in reports.refused_errors]
        return newest_use(replace(log, sign_ins=tuple(known)), activity, kept.key_id, told.since, now)

    def _is_held(self, connection: Connection, kept: Credential) -> bool:
        with self.database.read() as tx:
            return bool(holders.of(tx, kept.fingerprint, beside=connection.id))

    def _take_turn(self, connection: Connection) -> None:
        now = self.clock.now()
        with self.database.write() as tx:
            taken = evidence.take_turn(tx, connection.tenant, now, now + BUDGET_WINDOW)
        if taken is not None:
            raise Retryable(
                "Other reports of the tenant are being read.",
                code="connections.conversion_reports_busy",
                fix="It is tried again within a minute.",
            )


def newest_use(log: SignInReport, activity: ActivityReport, key_id: str, since: datetime, now: datetime) -> OutsideUse:
    """Return the newest use of the key after the connection was switched. Pure.

    Until a while after ``since`` this server itself may have signed in with it: our clock is right within some minutes.
    """
    trouble, first = log.trouble or activity.trouble, shift(since, WRONG)
    uses = [(each.at, each.address) for each in log.sign_ins if each.key_id == key_id]
    reported = activity.last_used.get(key_id)
    if reported:
        uses.append((reported, ""))
    at, who = max(((at, who) for at, who in uses if at > first), default=(None, ""))
    return OutsideUse(at and not_after(at, now), who or None, trouble)
