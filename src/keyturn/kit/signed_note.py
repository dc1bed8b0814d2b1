"""Signed notes: a text with signatures below it, and the text of a public key. Pure; signing is done elsewhere.

The form is that of https://c2sp.org/signed-note, with Ed25519 (signature type 0x01), so that others' programs verify it, too.
"""

import base64
import binascii
import hashlib

from keyturn.kit.dataclasses import dataclass

_ED25519 = b"\x01"
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64


@dataclass(frozen=True)
class NoteKey:
    """A public key with its name. As a text: ``<name>+<id>+<base64 of type and key>``."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """What signatures name it by: four bytes."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    @property
    def label(self) -> str:
        """Name and id, by which people tell it from others."""
        return f"{self.name}+{self.id.hex()}"

    def __str__(self) -> str:
        return f"{self.label}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "NoteKey | None":
        """Read what ``str`` made; None for anything else, and for a key that does not have the id it claims."""
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        data = _decoded(encoded)
        if not name or data is None or len(data) != 1 + _KEY_BYTES or data[:1] != _ED25519:
            return None
        key = cls(name, data[1:])
        return key if key.id.hex() == key_id else None


@dataclass(frozen=True)
class SignedNote:
    """A text that ends a line, and one signature of it."""

    text: str
    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{self.text}\n\u2014 {self.name} {base64.b64encode(self.key_id + self.signature).decode()}\n"

    @classmethod
    def parse(cls, content: bytes) -> "SignedNote | None":
        """Read a note with one signature, to the last byte; None for anything else."""
        try:
            text, separator, line = content.decode("utf-8").rpartition("\n\n")
        except UnicodeDecodeError:
            return None
        words = line.removesuffix("\n").split(" ")
        if not separator or len(words) != 3 or words[0] != "\u2014":
            return None
        data = _decoded(words[2])
        if data is None or len(data) != 4 + _SIGNATURE_BYTES:
            return None
        note = cls(f"{text}\n", words[1], data[:4], data[4:])
        return note if str(note).encode() == content else None


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
