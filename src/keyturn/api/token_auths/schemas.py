"""What the JSON API takes and answers about sign-in with tokens that others sign.

Names of keys and paths as the public clients send and read them: the Terraform provider (github.com/Infisical/
terraform-provider-infisical, ``internal/client/model.go`` and ``login.go``), the Go SDK (github.com/Infisical/go-sdk,
``packages/api/auth``) and the published API reference (infisical.com/docs/api-reference/endpoints, ``oidc-auth/attach``,
``azure-auth/attach``, ``kubernetes-auth/attach`` and ``update``).
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from keyturn.api.identities.schemas import TrustedIps, TrustedIpShown, Ttl, Uses
from keyturn.identities.signed_tokens import LONGEST
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


class TokenRulesBody(ApiModel, kw_only=True):
    """Absent keys have their default on creation and stay as they are on update."""

    access_token_ttl: Ttl | None = field(default=None, name="accessTokenTTL")
    access_token_max_ttl: Ttl | None = field(default=None, name="accessTokenMaxTTL")
    access_token_num_uses_limit: Uses | None = None
    access_token_trusted_ips: TrustedIps | None = None

    def check(self) -> Iterator[Fault]:
        ttl, longest = self.access_token_ttl, self.access_token_max_ttl
        if ttl is not None and longest and ttl > longest:
            yield Fault("The access token's TTL cannot be longer than its maximum TTL", path=("accessTokenTTL",))


class AttachOidcAuth(TokenRulesBody, kw_only=True):
    oidc_discovery_url: Address
    bound_issuer: Address
    bound_audiences: Words = ""
    bound_subject: Words = ""
    bound_claims: Claims | None = None
    ca_cert: Certificates = ""


class UpdateOidcAuth(TokenRulesBody, kw_only=True):
    oidc_discovery_url: Address | UnsetType = UNSET
    bound_issuer: Address | UnsetType = UNSET
    bound_audiences: Words | UnsetType = UNSET
    bound_subject: Words | UnsetType = UNSET
    bound_claims: Claims | UnsetType = UNSET
    ca_cert: Certificates | UnsetType = UNSET


class AttachAzureAuth(TokenRulesBody, kw_only=True):
    tenant_id: Address
    resource: Address
    allowed_service_principal_ids: Words = ""


class UpdateAzureAuth(TokenRulesBody, kw_only=True):
    tenant_id: Address | UnsetType = UNSET
    resource: Address | UnsetType = UNSET
    allowed_service_principal_ids: Words | UnsetType = UNSET


class AttachKubernetesAuth(TokenRulesBody, kw_only=True):
    kubernetes_host: Address
    ca_cert: Certificates = ""
    token_reviewer_jwt: ReviewerToken | None = None
    allowed_namespaces: Words = ""
    allowed_names: Words = ""
    allowed_audience: Words = ""


class UpdateKubernetesAuth(TokenRulesBody, kw_only=True):
    kubernetes_host: Address | UnsetType = UNSET
    ca_cert: Certificates | UnsetType = UNSET
    token_reviewer_jwt: ReviewerToken | UnsetType | None = UNSET
    allowed_namespaces: Words | UnsetType = UNSET
    allowed_names: Words | UnsetType = UNSET
    allowed_audience: Words | UnsetType = UNSET


class TokenRulesShown(ApiModel, kw_only=True):
    id: str
    identity_id: str
    access_token_ttl: int = field(name="accessTokenTTL")
    access_token_max_ttl: int = field(name="accessTokenMaxTTL")
    access_token_num_uses_limit: int
    access_token_trusted_ips: list[TrustedIpShown]
    created_at: Timestamp
    updated_at: Timestamp


class OidcAuthShown(TokenRulesShown, kw_only=True):
    oidc_discovery_url: str
    bound_issuer: str
    bound_audiences: str
    bound_subject: str
    bound_claims: dict[str, str]
    ca_cert: str


class AzureAuthShown(TokenRulesShown, kw_only=True):
    tenant_id: str
    resource: str
    allowed_service_principal_ids: str


class AzureAuthAnswer(ApiModel):
    identity_azure_auth: AzureAuthShown


class KubernetesAuthShown(TokenRulesShown, kw_only=True):
    """The token of the reviewer is never shown, only whether there is one."""

    kubernetes_host: str
    ca_cert: str
    allowed_namespaces: str
    allowed_names: str
    allowed_audience: str
    token_review_mode: Literal["api"] = "api"
    has_token_reviewer_jwt: bool


class KubernetesAuthAnswer(ApiModel):
    identity_kubernetes_auth: KubernetesAuthShown


class OidcAuthAnswer(ApiModel):
    identity_oidc_auth: OidcAuthShown
