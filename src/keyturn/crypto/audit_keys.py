"""Keys of the audit trail: random, stored sealed like every secret, so they outlive data keys and the root key."""

import hashlib
import hmac
import os
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keyturn.crypto import store
from keyturn.crypto.envelope import from_text, to_text
from keyturn.db.unit import Database, Tx
from keyturn.errors import Misconfigured
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.kit.signed_note import NoteKey, SignedNote
from keyturn.ports.sealing import Sealer

KEY_BYTES = 32
CHAIN = "chain"
RECEIPTS = "receipts"
NOTES = "keyturn-receipts"
"""The name of the key of receipts, as signatures give it."""


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


def receipt_key(database: Database, sealer: Sealer, now: datetime) -> ReceiptKey:
    """Return the key that signs receipts, made when there is none. Raises Misconfigured when it does not open."""
    with database.read() as tx:
        key = _read(tx, sealer, RECEIPTS)
    if key is None:
        with database.write() as tx:
            tx.alone_with(RECEIPTS)
            key = _read(tx, sealer, RECEIPTS) or _make(tx, sealer, RECEIPTS, now)
    return ReceiptKey(key)


def chain_key(tx: Tx, sealer: Sealer) -> ChainKey | None:
    """Return the key of the hash chains; None before there is one. Raises Misconfigured when it does not open."""
    key = _read(tx, sealer, CHAIN)
    return None if key is None else ChainKey(key)


def make_chain_key(tx: Tx, sealer: Sealer, now: datetime) -> ChainKey:
    """Make the key, in a transaction in which nobody else does."""
    return ChainKey(_make(tx, sealer, CHAIN, now))


def _read(tx: Tx, sealer: Sealer, key_id: str) -> bytes | None:
    sealed, place = store.audit_key(tx, key_id), _place(key_id)
    if sealed is None:
        return None
    key = from_text(sealer.open(sealed, place).reveal())
    if key is None or len(key) != KEY_BYTES:
        raise Misconfigured(
            f"The key {key_id!r} of the audit trail is damaged.",
            code="audit.key_damaged",
            fix="Restore the table audit_keys from a backup of this database.",
        )
    return key


def _make(tx: Tx, sealer: Sealer, key_id: str, now: datetime) -> bytes:
    key = os.urandom(KEY_BYTES)
    store.add_audit_key(tx, key_id, sealer.seal(Plaintext(to_text(key)), _place(key_id)), now)
    return key


def _place(key_id: str) -> SealContext:
    return SealContext("audit_keys", key_id, "value")
