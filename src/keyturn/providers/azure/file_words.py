"""What people are told of a file that cannot be taken: what it is, and the command that makes of it what can."""

from collections.abc import Mapping

from keyturn.kit.dataclasses import dataclass
from keyturn.providers.azure.der import DerKind

PEM_CERTIFICATE = "Paste the whole text from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----."
PEM_KEY = "Paste the whole text from -----BEGIN PRIVATE KEY----- to -----END PRIVATE KEY-----."
CHECK_CERTIFICATE = "Command to check it: `openssl x509 -in certificate.pem -noout -subject -dates`."
CHECK_KEY = "Command to check it: `openssl pkey -in key.pem -noout`."
FROM_PFX = "From a .pfx file: read the file itself, or `openssl pkcs12 -in file.pfx -nodes -out both.pem`."
OLD_PFX = "Convert it: `openssl pkcs12 -legacy -in file.pfx -nodes -out both.pem`, then paste both.pem."


@dataclass(frozen=True)
class FileMistake:
    """``what`` completes "This is ...". ``fix`` is a command or what to paste instead."""

    what: str
    fix: str


_OPENSSH = FileMistake(
    "a key in the form of OpenSSH",
    "Convert a copy of the file: `cp id_rsa key.pem` and `ssh-keygen -p -N '' -m PKCS8 -f key.pem`, then paste key.pem.",
)
_WORDS: Mapping[str, FileMistake] = {
    DerKind.PKCS7: FileMistake(
        "a PKCS #7 file (.p7b, .p7c): it may hold certificates, but never a private key",
        "Convert it: `openssl pkcs7 -in file.p7b -print_certs -out certificate.pem` (with `-inform der` if that fails).",
    ),
    DerKind.REQUEST: FileMistake(
        "a request for a certificate, not the certificate",
        "Paste the certificate that was issued for it. To sign it yourself: `openssl x509 -req -in request.csr -signkey key.pem "
        "-days 365 -out certificate.pem`.",
    ),
    DerKind.PUBLIC_KEY: FileMistake(
        "a public key", "It is neither the certificate nor the private key, which was made with it."
    ),
    DerKind.REVOCATIONS: FileMistake(
        "a list of revoked certificates (CRL)", "Paste the application's own certificate."
    ),
    DerKind.PFX: FileMistake("a PFX file (PKCS #12)", FROM_PFX),
    "OPENSSH": _OPENSSH,
    "SSH-PUBLIC": FileMistake(
        "a public key of SSH", "It is neither a certificate nor a private key that can sign in to Entra ID."
    ),
    "PUTTY": FileMistake(
        "a key in the form of PuTTY (.ppk)",
        "Convert it: `puttygen file.ppk -O private-openssh -o key.pem` and `ssh-keygen -p -N '' -m PKCS8 -f key.pem`.",
    ),
    "PGP": FileMistake("a key or a message of PGP", "Entra ID knows only X.509 certificates with RSA keys."),
    "JKS": FileMistake(
        "a key store of Java",
        "Convert it: `keytool -importkeystore -srckeystore file.jks -destkeystore file.p12 -deststoretype PKCS12`, then read "
        "file.p12.",
    ),
    "JSON": FileMistake("JSON", "Paste only the certificate or the key that stands in it."),
    "TOKEN": FileMistake("a token", "A certificate and its private key are needed."),
}


def mistake_of(kind: str) -> FileMistake | None:
    """Return the words for a kind of file; None for what is a certificate, a key, or nothing that is known."""
    return _WORDS.get(kind)
