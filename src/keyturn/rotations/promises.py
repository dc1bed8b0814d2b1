"""What is promised to who reads values that are credentials: until when they may rely on them. Of the rows as they are now."""

from collections.abc import Collection
from datetime import datetime, timedelta

from keyturn.credentials.domain import Credential, State
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.rotations.domain import Rotation
from keyturn.rotations.secret_rotations.history import usable_until
from keyturn.rotations.store import promised

SOON = timedelta(days=7)
"""Before the end of a current credential its readers are told that it ends."""


@dataclass(frozen=True)
class Promise:
    """Of some credentials together: their key ids, and until when the first of them may be relied on; None: without limit.

    ``deprecated_at`` and ``sunset_at`` are set when one of them is about to end: since when it should not be used, until when
    it works.
    """

    key_ids: tuple[str, ...] = ()
    usable_until: datetime | None = None
    deprecated_at: datetime | None = None
    sunset_at: datetime | None = None


NOTHING_PROMISED = Promise()


def promise_of(tx: Tx, credential_ids: Collection[str], now: datetime) -> Promise:
    """Return what is promised of these rows of the journal together."""
    pairs = promised.with_rotations(tx, credential_ids)
    ends = [(credential, end_of(credential, rotation, now)) for credential, rotation in pairs]
    ending = [(_since(credential), end) for credential, end in ends if end is not None and _is_ending(credential, now)]
    return Promise(
        tuple(sorted({credential.key_id for credential, _ in ends if credential.key_id})),
        min((end for _, end in ends if end is not None), default=None),
        min((since for since, _ in ending if since is not None), default=None),
        min((end for _, end in ending), default=None),
    )


def end_of(credential: Credential, rotation: Rotation, now: datetime) -> datetime | None:
    """Return until when one credential may be relied on: now, for one that is promised to nobody any more. Pure."""
    until = usable_until(credential, rotation, now)
    return now if until is None and credential.state is not State.CURRENT else until


def _is_ending(credential: Credential, now: datetime) -> bool:
    if credential.state is State.CURRENT:
        return credential.ends_at is not None and credential.ends_at - now <= SOON
    return not credential.used_elsewhere


def _since(credential: Credential) -> datetime | None:
    if credential.state is State.CURRENT:
        return credential.ends_at and credential.ends_at - SOON
    return credential.retired_at
