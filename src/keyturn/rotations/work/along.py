"""Moving all connections that hold a credential when the rotation of one of them replaces it.

Transactions only, of callers that hold the lease of the application or keep others from it.
"""

from datetime import datetime

from keyturn.audit import events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.connections import fingerprints, holders, sealed
from keyturn.connections.store import Holder
from keyturn.connections.writes import point_to
from keyturn.credentials import store as journal
from keyturn.credentials.domain import KEPT, Credential
from keyturn.db.unit import Tx
from keyturn.kit.actor import platform
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.sealing import Sealer
from keyturn.providers.registry import Providers
from keyturn.rotations.domain import Rotation, Snapshot
from keyturn.rotations.work.run_outcome import credential_facts


@dataclass(frozen=True)
class Along:
    """Finds and moves the holders of a rotation's credentials."""

    sealer: Sealer
    providers: Providers
    rotation: Rotation
    now: datetime

    def mark(self, tx: Tx, value: Plaintext) -> str | None:
        """Return the fingerprint of a value of this rotation."""
        rotation = self.rotation
        method = self.providers.method_of_kind(rotation.credential_kind)
        return fingerprints.of_value(tx, self.sealer, self.now, method, rotation.tenant, rotation.app_id, value)

    def mark_of(self, tx: Tx, row: Credential) -> str | None:
        """Return the fingerprint of a journal row; None for one whose value was never known here, or is forgotten."""
        if row.fingerprint or row.value is None:
            return row.fingerprint
        return self.mark(tx, self.sealer.open(row.value, row.seal_context))

    def holders(self, tx: Tx, row: Credential | None) -> list[Holder]:
        """Return the other connections that hold this credential."""
        if row is None:
            return []
        beside = None if self.rotation.retired else self.rotation.connection_id
        return holders.of(tx, self.mark_of(tx, row), beside=beside)

    def move(self, tx: Tx, old: Credential, new: Credential, value: Plaintext, run_id: str | None) -> int:
        """Let every other holder of the old credential sign in with the new one; return how many were moved."""
        moved = 0
        for holder in sorted(self.holders(tx, old), key=lambda each: each.id):  # rows are locked in this order
            # Whoever got other credentials just now has left.
            method = self.providers.method_of(holder)
            if point_to(tx, self.sealer, method, holder.id, new, value, self.now, holding=holder.fingerprint):
                self._record_moved(tx, holder, old, new, run_id)
                moved += 1
        return moved

    def _record_moved(self, tx: Tx, holder: Holder, old: Credential, new: Credential, run_id: str | None) -> None:
        facts = {"name": holder.name, "app": holder.app, "rotationId": self.rotation.id, "runId": run_id}
        facts |= {"previousKeyId": old.key_id} | credential_facts(new)
        subject = Subject(SubjectKind.CONNECTION, holder.id, holder.project_id)
        record(tx, platform(holder.org_id), events.CONNECTION_CREDENTIAL_MOVED, subject, self.now, **facts)


def keep_for(tx: Tx, sealer: Sealer, row: Credential, snapshot: Snapshot) -> None:
    """Leave a secret of an ended rotation alone, since connections use it. Its value goes unless it signs in for removals."""
    sealed.take_copies(tx, sealer, row.id)
    others = any(not credential.kept for credential in snapshot.journal if credential.id != row.id)
    needed = snapshot.signer_is_own and others
    journal.move(tx, row, revoke_after=None, value=row.value if needed else None, note=KEPT)
