"""How client secrets of machine identities are kept: 256 random bits, so a keyed digest says enough, and it is quick.

Releases before kept Argon2id hashes. Those are still known, and become digests when they are next used; so do digests
under an older data key.
"""

from collections.abc import Sequence

from keyturn.crypto.hashing import Hasher
from keyturn.errors import Misconfigured
from keyturn.identities.domain import IdentityClientSecret
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.ports.sealing import Digests

_ARGON2 = "$argon2"


@dataclass
class ClientSecretDigests:
    """``digests`` is needed to make and to check client secrets; the operator's commands work without."""

    digests: Digests | None
    hasher: Hasher

    def keep(self, secret: Plaintext, secret_id: str) -> str:
        """Return what is stored of a client secret."""
        return self._known().digest(secret, _place(secret_id))

    def match(self, candidates: Sequence[IdentityClientSecret], plaintext: Plaintext) -> IdentityClientSecret | None:
        """Return the one that the given text is. Takes tens of milliseconds for a hash of an older release."""
        return next((each for each in candidates if self._is(each, plaintext)), None)

    def renewed(self, matched: IdentityClientSecret, plaintext: Plaintext) -> str | None:
        """Return what is to be stored instead, None when it is kept as a new one would be."""
        return self.keep(plaintext, matched.id) if self._known().aged(matched.hash) else None

    def _is(self, candidate: IdentityClientSecret, plaintext: Plaintext) -> bool:
        if candidate.hash.startswith(_ARGON2):
            return self.hasher.verify(candidate.hash, plaintext)
        return self._known().matches(candidate.hash, plaintext, _place(candidate.id))

    def _known(self) -> Digests:
        if self.digests is None:
            raise Misconfigured("This process has no keyring for client secrets.", code="access.no_keyring")
        return self.digests


def _place(secret_id: str) -> SealContext:
    return SealContext("client_secrets", secret_id, "hash")
