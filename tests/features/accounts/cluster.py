"""A small Kubernetes API server for tests, over TLS: it knows service accounts, their tokens, and TokenReview.

Source: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1 (201, `status`, audiences)
and https://kubernetes.io/docs/reference/access-authn-authz/authentication (user names, 401 for an unknown bearer token).
"""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme

from keyturn.kit.clock import MovableClock
from tests.features.accounts.issuer import Issuer, rsa_key

ITSELF = "https://kubernetes.default.svc"
PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
CA = trustme.CA()
PEM = CA.cert_pem.bytes().decode()

Json = dict[str, Any]


@dataclass
class Cluster:
    """``reviews`` are the bodies of all requests; ``delegators`` are the accounts that may review tokens."""

    clock: MovableClock
    port: int = 0
    accounts: set[str] = field(default_factory=set)
    delegators: set[str] = field(default_factory=set)
    reviews: list[Json] = field(default_factory=list)
    answer: tuple[int, bytes] | None = None
    """What it says instead of what is right."""
    _tokens: dict[str, tuple[str, list[str], float]] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def token(self, account: str, audience: str = ITSELF, seconds: int = 3600) -> str:
        """Make the account, where it is new, and a token as one is mounted into its pods."""
        self.accounts.add(account)
        ends = self.clock.now().timestamp() + seconds
        namespace, _, name = account.partition("/")
        claims = {
            "iss": ITSELF,
            "sub": f"system:serviceaccount:{namespace}:{name}",
            "aud": [audience],
            "exp": int(ends),
            "jti": str(len(self._tokens)),
        }
        token = Issuer.signed(rsa_key("cluster"), "RS256", {"kid": "cluster"}, claims)
        self._tokens[token] = (account, [audience], ends)
        return token

    def reviewer(self) -> str:
        """A token of an account that may review others."""
        self.delegators.add("kube-system/reviewer")
        return self.token("kube-system/reviewer")

    def asked(self, bearer: str, body: Json) -> tuple[int, Json]:
        self.reviews.append(body)
        caller = self._known(bearer, [ITSELF])
        if caller is None:
            return 401, {"kind": "Status", "code": 401}
        if caller[0] not in self.delegators:
            return 403, {"kind": "Status", "code": 403}
        spec = body["spec"]
        account = self._known(spec["token"], spec.get("audiences") or [ITSELF])
        if account is None:
            return 201, body | {"status": {"user": {}, "error": "[invalid bearer token]"}}
        namespace, _, name = account[0].partition("/")
        user = {"username": f"system:serviceaccount:{namespace}:{name}", "groups": ["system:serviceaccounts"]}
        return 201, body | {"status": {"authenticated": True, "user": user, "audiences": account[1]}}

    def _known(self, token: str, wanted: list[str]) -> tuple[str, list[str]] | None:
        account, audiences, ends = self._tokens.get(token, ("", [], 0.0))
        both = [each for each in audiences if each in wanted]
        lives = account in self.accounts and self.clock.now().timestamp() < ends
        return (account, both) if lives and both else None


@contextmanager
def running(clock: MovableClock) -> Iterator[Cluster]:
    """A cluster that listens on a port of this machine."""
    cluster = Cluster(clock)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            assert self.path == PATH
            bearer = self.headers["authorization"].removeprefix("Bearer ")
            status, answer = cluster.asked(bearer, body)
            if cluster.answer is not None:
                status, data = cluster.answer
            else:
                data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Nothing is written to the terminal."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert("127.0.0.1").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    cluster.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
