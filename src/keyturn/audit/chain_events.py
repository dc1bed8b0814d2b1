"""The events of the hash chains, and what is under them by an event of its own: a part of the catalogue in ``events``."""

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
STREAM_CHANGED = AuditEvent(
    "change-audit-stream",
    _TRAIL,
    _ORGANIZATION,
    "How far a receiver of all events has got, or its chain, was changed in the database by somebody without the root key, or is"
    " of a version without seals: `receiver` gets all events of the organization once more that it may not have got.",
    ("receiver",),
)
RUN_RECORDED = AuditEvent(
    "rotation-run-recorded",
    "Rotations",
    (SubjectKind.ROTATION,),
    "What the database holds of a run as it ends: who asked for it, credentials, steps and moments. Receipts are made of it, and "
    "`keyturn audit verify` compares the rows of the run and its steps with it; not those of credentials, which go on changing.",
    ("connectionId", "runId", "rotation", "run", "credentials", "steps"),
)
