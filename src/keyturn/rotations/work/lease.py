"""One writer per application: the lease that a process holds while it works on one, with fencing.

Every write of the journal goes through :meth:`ApplicationLease.write`, which checks the fencing token in the same transaction.
A process that was only slow therefore cannot write after another has taken over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from keyturn.connections import fingerprints
from keyturn.connections import store as store_of_connections
from keyturn.connections.domain import target_changed, unpack
from keyturn.connections.health import settled_at
from keyturn.credentials.domain import Credential
from keyturn.db.unit import Database, Tx
from keyturn.errors import NeedsAction, NotYet, Permanent, Retryable, Upstream
from keyturn.kit.actor import Actor, platform
from keyturn.kit.clock_difference import provider_time
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.provider import AccessToken, RemoteApplication, SecretsProvider, Tenant
from keyturn.ports.sealing import Sealer
from keyturn.rotations.domain import Rotation, Snapshot, Step
from keyturn.rotations.store import leases, policies, runs
from keyturn.rotations.timings import ProtocolTimings
from keyturn.settings.model import Pace


@dataclass(frozen=True)
class WorkerContext:
    """What rotation work needs; one per process."""

    database: Database
    sealer: Sealer
    provider: SecretsProvider
    clock: Clock
    ids: Ids
    pace: Pace
    process_id: str

    def mark_all(self) -> None:
        """Give fingerprints to connections that have none yet: outside transactions, before holders are looked for."""
        fingerprints.complete(self.database, self.sealer, self.clock.now())

    @property
    def patience(self) -> ProtocolTimings:
        pace = self.pace
        return ProtocolTimings(
            pace.proof_count, pace.proof_spacing, pace.confirm_spacing, proof_deadline=pace.proof_deadline
        )


RENEWED_RECENTLY = timedelta(seconds=1)
"""A lease renewed this recently is not renewed again before a write: the request may well take as long to arrive.

A process that considers this one dead does not end such a lease: see ``engine.dead_processes.last_end``.
"""


class LeaseLost(Exception):
    """Another process took over. Whatever was under way here is no longer ours to write down."""


class ApplicationLease:
    """The lease on one application. Not shared between threads."""

    def __init__(self, context: WorkerContext, snapshot: Snapshot, token: int, kept_at: datetime) -> None:
        rotation = snapshot.rotation
        self.context = context
        self.rotation_id = rotation.id
        self.object_id = rotation.object_id
        self.kind = context.provider.kind(rotation.credential_kind, app_id=rotation.app_id)
        self.actor: Actor = platform(rotation.org_id)
        self.token = token
        self.asked: set[str] = set()
        """Credentials asked for under this lease: the request is made once, whatever the journal says."""
        self._kept_at = kept_at
        self._seen: Snapshot | None = snapshot
        self._access: AccessToken | None = None
        self._signer: Credential | None = None
        self.refusal: Upstream | None = None
        """What the provider said in this step when it refused the connection: its sign-in, or what it is for."""
        self._step: runs.StepRecord | None = None
        self._last_record: tuple[int, runs.StepRecord] | None = None

    def now(self) -> datetime:
        return self.context.clock.now()

    def provider_time(self) -> datetime:
        """What time it is by the provider's clock: what servers with different clocks compare is dated by it."""
        return provider_time(self.now(), self.context.provider.clock_ahead())

    def snapshot(self) -> Snapshot | None:
        """Return the rotation as it is: as the last step's own transaction left it, else read anew. None when it is gone."""
        snapshot, self._seen = self._seen, None
        if snapshot is None:
            with self.context.database.read() as tx:
                snapshot = policies.snapshot(tx, self.rotation_id)
        return snapshot

    def begin(self, step: Step, snapshot: Snapshot) -> None:
        """The step that starts now is written into the run's history by its own transaction."""
        self.refusal = None
        row, run = step.credential, snapshot.run
        belongs = run.id if run else (row.retired_by or row.run_id) if row else None
        now = self.now()
        self._step = runs.StepRecord(step.name.value, "done", now, now, belongs, row.id if row else None)

    @contextmanager
    def write(self, result: str = "done", message: str | None = None) -> Iterator[Tx]:
        """A write transaction that only the holder of the lease can commit. Raises LeaseLost."""
        snapshot, last = None, self._last_record
        with self.context.database.write() as tx:
            kept_at = self._keep_lease(tx)
            yield tx
            if self._step:
                record = replace(self._step, outcome=result, message=message, finished_at=self.now())
                last = runs.record_step(tx, self.rotation_id, record, self._last_record)
                snapshot = policies.snapshot(tx, self.rotation_id)
        self._last_record, self._step = last, None
        self._seen, self._kept_at = snapshot, kept_at

    def before_network(self, *, writing: bool = False) -> None:
        """Make sure that the lease outlives the calls that follow; before a write, that it is still ours. Raises LeaseLost."""
        pace, age = self.context.pace, self.now() - self._kept_at
        longest = RENEWED_RECENTLY if writing else pace.lease - 3 * pace.call_timeout
        fresh = timedelta() <= age < longest
        if fresh:
            return
        with self.context.database.write() as tx:
            kept_at = self._keep_lease(tx)
        self._kept_at = kept_at

    def _keep_lease(self, tx: Tx) -> datetime:
        # Counted from when the transaction has begun: waiting for that may have taken long.
        now = self.now()
        if not leases.keep_lease(tx, self.object_id, self.token, now + self.context.pace.lease):
            raise LeaseLost(self.object_id)
        return now

    def access(self, snapshot: Snapshot) -> AccessToken:
        """Return a token for the management API, signed in with the rotation's own secret; kept for this hold.

        Raises Retryable or NeedsAction. Refusals that replication explains are transient for a while after a publish.
        """
        if self._access is None or self._access.expires_at - self.now() < timedelta(minutes=2):
            self._access = self._sign_in(snapshot)
        return self._access

    def look(self, snapshot: Snapshot) -> RemoteApplication:
        """Sign in, read the application, make sure that it may be written: all that a connection is for.

        Raises Retryable or NeedsAction, as :meth:`access` does.
        """
        rotation, token = snapshot.rotation, self.access(snapshot)
        try:
            application = self.kind.application(rotation.tenant, token, object_id=rotation.object_id)
            self.kind.check_may_write(rotation.tenant, token, application)
        except NotYet as error:
            raise self._refused(self._final(error, self._signer)) from None
        except (NeedsAction, Permanent) as error:
            self._refused(error)
            raise
        return application

    def _refused(self, error: Upstream) -> Upstream:
        if not isinstance(error, Retryable):
            self.refusal = error
        return error

    def signer(self, snapshot: Snapshot) -> Plaintext:
        """Return the value that the token of :meth:`access` was got with: some changes want a proof of having it."""
        self.access(snapshot)
        if self._signer is None:
            raise RuntimeError("a token that nothing signed in for")
        return self._opened(self._signer)

    def forget_access(self) -> None:
        """Sign in anew next time: the secret changed, or a call was refused."""
        self._access = None

    def _sign_in(self, snapshot: Snapshot) -> AccessToken:
        refused: Upstream = NeedsAction(
            "There is no secret left to sign in with.",
            code="rotation.no_secret",
            fix="Enter a new client secret in the connection's credentials.",
        )
        for signer in snapshot.signers:
            self.before_network()
            try:
                token = self._sign_in_with(snapshot.rotation, signer)
            except Upstream as error:
                if not error.refuses_credential:
                    self._refused(error)
                    raise
                refused = error
            else:
                self._signer = signer
                return token
        raise self._refused(refused)

    def require_target(self, rotation: Rotation) -> None:
        """Raise NeedsAction when the rotation names another tenant or application than its connection was sealed for.

        What is removed after the connection was deleted has nothing to be compared with.
        """
        if rotation.retired or rotation.connection_id is None:
            return
        with self.context.database.read() as tx:
            connection = store_of_connections.get(tx, rotation.connection_id)
        if connection is None:
            return
        unpack(self.context.sealer.open(connection.secret, connection.seal_context), connection)
        target = Tenant(connection.cloud, connection.tenant_id.lower()), connection.client_id.lower()
        if target != (replace(rotation.tenant, tenant_id=rotation.tenant.tenant_id.lower()), rotation.app_id.lower()):
            raise target_changed(rotation.name)

    def _sign_in_with(self, rotation: Rotation, signer: Credential) -> AccessToken:
        self.require_target(rotation)
        secret = self._opened(signer)
        try:
            return self.kind.sign_in(rotation.tenant, rotation.app_id, secret)
        except NotYet as error:
            raise self._final(error, signer) from None

    def _final(self, error: NotYet, signer: Credential | None) -> Upstream:
        """Soon after it was published a refusal means that the credential is still spreading; later, what it says."""
        now, published = self.provider_time(), signer.published_at if signer else None
        spreading = published is not None and now < settled_at(published, self.context.pace.settle, now)
        return error.judged(spreading=spreading)

    def _opened(self, signer: Credential) -> Plaintext:
        if signer.value is None:
            raise RuntimeError("a published secret without its value")
        return self.context.sealer.open(signer.value, signer.seal_context)

    def release(self) -> None:
        """Give the lease back. Harmless when it was lost."""
        with self.context.database.write() as tx:
            leases.drop_lease(tx, self.object_id, self.token, self.now())


def acquire(context: WorkerContext, rotation_id: str) -> ApplicationLease | None:
    """Take the lease of the rotation's application; None while another process works on it, or without such a rotation."""
    with context.database.write() as tx:
        rotation = policies.get(tx, rotation_id)
        if rotation is None:
            return None
        now = context.clock.now()
        token = leases.take_lease(tx, rotation.object_id, context.process_id, now, context.pace.lease)
        # Only now is what is seen certain to stay: before, somebody else may have been at work.
        snapshot = policies.snapshot(tx, rotation_id) if token else None
    return ApplicationLease(context, snapshot, token, now) if token and snapshot else None
