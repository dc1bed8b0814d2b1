"""Signing in with a browser: a person lets this server's own application act for them, and what they granted is refreshed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, NoReturn

from keyturn.errors import Misconfigured, Refused
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.fields import AskedWhere, Field, FieldFault
from keyturn.ports.provider import (
    AccessToken,
    Capability,
    Grant,
    OAuthApp,
    RemoteApplication,
    RemoteCredential,
    Tenant,
)
from keyturn.ports.sign_in import CredentialWords, PermissionReport
from keyturn.providers.azure.manifest import APP
from keyturn.providers.azure.methods.fields import TENANT
from keyturn.providers.azure.methods.of_application import check_writes_owned
from keyturn.providers.azure.operations import OAuthOperations

KEY = "oauth"
_CODE = Field(
    "code",
    "Authorization code",
    "Filled in by the sign-in.",
    secret=True,
    asked=AskedWhere.SIGN_IN,
    min_length=1,
    max_length=8192,
)
_VERIFIER = Field(
    "codeVerifier",
    secret=True,
    required=False,
    asked=AskedWhere.SIGN_IN,
    pattern=r"^[A-Za-z0-9._~-]{43,128}$",
    sentence="must have 43 to 128 letters, digits and - . _ ~",
)
_NONCE = Field("nonce", secret=True, required=False, asked=AskedWhere.SIGN_IN, min_length=1, max_length=256)


@dataclass(frozen=True)
class AuthorizationCode:
    """What a browser brought from a sign-in. ``verifier`` and ``nonce`` are known of sign-ins that began here."""

    tenant_id: str
    code: Plaintext
    verifier: Plaintext | None = None
    nonce: str | None = None
    app: ClassVar[str] = APP
    method: ClassVar[str] = KEY
    client_id: ClassVar[str] = ""
    key_id: ClassVar[str | None] = None


@dataclass(frozen=True)
class OAuthGrant:
    """What a connection of this method has: a person's consent to ``client_id``, this server's application."""

    tenant_id: str
    client_id: str
    refresh_token: Plaintext
    account: str | None
    app: ClassVar[str] = APP
    method: ClassVar[str] = KEY
    key_id: ClassVar[str | None] = None


class OAuthMethod:
    """``ports.sign_in.BrowserMethod``. ``oauth`` is this server's own application; None where none is set up.

    With ``bare_codes`` a code is taken without the proof that whoever sends it began the sign-in.
    """

    app = APP
    key = KEY
    label = "OAuth"
    help = "Sign in with Microsoft as a person who may change the applications. No secret is pasted."
    words = CredentialWords("grant", "grant", "grant", "refresh token", others_use_it=False)
    signed_in = "What was granted at the sign-in still holds."
    credential_field = _CODE.name
    browser = True
    as_server = False
    unavailable: str | None = None
    fields: Sequence[Field] = (TENANT, _CODE, _VERIFIER, _NONCE)
    rotation_fields: Sequence[Field] = ()
    schema_name = "OAuth"
    schema_help = (
        "Credentials of the method ``oauth``: what the browser brought back. The tenant is an id or one of its domains.\n\n"
        "A code comes with the ``codeVerifier`` and ``nonce`` that its sign-in began with."
    )

    def __init__(self, provider: OAuthOperations, oauth: OAuthApp | None, *, bare_codes: bool) -> None:
        self._provider = provider
        self._oauth = oauth
        self._bare_codes = bare_codes

    # --- what was supplied ------------------------------------------------------------------------------------------

    def faults(self, value: Callable[[str], Any]) -> Iterable[FieldFault]:
        if value(_VERIFIER.name) is None and value(_NONCE.name) is not None:
            yield FieldFault(_VERIFIER.name, "Required beside nonce")
        if value(_NONCE.name) is None and value(_VERIFIER.name) is not None:
            yield FieldFault(_NONCE.name, "Required beside codeVerifier")

    def supplied(self, values: Mapping[str, Any]) -> AuthorizationCode:
        nonce = values.get(_NONCE.name)
        return self.code(
            values[TENANT.name], values[_CODE.name], values.get(_VERIFIER.name), nonce.reveal() if nonce else None
        )

    def code(self, tenant_id: str, code: Plaintext, verifier: Plaintext | None, nonce: str | None) -> AuthorizationCode:
        return AuthorizationCode(tenant_id, code, verifier, nonce)

    def read(self, credentials: AuthorizationCode, now: datetime | None) -> AuthorizationCode:
        """Raise Refused for a code alone: nothing would show that whoever sends it is who began the sign-in."""
        whole = credentials.verifier is not None and credentials.nonce is not None
        if whole or self._bare_codes:
            return credentials
        raise Refused(
            "An authorization code alone is not taken: nothing shows that whoever sends it began the sign-in.",
            code="connections.oauth_bare_code",
            fix="Begin with POST /api/v1/app-connections/azure-client-secrets/oauth/authorize-url and finish at oauth/callback, "
            "or send codeVerifier and nonce of the sign-in with the code. KEYTURN_OAUTH_BARE_CODES=true lets clients send it "
            "alone.",
        )

    def locate(self, cloud: str, credentials: AuthorizationCode) -> AuthorizationCode:
        """Return the code as it is: its exchange tells the tenant's id."""
        return credentials

    def accept(self, cloud: str, credentials: AuthorizationCode) -> OAuthGrant:
        """Exchange the code. NOT repeatable."""
        oauth, code = self._app(), credentials
        tenant = Tenant(cloud, code.tenant_id)
        grant = self._provider.redeem(tenant, oauth, code.code, verifier=code.verifier, nonce=code.nonce)
        if grant.refresh_token is None:
            raise ValueError("a grant without a refresh token")
        return OAuthGrant(grant.tenant_id, oauth.client_id, grant.refresh_token, grant.account)

    def hashed(self, credentials: AuthorizationCode) -> Sequence[str]:
        return [credentials.code.reveal()]

    # --- what is stored ---------------------------------------------------------------------------------------------

    def sign_in(self, tenant: Tenant, credentials: OAuthGrant) -> AccessToken:
        return self.refresh(tenant, credentials.refresh_token).token

    def value(self, credentials: OAuthGrant) -> Plaintext:
        return credentials.refresh_token

    def of_value(self, tenant_id: str, client_id: str, value: Plaintext) -> OAuthGrant:
        return OAuthGrant(tenant_id, client_id, value, None)

    def value_of_parts(
        self, parts: Mapping[str, Plaintext], facts: Mapping[str, Any], ends_at: datetime | None
    ) -> None:
        """Return None: what refreshes a grant was never sealed in the row of its connection."""

    def fingerprint(self, value: Plaintext) -> None:
        """Return None: a grant belongs to one connection alone."""

    def facts(self, credentials: OAuthGrant) -> dict[str, Any]:
        return {"account": credentials.account}

    def ends_at(self, credentials: OAuthGrant) -> None:
        """Return None: it holds until it is revoked, as long as it is used."""

    # --- by browser -------------------------------------------------------------------------------------------------

    @property
    def configured(self) -> bool:
        return self._oauth is not None

    @property
    def client_id(self) -> str:
        return self._app().client_id

    def authorize_url(self, tenant: Tenant, *, state: str, nonce: str, challenge: str) -> str:
        return self._provider.authorize_url(tenant, self._app(), state=state, nonce=nonce, challenge=challenge)

    def refresh(self, tenant: Tenant, refresh_token: Plaintext) -> Grant:
        return self._provider.refresh(tenant, self._app(), refresh_token)

    def refuse(self, tenant: Tenant, answer: Mapping[str, str]) -> NoReturn:
        self._provider.refuse(tenant, self._app(), answer)

    def _app(self) -> OAuthApp:
        if self._oauth is None:
            raise Misconfigured(
                "This server is not set up for connections by OAuth.",
                code="connections.oauth_not_configured",
                fix="An operator sets SITE_URL, INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_ID and "
                "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_SECRET, and restarts. The methods client-secret and certificate "
                "need no set-up.",
            )
        return self._oauth

    # --- what it may do ---------------------------------------------------------------------------------------------

    def kind(self, *, app_id: str | None = None) -> None:
        """Return None: nothing of it can be replaced without the person."""

    def match(
        self,
        listed: Sequence[RemoteCredential],
        credentials: OAuthGrant,
        now: datetime,
        key_id: str | None,
        *,
        confirmed: bool,
    ) -> NoReturn:
        raise TypeError("a grant is listed nowhere")

    def application(self, tenant: Tenant, token: AccessToken, client_id: str) -> None:
        """Return None: a person need not see the application that they consented to."""

    def permission(
        self, tenant: Tenant, token: AccessToken, application: RemoteApplication | None, may: Sequence[Capability]
    ) -> PermissionReport:
        check_writes_owned(may)
        return PermissionReport("Secrets of the person's applications may be added and removed.")
