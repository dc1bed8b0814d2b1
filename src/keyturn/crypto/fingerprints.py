"""Keyed fingerprints of secrets: equal secrets, equal fingerprints, and whoever has only the database learns nothing from them.

The key is random and stored sealed like every secret, so it lives on when data keys and the root key change.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Callable, Sequence
from datetime import datetime

from keyturn.crypto import store
from keyturn.crypto.envelope import from_text, to_text
from keyturn.db.unit import Tx
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.ports.sealing import Sealer

KEY_BYTES = 32
_ID = "credentials"
_PLACE = SealContext("fingerprint_keys", _ID, "value")


class FingerprintKey:
    """The key of this installation's fingerprints. Its bytes never leave it."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "FingerprintKey(***)"

    def of(self, parts: Sequence[str]) -> str:
        """Return the fingerprint of these texts in this order: 64 hex digits (HMAC-SHA-256)."""
        text = json.dumps(list(parts)).encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()


def read_or_make(tx: Tx, sealer: Sealer, now: datetime, on_new: Callable[[Tx], object]) -> FingerprintKey:
    """Return the key, made in this writing transaction if there is none. Raises Misconfigured when it does not open.

    ``on_new`` is called when it was made: whatever has a fingerprint has one of a key that was lost.
    """
    sealed = store.fingerprint_key(tx, _ID)
    if sealed is None:
        new_key = sealer.seal(Plaintext(to_text(os.urandom(KEY_BYTES))), _PLACE)
        if store.add_fingerprint_key(tx, _ID, new_key, now):
            on_new(tx)
        sealed = store.fingerprint_key(tx, _ID)
    key = from_text(sealer.open(sealed, _PLACE).reveal()) if sealed else None
    if key is None:
        raise RuntimeError("the key of fingerprints was deleted or changed just now")
    return FingerprintKey(key)
