"""What each method of sign-in with tokens that others sign takes, answers and says of itself in the API."""

from keyturn.api.token_auths import schemas
from keyturn.api.token_auths.schemas import TokenAuthBody, TokenAuthShown
from keyturn.identities.bindings import AzureBinding, KubernetesBinding, OidcBinding
from keyturn.identities.token_auth import TokenAuth
from keyturn.kit.dataclasses import dataclass
from keyturn.web.schema.wire import ApiModel


@dataclass(frozen=True)
class MethodApi:
    """``name`` is part of the names of its operations; the texts are theirs."""

    name: str
    binding: type[OidcBinding | AzureBinding | KubernetesBinding]
    attach: type[TokenAuthBody]
    update: type[TokenAuthBody]
    shown: type[TokenAuthShown]
    answer: type[ApiModel]
    login_help: str
    attach_help: str
    get_help: str
    update_help: str

    @property
    def method(self) -> str:
        return self.binding.method

    @property
    def path(self) -> str:
        return f"/api/v1/auth/{self.method}"

    def show(self, auth: TokenAuth) -> ApiModel:
        return self.answer(self.shown.of(auth))


OIDC = MethodApi(
    "oidc",
    OidcBinding,
    schemas.AttachOidcAuth,
    schemas.UpdateOidcAuth,
    schemas.OidcAuthShown,
    schemas.OidcAuthAnswer,
    "Exchange a token of an OpenID Connect issuer for an access token.",
    """Let an identity sign in with tokens of an OpenID Connect issuer.

    `boundSubject`, and each entry of `boundAudiences` and of the values of `boundClaims`, is a pattern: `*` stands for
    anything without a slash, `**` for anything, `?` for one character. The lists have commas between their entries, of
    which one has to fit. What is empty is not looked at, but at least one of them has to be set.
    """,
    "Show with which tokens of an OpenID Connect issuer an identity signs in.",
    "Change what is given of how an identity signs in with such tokens.",
)

AZURE = MethodApi(
    "azure",
    AzureBinding,
    schemas.AttachAzureAuth,
    schemas.UpdateAzureAuth,
    schemas.AzureAuthShown,
    schemas.AzureAuthAnswer,
    "Exchange a token that Entra ID gave to a managed identity for an access token.",
    """Let an identity sign in with tokens that Entra ID gives to managed identities and other service principals.

    `resource` is what those tokens are asked for, their `aud`. `allowedServicePrincipalIds` are object IDs with commas
    between; at least one is needed. Tokens of people are never taken.
    """,
    "Show with which tokens of Entra ID an identity signs in.",
    "Change what is given of how an identity signs in with such tokens.",
)

KUBERNETES = MethodApi(
    "kubernetes",
    KubernetesBinding,
    schemas.AttachKubernetesAuth,
    schemas.UpdateKubernetesAuth,
    schemas.KubernetesAuthShown,
    schemas.KubernetesAuthAnswer,
    "Exchange a token of a Kubernetes service account for an access token.",
    """Let an identity sign in with tokens of Kubernetes service accounts.

    The API server at `kubernetesHost` is asked about each token: as `tokenReviewerJwt`, which is never shown again, or
    as the service account itself where there is none. Either needs the cluster role `system:auth-delegator`.
    `allowedNamespaces` and `allowedNames` are lists with commas between; at least one of them has to be set.
    """,
    "Show with which tokens of service accounts an identity signs in.",
    """Change what is given of how an identity signs in with such tokens.

    An empty `tokenReviewerJwt`, or null, takes away the one that is there.
    """,
)

ALL = (OIDC, AZURE, KUBERNETES)
