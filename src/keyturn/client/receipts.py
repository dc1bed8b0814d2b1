"""Verifies the receipt of a rotation, offline: nothing but the file and the server's public key is needed."""

import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from keyturn.errors import Refused
from keyturn.kit.signed_note import NoteKey, SignedNote


def verify_receipt(content: bytes, key_text: str) -> tuple[NoteKey, dict[str, Any]]:
    """Return what a receipt says, and which of the keys has signed it; ``key_text`` is one or more, with white space between.

    Raises Refused for one that is not, to the last byte, what the owner of one of the keys signed.
    """
    keys = [NoteKey.parse(word) for word in key_text.split()]
    known = {(key.name, key.id): key for key in keys if key is not None}
    if not known or None in keys:
        raise Refused(
            "This is no public key of receipts.",
            code="receipt.key_invalid",
            fix="Give the lines that `keyturn receipt key --all` or GET /api/v1/receipt-keys prints: keyturn-receipts+...",
        )
    note = SignedNote.parse(content)
    if note is None:
        raise Refused(
            "The file is no receipt, or a part of it is missing.",
            code="receipt.unreadable",
            fix="Get it again from the page of the rotation, and do not open it with a program that changes files.",
        )
    key = known.get((note.name, note.key_id))
    if key is None:
        given = ", ".join(each.label for each in known.values())
        raise Refused(
            f"The receipt was signed with another key: {note.name}+{note.key_id.hex()}, not {given}.",
            code="receipt.key_foreign",
            fix="Give all keys of the server that made the receipt, as `keyturn receipt key --all` or GET /api/v1/receipt-keys"
            " prints them. If that is what you did, somebody else made the receipt.",
        )
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(note.signature, note.text.encode())
    except InvalidSignature:
        raise Refused(
            "The receipt was changed: its signature does not hold.",
            code="receipt.changed",
            fix="Get it again from the page of the rotation.",
        ) from None
    said: dict[str, Any] = json.loads(note.text)
    return key, said
