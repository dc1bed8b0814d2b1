"""Opens private keys and PFX files. Run as a program it opens one in a process of its own, which can be ended.

Reading holds the interpreter for as long as it takes, so whatever may take long is not read inside the server. The program
takes one line of JSON and gives one back; secrets go through pipes only, never through arguments or the environment.
"""

import base64
import json
import resource
import sys
from dataclasses import field

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.panics import Panicked, contain_panics

_OTHERS = (
    (EllipticCurvePrivateKey, "an elliptic curve (EC) key"),
    (Ed25519PrivateKey, "an Ed25519 key"),
    (Ed448PrivateKey, "an Ed448 key"),
)
CPU_SECONDS = 30
MEMORY = 2**30


class Unopened(Exception):
    """Why not: ``passphrase``, ``unsupported`` or ``malformed``."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class OpenedKeyFile:
    """A key as unencrypted PKCS#8 (None: not an RSA key, ``other`` says what), and the certificates beside it, all DER."""

    key: bytes | None = field(repr=False)
    certificates: tuple[bytes, ...] = ()
    other: str | None = None
    bits: int = 0


def open_file(form: str, data: bytes, passphrase: bytes | None) -> OpenedKeyFile:
    """Open ``der`` (a key), ``pem`` (a key in the old encryption) or ``pfx``. Raises Unopened."""
    try:
        with contain_panics():
            return _read(form, data, passphrase)
    except Panicked:
        raise Unopened("malformed") from None
    except (UnsupportedAlgorithm, InternalError, NotImplementedError):
        raise Unopened("unsupported") from None
    except TypeError:
        raise Unopened("passphrase") from None
    except ValueError:
        raise Unopened("malformed" if passphrase is None and form != "pfx" else "passphrase") from None


def _read(form: str, data: bytes, passphrase: bytes | None) -> OpenedKeyFile:
    if form == "pfx":
        pfx = load_pkcs12(data, passphrase)
        chain = [cert.certificate for cert in (pfx.cert, *pfx.additional_certs) if cert]
        return _opened(pfx.key, tuple(certificate.public_bytes(Encoding.DER) for certificate in chain))
    return _opened((load_pem_private_key if form == "pem" else load_der_private_key)(data, passphrase))


def _opened(key: object, certificates: tuple[bytes, ...] = ()) -> OpenedKeyFile:
    if key is None:
        return OpenedKeyFile(None, certificates)
    if not isinstance(key, RSAPrivateKey):
        return OpenedKeyFile(
            None, certificates, next((name for kind, name in _OTHERS if isinstance(key, kind)), "not an RSA key")
        )
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return OpenedKeyFile(der, certificates, None, key.key_size)


def encode(key_file: OpenedKeyFile) -> dict[str, object]:
    """Return it as JSON can hold it."""
    return {
        "key": None if key_file.key is None else base64.b64encode(key_file.key).decode(),
        "certificates": [base64.b64encode(certificate).decode() for certificate in key_file.certificates],
        "other": key_file.other,
        "bits": key_file.bits,
    }


def decode(text: bytes) -> OpenedKeyFile:
    """Read what the program printed. Raises Unopened for what it refused, ValueError for anything else."""
    data = json.loads(text)
    if "why" in data:
        raise Unopened(data["why"])
    certificates = tuple(base64.b64decode(certificate) for certificate in data["certificates"])
    return OpenedKeyFile(
        base64.b64decode(data["key"]) if data["key"] else None, certificates, data["other"], data["bits"]
    )


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    request = json.loads(sys.stdin.buffer.readline())
    passphrase = None if request["passphrase"] is None else request["passphrase"].encode()
    try:
        answer = encode(open_file(request["form"], base64.b64decode(request["data"]), passphrase))
    except Unopened as unopened:
        answer = {"why": unopened.why}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
