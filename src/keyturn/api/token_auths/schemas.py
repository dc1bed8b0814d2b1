"""What the JSON API takes and answers about sign-in with tokens that others sign.

Names of keys and paths as the public clients send and read them: the Terraform provider (github.com/Infisical/
terraform-provider-infisical, ``internal/client/model.go`` and ``login.go``), the Go SDK (github.com/Infisical/go-sdk,
``packages/api/auth``) and the published API reference (infisical.com/docs/api-reference/endpoints, ``oidc-auth/attach``,
``azure-auth/attach``, ``kubernetes-auth/attach`` and ``update``).
"""

from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Any, ClassVar, Literal, Self

from msgspec import UNSET, Meta, UnsetType, field

from keyturn.api.identities.schemas import TrustedIps, TrustedIpShown, Ttl, Uses, trusted_addresses
from keyturn.api.identities.views import shown_addresses
from keyturn.identities.bindings import AzureBinding, KubernetesBinding, OidcBinding
from keyturn.identities.signed_tokens import LONGEST
from keyturn.identities.token_auth import TokenAuth, TokenAuthChanges
from keyturn.kit.clock import iso
from keyturn.kit.secret import Plaintext
from keyturn.web.schema.validate import Fault, NonEmpty, Trimmed, trimmed
from keyturn.web.schema.wire import ApiModel, Timestamp

SignedToken = Annotated[Plaintext, trimmed, Meta(min_length=1, max_length=LONGEST)]
ReviewerToken = Annotated[Plaintext, trimmed, Meta(max_length=LONGEST)]
"""An empty one takes away what is there."""
Address = Annotated[NonEmpty, Meta(max_length=1024)]
Words = Annotated[Trimmed, Meta(max_length=4096)]
"""A text, or a list with commas between."""
Certificates = Annotated[Trimmed, Meta(max_length=65_536)]
Claims = Annotated[dict[str, Words], Meta(max_length=50)]


class TokenLogin(ApiModel):
    identity_id: Annotated[NonEmpty, Meta(max_length=255)]
    jwt: SignedToken


class TokenAuthBody(ApiModel, kw_only=True):
    """Absent keys have their default on creation and stay as they are on update.

    A subclass adds what a binding has, by the names that it has there.
    """

    binding: ClassVar[type]

    access_token_ttl: Ttl | None = field(default=None, name="accessTokenTTL")
    access_token_max_ttl: Ttl | None = field(default=None, name="accessTokenMaxTTL")
    access_token_num_uses_limit: Uses | None = None
    access_token_trusted_ips: TrustedIps | None = None

    def check(self) -> Iterator[Fault]:
        ttl, longest = self.access_token_ttl, self.access_token_max_ttl
        if ttl is not None and longest and ttl > longest:
            yield Fault("The access token's TTL cannot be longer than its maximum TTL", path=("accessTokenTTL",))

    def reviewer(self) -> Plaintext | None:
        """Return the token that asks about tokens: an empty one takes away what is there, None leaves it."""
        return None

    def command(self) -> TokenAuthChanges:
        values = {each.name: getattr(self, each.name) for each in fields(self.binding)}
        return TokenAuthChanges(
            {name: value for name, value in values.items() if value is not UNSET and value is not None},
            access_token_ttl=self.access_token_ttl,
            access_token_max_ttl=self.access_token_max_ttl,
            access_token_uses_limit=self.access_token_num_uses_limit,
            access_token_trusted_ips=trusted_addresses(self.access_token_trusted_ips),
            reviewer_token=self.reviewer(),
        )


class TokenAuthShown(ApiModel, kw_only=True):
    """As :class:`TokenAuthBody`, a subclass adds what a binding has."""

    binding: ClassVar[type]

    id: str
    identity_id: str
    access_token_ttl: int = field(name="accessTokenTTL")
    access_token_max_ttl: int = field(name="accessTokenMaxTTL")
    access_token_num_uses_limit: int
    access_token_trusted_ips: list[TrustedIpShown]
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, auth: TokenAuth, **more: Any) -> Self:
        return cls(
            id=auth.id,
            identity_id=auth.identity_id,
            access_token_ttl=auth.rules.ttl,
            access_token_max_ttl=auth.rules.max_ttl,
            access_token_num_uses_limit=auth.rules.uses_limit,
            access_token_trusted_ips=shown_addresses(auth.trusted_ips),
            created_at=iso(auth.created_at),
            updated_at=iso(auth.updated_at),
            **{each.name: getattr(auth.binding, each.name) for each in fields(cls.binding)},
            **more,
        )


# --- OpenID Connect ---------------------------------------------------------------------------------------------------


class AttachOidcAuth(TokenAuthBody, kw_only=True):
    binding = OidcBinding

    discovery_url: Address = field(name="oidcDiscoveryUrl")
    issuer: Address = field(name="boundIssuer")
    audiences: Words = field(default="", name="boundAudiences")
    subject: Words = field(default="", name="boundSubject")
    claims: Claims | None = field(default=None, name="boundClaims")
    ca: Certificates = field(default="", name="caCert")


class UpdateOidcAuth(TokenAuthBody, kw_only=True):
    binding = OidcBinding

    discovery_url: Address | UnsetType = field(default=UNSET, name="oidcDiscoveryUrl")
    issuer: Address | UnsetType = field(default=UNSET, name="boundIssuer")
    audiences: Words | UnsetType = field(default=UNSET, name="boundAudiences")
    subject: Words | UnsetType = field(default=UNSET, name="boundSubject")
    claims: Claims | UnsetType = field(default=UNSET, name="boundClaims")
    ca: Certificates | UnsetType = field(default=UNSET, name="caCert")


class OidcAuthShown(TokenAuthShown, kw_only=True):
    binding = OidcBinding

    discovery_url: str = field(name="oidcDiscoveryUrl")
    issuer: str = field(name="boundIssuer")
    audiences: str = field(name="boundAudiences")
    subject: str = field(name="boundSubject")
    claims: dict[str, str] = field(name="boundClaims")
    ca: str = field(name="caCert")


class OidcAuthAnswer(ApiModel):
    identity_oidc_auth: OidcAuthShown


# --- Entra ID ---------------------------------------------------------------------------------------------------------


class AttachAzureAuth(TokenAuthBody, kw_only=True):
    binding = AzureBinding

    tenant_id: Address
    resource: Address
    principals: Words = field(default="", name="allowedServicePrincipalIds")


class UpdateAzureAuth(TokenAuthBody, kw_only=True):
    binding = AzureBinding

    tenant_id: Address | UnsetType = UNSET
    resource: Address | UnsetType = UNSET
    principals: Words | UnsetType = field(default=UNSET, name="allowedServicePrincipalIds")


class AzureAuthShown(TokenAuthShown, kw_only=True):
    binding = AzureBinding

    tenant_id: str
    resource: str
    principals: str = field(name="allowedServicePrincipalIds")


class AzureAuthAnswer(ApiModel):
    identity_azure_auth: AzureAuthShown


# --- Kubernetes -------------------------------------------------------------------------------------------------------


class AttachKubernetesAuth(TokenAuthBody, kw_only=True):
    binding = KubernetesBinding

    host: Address = field(name="kubernetesHost")
    ca: Certificates = field(default="", name="caCert")
    token_reviewer_jwt: ReviewerToken | None = None
    namespaces: Words = field(default="", name="allowedNamespaces")
    names: Words = field(default="", name="allowedNames")
    audience: Words = field(default="", name="allowedAudience")

    def reviewer(self) -> Plaintext:
        return self.token_reviewer_jwt or Plaintext("")


class UpdateKubernetesAuth(TokenAuthBody, kw_only=True):
    binding = KubernetesBinding

    host: Address | UnsetType = field(default=UNSET, name="kubernetesHost")
    ca: Certificates | UnsetType = field(default=UNSET, name="caCert")
    token_reviewer_jwt: ReviewerToken | UnsetType | None = UNSET
    namespaces: Words | UnsetType = field(default=UNSET, name="allowedNamespaces")
    names: Words | UnsetType = field(default=UNSET, name="allowedNames")
    audience: Words | UnsetType = field(default=UNSET, name="allowedAudience")

    def reviewer(self) -> Plaintext | None:
        return None if self.token_reviewer_jwt is UNSET else self.token_reviewer_jwt or Plaintext("")


class KubernetesAuthShown(TokenAuthShown, kw_only=True):
    """The token of the reviewer is never shown, only whether there is one."""

    binding = KubernetesBinding

    host: str = field(name="kubernetesHost")
    ca: str = field(name="caCert")
    namespaces: str = field(name="allowedNamespaces")
    names: str = field(name="allowedNames")
    audience: str = field(name="allowedAudience")
    token_review_mode: Literal["api"] = "api"
    has_token_reviewer_jwt: bool

    @classmethod
    def of(cls, auth: TokenAuth, **more: Any) -> Self:
        return super().of(auth, has_token_reviewer_jwt=auth.reviewer_token is not None, **more)


class KubernetesAuthAnswer(ApiModel):
    identity_kubernetes_auth: KubernetesAuthShown
