"""Proves tokens of OpenID Connect issuers, such as GitHub Actions, GitLab, SPIRE, or a Kubernetes cluster.

The keys come from where the discovery document says (OpenID Connect Discovery 1.0, section 4). What it says of its own
issuer is not compared: the operator of an identity names the document and the `iss` of the tokens, both.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from keyturn.identities.bindings import OidcBinding, TokenRefusal
from keyturn.identities.issuer_keys import IssuerKeys
from keyturn.identities.signed_tokens import Key, read, read_document, read_keys, verify_token
from keyturn.identities.token_auth import TokenAuth
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, NamedHostTransport, TransportFailed

_TIME_FOR_EACH = timedelta(seconds=3)


class OidcProof:
    """A ``TokenProof``."""

    def __init__(self, keys: IssuerKeys, transport: NamedHostTransport) -> None:
        self._keys = keys
        self._transport = transport

    def prove(self, auth: TokenAuth, token: Plaintext, now: datetime) -> str:
        binding: OidcBinding = auth.binding
        unproven = read(token)
        if unproven.issuer != binding.issuer:  # before anybody is asked for keys
            raise TokenRefusal("issuer")
        trust = hashlib.sha256(binding.ca.encode()).hexdigest()
        key = self._keys.find(f"{binding.document_url} {trust}", unproven, lambda: self._fetch(binding))
        return binding.require(verify_token(unproven, key, now))

    def _fetch(self, binding: OidcBinding) -> Sequence[Key]:
        place = read_document(self._get(binding.document_url, binding.ca)).get("jwks_uri")
        if not isinstance(place, str):
            raise TokenRefusal("keys", "the discovery document has no `jwks_uri`")
        return read_keys(self._get(place, binding.ca))

    def _get(self, url: str, ca: str) -> bytes:
        request = HttpRequest("GET", url, {"accept": "application/json"}, timeout=_TIME_FOR_EACH)
        try:
            response = self._transport.send(request, ca=ca)
        except TransportFailed as error:
            raise TokenRefusal("keys", error) from None
        if response.status != 200:
            raise TokenRefusal("keys", f"the issuer answered with status {response.status}")
        return response.body
