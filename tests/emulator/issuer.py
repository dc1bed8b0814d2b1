"""An issuer of tokens as a CI system or a cluster is one: it signs, and serves its discovery document and keys."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from jwt.algorithms import RSAAlgorithm

from entra_emulator.core.outside import Document

AUDIENCE = "api://AzureADTokenExchange"


@dataclass
class Issuer:
    """`documents` is what it serves: change it as a hostile or broken issuer would."""

    key: RSAPrivateKey
    url: str = "https://ci.example"
    published: dict[str, RSAPublicKey] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    challenges: list[str] = field(default_factory=list)

    def publish(self, *key_ids: str) -> None:
        keys = [RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True) | {"kid": kid} for kid in key_ids]
        configuration = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        self.documents[f"{self.url}/.well-known/openid-configuration"] = Document(json.dumps(configuration).encode())
        self.documents[f"{self.url}/keys"] = Document(json.dumps({"keys": keys}).encode())

    def token(self, now: float, key_id: str = "k1", algorithm: str = "RS256", **claims: Any) -> str:
        all_claims = {"iss": self.url, "sub": "repo:x", "aud": AUDIENCE, "iat": now, "exp": now + 600} | claims
        return jwt.encode(all_claims, self.key, algorithm=algorithm, headers={"kid": key_id})

    def fetch(self, url: str) -> Document:
        self.asked.append(url)
        return self.documents.get(url, Document(failure="refused"))

    def leave_challenge(self, secret: str) -> str:
        self.challenges.append(secret)
        return f"/challenges/{len(self.challenges)}.key"


@contextmanager
def served(issuer: Issuer, *key_ids: str) -> Iterator[None]:
    """Serve the issuer's discovery document and these keys on this machine, without TLS; that becomes its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = issuer.fetch(f"{issuer.url}{self.path}")
            self.send_response(404 if document.failure else 200)
            self.end_headers()
            self.wfile.write(document.body)

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
        issuer.publish(*key_ids)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
