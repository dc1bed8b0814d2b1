"""The keys of simulated worlds: few, and not checked, since making or checking one takes longer than all else."""

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import cycle

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from entra_emulator import SigningKey
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import SigningCertificate
from keyturn.providers.azure.key_pairs import dates_of, new_key, new_pair
from keyturn.providers.azure.provider import AzureProvider

KEYS_IN_POOL = 6
"""Private keys are used over and over in all worlds of a process."""

_LINES_OF_A_KEY = {27, 28}
"""In the forms of PKCS#1 and PKCS#8."""
_uploaded: dict[tuple[str, str], SigningCertificate] = {}


@cache
def signing_key() -> SigningKey:
    """The key with which Entra signs tokens in all worlds of this process."""
    return SigningKey(bits=1024)


def key_pool() -> Iterator[RSAPrivateKey]:
    """Yield the same few private keys for ever."""
    return (_pool_key(number) for number in cycle(range(KEYS_IN_POOL)))


def private_lines(key: Plaintext) -> list[str]:
    """Return the lines of a private key's file (PEM, RSA of 2048 bits) that nobody may ever see.

    The first ones are left out: they are the modulus, which every certificate of the key shows as well. Raises ValueError
    for another key, of which too little or too much would be left.
    """
    lines = key.reveal().splitlines()
    if len(lines) not in _LINES_OF_A_KEY:
        raise ValueError("not the file of an RSA key of 2048 bits")
    return lines[7:-1]


def uploaded_pair(key: RSAPrivateKey, now: datetime, ends_at: datetime) -> SigningCertificate:
    """Make a pair as a user does, who uploads the certificate by hand. Simulated servers take it without another look."""
    signing = new_pair(key, "uploaded by hand", now, ends_at)
    _uploaded[signing.chain, signing.private_key.reveal()] = signing
    return signing


class SimulatedProvider(AzureProvider):
    """The product's provider, which believes the uploaded pairs of this process to be sound."""

    def read_certificate(
        self, certificate: str, private_key: Plaintext, passphrase: Plaintext | None, now: datetime | None
    ) -> SigningCertificate:
        signing = _uploaded.get((certificate, private_key.reveal()))
        if signing and passphrase is None:
            begins, ends, _ = dates_of(signing)
            if now is None or begins <= now < ends:
                return signing
        return super().read_certificate(certificate, private_key, passphrase, now)


@cache
def _pool_key(_number: int) -> RSAPrivateKey:
    return new_key()
