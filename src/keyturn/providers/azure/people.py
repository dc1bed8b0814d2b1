"""People of one tenant who sign in to this server: the authorization code flow with PKCE (RFC 6749, RFC 7636).

Nothing is believed here: who signed in is read from the ID token, by whoever asked for it. Sources:
https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc and .../v2-oauth2-auth-code-flow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import timedelta
from typing import NoReturn
from urllib.parse import urlencode

from keyturn.errors import NeedsAction
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ids import is_uuid
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.http import HttpRequest, HttpResponse, Transport, TransportFailed
from keyturn.ports.people_sign_in import Redeemed
from keyturn.ports.provider import AccessToken
from keyturn.providers.azure.clouds import Cloud
from keyturn.providers.azure.error_mapping import ErrorContext, no_answer, refusal, unreadable
from keyturn.providers.azure.error_row import ErrorSource
from keyturn.providers.azure.graph import Graph, GraphContext
from keyturn.providers.azure.responses import json_object, refused_callback, token_answer
from keyturn.providers.azure.tenant_keys import TenantKeys
from keyturn.providers.azure.tokens import access_token

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_GROUP = "#microsoft.graph.group"
_PAGES = 20
"""With 999 in each, far more groups than the 2,000 that somebody may be in."""
_SOURCE = ErrorSource.PEOPLE


@dataclass(frozen=True)
class PeopleApp:
    """The application through which people sign in. ``proof`` returns what the token endpoint is shown for it, each time anew."""

    tenant_id: str
    client_id: str
    redirect_uri: str
    proof: Callable[[], Mapping[str, Plaintext]] = field(repr=False)


class PeopleSignIn:
    """A ``PeopleIssuer``. Holds no secret."""

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        ids: Ids,
        cloud: Cloud,
        keys: TenantKeys,
        app: PeopleApp,
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._ids = ids
        self._cloud = cloud
        self._keys = keys
        self._app = app
        self._timeout = timeout
        self._graph = Graph(transport, clock, ids, timeout)

    @property
    def tenant_id(self) -> str:
        return self._app.tenant_id

    @property
    def client_id(self) -> str:
        return self._app.client_id

    @property
    def redirect_uri(self) -> str:
        return self._app.redirect_uri

    def authorize_url(self, *, state: str, nonce: str, challenge: str, choose: bool) -> str:
        query = {
            "client_id": self._app.client_id,
            "response_type": "code",
            "response_mode": "query",
            "redirect_uri": self._app.redirect_uri,
            # With User.Read, to which everybody may consent, Graph lists the groups that a token has no room for.
            "scope": f"openid profile email {self._cloud.graph}/User.Read",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        } | ({"prompt": "select_account"} if choose else {})
        return f"{self._endpoint('authorize')}?{urlencode(query)}"

    def redeem(self, code: Plaintext, verifier: Plaintext) -> Redeemed:
        form = {
            "grant_type": "authorization_code",
            "redirect_uri": self._app.redirect_uri,
            "client_id": self._app.client_id,
        }
        secrets = {"code": code, "code_verifier": verifier, **self._app.proof()}
        outcome = self._post(form, secrets)
        # All raised here, where no frame below is alive: they hold the secrets in the clear.
        if isinstance(outcome, TransportFailed):
            raise no_answer(_SOURCE, outcome)
        if isinstance(outcome, Exception):
            raise outcome.with_traceback(None)
        if outcome.status != 200:
            raise refusal(_SOURCE, token_answer(outcome, self._clock.now()), self._context(), [*secrets.values()])
        body = json_object(outcome.body) or {}
        token = body.get("id_token")
        if not isinstance(token, str) or not token:
            raise unreadable(_SOURCE, outcome.headers.get("x-ms-request-id"))
        return Redeemed(Plaintext(token), access_token(body, self._clock.now(), self._app.client_id))

    def refuse(self, said: Mapping[str, str]) -> NoReturn:
        raise refusal(_SOURCE, refused_callback(said), self._context(), [])

    def issuers(self) -> Sequence[str]:
        return [name for name in self._keys.issuers(self._app.tenant_id) if name.endswith("/v2.0")]

    def signing_keys(self) -> HttpResponse:
        return self._keys.signing_keys(self._app.tenant_id)

    def groups(self, token: AccessToken) -> frozenset[str]:
        caller = GraphContext(self._cloud, token, self._context())
        found: set[str] = set()
        path = "/me/transitiveMemberOf?$select=id&$top=999"
        for _ in range(_PAGES):
            items, following = self._graph.page(caller, path)
            ids = (item.get("id") for item in items if item.get("@odata.type") == _GROUP)
            found |= {one.lower() for one in ids if isinstance(one, str) and is_uuid(one)}
            if following is None:
                return frozenset(found)
            path = following
        raise NeedsAction(
            "The person is in more groups than this server reads.",
            code="sso.groups_too_many",
            fix="Let the application's tokens tell the groups that are assigned to it only (groupMembershipClaims: "
            "ApplicationGroup).",
        )

    def _post(self, form: Mapping[str, str], secrets: Mapping[str, Plaintext]) -> HttpResponse | Exception:
        clear = {name: value.reveal() for name, value in secrets.items()}
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
            "client-request-id": self._ids.new(),
        }
        body = urlencode({**form, **clear}).encode()
        try:
            return self._transport.send(HttpRequest("POST", self._endpoint("token"), headers, body, self._timeout))
        except Exception as failure:  # noqa: BLE001 - whatever it is, its frames hold secrets; it is raised again above
            return failure

    def _endpoint(self, name: str) -> str:
        return _endpoint(self._cloud, self._app.tenant_id, name)

    def _context(self) -> ErrorContext:
        app, cloud = self._app, self._cloud
        portal = cloud.credentials_page(app.client_id)
        return ErrorContext(
            app.tenant_id, portal, cloud.authority, cloud.graph, app.client_id, redirect_uri=app.redirect_uri
        )


def token_endpoint(cloud: Cloud, tenant_id: str) -> str:
    """Return where codes are redeemed, which assertions name as their audience."""
    return _endpoint(cloud, tenant_id, "token")


def _endpoint(cloud: Cloud, tenant_id: str, name: str) -> str:
    """Where Entra ID documents it to be: no document that is fetched before decides where people and secrets go."""
    return f"{cloud.authority_of(tenant_id)}/oauth2/v2.0/{name}"
