"""Proves tokens that Entra ID gave to managed identities and other service principals, which need no secret for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from keyturn.identities.bindings import AzureBinding, TokenRefusal
from keyturn.identities.issuer_keys import IssuerKeys
from keyturn.identities.signed_tokens import Key, read, read_keys, verify_token
from keyturn.identities.token_auth import TokenAuth
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpResponse, TransportFailed


class Tenants(Protocol):
    """Entra ID as the issuer of tokens of its tenants."""

    def issuers(self, tenant_id: str) -> Sequence[str]:
        """Return what tokens of the tenant may name as their issuer."""

    def signing_keys(self, tenant_id: str) -> HttpResponse:
        """Ask for the keys that tokens of the tenant are signed with. Raises TransportFailed."""


class AzureProof:
    """A ``TokenProof``."""

    def __init__(self, keys: IssuerKeys, tenants: Tenants) -> None:
        self._keys = keys
        self._tenants = tenants

    def prove(self, auth: TokenAuth, token: Plaintext, now: datetime) -> str:
        binding: AzureBinding = auth.binding
        unproven = read(token)
        if unproven.issuer not in self._tenants.issuers(binding.tenant_id):  # before anybody is asked for keys
            raise TokenRefusal("issuer")
        place = f"entra {binding.tenant_id}"
        key = self._keys.find(place, unproven, lambda: self._fetch(binding.tenant_id))
        return binding.require(verify_token(unproven, key, now))

    def _fetch(self, tenant_id: str) -> Sequence[Key]:
        try:
            response = self._tenants.signing_keys(tenant_id)
        except TransportFailed as error:
            raise TokenRefusal("keys", error) from None
        if response.status != 200:
            raise TokenRefusal("keys", f"Entra ID answered with status {response.status}")
        return read_keys(response.body)
