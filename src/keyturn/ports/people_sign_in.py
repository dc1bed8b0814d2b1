"""What the product needs of an identity provider that vouches for people. The adapters live in ``providers``."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NoReturn, Protocol

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpResponse
from keyturn.ports.provider import AccessToken


@dataclass(frozen=True)
class Redeemed:
    """What a code was exchanged for: an ID token that nobody has looked at yet, and a token that acts for the person."""

    id_token: Plaintext
    token: AccessToken | None


@dataclass(frozen=True)
class SignInCertificate:
    """The certificate with which this server signs in as the application through which people do; None: there is none.

    ``fault`` says why what its file holds now cannot be used.
    """

    thumbprint: str | None
    ends_at: datetime | None
    fault: str = ""


class PeopleIssuer(Protocol):
    """One tenant in which people sign in to this server. Safe to share between threads."""

    @property
    def tenant_id(self) -> str: ...

    @property
    def client_id(self) -> str: ...

    @property
    def redirect_uri(self) -> str: ...

    def authorize_url(self, *, state: str, nonce: str, challenge: str, choose: bool) -> str:
        """Return where to send the browser; with ``choose`` the person picks an account there, also if one is signed in. Pure."""

    def redeem(self, code: Plaintext, verifier: Plaintext) -> Redeemed:
        """Exchange a code. NOT repeatable. Raises Upstream."""

    def refuse(self, said: Mapping[str, str]) -> NoReturn:
        """Raise what a callback without a code says."""

    def issuers(self) -> Sequence[str]:
        """Return what ID tokens of the tenant may name as their issuer. Pure."""

    def signing_keys(self) -> HttpResponse:
        """Ask for the keys that tokens of the tenant are signed with. Raises TransportFailed. Repeatable."""

    def groups(self, token: AccessToken) -> frozenset[str]:
        """List the ids of all groups of the person whom the token acts for, directly or through others. Raises Upstream."""
