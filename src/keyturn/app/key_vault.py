"""The key vault that the settings name: how to sign in to it, and its keys."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from keyturn.app.token_sources import token_sources
from keyturn.crypto.vault_root import VaultRoots
from keyturn.db.unit import Database
from keyturn.errors import Misconfigured, NeedsAction, Refused
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ids import SystemIds
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock
from keyturn.ports.http import HttpRequest, HttpResponse, Transport
from keyturn.ports.key_vault import KeyVault
from keyturn.providers.azure.assertions import audience_of
from keyturn.providers.azure.clouds import standard_clouds
from keyturn.providers.azure.key_vault import TIMEOUT, AzureVaultKey, resource_of
from keyturn.providers.azure.reading import read_certificate
from keyturn.providers.azure.tokens import Tokens
from keyturn.providers.transport import HttpTransport
from keyturn.settings.model import KeyVaultSettings, Settings


def vault_roots(settings: Settings, database: Database | None, clock: Clock) -> VaultRoots | None:
    """Return the root keys that the vault of the settings wraps; None without one. Nothing is called yet."""
    vault = settings.key_vault
    if vault is None:
        return None
    return VaultRoots(database, clock, partial(vault_keys, settings, vault, clock, database), vault.keys[0])


def vault_keys(
    settings: Settings, vault: KeyVaultSettings, clock: Clock, database: Database | None = None
) -> Sequence[KeyVault]:
    """Return the keys of the vault, the one for new root keys first.

    Raises Misconfigured for a certificate that cannot sign in.
    """
    transport = BriefTransport(HttpTransport(ca_file=settings.ca_file, guard=partial(_refuse_inside, database)))
    return [
        AzureVaultKey(
            key, _sign_in(settings, vault, clock, transport, resource_of(key)), transport, clock, vault.tenant_id
        )
        for key in vault.keys
    ]


def _sign_in(
    settings: Settings, vault: KeyVaultSettings, clock: Clock, transport: Transport, resource: str
) -> Callable[[], Plaintext]:
    source, tenant_id, client_id = vault.source, vault.tenant_id, vault.client_id
    sources = token_sources(settings, os.environ, transport, BriefTransport(HttpTransport(direct=True)))
    if source is not None and source.kind == "managed-identity":
        return lambda: sources.token(source.name, resource)
    cloud = standard_clouds().limited_to(settings.cloud)
    if settings.cloud_override is not None:
        custom = settings.cloud_override
        cloud = cloud.overridden(settings.cloud, authority=custom.authority, graph=custom.graph)
    here, tokens = cloud.get(settings.cloud), Tokens(transport, clock, SystemIds(), TIMEOUT, resource)
    if source is not None:
        audience = audience_of(settings.cloud)
        return lambda: tokens.by_assertion(here, tenant_id, client_id, sources.token(source.name, audience)).value
    secret = vault.client_secret
    if secret is not None:
        return lambda: tokens.by_secret(here, tenant_id, client_id, secret).value
    try:
        signing = read_certificate("", vault.certificate or Plaintext(""), None, clock.now())
    except (Refused, NeedsAction) as error:
        message = f"KEYTURN_KEY_VAULT_CERTIFICATE cannot sign in: {error.message}"
        raise Misconfigured(message, code="config.key_vault_certificate", fix=error.fix) from None
    return lambda: tokens.by_certificate(here, tenant_id, client_id, signing).value


@dataclass(frozen=True)
class BriefTransport:
    """Keeps no connection open: a vault is asked a few times in the life of a process."""

    transport: Transport

    def send(self, request: HttpRequest) -> HttpResponse:
        return self.transport.send(replace(request, headers={**request.headers, "connection": "close"}))


def _refuse_inside(database: Database | None) -> None:
    if database is not None and database.in_transaction:
        raise RuntimeError("a network call inside a database transaction")
