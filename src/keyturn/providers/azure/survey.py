"""What was pasted as certificate and key, looked at together before anything is opened: every mistake of both at once."""

from collections.abc import Iterator
from dataclasses import field

from keyturn.kit import pasted
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure import file_words as words
from keyturn.providers.azure.der import DerKind
from keyturn.providers.azure.files import Piece, pieces
from keyturn.providers.azure.manifest import LONGEST_PEM
from keyturn.providers.azure.paste_checks import PasteFault

CERTIFICATE, KEY = "certificateBody", "privateKey"
MOST_CERTIFICATES = 10
MOST_KEYS = 4
_SEEN_IN_TEXT = 4000


@dataclass(frozen=True)
class Pasted:
    """The pieces by the field that they stand in."""

    certificate: tuple[Piece, ...]
    key: tuple[Piece, ...]
    texts: tuple[str, str] = field(default=("", ""), repr=False)

    @classmethod
    def of(cls, certificate: str, key: Plaintext) -> "Pasted":
        texts = (certificate, key.reveal())
        blocks = [tuple(pieces(text)) if len(text) <= LONGEST_PEM else () for text in texts]
        return cls(blocks[0], blocks[1], texts)

    def each(self) -> Iterator[tuple[str, Piece]]:
        """Return all with their field, those of the certificate's first."""
        yield from ((CERTIFICATE, piece) for piece in self.certificate)
        yield from ((KEY, piece) for piece in self.key)

    def openable(self) -> list[tuple[str, Piece]]:
        """Return keys and PFX files, those of the key's field first."""
        candidates = [(name, piece) for name, piece in self.each() if piece.is_key or piece.kind == DerKind.PFX]
        return sorted(candidates, key=lambda each: each[0] != KEY)


def survey(fields: Pasted) -> list[PasteFault]:
    """Return what is wrong with the two fields, as far as it shows without opening anything. Empty: all may be well."""
    faults = [fault for fault in map(_flaw, fields.each()) if fault]
    wrong = {fault.field for fault in faults}
    long = {name for name, text in zip((CERTIFICATE, KEY), fields.texts, strict=True) if len(text) > LONGEST_PEM}
    faults += [_made(name, f"A file has at most {LONGEST_PEM} characters.", _paste(name)) for name in sorted(long)]
    wrong |= long
    pfx = any(piece.kind == DerKind.PFX for _, piece in fields.each())
    certificates = [piece for _, piece in fields.each() if piece.is_certificate]
    if not (certificates or pfx) and CERTIFICATE not in wrong:
        faults.append(_instead(CERTIFICATE, fields.certificate, fields.texts[0]))
    if not (any(piece.is_key for _, piece in fields.each()) or pfx) and KEY not in wrong:
        faults.append(_instead(KEY, fields.key, fields.texts[1]))
    return faults or _too_many(fields, len({piece.data for piece in certificates}))


def _too_many(fields: Pasted, certificates: int) -> list[PasteFault]:
    if certificates > MOST_CERTIFICATES:
        message = f"{certificates} certificates are pasted; at most {MOST_CERTIFICATES} are read."
        return [certificate_fault(CERTIFICATE, message, "Paste the application's own certificate.")]
    if len(fields.openable()) > MOST_KEYS:
        message = f"{len(fields.openable())} private keys are pasted; at most {MOST_KEYS} are tried."
        return [key_fault(KEY, message, "Paste the key that was made with the certificate.")]
    return []


def _flaw(piece_in_field: tuple[str, Piece]) -> PasteFault | None:
    name, piece = piece_in_field
    if piece.flaw is None:
        return None
    if piece.kind == DerKind.CERTIFICATE:
        message = f"The certificate cannot be read: {piece.flaw}."
        return certificate_fault(name, message, f"{words.PEM_CERTIFICATE} {words.CHECK_CERTIFICATE}")
    if piece.is_key:
        return key_fault(name, f"The private key cannot be read: {piece.flaw}.", f"{words.PEM_KEY} {words.CHECK_KEY}")
    return _made(name, f"This cannot be read: {piece.flaw}.", f"{_paste(name)} {words.FROM_PFX}")


def _instead(name: str, stands: tuple[Piece, ...], text: str) -> PasteFault:
    """Say what stands there instead of what is needed."""
    what = "certificate" if name == CERTIFICATE else "private key"
    kinds = [piece.kind for piece in stands]
    mistake = next((each_mistake for each_mistake in map(words.mistake_of, kinds) if each_mistake), None)
    if not stands:
        return _made(name, f"The {what} is empty." if text else f"The {what} is missing.", _paste(name))
    if mistake:
        return _made(name, f"This is {mistake.what}.", mistake.fix)
    if name == CERTIFICATE and stands[0].is_key:
        message = "This is a private key, not the certificate."
        return PasteFault(name, "azure.key_pasted", message, f"{words.PEM_CERTIFICATE} {words.FROM_PFX}")
    if name == KEY and stands[0].is_certificate:
        message = "This is a certificate, not its private key."
        return PasteFault(name, "azure.certificate_pasted", message, f"{words.PEM_KEY} {words.FROM_PFX}")
    unseen = pasted.unseen(text[:_SEEN_IN_TEXT])
    note = f" It holds {unseen}, which cannot be seen." if unseen else ""
    return _made(
        name, f"This is not a {what} in PEM form, nor base64 of one.{note}", f"{_paste(name)} {words.FROM_PFX}"
    )


def _paste(name: str) -> str:
    return words.PEM_CERTIFICATE if name == CERTIFICATE else words.PEM_KEY


def _made(name: str, message: str, fix: str) -> PasteFault:
    return (certificate_fault if name == CERTIFICATE else key_fault)(name, message, fix)


def certificate_fault(name: str, message: str, fix: str) -> PasteFault:
    return PasteFault(name, "azure.certificate_malformed", message, fix)


def key_fault(name: str, message: str, fix: str) -> PasteFault:
    return PasteFault(name, "azure.key_malformed", message, fix)
