"""A certificate with its key in a file that somebody renews: an operator, a job, cert-manager. A renewed one counts at once."""

import base64
import hashlib
import threading
from datetime import datetime
from pathlib import Path

from keyturn.errors import KeyturnError, NeedsAction, TooMany
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock
from keyturn.ports.people_sign_in import SignInCertificate
from keyturn.ports.provider import SigningCertificate
from keyturn.providers.azure.key_pairs import dates_of
from keyturn.providers.azure.reading import read_certificate

_LONGEST = 256 * 1024
_DER = b"\x30"
"""How a PFX file begins, and no text that holds PEM."""


class CertificateFile:
    """Reads the file at each use, and opens it when it holds something else than before. Safe to share between threads.

    While what it holds cannot be used, e.g. since it is half written, what it held before is used as long as that is valid.
    """

    def __init__(self, source: Path | Plaintext, passphrase: Plaintext | None, clock: Clock) -> None:
        """``source`` is a file of PEM or PFX; or the certificate and its key themselves, as PEM."""
        self._source = source
        self._passphrase = passphrase
        self._clock = clock
        self._lock = threading.Lock()
        self._digest = b""
        self._newest: SigningCertificate | None = None
        self._fault = ""
        self._used: SigningCertificate | None = None

    def signing(self) -> SigningCertificate:
        """Return what to sign in with now. Raises NeedsAction, without the path of the file: whoever signs in may see it."""
        used, fault = self._now()
        if used is not None and _valid(used, self._clock.now()):
            return used
        ended = "" if fault or used is None else f"It ended on {used.expires_at:%Y-%m-%d at %H:%M} UTC."
        raise NeedsAction(
            f"The certificate with which this server signs in at Entra ID cannot be used. {fault or ended}",
            code="sso.certificate_unusable",
            fix="An operator of this server renews the file of KEYTURN_SSO_CERTIFICATE_FILE, which counts at once, and uploads "
            "the certificate to the application. `keyturn doctor` tells more. Administrators can sign in with their password.",
        )

    def look(self) -> SignInCertificate:
        """Return what is used now, and why what the file holds cannot be."""
        used, fault = self._now()
        return SignInCertificate(used.thumbprint if used else None, used.expires_at if used else None, fault)

    def _now(self) -> tuple[SigningCertificate | None, str]:
        now = self._clock.now()
        with self._lock:
            newest = self._read()
            if newest is not None and (_valid(newest, now) or not _valid(self._used, now)):
                self._used = newest
            return self._used, self._fault or _why_not(newest, self._used, now)

    def _read(self) -> SigningCertificate | None:
        """Return what the file holds; None, and the fault is known, where it is of no use."""
        try:
            content = self._content()
        except OSError as error:
            self._digest, self._newest, self._fault = b"", None, f"Its file cannot be read: {error.strerror}."
            return None
        digest = hashlib.sha256(content).digest()
        if digest == self._digest:
            return self._newest
        text = base64.b64encode(content).decode() if content.startswith(_DER) else content.decode("utf-8", "replace")
        self._newest, self._fault = None, ""
        try:
            # Its dates are judged at each use.
            self._newest = read_certificate(text, Plaintext(""), self._passphrase, None)
        except TooMany as error:
            self._fault = error.message  # it was not opened, so it is tried again
            return None
        except KeyturnError as error:
            self._fault = error.message
        self._digest = digest
        return self._newest

    def _content(self) -> bytes:
        if isinstance(self._source, Plaintext):
            return self._source.reveal().encode()
        with self._source.open("rb") as file:
            return file.read(_LONGEST)


def _valid(certificate: SigningCertificate | None, now: datetime) -> bool:
    return certificate is not None and dates_of(certificate)[0] <= now < certificate.expires_at


def _why_not(newest: SigningCertificate | None, used: SigningCertificate | None, now: datetime) -> str:
    """Say why the dates of what the file holds are wrong. That the one in use has ended is told by its end."""
    if newest is None:
        return ""
    begins = dates_of(newest)[0]
    if now < begins:
        return f"It is valid only from {begins:%Y-%m-%d %H:%M} UTC."
    return "" if newest is used else f"The one in its file ended on {newest.expires_at:%Y-%m-%d %H:%M} UTC."
