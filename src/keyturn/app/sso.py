"""Sign-in of people through Entra ID, put together."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from keyturn.accounts.service import Access
from keyturn.api.sso import routes as sso_api
from keyturn.app.core import Core, before_call, clouds
from keyturn.app.sign_in_certificate import certificate_file
from keyturn.app.token_sources import token_sources
from keyturn.crypto.keyring import KeyringDigests
from keyturn.errors import busy
from keyturn.identities.issuer_keys import IssuerKeys
from keyturn.kit.actor import Role
from keyturn.kit.bulkhead import Bulkhead
from keyturn.kit.ids import SystemIds
from keyturn.kit.secret import Plaintext
from keyturn.people.password_policy import PasswordPolicy
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.http import Transport
from keyturn.ports.provider import Tenant
from keyturn.providers.azure.assertions import audience_of
from keyturn.providers.azure.certificate import assertion
from keyturn.providers.azure.certificate_file import CertificateFile
from keyturn.providers.azure.clouds import Cloud, standard_clouds
from keyturn.providers.azure.people import ASSERTION_TYPE, PeopleApp, PeopleSignIn, token_endpoint
from keyturn.providers.azure.provider import AzureProvider
from keyturn.providers.azure.tenant_keys import TenantKeys
from keyturn.providers.token_sources import TokenSources
from keyturn.settings.model import ADMINISTRATORS, Settings, SingleSignOn
from keyturn.sso.flow import CALLBACK_PATH
from keyturn.sso.group_roles import GroupRoles
from keyturn.sso.service import EntraSignIn, Rules
from keyturn.web.routes import Routes

_ASKED_AGAIN = timedelta(minutes=1)


def password_policy(settings: Settings) -> PasswordPolicy:
    return PasswordPolicy(settings.password_sign_in == ADMINISTRATORS, settings.sso is not None)


def redirect_uri(settings: Settings) -> str:
    """Return what is registered with the application."""
    return f"{settings.site_url or f'http://localhost:{settings.port}'}{CALLBACK_PATH}"


def group_roles(core: Core) -> GroupRoles:
    sso = core.settings.sso
    return GroupRoles(core.database, core.clock, core.ids, sso.tenant_id if sso else None)


def sso_routes(core: Core) -> Routes:
    return sso_api.router(group_roles(core))


def entra_sign_in(core: Core, access: Access, sso: SingleSignOn) -> EntraSignIn:
    guard = partial(
        before_call, core.database, Bulkhead(partial(busy, "asking Entra ID for its keys"), places=8, waiting=8)
    )
    return EntraSignIn(
        core.database,
        core.clock,
        core.ids,
        people_issuer(core, sso),
        IssuerKeys(core.clock, guard, again=_ASKED_AGAIN),
        access.sessions,
        KeyringDigests(core.keyring),
        Rules(frozenset(sso.groups), Role(sso.default_role) if sso.default_role else None),
        core.settings.quotas,
    )


def people_issuer(core: Core, sso: SingleSignOn) -> PeopleSignIn:
    settings, endpoints = core.settings, clouds(core.settings).get(core.settings.cloud)
    if core.sso_certificate is not None:
        proof = certificate_proof(sso, core.sso_certificate, endpoints, core.clock, core.ids)
    else:
        proof = client_proof(sso, core.sources, audience_of(settings.cloud))
    app = PeopleApp(sso.tenant_id, sso.client_id, redirect_uri(settings), proof)
    keys = TenantKeys(core.transport, standard_clouds().get(settings.cloud), endpoints)
    return PeopleSignIn(core.transport, core.clock, core.ids, endpoints, keys, app, settings.pace.call_timeout)


def sign_in_as_application(
    settings: Settings,
    sso: SingleSignOn,
    environ: Mapping[str, str],
    clock: Clock,
    transport: Transport,
    machine: Transport,
) -> None:
    """Sign in as the application itself, to see whether it can be done. Raises Upstream where not. Repeatable.

    ``machine`` leads to addresses of this machine, without a proxy.
    """
    provider = AzureProvider(transport, clock, clouds(settings), ids=SystemIds())
    tenant = Tenant(settings.cloud, sso.tenant_id)
    if sso.client_secret is not None:
        provider.sign_in(tenant, sso.client_id, sso.client_secret)
        return
    certificate = certificate_file(settings, clock)
    if certificate is not None:
        provider.sign_in_by_certificate(tenant, sso.client_id, certificate.signing())
        return
    sources = token_sources(settings, environ, transport, machine)
    token = sources.token(sso.token_source or "", audience_of(settings.cloud))
    provider.sign_in_by_assertion(tenant, sso.client_id, token)


def client_proof(sso: SingleSignOn, sources: TokenSources, audience: str) -> Callable[[], Mapping[str, Plaintext]]:
    """Return what makes the fields by which this server proves to be the application."""
    secret, source = sso.client_secret, sso.token_source or ""
    if secret is not None:
        return lambda: {"client_secret": secret}
    kind = Plaintext(ASSERTION_TYPE)
    return lambda: {"client_assertion_type": kind, "client_assertion": sources.token(source, audience)}


def certificate_proof(
    sso: SingleSignOn, file: CertificateFile, cloud: Cloud, clock: Clock, ids: Ids
) -> Callable[[], Mapping[str, Plaintext]]:
    """Return what makes those fields by signing with the certificate. They raise NeedsAction while none can be used."""
    kind, audience = Plaintext(ASSERTION_TYPE), token_endpoint(cloud, sso.tenant_id)

    def proof() -> Mapping[str, Plaintext]:
        signed = assertion(file.signing(), sso.client_id, audience, clock.now(), ids)
        return {"client_assertion_type": kind, "client_assertion": Plaintext(signed)}

    return proof
