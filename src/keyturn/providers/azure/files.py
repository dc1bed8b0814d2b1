"""What stands in the text that somebody pasted as certificate or key: pieces, each with its kind. Nothing is opened here."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import field
from itertools import islice

from keyturn.kit import pasted
from keyturn.kit.dataclasses import dataclass
from keyturn.providers.azure.der import DerItem, DerKind, Short, first, kind_of

MOST_PIECES = 40
_LONGEST_LABEL = 40
_MOST_DASHES = 12
_WORDS = re.compile(rf"(?<![A-Z0-9])(BEGIN|END) ([A-Z0-9][A-Z0-9 ]{{0,{_LONGEST_LABEL}}})")
_DEK = re.compile(
    r"DEK-Info:\s*(?:((?:AES|CAMELLIA|ARIA|SEED)[A-Z0-9-]{0,20}),([0-9A-F]{32})|([A-Z0-9-]{2,24}),([0-9A-F]{16}))",
    re.IGNORECASE,
)
_DASHES_IN_BASE64 = "LS0t"
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")
_CERTIFICATES = frozenset({"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"})
_OTHERS = {
    "OPENSSH PRIVATE KEY": "OPENSSH",
    "SSH2 PUBLIC KEY": "SSH-PUBLIC",
    "SSH2 ENCRYPTED PRIVATE KEY": "OPENSSH",
    "PGP PUBLIC KEY BLOCK": "PGP",
    "PGP PRIVATE KEY BLOCK": "PGP",
    "PGP MESSAGE": "PGP",
}
_BEGINNINGS = (
    ("ssh-", "SSH-PUBLIC"),
    ("ecdsa-sha2-", "SSH-PUBLIC"),
    ("PuTTY-User-Key-File", "PUTTY"),
    ("{", "JSON"),
    ("[", "JSON"),
    ("eyJ", "TOKEN"),
)
_KEY_STORES = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")
KEYS = frozenset({DerKind.KEY, DerKind.RSA_KEY, DerKind.EC_KEY, DerKind.DSA_KEY, DerKind.ENCRYPTED_KEY})


@dataclass(frozen=True)
class Piece:
    """One thing that stands in a text. ``kind`` is a Kind, or in capitals the name of a form that is not DER.

    ``dek`` is the cipher and its start of the old encryption of PEM. ``flaw`` says why it cannot be read, in words.
    """

    kind: str
    data: bytes = field(default=b"", repr=False)
    label: str | None = None
    dek: tuple[str, str] | None = None
    flaw: str | None = None

    @property
    def is_key(self) -> bool:
        return self.kind in KEYS

    @property
    def is_certificate(self) -> bool:
        return self.kind == DerKind.CERTIFICATE


def pieces(text: str) -> list[Piece]:
    """Return what stands in the text, in order: blocks of PEM, or the one thing that it is as a whole. At most 40."""
    plain = pasted.block(text)
    if not plain:
        return []
    return _pem_pieces(plain) or _pem_pieces(_pem_in(plain)) or [_bare(plain)]


# --- PEM --------------------------------------------------------------------------------------------------------------


def _pem_pieces(text: str) -> list[Piece]:
    return [_piece(label, body, closed=closed) for label, body, closed in islice(_blocks(text), MOST_PIECES)]


def _pem_in(text: str) -> str:
    """Return the PEM whose base64 this is, as variables of pipelines and secrets of Kubernetes hold it; else nothing."""
    if not text.startswith(_DASHES_IN_BASE64):
        return ""
    data, flaw = _decoded(text)
    return "" if flaw else pasted.block(data.decode("ascii", "ignore"))


def _blocks(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield label, body and whether an END was found. Each line is looked at once, however many BEGINs there are."""
    open_label, start = None, 0
    for match in _WORDS.finditer(text):
        left, right = _edges(text, match.start(), match.start(2) + len(match[2].rstrip()))
        if left == match.start() and right == match.start(2) + len(match[2].rstrip()):
            continue  # no dashes: plain words
        if match[1] == "BEGIN":
            if open_label is not None:
                yield open_label, text[start:left], False
            open_label, start = match[2].strip(), right
        elif open_label is not None:
            yield open_label, text[start:left], True
            open_label = None
    if open_label is not None:
        yield open_label, text[start:], False


def _edges(text: str, left: int, right: int) -> tuple[int, int]:
    """Return where the dashes around the words begin and end. Word processors make long dashes of them."""
    begin, end = left, right
    while begin > 0 and left - begin < _MOST_DASHES and text[begin - 1] in pasted.DASHES + " ":
        begin -= 1
    while end < len(text) and end - right < _MOST_DASHES and text[end] in pasted.DASHES + " ":
        end += 1
    dashes = set(pasted.DASHES)
    return (begin if dashes & set(text[begin:left]) else left), (end if dashes & set(text[right:end]) else right)


def _piece(label: str, body: str, *, closed: bool) -> Piece:
    if label in _OTHERS:
        return Piece(_OTHERS[label], label=label)
    dek = _DEK.search(body[:1000])
    if dek:
        data, flaw = _decoded(body[dek.end() :])
        return Piece(DerKind.ENCRYPTED_KEY, data, label, ((dek[1] or dek[3]).upper(), (dek[2] or dek[4]).upper()), flaw)
    data, flaw = _decoded(body)
    piece = _made(data, label)
    flaw = flaw or piece.flaw
    if flaw and not closed:
        flaw = f"its last line (-----END {label}-----) is missing"
    if not flaw:
        return Piece(piece.kind, piece.data, label)
    kind = _by_label(label)
    # Parameters of elliptic curves and the like stand beside what matters.
    return Piece(kind, b"", label, None, flaw if kind in KEYS | {DerKind.CERTIFICATE} else None)


def _by_label(label: str) -> str:
    if label in _CERTIFICATES:
        return DerKind.CERTIFICATE
    if label == "ENCRYPTED PRIVATE KEY":
        return DerKind.ENCRYPTED_KEY
    if label.endswith("PRIVATE KEY"):
        return DerKind.KEY
    return {"PKCS7": DerKind.PKCS7, "CERTIFICATE REQUEST": DerKind.REQUEST}.get(label, DerKind.UNKNOWN)


def _decoded(body: str) -> tuple[bytes, str | None]:
    """Return the bytes of base64, whatever white space is in it, and what is wrong with it."""
    text = "".join(body.split()).strip(pasted.QUOTES + ",;")
    text = text.replace("-", "+").replace("_", "/").rstrip("=")
    odd = _NOT_BASE64.search(text)
    if odd:
        description = pasted.unseen(odd[0]) or f"the character {odd[0]!r}"
        return b"", f"it holds {description}, which does not belong there"
    if not text:
        return b"", "nothing stands between its first and its last line"
    try:
        return base64.b64decode(text[: len(text) - (len(text) % 4 == 1)] + "=" * (-len(text) % 4)), None
    except (binascii.Error, ValueError):
        return b"", "it ends too early"


def _made(data: bytes, label: str | None) -> Piece:
    """Return the piece that these bytes are, by their form: labels are often wrong."""
    if not data:
        return Piece(DerKind.UNKNOWN)
    if data[:4] in _KEY_STORES:
        return Piece("JKS", label=label)
    try:
        kind = kind_of(data)
        if kind is DerKind.PFX or data[1:2] == b"\x80":
            return Piece(kind, data, label)
        # Behind a TRUSTED CERTIFICATE stands what OpenSSL trusts it for.
        _, end = first(data)
    except Short as short:
        return Piece(
            DerKind.UNKNOWN, b"", label, None, f"{short.there} of {short.needed} bytes are there, the end is missing"
        )
    except ValueError:
        return Piece(DerKind.UNKNOWN, b"", label, None, "what it holds has no form that is known here")
    if kind is DerKind.UNKNOWN:
        return Piece(kind, b"", label, None, "what it holds has no form that is known here")
    return Piece(kind, data[:end], label)


# --- without PEM ------------------------------------------------------------------------------------------------------


def _bare(text: str) -> Piece:
    for beginning, kind in _BEGINNINGS:
        if text.startswith(beginning):
            return Piece(kind)
    data, flaw = _decoded(text)
    if flaw or len(data) < 2 or data[0] != DerItem(0x30, b"").tag:
        return Piece("JKS") if data[:4] in _KEY_STORES else Piece("TEXT")
    piece = _made(data, None)
    return Piece("TEXT", flaw=piece.flaw if len(data) > 64 else None) if piece.flaw else piece
