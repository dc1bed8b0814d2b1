"""Reading the provider's reports of the use of credentials: one application at a time, within its tenant's budget.

What was read is written in one transaction, and may be read again: killing it anywhere and doing it again is harmless.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.audit import events
from keyturn.credentials.domain import Credential
from keyturn.db.unit import Database, Tx
from keyturn.engine.sources import Source
from keyturn.errors import NeedsAction, Upstream
from keyturn.kit.actor import platform
from keyturn.kit.clock import iso
from keyturn.kit.clock_difference import provider_time
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.ports.provider import AccessToken
from keyturn.ports.use_reports import ActivityReport, ReportTrouble, SignInReport, Unobservable, UseReports
from keyturn.ports.work import Work
from keyturn.providers.registry import Providers
from keyturn.rotations.domain import Rotation, RotationKind, Snapshot
from keyturn.rotations.evidence.domain import Coverage, Evidence
from keyturn.rotations.evidence.merge import VICTIMS_FOR, Ask, merge_reports, next_ask
from keyturn.rotations.evidence.timetable import ask_again_at, is_of_interest, waits_for_use, wants_activity
from keyturn.rotations.store import evidence as store
from keyturn.rotations.store import policies
from keyturn.rotations.targets import RotationTarget
from keyturn.rotations.work.run_outcome import credential_facts, record_rotation_event

NEWEST_PAGES = 2
"""With one page of older sign-ins and the activity of credentials a look makes four requests at most."""
BUDGET_WINDOW = timedelta(seconds=10)
"""Reports answer five requests in so long, for an application and tenant: one look, and a request of the one before it.

https://learn.microsoft.com/graph/throttling-limits#identity-and-access-reports-service-limits
"""
CLAIM = timedelta(minutes=2)
"""When a look is made again that never came to its end."""
AFTER_REFUSAL = timedelta(hours=1)


class UseReportsDue(Source):
    """Reports that are to be read. The partition is the tenant, whose budget they share."""

    kind = "use-reports"

    def __init__(self, read: Callable[[str], None]) -> None:
        self._read = read

    def is_due(self, tx: Tx, now: datetime) -> bool:
        return store.any_due(tx, now)

    def due_before(self, tx: Tx, now: datetime, end: datetime) -> datetime | None:
        return store.due_before(tx, now, end)

    def claim(self, tx: Tx, now: datetime, limit: int) -> list[Work]:
        claimed = store.claim(tx, now, limit, now + CLAIM, now + BUDGET_WINDOW)
        return [Work(self.kind, each.rotation_id, f"{self.kind}:{each.tenant}") for each in claimed]

    def do(self, work_id: str) -> None:
        self._read(work_id)


@dataclass(frozen=True)
class _Look:
    """What was read in one look."""

    ask: Ask
    newest: SignInReport
    older: SignInReport | None = None
    activity: ActivityReport | None = None

    @property
    def pause(self) -> timedelta:
        """How long the tenant is not asked after this, so that the next look is within the budget whatever it takes."""
        requests = sum(report.requests for report in (self.newest, self.older, self.activity) if report)
        if requests == 0:
            return timedelta()
        return BUDGET_WINDOW / 2 if requests == 1 else BUDGET_WINDOW


@dataclass(frozen=True)
class UseReader:
    """Reads what is reported of an application's credentials, and writes it down."""

    database: Database
    providers: Providers
    clock: Clock
    targets: Mapping[RotationKind, RotationTarget]

    def read(self, rotation_id: str) -> None:
        """Read the reports of the application now. Repeatable; outside transactions."""
        with self.database.read() as tx:
            snapshot, evidence = policies.snapshot(tx, rotation_id), store.of_rotation(tx, rotation_id)
            rows = store.watched_credentials(tx, rotation_id, self._now() - VICTIMS_FOR)
        if snapshot is None or evidence is None:
            return
        reports = self.providers.of_kind(snapshot.rotation.credential_kind).use_reports
        if reports is None or not is_of_interest(rows, self._now()):
            with self.database.write() as tx:
                store.ask_at(tx, rotation_id, None)
            return
        try:
            token = self._sign_in(snapshot)
        except Upstream as error:
            self._write(snapshot.rotation, reports, _refused(evidence, error, self._now()), again_after=AFTER_REFUSAL)
        else:
            self._write(snapshot.rotation, reports, self._look(reports, snapshot, evidence, rows, token))

    def _look(
        self,
        reports: UseReports,
        snapshot: Snapshot,
        evidence: Evidence,
        rows: Sequence[Credential],
        token: AccessToken,
    ) -> _Look:
        rotation, now = snapshot.rotation, self._now()
        ask = next_ask(evidence.coverage, now)
        newest = reports.sign_ins(rotation.tenant, token, rotation.app_id, ask.since, now, NEWEST_PAGES)
        look = _Look(ask, newest)
        if newest.trouble:
            return look
        if ask.older_before:
            earliest = next_ask(Coverage(), now).since
            look = replace(
                look, older=reports.sign_ins(rotation.tenant, token, rotation.app_id, earliest, ask.older_before, 1)
            )
        if wants_activity(evidence, rows, now):
            look = replace(look, activity=reports.last_used(rotation.tenant, token, rotation.app_id))
        return look

    def _sign_in(self, snapshot: Snapshot) -> AccessToken:
        """Return a token of whatever signs in for the rotation. Raises what the provider says."""
        target = self.targets[snapshot.rotation.kind]
        told = replace(snapshot, signer_is_own=target.signer_is_own, seen_at=self._now())
        for signer in target.signers(told):
            return target.sign_in(snapshot.rotation, signer)
        raise NeedsAction(
            "Nothing is left to sign in with.", code="rotation.no_secret", fix=target.describe().no_signer
        )

    def _write(
        self, rotation: Rotation, reports: UseReports, look: _Look, again_after: timedelta | None = None
    ) -> None:
        now = self._now()
        with self.database.write() as tx:
            if not store.lock(tx, rotation.id):
                return
            before = store.of_rotation(tx, rotation.id) or Evidence()
            rows = store.watched_credentials(tx, rotation.id, now - VICTIMS_FOR)
            after = merge_reports(
                before, rows, look.ask, look.newest, look.older, look.activity, reports.refused_errors, now
            )
            ask = now + again_after if again_after else ask_again_at(after, rows, now)
            trouble = look.newest.trouble or (look.activity.trouble if look.activity else None)
            pause = max(look.pause, (trouble.retry_after if trouble else None) or look.pause)
            store.save(tx, rotation.id, after, ask, now + min(pause, store.LONGEST_BUSY))
            _tell(tx, rotation, rows, before, after, now)
            if any(waits_for_use(row) for row in rows):
                policies.wake(tx, rotation.id, self.clock.now())

    def _now(self) -> datetime:
        """What time it is by the provider's clock, which dates its reports."""
        return provider_time(self.clock.now(), self.providers.clock_ahead())


def _refused(evidence: Evidence, error: Upstream, now: datetime) -> _Look:
    """The look of one that could not sign in."""
    trouble = ReportTrouble(Unobservable.SIGN_IN, error.message, error.fix)
    return _Look(next_ask(evidence.coverage, now), SignInReport((), complete=False, requests=0, trouble=trouble))


def _tell(
    tx: Tx, rotation: Rotation, rows: Sequence[Credential], before: Evidence, after: Evidence, now: datetime
) -> None:
    """Write down, once for each, who is refused with a credential since that was removed."""
    for row in rows:
        known = {(user.address, user.resource) for user in before.of(row.id).refused}
        for user in after.of(row.id).refused:
            if (user.address, user.resource) in known:
                continue
            facts = {
                "ip": user.address,
                "resource": user.resource,
                "errorCode": user.error,
                "certain": user.certain,
                "firstAt": iso(user.first_at),
            }
            by, event = platform(rotation.org_id), events.CREDENTIAL_USED_AFTER_REMOVAL
            record_rotation_event(tx, by, event, rotation, now, **(credential_facts(row) | facts))
