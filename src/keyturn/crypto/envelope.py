"""The two locks: a value is sealed with a data key, a data key is wrapped with the root key. Both AES-256-GCM.

A nonce is 96 random bits. One key may therefore seal at most 2**32 values before two nonces could meet with a chance
worth naming (NIST SP 800-38D, 8.3); :data:`SEALS_PER_KEY` stays well below.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keyturn.errors import Misconfigured
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext, SealContext, Sealed

FORMAT = "k1"
DIGEST_FORMAT = "d1"
KEY_BYTES = 32
SEALS_PER_KEY = 2**30
_NONCE = 12
_TAG = 16
# Strings are any sequence of code points, also lone surrogates: a value that was accepted must come back as it was.
_TEXT = ("utf-8", "surrogatepass")


class DataKey:
    """A key that seals values. It knows its id; its bytes never leave it except wrapped."""

    __slots__ = ("_cipher", "_digests", "_prefix", "id")

    def __init__(self, key_id: str, key: bytes) -> None:
        self.id = key_id
        self._cipher = AESGCM(key)
        self._prefix = f"keyturn value {FORMAT}.{key_id}\x1f".encode()
        self._digests = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"keyturn keyed digests").derive(key)

    def __repr__(self) -> str:
        return f"DataKey({self.id})"

    def seal(self, value: Plaintext, place: SealContext) -> Sealed:
        """Encrypt the value so that it opens at this place only."""
        nonce = os.urandom(_NONCE)
        body = nonce + self._cipher.encrypt(nonce, value.reveal().encode(*_TEXT), self._binding(place))
        return Sealed(f"{FORMAT}.{self.id}.{to_text(body)}")

    def open(self, sealed: Sealed, place: SealContext) -> Plaintext:
        """Decrypt. Raises Misconfigured, with nothing of the value in it, when it was changed or belongs elsewhere."""
        return self.open_parts(SealedParts.of(sealed, place), place)

    def open_parts(self, parts: "SealedParts", place: SealContext) -> Plaintext:
        """Decrypt a value that was taken apart already. Raises as :meth:`open` does."""
        return self.opener(parts, place)()

    def opener(self, parts: "SealedParts", place: SealContext) -> Callable[[], Plaintext]:
        """Return what decrypts a value that was taken apart already. Raises, and what is returned does, as :meth:`open`."""
        if parts.key_id != self.id:
            raise value_refused(place)
        nonce, sealed, binding, decrypt = (
            parts.body[:_NONCE],
            parts.body[_NONCE:],
            self._binding(place),
            self._cipher.decrypt,
        )

        def opened() -> Plaintext:
            try:
                return Plaintext(decrypt(nonce, sealed, binding).decode(*_TEXT))
            except InvalidTag:
                raise value_refused(place) from None

        return opened

    def digest(self, value: Plaintext, place: SealContext) -> str:
        """Return ``d1.<data key id>.<hex>``: HMAC-SHA256 over the place and the value, under a key of its own."""
        about = place.binding() + b"\x1f" + value.reveal().encode(*_TEXT)
        return f"{DIGEST_FORMAT}.{self.id}.{hmac.new(self._digests, about, hashlib.sha256).hexdigest()}"

    def _binding(self, place: SealContext) -> bytes:
        return self._prefix + place.binding()


@dataclass(frozen=True, slots=True)
class SealedParts:
    """A sealed value taken apart, not yet decrypted."""

    key_id: str
    body: bytes

    @classmethod
    def of(cls, sealed: Sealed, place: SealContext) -> "SealedParts":
        """Take apart. Raises Misconfigured when the text is not a sealed value."""
        version, _, rest = sealed.text.partition(".")
        key_id, _, text = rest.partition(".")
        body = from_text(text)
        if version != FORMAT or not key_id or body is None or len(body) < _NONCE + _TAG:
            raise value_refused(place)
        return cls(key_id, body)


def key_id_of(sealed: Sealed) -> str:
    """Return the id of the data key that the text names, or nothing when it is not a sealed value."""
    parts = sealed.text.split(".")
    return parts[1] if len(parts) == 3 and parts[0] == FORMAT else ""


def digest_key_id_of(digest: str) -> str:
    """Return the id of the data key that the text names, or nothing when it is not a keyed digest."""
    parts = digest.split(".")
    return parts[1] if len(parts) == 3 and parts[0] == DIGEST_FORMAT else ""


def value_refused(place: SealContext) -> Misconfigured:
    """Build the error for a value that does not open at its place."""
    return Misconfigured(
        f"The sealed value in {place.table}.{place.column} of row {place.row} cannot be opened: "
        "it is damaged, was moved from another row, or was written by another installation.",
        code="crypto.value_refused",
        fix="Restore this row from a backup of the same database, or enter the secret again.",
    )


def to_text(data: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_text(text: str) -> bytes | None:
    """Decode what :func:`to_text` wrote, and only that: two texts never mean the same bytes. Otherwise None."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if to_text(data) == text else None


def wrap(root: bytes, data_key: bytes, binding: bytes) -> str:
    """Encrypt a data key under the root key."""
    nonce = os.urandom(_NONCE)
    return to_text(nonce + AESGCM(root).encrypt(nonce, data_key, binding))


def unwrap(root: bytes, wrapped: str, binding: bytes) -> bytes | None:
    """Decrypt a data key; None when it was changed or the root key is another."""
    body = from_text(wrapped)
    if body is None or len(body) != _NONCE + KEY_BYTES + _TAG:
        return None
    try:
        return AESGCM(root).decrypt(body[:_NONCE], body[_NONCE:], binding)
    except InvalidTag:
        return None
