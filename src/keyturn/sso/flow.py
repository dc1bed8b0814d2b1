"""A sign-in from sending the browser away to its return, as values and rules. Pure.

All that one sign-in needs is derived from a random seed, which a signed cookie brings back: so the answer is worth something in
the browser alone that asked, and whoever is sent away costs this server no memory. State, nonce and PKCE verifier tell neither
the seed nor each other. Sources: RFC 9700 (security of OAuth 2.0), RFC 7636 (PKCE), RFC 9207 (`iss`), OpenID Connect Core 1.0.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta

from keyturn.errors import Unauthenticated
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext

CALLBACK_PATH = "/sign-in/entra/callback"
"""Where Entra ID sends the browser back to."""
LIFE = timedelta(minutes=10)
"""As long as Entra ID lets its own page be open, and as long as its codes work."""
_LONGEST_NEXT = 1000
_WORDS = 2000


@dataclass(frozen=True)
class Flow:
    """A sign-in under way; ``next`` is where its person wanted to go."""

    seed: str = field(repr=False)
    begun_at: datetime
    next: str = ""

    @property
    def state(self) -> str:
        return self._derived("state")

    @property
    def nonce(self) -> str:
        return self._derived("nonce")

    @property
    def verifier(self) -> Plaintext:
        """The code verifier of PKCE: 43 characters (RFC 7636, section 4.1)."""
        return Plaintext(self._derived("verifier"))

    @property
    def challenge(self) -> str:
        """The S256 code challenge (RFC 7636, section 4.2)."""
        return _text(hashlib.sha256(self.verifier.reveal().encode()).digest())

    @property
    def digest(self) -> str:
        """By what it is remembered that it has succeeded."""
        return hashlib.sha256(self.state.encode()).hexdigest()

    def _derived(self, use: str) -> str:
        return _text(hashlib.sha256(f"{use}.{self.seed}".encode()).digest())

    def packed(self) -> str:
        """Return it as text, to be signed."""
        told = {"seed": self.seed, "at": self.begun_at.timestamp(), "next": self.next[:_LONGEST_NEXT]}
        return _text(json.dumps(told, separators=(",", ":")).encode())


@dataclass(frozen=True)
class Callback:
    """What a browser brought to the redirect URI: anybody may have written it."""

    state: str
    code: Plaintext | None
    issuer: str
    said: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(
        cls, state: Plaintext, code: Plaintext | None, issuer: str | None, said: Mapping[str, str | None]
    ) -> "Callback":
        """Take the parameters of a query; overlong words are cut, empty ones left out."""
        words = {name: text[:_WORDS] for name, text in said.items() if text}
        return cls(state.reveal(), code or None, issuer or "", words)


def unpack_flow(text: str) -> Flow | None:
    """Read what :meth:`Flow.packed` wrote; None for anything else."""
    try:
        told = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return Flow(told["seed"], datetime.fromtimestamp(told["at"], UTC), told["next"])
    except (ValueError, KeyError, TypeError, OverflowError, OSError, binascii.Error):
        return None


def require_own(flow: Flow | None, callback: Callback) -> Flow:
    """Return the flow whose answer this is. Raises Unauthenticated for the answer to somebody else's."""
    if flow is None:
        raise Unauthenticated(
            "This browser did not start this sign-in.",
            code="sso.not_started",
            fix="Sign in again, in one browser from begin to end, with cookies. Open no sign-in links that somebody sends you.",
        )
    if not hmac.compare_digest(flow.state.encode(), callback.state.encode()):
        raise Unauthenticated(
            "This is the answer to another sign-in than the one that this browser started last.",
            code="sso.other_sign_in",
            fix="Sign in again, and finish in that tab.",
        )
    return flow


def require_current(flow: Flow, callback: Callback, issuers: Collection[str], now: datetime) -> None:
    """Raise Unauthenticated for an answer that comes too late, or from somebody else than was asked."""
    if not timedelta(0) <= now - flow.begun_at < LIFE:
        raise Unauthenticated(
            f"The sign-in took longer than {LIFE.total_seconds() // 60:.0f} minutes.",
            code="sso.too_late",
            fix="Sign in again.",
        )
    if callback.issuer and callback.issuer not in issuers:
        raise Unauthenticated(
            "The answer comes from another issuer than the one that was asked.",
            code="sso.other_issuer",
            fix="Sign in again. If it happens again, somebody may be tampering with the sign-in.",
        )


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
