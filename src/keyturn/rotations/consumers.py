"""Who holds which secret of an application, as the rotation sees it. Pure."""

from collections.abc import Sequence
from datetime import datetime

from keyturn.credentials.domain import Credential
from keyturn.delivery.use_domain import Holder, holders
from keyturn.kit.counting import counted
from keyturn.rotations.domain import Snapshot


def who_holds(snapshot: Snapshot, row: Credential, now: datetime) -> Sequence[Holder]:
    """Return who counts as holding the secret, the longest first."""
    return [each for each in holders(snapshot.uses, row.id, snapshot.newer_than(row), now) if each.holds]


def counted_consumers(number: int) -> str:
    return counted(number, "consumer")
