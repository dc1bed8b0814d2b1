"""An issuer of tokens for tests: it signs, publishes its keys, changes them, and misbehaves on request. It holds no clock."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from jwt.algorithms import get_default_algorithms

from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse, TransportFailed

URL = "https://issuer.test"
DISCOVERY = f"{URL}/.well-known/openid-configuration"
KEYS = f"{URL}/keys"

Json = dict[str, Any]


@lru_cache(maxsize=16)
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key of this name; making one takes long, so tests share them."""
    assert name
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def public_jwk(key: PrivateKeyTypes, algorithm: str, key_id: str | None) -> Json:
    entry: Json = json.loads(get_default_algorithms()[algorithm].to_jwk(key.public_key()))  # type: ignore[union-attr]
    entry.pop("key_ops", None)
    return entry | {"use": "sig"} | ({"kid": key_id} if key_id is not None else {})


def segment(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Issuer:
    """``requests`` are all that came; ``pages`` what is answered where. A page may be a function that raises."""

    clock: MovableClock
    keys: list[Json] = field(default_factory=list)
    requests: list[HttpRequest] = field(default_factory=list)
    pages: dict[str, Callable[[], HttpResponse]] = field(default_factory=dict)
    trust: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys.append(public_jwk(rsa_key("first"), "RS256", "first"))
        self.answer(DISCOVERY, lambda: {"issuer": URL, "jwks_uri": KEYS})
        self.answer(KEYS, lambda: {"keys": self.keys})

    # --- what it says -------------------------------------------------------------------------------------------------

    def claims(self, **changes: object) -> Json:
        """What a right token says; None takes a claim away."""
        now = int(self.clock.now().timestamp())
        usual = {"iss": URL, "sub": "repo:acme/shop:ref:refs/heads/main", "aud": "keyturn", "repository": "acme/shop"}
        times = {"iat": now - 5, "nbf": now - 5, "exp": now + 300}
        return {name: value for name, value in (usual | times | changes).items() if value is not None}

    def token(self, key: str = "first", algorithm: str = "RS256", header: Json | None = None, **changes: object) -> str:
        return self.signed(rsa_key(key), algorithm, {"kid": key} | (header or {}), self.claims(**changes))

    @staticmethod
    def signed(key: Any, algorithm: str, header: Json, claims: Mapping[str, object] | bytes) -> str:
        """Sign just this, however wrong it is."""
        head = segment({"typ": "JWT", "alg": algorithm} | header)
        body = segment(claims if isinstance(claims, bytes) else dict(claims))
        signature = get_default_algorithms()[algorithm].sign(f"{head}.{body}".encode(), key)
        return f"{head}.{body}.{segment(signature)}"

    # --- what it publishes --------------------------------------------------------------------------------------------

    def answer(self, url: str, page: Callable[[], Json]) -> None:
        self.pages[url] = lambda: HttpResponse(200, {}, json.dumps(page()).encode())

    def answer_bytes(self, url: str, body: bytes, status: int = 200) -> None:
        self.pages[url] = lambda: HttpResponse(status, {"location": f"{URL}/elsewhere"}, body)

    def silent(self) -> None:
        """It does not answer any more."""

        def nothing() -> HttpResponse:
            raise TransportFailed("issuer.test gave no answer: it did not answer in time", sent=True)

        self.pages = dict.fromkeys(self.pages, nothing)

    def send(self, request: HttpRequest, *, ca: str = "") -> HttpResponse:
        self.requests.append(request)
        self.trust.append(ca)
        return self.pages[request.url]()

    def asked(self) -> int:
        """How often its keys were asked for."""
        return sum(request.url == DISCOVERY for request in self.requests)


EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def plain(token: str) -> Plaintext:
    return Plaintext(token)


def unsigned(claims: Mapping[str, object], algorithm: str = "none") -> str:
    return f"{segment({'alg': algorithm, 'typ': 'JWT'})}.{segment(dict(claims))}."


def hmac_token(claims: Json, secret: bytes, header: Json) -> str:
    """A token signed with what everybody can read, as if it were a shared secret."""
    head = segment({"typ": "JWT", "alg": "HS256"} | header)
    body = segment(claims)
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    return f"{head}.{body}.{segment(algorithm.sign(f'{head}.{body}'.encode(), secret))}"
