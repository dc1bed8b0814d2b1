"""The events of the hash chains themselves: a part of the catalogue in ``events``."""

from keyturn.audit.domain import AuditEvent, SubjectKind

_ORGANIZATION = (SubjectKind.ORGANIZATION,)
_TRAIL = "Audit trail"

CHAIN_BEGUN = AuditEvent(
    "begin-audit-chain",
    _TRAIL,
    _ORGANIZATION,
    "The hash chain of an organization began. The event is one of the server, in the chain of events without organization.",
)
EVENTS_VERIFIED = AuditEvent(
    "verify-audit-events",
    _TRAIL,
    _ORGANIZATION,
    "Somebody had the hash chain verified, up to `position`; `faults` says how many were found.",
    ("events", "position", "hash", "faults", "firstFault"),
)
EVENTS_ADOPTED = AuditEvent(
    "adopt-audit-events",
    _TRAIL,
    _ORGANIZATION,
    "The operator had events linked that were in no chain: those that an older version wrote while this one ran, or that were "
    "added to the database by hand.",
    ("count", "reason"),
)
