"""Proves tokens of service accounts by asking the API server of their cluster, which knows whether the pod still lives.

Source: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from keyturn.errors import Misconfigured
from keyturn.identities.bindings import KubernetesBinding, TokenRefusal
from keyturn.identities.signed_tokens import read, require_not_ended
from keyturn.identities.token_auth import TokenAuth
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, NamedHostTransport, TransportFailed
from keyturn.ports.sealing import Sealer

_TIME = timedelta(seconds=5)
_REFUSES_REVIEWER = frozenset({401, 403})


class KubernetesProof:
    """A ``TokenProof``. What a token says of itself may only spare the question to the API server."""

    def __init__(self, transport: NamedHostTransport, sealer: Sealer) -> None:
        self._transport = transport
        self._sealer = sealer

    def prove(self, auth: TokenAuth, token: Plaintext, now: datetime) -> str:
        binding: KubernetesBinding = auth.binding
        if not binding.host:
            raise TokenRefusal("review", "no API server is set")
        unproven = read(token)
        require_not_ended(unproven.claims, now)
        binding.account_of(unproven.claims.get("sub"), shown=False)
        status = self._review(auth, binding, token)
        if status.get("authenticated") is not True:
            raise TokenRefusal("review", status.get("error") or "the API server does not know the token")
        if binding.audience and binding.audience not in _texts(status.get("audiences")):
            raise TokenRefusal("audience", ", ".join(_texts(status.get("audiences"))))
        user = status.get("user")
        return binding.account_of(user.get("username") if isinstance(user, dict) else None, shown=True)

    def _review(self, auth: TokenAuth, binding: KubernetesBinding, token: Plaintext) -> Mapping[str, Any]:
        """Return the status of the review. Raises TokenRefusal when there is none."""
        spec = {"token": token.reveal()} | ({"audiences": [binding.audience]} if binding.audience else {})
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        headers = {
            "authorization": f"Bearer {self._reviewer(auth, token).reveal()}",
            "content-type": "application/json",
            "accept": "application/json",
        }
        request = HttpRequest("POST", binding.review_url, headers, json.dumps(body).encode(), _TIME)
        try:
            response = self._transport.send(request, ca=binding.ca)
        except TransportFailed as error:
            raise TokenRefusal("review", error) from None
        if response.status in _REFUSES_REVIEWER:
            who = "the reviewer" if auth.reviewer_token else "the service account itself"
            raise TokenRefusal("review", f"the API server does not let {who} review tokens ({response.status})")
        if response.status not in {200, 201}:
            raise TokenRefusal("review", f"the API server answered with status {response.status}")
        return _status(response.body)

    def _reviewer(self, auth: TokenAuth, token: Plaintext) -> Plaintext:
        if auth.reviewer_token is None:
            return token
        try:
            return self._sealer.open(auth.reviewer_token, auth.reviewer_place)
        except Misconfigured:
            raise TokenRefusal("review", "the token of the reviewer cannot be opened: set it again") from None


def _status(body: bytes) -> Mapping[str, Any]:
    try:
        review = json.loads(body)
    except (ValueError, RecursionError):
        review = None
    status = review.get("status") if isinstance(review, dict) else None
    if not isinstance(status, dict):
        raise TokenRefusal("review", "the API server did not answer with a TokenReview")
    return status


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
