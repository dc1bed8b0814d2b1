"""All secrets that were replaced and still work, or went just now, with whether they are used. Reads only, asks no permission."""

from collections.abc import Sequence
from datetime import datetime

from keyturn.credentials.domain import Credential, State
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.use_reports import ReportTrouble
from keyturn.rotations import waits
from keyturn.rotations.domain import Rotation
from keyturn.rotations.evidence.domain import NOTHING_KNOWN, ObservedUse, Verdict
from keyturn.rotations.store import consumers, evidence

MOST = 500


@dataclass(frozen=True)
class ReplacedSecret:
    """``goes_at``: when it is removed if nothing new is known; None where that is done, under way or not planned."""

    rotation: Rotation
    credential: Credential
    verdict: Verdict
    observed: ObservedUse
    why_silent: Sequence[ReportTrouble]
    goes_at: datetime | None


def replaced_secrets(tx: Tx, now: datetime) -> Sequence[ReplacedSecret]:
    """Return those of up to so many applications, the ones whose reports are read next first. A few statements in all."""
    found: list[ReplacedSecret] = []
    for snapshot in consumers.snapshots(tx, evidence.rotations_with_reports(tx, MOST)).values():
        known = snapshot.evidence or NOTHING_KNOWN
        for row in snapshot.journal:
            observed = known.of(row.id)
            if row.state is not State.RETIRING and not observed.refused:
                continue
            goes_at = waits.over(row, snapshot, now) if row.state is State.RETIRING and row.revoke_after else None
            verdict, silent = waits.verdict(row, snapshot, now), known.why_silent(row.id)
            found.append(ReplacedSecret(snapshot.rotation, row, verdict, observed, silent, goes_at))
    return found
