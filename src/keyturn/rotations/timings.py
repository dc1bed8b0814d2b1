"""How long the protocol waits, and how often a new secret has to prove itself. Pure."""

from datetime import timedelta

from keyturn.credentials.domain import Credential
from keyturn.kit.dataclasses import dataclass

LATE_PROOFS = 5
LEAST_SPREAD = 5
"""In spacings of proofs: ten seconds at the pace for the real Entra ID."""


@dataclass(frozen=True)
class ProtocolTimings:
    """The waits of the protocol that its decisions need; see settings.model.Pace for what each is for."""

    proof_count: int
    proof_spacing: timedelta
    confirm_spacing: timedelta
    inspection_valid: timedelta = timedelta(minutes=5)
    remove_again_after: timedelta = timedelta(seconds=60)
    proof_deadline: timedelta = timedelta(minutes=5)
    settle: timedelta = timedelta(minutes=15)
    run_tries: int = 6


@dataclass(frozen=True)
class ProofPlan:
    """So many sign-ins in a row prove a secret, so far apart."""

    count: int
    spacing: timedelta


def proof_plan(row: Credential, timings: ProtocolTimings) -> ProofPlan:
    """Return what this secret has to prove.

    Where a replica answered "not yet", a few sign-ins close together may all meet faster ones. So there are more of them then,
    spread over as long a time as the secret needed up to that answer, which counts as how slow the replicas are today.
    """
    if row.not_yet_at is None or row.issued_at is None:
        return ProofPlan(timings.proof_count, timings.proof_spacing)
    count = max(timings.proof_count, LATE_PROOFS)
    least = LEAST_SPREAD * timings.proof_spacing
    spread = min(max(row.not_yet_at - row.issued_at, least), max(timings.proof_deadline, least))
    return ProofPlan(count, max(timings.proof_spacing, spread / (count - 1)))
