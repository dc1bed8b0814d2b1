"""Routes of sign-in with tokens that others sign.

The GitHub action of existing users sends its login as a form (github.com/Infisical/secrets-action, ``src/infisical.js``),
all other clients send JSON.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from keyturn.accounts.service import Access
from keyturn.api.identities.schemas import trusted_addresses
from keyturn.api.identities.views import shown_addresses
from keyturn.api.people.schemas import Token
from keyturn.api.people.views import MACHINE_SIGN_INS, SIGN_IN_REFUSED, origin_of, token_answer
from keyturn.api.token_auths.schemas import (
    AttachAzureAuth,
    AttachKubernetesAuth,
    AttachOidcAuth,
    AzureAuthAnswer,
    AzureAuthShown,
    KubernetesAuthAnswer,
    KubernetesAuthShown,
    OidcAuthAnswer,
    OidcAuthShown,
    TokenLogin,
    TokenRulesBody,
    UpdateAzureAuth,
    UpdateKubernetesAuth,
    UpdateOidcAuth,
)
from keyturn.identities.bindings import AzureBinding, KubernetesBinding, OidcBinding
from keyturn.identities.token_auth import TokenAuth, TokenAuthChanges
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.kit.secret import Plaintext
from keyturn.web.ratelimit import Limiter
from keyturn.web.routes import Caller, Routes, delete, get, group, patch, post

_OIDC = "/api/v1/auth/oidc-auth"
_AZURE = "/api/v1/auth/azure-auth"
_KUBERNETES = "/api/v1/auth/kubernetes-auth"
_ONE = "identities/{identity_id}"


def login_router(access: Access, limiter: Limiter, identities: Limiter) -> Routes:
    """Routes that need no token. ``limiter`` counts failures by address, ``identities`` the sign-ins of each identity."""

    def sign_in(method: str, caller: Caller, data: TokenLogin) -> Token:
        key = f"{caller.ip} {MACHINE_SIGN_INS}"
        # Taken before the token is looked at, which may ask an issuer, and given back when it was right.
        limiter.take(key)
        issued = access.token_machines.login(
            method,
            data.identity_id,
            data.jwt,
            origin_of(caller),
            lambda: identities.take(f"{data.identity_id} {MACHINE_SIGN_INS}"),
        )
        limiter.give_back(key)
        limiter.trust(key)
        return token_answer(issued)

    @post(f"{_OIDC}/login", public=True, forms=True, also=SIGN_IN_REFUSED)
    def login_by_oidc(caller: Caller, data: TokenLogin) -> Token:
        """Exchange a token of an OpenID Connect issuer for an access token."""
        return sign_in(OidcBinding.method, caller, data)

    @post(f"{_AZURE}/login", public=True, forms=True, also=SIGN_IN_REFUSED)
    def login_by_azure(caller: Caller, data: TokenLogin) -> Token:
        """Exchange a token that Entra ID gave to a managed identity for an access token."""
        return sign_in(AzureBinding.method, caller, data)

    @post(f"{_KUBERNETES}/login", public=True, forms=True, also=SIGN_IN_REFUSED)
    def login_by_kubernetes(caller: Caller, data: TokenLogin) -> Token:
        """Exchange a token of a Kubernetes service account for an access token."""
        return sign_in(KubernetesBinding.method, caller, data)

    return group("Sign-in", login_by_oidc, login_by_azure, login_by_kubernetes)


def oidc_router(access: Access) -> Routes:
    """Routes of OIDC Auth."""
    auths, method = access.token_auths, OidcBinding.method

    @post(f"{_OIDC}/{_ONE}")
    def attach_oidc(actor: Actor, identity_id: str, data: AttachOidcAuth) -> OidcAuthAnswer:
        """Let an identity sign in with tokens of an OpenID Connect issuer.

        `boundSubject`, and each entry of `boundAudiences` and of the values of `boundClaims`, is a pattern: `*` stands for
        anything without a slash, `**` for anything, `?` for one character. The lists have commas between their entries, of
        which one has to fit. What is empty is not looked at, but at least one of them has to be set.
        """
        return _oidc(auths.attach(actor, identity_id, method, _oidc_changes(data)))

    @get(f"{_OIDC}/{_ONE}")
    def get_oidc(actor: Actor, identity_id: str) -> OidcAuthAnswer:
        """Show with which tokens of an OpenID Connect issuer an identity signs in."""
        return _oidc(auths.get(actor, identity_id, method))

    @patch(f"{_OIDC}/{_ONE}")
    def update_oidc(actor: Actor, identity_id: str, data: UpdateOidcAuth) -> OidcAuthAnswer:
        """Change what is given of how an identity signs in with such tokens."""
        return _oidc(auths.update(actor, identity_id, method, _oidc_changes(data)))

    @delete(f"{_OIDC}/{_ONE}")
    def detach_oidc(actor: Actor, identity_id: str) -> OidcAuthAnswer:
        """Take OIDC Auth away: the access tokens got by it end."""
        return _oidc(auths.detach(actor, identity_id, method))

    return group("OIDC Auth", attach_oidc, get_oidc, update_oidc, detach_oidc)


def azure_router(access: Access) -> Routes:
    """Routes of Azure Auth."""
    auths, method = access.token_auths, AzureBinding.method

    @post(f"{_AZURE}/{_ONE}")
    def attach_azure(actor: Actor, identity_id: str, data: AttachAzureAuth) -> AzureAuthAnswer:
        """Let an identity sign in with tokens that Entra ID gives to managed identities and other service principals.

        `resource` is what those tokens are asked for, their `aud`. `allowedServicePrincipalIds` are object IDs with commas
        between; at least one is needed. Tokens of people are never taken.
        """
        return _azure(auths.attach(actor, identity_id, method, _azure_changes(data)))

    @get(f"{_AZURE}/{_ONE}")
    def get_azure(actor: Actor, identity_id: str) -> AzureAuthAnswer:
        """Show with which tokens of Entra ID an identity signs in."""
        return _azure(auths.get(actor, identity_id, method))

    @patch(f"{_AZURE}/{_ONE}")
    def update_azure(actor: Actor, identity_id: str, data: UpdateAzureAuth) -> AzureAuthAnswer:
        """Change what is given of how an identity signs in with such tokens."""
        return _azure(auths.update(actor, identity_id, method, _azure_changes(data)))

    @delete(f"{_AZURE}/{_ONE}")
    def detach_azure(actor: Actor, identity_id: str) -> AzureAuthAnswer:
        """Take Azure Auth away: the access tokens got by it end."""
        return _azure(auths.detach(actor, identity_id, method))

    return group("Azure Auth", attach_azure, get_azure, update_azure, detach_azure)


def kubernetes_router(access: Access) -> Routes:
    """Routes of Kubernetes Auth."""
    auths, method = access.token_auths, KubernetesBinding.method

    @post(f"{_KUBERNETES}/{_ONE}")
    def attach_kubernetes(actor: Actor, identity_id: str, data: AttachKubernetesAuth) -> KubernetesAuthAnswer:
        """Let an identity sign in with tokens of Kubernetes service accounts.

        The API server at `kubernetesHost` is asked about each token: as `tokenReviewerJwt`, which is never shown again, or
        as the service account itself where there is none. Either needs the cluster role `system:auth-delegator`.
        `allowedNamespaces` and `allowedNames` are lists with commas between; at least one of them has to be set.
        """
        return _kubernetes(auths.attach(actor, identity_id, method, _kubernetes_changes(data)))

    @get(f"{_KUBERNETES}/{_ONE}")
    def get_kubernetes(actor: Actor, identity_id: str) -> KubernetesAuthAnswer:
        """Show with which tokens of service accounts an identity signs in."""
        return _kubernetes(auths.get(actor, identity_id, method))

    @patch(f"{_KUBERNETES}/{_ONE}")
    def update_kubernetes(actor: Actor, identity_id: str, data: UpdateKubernetesAuth) -> KubernetesAuthAnswer:
        """Change what is given of how an identity signs in with such tokens.

        An empty `tokenReviewerJwt`, or null, takes away the one that is there.
        """
        return _kubernetes(auths.update(actor, identity_id, method, _kubernetes_changes(data)))

    @delete(f"{_KUBERNETES}/{_ONE}")
    def detach_kubernetes(actor: Actor, identity_id: str) -> KubernetesAuthAnswer:
        """Take Kubernetes Auth away: the access tokens got by it end."""
        return _kubernetes(auths.detach(actor, identity_id, method))

    return group("Kubernetes Auth", attach_kubernetes, get_kubernetes, update_kubernetes, detach_kubernetes)


# --- shapes -----------------------------------------------------------------------------------------------------------


def _oidc_changes(data: AttachOidcAuth | UpdateOidcAuth) -> TokenAuthChanges:
    return _changes(
        data,
        discovery_url=data.oidc_discovery_url,
        issuer=data.bound_issuer,
        audiences=data.bound_audiences,
        subject=data.bound_subject,
        claims={} if data.bound_claims is None else data.bound_claims,
        ca=data.ca_cert,
    )


def _azure_changes(data: AttachAzureAuth | UpdateAzureAuth) -> TokenAuthChanges:
    return _changes(
        data,
        tenant_id=data.tenant_id,
        resource=data.resource,
        principals=data.allowed_service_principal_ids,
    )


def _kubernetes_changes(data: AttachKubernetesAuth | UpdateKubernetesAuth) -> TokenAuthChanges:
    reviewer = data.token_reviewer_jwt
    return _changes(
        data,
        None if reviewer is UNSET else reviewer or Plaintext(""),
        host=data.kubernetes_host,
        ca=data.ca_cert,
        namespaces=data.allowed_namespaces,
        names=data.allowed_names,
        audience=data.allowed_audience,
    )


def _changes(data: TokenRulesBody, reviewer: Plaintext | None = None, **binding: object) -> TokenAuthChanges:
    return TokenAuthChanges(
        {name: value for name, value in binding.items() if value is not UNSET},
        access_token_ttl=data.access_token_ttl,
        access_token_max_ttl=data.access_token_max_ttl,
        access_token_uses_limit=data.access_token_num_uses_limit,
        access_token_trusted_ips=trusted_addresses(data.access_token_trusted_ips),
        reviewer_token=reviewer,
    )


def _rules(auth: TokenAuth) -> Mapping[str, Any]:
    return {
        "id": auth.id,
        "identity_id": auth.identity_id,
        "access_token_ttl": auth.rules.ttl,
        "access_token_max_ttl": auth.rules.max_ttl,
        "access_token_num_uses_limit": auth.rules.uses_limit,
        "access_token_trusted_ips": shown_addresses(auth.trusted_ips),
        "created_at": iso(auth.created_at),
        "updated_at": iso(auth.updated_at),
    }


def _oidc(auth: TokenAuth) -> OidcAuthAnswer:
    binding: OidcBinding = auth.binding
    return OidcAuthAnswer(
        OidcAuthShown(
            oidc_discovery_url=binding.discovery_url,
            bound_issuer=binding.issuer,
            bound_audiences=binding.audiences,
            bound_subject=binding.subject,
            bound_claims=dict(binding.claims),
            ca_cert=binding.ca,
            **_rules(auth),
        )
    )


def _azure(auth: TokenAuth) -> AzureAuthAnswer:
    binding: AzureBinding = auth.binding
    return AzureAuthAnswer(
        AzureAuthShown(
            tenant_id=binding.tenant_id,
            resource=binding.resource,
            allowed_service_principal_ids=binding.principals,
            **_rules(auth),
        )
    )


def _kubernetes(auth: TokenAuth) -> KubernetesAuthAnswer:
    binding: KubernetesBinding = auth.binding
    return KubernetesAuthAnswer(
        KubernetesAuthShown(
            kubernetes_host=binding.host,
            ca_cert=binding.ca,
            allowed_namespaces=binding.namespaces,
            allowed_names=binding.names,
            allowed_audience=binding.audience,
            has_token_reviewer_jwt=auth.reviewer_token is not None,
            **_rules(auth),
        )
    )
