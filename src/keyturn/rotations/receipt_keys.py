"""Use cases of the keys that sign receipts: which there are, and to replace the present one."""

from keyturn.audit import server_events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.crypto.audit_keys import replace_receipt_key
from keyturn.db.unit import Database
from keyturn.kit.actor import platform
from keyturn.kit.signed_note import NoteKey
from keyturn.organizations.store import organizations_of_server
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Sealer


def replace_key(database: Database, sealer: Sealer, clock: Clock) -> tuple[NoteKey, NoteKey]:
    """Let another key sign receipts from now on, also in servers that run; return the public one before and the new one.

    Receipts of before go on being verified by the one before. Each organization is told by an audit event.
    """
    now = clock.now()
    with database.write() as tx:
        before, after = replace_receipt_key(tx, sealer, now)
        for organization in organizations_of_server(tx):
            subject = Subject(SubjectKind.ORGANIZATION, organization.id)
            facts = {"keyId": after.label, "previousKeyId": before.label}
            record(tx, platform(organization.id), server_events.RECEIPT_KEY_REPLACED, subject, now, **facts)
    return before, after
