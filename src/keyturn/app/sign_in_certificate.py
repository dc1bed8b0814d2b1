"""The certificate with which this server signs in as the application through which people do, where the settings name one."""

from collections.abc import Callable

from keyturn.ports.clock import Clock
from keyturn.ports.people_sign_in import SignInCertificate
from keyturn.providers.azure.certificate_file import CertificateFile
from keyturn.settings.model import Settings


def certificate_file(settings: Settings, clock: Clock) -> CertificateFile | None:
    """Return what reads it. Nothing is read yet."""
    sso = settings.sso
    if sso is None or sso.certificate is None:
        return None
    return CertificateFile(sso.certificate, sso.certificate_passphrase, clock)


def look_at(file: CertificateFile | None) -> Callable[[], SignInCertificate | None]:
    """Return what tells which certificate is used now; None: people do not sign in by one."""
    return file.look if file is not None else lambda: None
