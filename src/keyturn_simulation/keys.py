"""The keys of simulated worlds: few, and looked at once, since making or checking one takes longer than all else."""

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import cycle

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from entra_emulator import SigningKey
from keyturn.kit.secret import Plaintext
from keyturn.ports import SigningCertificate
from keyturn.providers.azure.key_pairs import dates_of, new_key
from keyturn.providers.azure.provider import AzureProvider

KEYS_MADE = 6
"""Private keys are used over and over in all worlds of a process."""

_read: dict[tuple[str, str], SigningCertificate] = {}


@cache
def signing_key() -> SigningKey:
    """The key with which Entra signs tokens in all worlds of this process."""
    return SigningKey(bits=1024)


def key_pool() -> Iterator[RSAPrivateKey]:
    """Yield the same few private keys for ever."""
    return (_pooled(number) for number in cycle(range(KEYS_MADE)))


def private_lines(key: Plaintext) -> list[str]:
    """Return the lines of a private key's file (PKCS#8, RSA of 2048 bits or more) that nobody may ever see.

    The first ones are left out: they are the modulus, which every certificate of the key shows as well.
    """
    return key.reveal().splitlines()[7:-1]


class SimulatedProvider(AzureProvider):
    """The product's provider, which does not check again a certificate and key without passphrase that it once found good."""

    def read_certificate(
        self, certificate: str, private_key: Plaintext, passphrase: Plaintext | None, now: datetime | None
    ) -> SigningCertificate:
        known = None if passphrase else _read.get((certificate, private_key.reveal()))
        if known and now:
            begins, ends, _ = dates_of(known)
            known = known if begins <= now < ends else None
        if known:
            return known
        found = super().read_certificate(certificate, private_key, passphrase, now)
        if not passphrase:
            _read[certificate, private_key.reveal()] = found
        return found


@cache
def _pooled(_number: int) -> RSAPrivateKey:
    return new_key()
