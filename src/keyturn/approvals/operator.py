"""What the operator of the server may see and do of approvals: without keys, and without being anybody's administrator."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from keyturn.approvals import store
from keyturn.approvals.domain import ApprovalRequest, ApprovalSettings
from keyturn.audit import approval_events as events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.db.unit import Database
from keyturn.kit.actor import platform


def waiting(database: Database, org_id: str, now: datetime) -> Sequence[ApprovalRequest]:
    """Return the requests of the organization that wait, the oldest first."""
    with database.read() as tx:
        return store.pending(tx, org_id, now)


def switch_off(database: Database, org_id: str, now: datetime) -> Sequence[str]:
    """Need no second person any more in the organization and its projects: for when nobody is left who could approve.

    Returns where that was needed before. Repeatable.
    """
    places, off = [], ApprovalSettings()
    with database.write() as tx:
        for project_id, before in store.places_that_require(tx, org_id):
            store.save_settings(tx, org_id, project_id, off, now)
            kind = SubjectKind.PROJECT if project_id else SubjectKind.ORGANIZATION
            subject = Subject(kind, project_id or org_id, project_id)
            facts = {"before": asdict(before), "after": asdict(off)}
            record(tx, platform(org_id), events.APPROVAL_RULES_CHANGED, subject, now, **facts)
            places.append(f"the project {project_id}" if project_id else "the organization")
    return places
