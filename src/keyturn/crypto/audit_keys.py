"""Keys of the audit trail: random, stored sealed like every secret, so they outlive data keys and the root key.

Of a key of receipts that was replaced only the public half is kept: it verifies what it has signed, and signs nothing more. It
is sealed, too, so that nobody who can write into the database alone adds a key of their own.
"""

import hashlib
import hmac
import os
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keyturn.crypto import store
from keyturn.crypto.envelope import from_text, to_text
from keyturn.db.unit import Database, Tx
from keyturn.errors import Misconfigured
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext, SealContext, Sealed
from keyturn.kit.signed_note import NoteKey, SignedNote
from keyturn.ports.sealing import Sealer

KEY_BYTES = 32
CHAIN = "chain"
RECEIPTS = "receipts"
NOTES = "keyturn-receipts"
"""The name of the key of receipts, as signatures give it."""
_REPLACED = f"{RECEIPTS}-"


class ChainKey:
    """The key of this installation's hash chains. Its bytes never leave it."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "ChainKey(***)"

    def mac(self, message: bytes) -> bytes:
        """Return HMAC-SHA-256 of the message: 32 bytes."""
        return hmac.digest(self._key, message, hashlib.sha256)


class ReceiptKey:
    """The key that signs receipts (Ed25519). Its private half never leaves it."""

    __slots__ = ("_private", "public")

    def __init__(self, private: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(private)
        self.public = NoteKey(NOTES, self._private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return "ReceiptKey(***)"

    def signed(self, text: str) -> SignedNote:
        """Sign a text, which ends with a line end and has no empty line."""
        return SignedNote(text, self.public.name, self.public.id, self._private.sign(text.encode()))


@dataclass(frozen=True)
class PublishedKey:
    """A public key of receipts; it signs since one moment, and until another: None for the present one."""

    key: NoteKey
    since: datetime
    until: datetime | None


def receipt_key(database: Database, sealer: Sealer, now: datetime) -> ReceiptKey:
    """Return the key that signs receipts, made when there is none. Raises Misconfigured when it does not open."""
    with database.read() as tx:
        key = _read(tx, sealer, RECEIPTS)
    if key is None:
        with database.write() as tx:
            tx.alone_with(RECEIPTS)
            key = _read(tx, sealer, RECEIPTS) or _make(tx, sealer, RECEIPTS, now)
    return ReceiptKey(key)


def published_keys(database: Database, sealer: Sealer) -> list[PublishedKey]:
    """Return the public keys of all receipts of this installation, the present one first.

    Raises Misconfigured for one that does not open.
    """
    with database.read() as tx:
        rows = store.audit_keys_like(tx, RECEIPTS)
    found, until = list[PublishedKey](), None
    for key_id, sealed, since in rows:
        key = _opened(sealed, sealer, key_id)
        public = ReceiptKey(key).public if key_id == RECEIPTS else NoteKey(NOTES, key)
        found.append(PublishedKey(public, since, until))
        until = since
    return found


def replace_receipt_key(tx: Tx, sealer: Sealer, now: datetime) -> tuple[NoteKey, NoteKey]:
    """Make another key that signs receipts from now on; return the public halves of the one before and of the new one.

    The private half of the one before is gone. Raises Misconfigured when it does not open, or was never made.
    """
    tx.alone_with(RECEIPTS)
    present = next(iter(store.audit_keys_like(tx, RECEIPTS)), None)
    if present is None or present[0] != RECEIPTS:
        raise _damaged(RECEIPTS)
    before = ReceiptKey(_opened(present[1], sealer, RECEIPTS)).public
    new = os.urandom(KEY_BYTES)
    replaced = f"{_REPLACED}{before.id.hex()}"
    store.add_audit_key(tx, replaced, sealer.seal(Plaintext(to_text(before.public)), _place(replaced)), present[2])
    # The clocks of hosts differ, so a new key is dated after the one before whatever the clock says.
    since = max(now, present[2] + timedelta(microseconds=1))
    store.change_audit_key(tx, RECEIPTS, sealer.seal(Plaintext(to_text(new)), _place(RECEIPTS)), since)
    return before, ReceiptKey(new).public


def chain_key(tx: Tx, sealer: Sealer) -> ChainKey | None:
    """Return the key of the hash chains; None before there is one. Raises Misconfigured when it does not open."""
    key = _read(tx, sealer, CHAIN)
    return None if key is None else ChainKey(key)


def make_chain_key(tx: Tx, sealer: Sealer, now: datetime) -> ChainKey:
    """Make the key, in a transaction in which nobody else does."""
    return ChainKey(_make(tx, sealer, CHAIN, now))


def _read(tx: Tx, sealer: Sealer, key_id: str) -> bytes | None:
    sealed = store.audit_key(tx, key_id)
    return None if sealed is None else _opened(sealed, sealer, key_id)


def _opened(sealed: Sealed, sealer: Sealer, key_id: str) -> bytes:
    key = from_text(sealer.open(sealed, _place(key_id)).reveal())
    if key is None or len(key) != KEY_BYTES:
        raise _damaged(key_id)
    return key


def _damaged(key_id: str) -> Misconfigured:
    return Misconfigured(
        f"The key {key_id!r} of the audit trail is damaged.",
        code="audit.key_damaged",
        fix="Restore the table audit_keys from a backup of this database.",
    )


def _make(tx: Tx, sealer: Sealer, key_id: str, now: datetime) -> bytes:
    key = os.urandom(KEY_BYTES)
    store.add_audit_key(tx, key_id, sealer.seal(Plaintext(to_text(key)), _place(key_id)), now)
    return key


def _place(key_id: str) -> SealContext:
    return SealContext("audit_keys", key_id, "value")
