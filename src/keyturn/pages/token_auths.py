"""The part of an identity's page about sign-in with tokens that others sign: forms of each method, and what they do."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from keyturn.accounts.service import Access
from keyturn.api.token_auths.schemas import Address, Certificates, ReviewerToken, Words
from keyturn.identities.bindings import METHODS, AzureBinding, KubernetesBinding, OidcBinding
from keyturn.identities.domain import LONGEST_TTL
from keyturn.identities.token_auth import TokenAuthChanges
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.web.html.forms import require_typed
from keyturn.web.pages import PageRoute, Redirect, post
from keyturn.web.schema.validate import Fault, NonEmpty, Trimmed
from keyturn.web.schema.wire import ApiModel

_HERE = "/organization/identities"
_ONE = f"{_HERE}/{{identity_id}}"
_RULES = {"accessTokenTTL": "ttl", "accessTokenTrustedIps": "addresses"}
_OF_OIDC = _RULES | {
    "oidcDiscoveryUrl": "discovery_url",
    "boundIssuer": "issuer",
    "boundSubject": "subject",
    "caCert": "ca",
}
_OF_AZURE = _RULES | {"tenantId": "tenant", "allowedServicePrincipalIds": "principals"}
_OF_KUBERNETES = _RULES | {"kubernetesHost": "host", "allowedNamespaces": "namespaces", "caCert": "ca"}


class TokenRulesForm(ApiModel, rename=None, kw_only=True):
    """Seconds; 0: without limit. Addresses one to a line."""

    ttl: Annotated[int, Meta(ge=0, le=LONGEST_TTL)]
    max_ttl: Annotated[int, Meta(ge=0, le=LONGEST_TTL)]
    uses_limit: Annotated[int, Meta(ge=0, le=2_000_000_000)]
    addresses: NonEmpty

    def changes(self, reviewer: Plaintext | None = None, **binding: object) -> TokenAuthChanges:
        return TokenAuthChanges(
            binding,
            access_token_ttl=self.ttl,
            access_token_max_ttl=self.max_ttl,
            access_token_uses_limit=self.uses_limit,
            access_token_trusted_ips=tuple(self.addresses.split()),
            reviewer_token=reviewer,
        )


class OidcForm(TokenRulesForm, rename=None, kw_only=True):
    """``claims`` are one to a line, with an equals sign between name and value."""

    discovery_url: Address
    issuer: Address
    subject: Words = ""
    audiences: Words = ""
    claims: Words = ""
    ca: Certificates = ""

    def check(self) -> Iterator[Fault]:
        for line in self.claims.splitlines():
            name, equals, value = line.partition("=")
            if line.strip() and not (name.strip() and equals and value.strip()):
                yield Fault("Write each claim as name = value.", path=("claims",))
                return

    def command(self) -> TokenAuthChanges:
        pairs = (line.partition("=") for line in self.claims.splitlines() if line.strip())
        return self.changes(
            discovery_url=self.discovery_url,
            issuer=self.issuer,
            subject=self.subject,
            audiences=self.audiences,
            claims={name.strip(): value.strip() for name, _, value in pairs},
            ca=self.ca,
        )


class AzureForm(TokenRulesForm, rename=None, kw_only=True):
    tenant: Address
    resource: Address
    principals: Words = ""

    def command(self) -> TokenAuthChanges:
        return self.changes(tenant_id=self.tenant, resource=self.resource, principals=self.principals)


class KubernetesForm(TokenRulesForm, rename=None, kw_only=True):
    """An empty ``reviewer_token`` leaves what is there, unless ``own_token`` says that pods are asked about as themselves."""

    host: Address
    namespaces: Words = ""
    names: Words = ""
    audience: Words = ""
    ca: Certificates = ""
    reviewer_token: ReviewerToken | None = None
    own_token: bool = False

    def command(self) -> TokenAuthChanges:
        return self.changes(
            Plaintext("") if self.own_token else self.reviewer_token,
            host=self.host,
            namespaces=self.namespaces,
            names=self.names,
            audience=self.audience,
            ca=self.ca,
        )


class RemoveForm(ApiModel, rename=None):
    confirm: Trimmed = ""


def method_routes(access: Access, page: PageRoute) -> list[PageRoute]:
    """Return the routes that save and remove the methods. ``page`` shows a refused form again."""
    auths = access.token_auths

    def save(actor: Actor, identity_id: str, method: str, changes: TokenAuthChanges) -> Redirect:
        there = method in {auth.method for auth in auths.list(actor, identity_id)}
        (auths.update if there else auths.attach)(actor, identity_id, method, changes)
        return Redirect(f"{_HERE}/{identity_id}", toast=f"{METHODS[method].title} was saved.")

    def remove(actor: Actor, identity_id: str, method: str, form: RemoveForm) -> Redirect:
        require_typed(form.confirm, access.identities.get(actor, identity_id).name)
        auths.detach(actor, identity_id, method)
        return Redirect(f"{_HERE}/{identity_id}", toast=f"{METHODS[method].title} was removed.")

    @post(f"{_ONE}/oidc-auth", form_page=page, fields=_OF_OIDC)
    def save_oidc(actor: Actor, identity_id: str, form: OidcForm) -> Redirect:
        return save(actor, identity_id, OidcBinding.method, form.command())

    @post(f"{_ONE}/azure-auth", form_page=page, fields=_OF_AZURE)
    def save_azure(actor: Actor, identity_id: str, form: AzureForm) -> Redirect:
        return save(actor, identity_id, AzureBinding.method, form.command())

    @post(f"{_ONE}/kubernetes-auth", form_page=page, fields=_OF_KUBERNETES)
    def save_kubernetes(actor: Actor, identity_id: str, form: KubernetesForm) -> Redirect:
        return save(actor, identity_id, KubernetesBinding.method, form.command())

    @post(f"{_ONE}/oidc-auth/remove", form_page=page)
    def remove_oidc(actor: Actor, identity_id: str, form: RemoveForm) -> Redirect:
        return remove(actor, identity_id, OidcBinding.method, form)

    @post(f"{_ONE}/azure-auth/remove", form_page=page)
    def remove_azure(actor: Actor, identity_id: str, form: RemoveForm) -> Redirect:
        return remove(actor, identity_id, AzureBinding.method, form)

    @post(f"{_ONE}/kubernetes-auth/remove", form_page=page)
    def remove_kubernetes(actor: Actor, identity_id: str, form: RemoveForm) -> Redirect:
        return remove(actor, identity_id, KubernetesBinding.method, form)

    return [save_oidc, save_azure, save_kubernetes, remove_oidc, remove_azure, remove_kubernetes]
