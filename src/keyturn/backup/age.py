"""The file format age, version 1, with X25519 recipients (https://age-encryption.org/v1): what is encrypted for a public key.

A random file key encrypts the content in chunks of 64 KiB with ChaCha20-Poly1305. Each chunk is bound to its number, and the last
one says that it is the last: a file that was cut short, reordered or changed anywhere does not open. Whoever has a public key can
make such a file, so it says nothing of who made it.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keyturn.errors import Refused
from keyturn.kit import bech32
from keyturn.kit.secret import Plaintext

CHUNK = 64 * 1024
TAG = 16
_INTRO = b"age-encryption.org/v1"
_STANZA = b"X25519"
_PUBLIC, _PRIVATE = "age", "age-secret-key-"
_FILE_KEY, _NONCE = 16, 16
_LONGEST_LINE = 4096
_MOST_LINES = 512
_COLUMNS = 64


class PublicKey:
    """What a backup is made for: ``age1...``. Not a secret."""

    def __init__(self, key: bytes) -> None:
        self.raw = key

    def __str__(self) -> str:
        return bech32.encode(_PUBLIC, self.raw)

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """Read ``age1...``. Raises ValueError that says what is wrong."""
        if text.lower().startswith(_PRIVATE):
            raise ValueError("is a private key; a server needs the public half only, which begins with age1")
        key = bech32.decode(_PUBLIC, text)
        if key is None or len(key) != 32:
            raise ValueError("is not a public key of a backup, which begins with age1, or was mistyped")
        return cls(key)

    def stanza(self, file_key: bytes) -> list[bytes]:
        """Return the lines of a header by which the holder of the private key finds the file key."""
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(self.raw))
        body = _to_text(_wrapping(shared, share, self.raw).encrypt(bytes(12), file_key, None))
        lines = [body[start : start + _COLUMNS] for start in range(0, len(body), _COLUMNS)]
        # The last line of a body is shorter than the others, so that its end can be seen.
        return [b"-> %s %s" % (_STANZA, _to_text(share)), *lines, *([b""] if len(lines[-1]) == _COLUMNS else [])]


class PrivateKey:
    """What opens backups made for its public half: ``AGE-SECRET-KEY-1...``."""

    def __init__(self, key: bytes) -> None:
        self._key = X25519PrivateKey.from_private_bytes(key)
        self._raw = key

    def __repr__(self) -> str:
        return f"PrivateKey(of {self.public})"

    @classmethod
    def generate(cls) -> "PrivateKey":
        return cls(os.urandom(32))

    @classmethod
    def parse(cls, text: str) -> "PrivateKey | None":
        """Read ``AGE-SECRET-KEY-1...``; None for anything else."""
        key = bech32.decode(_PRIVATE, text)
        return cls(key) if key is not None and len(key) == 32 else None

    @property
    def public(self) -> PublicKey:
        return PublicKey(self._key.public_key().public_bytes_raw())

    def reveal(self) -> Plaintext:
        """Return the key as a file holds it."""
        return Plaintext(bech32.encode(_PRIVATE, self._raw).upper())

    def file_key(self, share: bytes, body: bytes) -> bytes | None:
        """Return the file key that a stanza holds; None when it is for another key."""
        try:
            shared = self._key.exchange(X25519PublicKey.from_public_bytes(share))
            return _wrapping(shared, share, self.public.raw).decrypt(bytes(12), body, None)
        except (InvalidTag, ValueError):
            return None


class Encrypting:
    """Writes what it is given to a file, encrypted for these keys. Without :meth:`close` what was written does not open."""

    def __init__(self, file: BinaryIO, keys: Sequence[PublicKey]) -> None:
        file_key, nonce = os.urandom(_FILE_KEY), os.urandom(_NONCE)
        lines = [_INTRO, *(line for key in keys for line in key.stanza(file_key)), b"---"]
        head = b"\n".join(lines)
        file.write(head + b" " + _to_text(_mac(file_key, head)) + b"\n" + nonce)
        self._file = file
        self._cipher = _payload(file_key, nonce)
        self._held = bytearray()
        self._number = 0

    def write(self, data: bytes) -> None:
        self._held += data
        while len(self._held) > CHUNK:  # a full one is kept back: it may be the last
            self._put(last=False)

    def close(self) -> None:
        """Write the last chunk. The file itself stays open."""
        self._put(last=True)

    def _put(self, *, last: bool) -> None:
        chunk = bytes(self._held[:CHUNK])
        del self._held[:CHUNK]
        self._file.write(self._cipher.encrypt(_chunk_nonce(self._number, last=last), chunk, None))
        self._number += 1


def decrypt(file: BinaryIO, keys: Sequence[PrivateKey]) -> Iterator[bytes]:
    """Yield the content in chunks, each after it was found genuine. One chunk is in memory at a time.

    Raises Refused for a file of another kind, one for other keys, and one that was cut short or changed.
    """
    file_key = _open_header(file, keys)
    nonce = file.read(_NONCE)
    if len(nonce) < _NONCE:
        raise cut_short()
    cipher, number = _payload(file_key, nonce), 0
    sealed = file.read(CHUNK + TAG)
    while True:
        following = file.read(CHUNK + TAG)
        try:
            chunk = cipher.decrypt(_chunk_nonce(number, last=not following), sealed, None)
        except (InvalidTag, ValueError):
            raise _why(cipher, number, sealed, following) from None
        if not chunk and number:
            raise changed_file()
        yield chunk
        if not following:
            return
        sealed, number = following, number + 1


def _why(cipher: ChaCha20Poly1305, number: int, sealed: bytes, following: bytes) -> Refused:
    if not following:
        try:
            cipher.decrypt(_chunk_nonce(number, last=False), sealed, None)
        except (InvalidTag, ValueError):
            return cut_short() if len(sealed) < CHUNK + TAG else changed_file()
        return cut_short()
    return changed_file()


def _open_header(file: BinaryIO, keys: Sequence[PrivateKey]) -> bytes:
    if file.readline(_LONGEST_LINE) != _INTRO + b"\n":
        raise foreign()
    head, share, file_key = _INTRO + b"\n", None, None
    body = b""
    for _ in range(_MOST_LINES):
        line = file.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise cut_short()
        text = line[:-1]
        if share is not None and not text.startswith((b"->", b"---")):
            body += text
        elif share is not None and file_key is None:
            file_key = _find(keys, share, body)
        if text.startswith(b"---"):
            if file_key is None:
                raise _other_key(keys)
            if not hmac.compare_digest(_to_text(_mac(file_key, head + b"---")), text[4:]):
                raise changed_file()
            return file_key
        if text.startswith(b"->"):
            parts = text.split(b" ")
            share, body = (parts[2] if len(parts) == 3 and parts[1] == _STANZA else b""), b""
        head += line
    raise foreign()


def _find(keys: Sequence[PrivateKey], share_text: bytes, body_text: bytes) -> bytes | None:
    share, body = _from_text(share_text), _from_text(body_text)
    if len(share) != 32 or len(body) != _FILE_KEY + TAG:
        return None
    return next((found for key in keys if (found := key.file_key(share, body)) is not None), None)


def foreign() -> Refused:
    return Refused(
        "This file is not a backup of Keyturn.",
        code="backup.foreign",
        fix="Give the file that keyturn backup create made, as it is.",
    )


def cut_short() -> Refused:
    return Refused(
        "This backup is not complete: its end is missing.",
        code="backup.truncated",
        fix="Copy it again from where it was made, or take another one.",
    )


def changed_file() -> Refused:
    return Refused(
        "This backup was damaged or changed: a part of it is not what was written.",
        code="backup.damaged",
        fix="Copy it again from where it was made, or take another one.",
    )


def _other_key(keys: Sequence[PrivateKey]) -> Refused:
    at_hand = ", ".join(str(key.public) for key in keys)
    return Refused(
        f"This backup was made for another key than {at_hand}.",
        code="backup.other_key",
        fix="Give the file of the private key that belongs to KEYTURN_BACKUP_PUBLIC_KEYS of the server that made the backup.",
    )


def _wrapping(shared: bytes, share: bytes, public: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(_derived(shared, share + public, _INTRO + b"/" + _STANZA))


def _payload(file_key: bytes, nonce: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(_derived(file_key, nonce, b"payload"))


def _mac(file_key: bytes, head: bytes) -> bytes:
    return hmac.new(_derived(file_key, b"", b"header"), head, hashlib.sha256).digest()


def _derived(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=salt, info=info).derive(key)


def _chunk_nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11) + bytes([last])


def _to_text(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _from_text(text: bytes) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
