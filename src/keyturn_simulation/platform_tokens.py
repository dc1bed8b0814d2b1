"""The platform that gives the servers an identity: tokens of its workloads, and what goes wrong with them."""

from dataclasses import dataclass
from datetime import timedelta

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from entra_emulator import Emulator
from keyturn.errors import NeedsAction, Retryable
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock
from keyturn.providers.token_sources import TokenSources
from keyturn_simulation.keys import key_pool

ISSUER = "https://cluster.example/"
SOURCES = {"aks": "system:serviceaccount:keyturn:server", "runner": "repo:contoso/keyturn:ref:refs/heads/main"}
"""Subjects by the names of the token sources."""
RENAMED = "somebody else"
"""The subject that a source presents while it is in trouble of that kind."""
KEY_ID = "k1"
_LIVES = timedelta(minutes=10)


def trust_of(app_id: str, issuer: str, subject: str) -> str:
    """Return what an application trusts, as one text: it trusts the same only once."""
    return f"{app_id.lower()} {issuer} {subject}"


class Platform:
    """Every server has the same sources. ``trouble`` says what is wrong with the tokens of a source, by its name."""

    def __init__(self) -> None:
        self.trouble: dict[str, str] = {}
        self._clock: Clock | None = None
        self.sources = TokenSources({name: _Source(self, name) for name in SOURCES})

    def open(self, clock: Clock, emulator: Emulator) -> None:
        """Have it issue tokens by this clock, whose key this Entra ID knows."""
        self._clock = clock
        pem = next(key_pool()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        emulator.admin.trust_issuer(ISSUER, KEY_ID, pem)

    def token(self, name: str, audience: str) -> Plaintext:
        trouble = self.trouble.get(name)
        if self._clock is None or trouble == "unreadable":
            raise NeedsAction("The file cannot be read.", code="token_source.file_unreadable")
        if trouble == "unreachable":
            raise Retryable("It did not answer.", code="token_source.unreachable")
        issued = self._clock.now() - (timedelta(hours=2) if trouble == "not renewed" else timedelta(0))
        subject = RENAMED if trouble == "renamed" else SOURCES[name]
        claims = {"iss": ISSUER, "sub": subject, "aud": audience, "iat": issued, "exp": issued + _LIVES}
        return Plaintext(jwt.encode(claims, next(key_pool()), algorithm="RS256", headers={"kid": KEY_ID}))


TROUBLES = ("unreadable", "unreachable", "not renewed", "renamed")


@dataclass(frozen=True)
class _Source:
    platform: Platform
    name: str

    def token(self, audience: str) -> Plaintext:
        return self.platform.token(self.name, audience)
