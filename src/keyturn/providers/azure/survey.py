"""What was pasted as certificate and key, looked at together before anything is opened: every mistake of both at once."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from keyturn.kit import pasted
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure import file_words as words
from keyturn.providers.azure.connect import Fault
from keyturn.providers.azure.der import Kind
from keyturn.providers.azure.files import Piece, pieces
from keyturn.providers.azure.manifest import LONGEST_PEM

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
        found = [tuple(pieces(text)) if len(text) <= LONGEST_PEM else () for text in texts]
        return cls(found[0], found[1], texts)

    def each(self) -> Iterator[tuple[str, Piece]]:
        """Return all with their field, those of the certificate's first."""
        yield from ((CERTIFICATE, piece) for piece in self.certificate)
        yield from ((KEY, piece) for piece in self.key)

    def openable(self) -> list[tuple[str, Piece]]:
        """Return keys and PFX files, those of the key's field first."""
        found = [(name, piece) for name, piece in self.each() if piece.is_key or piece.kind == Kind.PFX]
        return sorted(found, key=lambda one: one[0] != KEY)


def survey(found: Pasted) -> list[Fault]:
    """Return what is wrong with the two fields, as far as it shows without opening anything. Empty: all may be well."""
    faults = [fault for fault in map(_flaw, found.each()) if fault]
    wrong = {fault.field for fault in faults}
    long = {name for name, text in zip((CERTIFICATE, KEY), found.texts, strict=True) if len(text) > LONGEST_PEM}
    faults += [_made(name, f"A file has at most {LONGEST_PEM} characters.", _paste(name)) for name in sorted(long)]
    wrong |= long
    pfx = any(piece.kind == Kind.PFX for _, piece in found.each())
    certificates = [piece for _, piece in found.each() if piece.is_certificate]
    if not (certificates or pfx) and CERTIFICATE not in wrong:
        faults.append(_instead(CERTIFICATE, found.certificate, found.texts[0]))
    if not (any(piece.is_key for _, piece in found.each()) or pfx) and KEY not in wrong:
        faults.append(_instead(KEY, found.key, found.texts[1]))
    return faults or _too_many(found, len({piece.data for piece in certificates}))


def _too_many(found: Pasted, certificates: int) -> list[Fault]:
    if certificates > MOST_CERTIFICATES:
        message = f"{certificates} certificates are pasted; at most {MOST_CERTIFICATES} are read."
        return [certificate_fault(CERTIFICATE, message, "Paste the application's own certificate.")]
    if len(found.openable()) > MOST_KEYS:
        message = f"{len(found.openable())} private keys are pasted; at most {MOST_KEYS} are tried."
        return [key_fault(KEY, message, "Paste the key that was made with the certificate.")]
    return []


def _flaw(one: tuple[str, Piece]) -> Fault | None:
    name, piece = one
    if piece.flaw is None:
        return None
    if piece.kind == Kind.CERTIFICATE:
        message = f"The certificate cannot be read: {piece.flaw}."
        return certificate_fault(name, message, f"{words.PEM_CERTIFICATE} {words.CHECK_CERTIFICATE}")
    if piece.is_key:
        return key_fault(name, f"The private key cannot be read: {piece.flaw}.", f"{words.PEM_KEY} {words.CHECK_KEY}")
    return _made(name, f"This cannot be read: {piece.flaw}.", f"{_paste(name)} {words.FROM_PFX}")


def _instead(name: str, stands: tuple[Piece, ...], text: str) -> Fault:
    """Say what stands there instead of what is needed."""
    what = "certificate" if name == CERTIFICATE else "private key"
    kinds = [piece.kind for piece in stands]
    known = next((told for told in map(words.told, kinds) if told), None)
    if not stands:
        return _made(name, f"The {what} is empty." if text else f"The {what} is missing.", _paste(name))
    if known:
        return _made(name, f"This is {known.what}.", known.fix)
    if name == CERTIFICATE and stands[0].is_key:
        message = "This is a private key, not the certificate."
        return Fault(name, "azure.key_pasted", message, f"{words.PEM_CERTIFICATE} {words.FROM_PFX}")
    if name == KEY and stands[0].is_certificate:
        message = "This is a certificate, not its private key."
        return Fault(name, "azure.certificate_pasted", message, f"{words.PEM_KEY} {words.FROM_PFX}")
    unseen = pasted.unseen(text[:_SEEN_IN_TEXT])
    seen = f" It holds {unseen}, which cannot be seen." if unseen else ""
    return _made(
        name, f"This is not a {what} in PEM form, nor base64 of one.{seen}", f"{_paste(name)} {words.FROM_PFX}"
    )


def _paste(name: str) -> str:
    return words.PEM_CERTIFICATE if name == CERTIFICATE else words.PEM_KEY


def _made(name: str, message: str, fix: str) -> Fault:
    return (certificate_fault if name == CERTIFICATE else key_fault)(name, message, fix)


def certificate_fault(name: str, message: str, fix: str) -> Fault:
    return Fault(name, "azure.certificate_malformed", message, fix)


def key_fault(name: str, message: str, fix: str) -> Fault:
    return Fault(name, "azure.key_malformed", message, fix)
