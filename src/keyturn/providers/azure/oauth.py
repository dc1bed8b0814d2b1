"""Acting for a person who signs in with a browser: the authorization code flow with PKCE, and refreshing what came of it.

What the browser brings is believed only after the token endpoint, asked directly over TLS, said the same.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn
from urllib.parse import urlencode

from keyturn.errors import NeedsAction, Permanent
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.http import HttpRequest, HttpResponse, Transport, TransportFailed
from keyturn.ports.provider import Grant, OAuthApp
from keyturn.providers.azure.assertions import token_claims
from keyturn.providers.azure.clouds import Cloud
from keyturn.providers.azure.error_mapping import ErrorContext, no_answer, refusal, unreadable
from keyturn.providers.azure.error_row import ErrorSource
from keyturn.providers.azure.paste_checks import tenant_fault
from keyturn.providers.azure.responses import json_object, refused_callback, token_answer
from keyturn.providers.azure.tokens import Discovery, access_token, wrong_cloud

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SKEW = timedelta(minutes=5)
_AGAIN = "Connect again. If it happens again, somebody may be tampering with the sign-in."


@dataclass(frozen=True)
class _Endpoints:
    """Where one tenant signs in, by its discovery document."""

    tenant_id: str
    issuer: str
    authorize: str
    token: str


class OAuth:
    """Talks to Entra ID about people. Safe to share between threads; holds no secret."""

    def __init__(self, transport: Transport, discovery: Discovery, clock: Clock, ids: Ids, timeout: timedelta) -> None:
        self._transport = transport
        self._discovery = discovery
        self._clock = clock
        self._ids = ids
        self._timeout = timeout

    def authorize_url(
        self, cloud: Cloud, tenant_id: str, app: OAuthApp, *, state: str, nonce: str, challenge: str
    ) -> str:
        """Return where to send the browser. Raises NeedsAction for what is not one existing tenant of this cloud."""
        query = {
            "client_id": app.client_id,
            "response_type": "code",
            "response_mode": "query",
            "redirect_uri": app.redirect_uri,
            "scope": f"{_scope(cloud)} profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            # Several accounts are signed in at many a desk; the wrong one would be granted without a word.
            "prompt": "select_account",
        }
        return f"{self._endpoints(cloud, tenant_id, app).authorize}?{urlencode(query)}"

    def redeem(
        self,
        cloud: Cloud,
        tenant_id: str,
        app: OAuthApp,
        code: Plaintext,
        *,
        verifier: Plaintext | None,
        nonce: str | None,
    ) -> Grant:
        """Exchange a code. NOT repeatable. Raises NeedsAction when the answer is not about this tenant and sign-in."""
        endpoints = self._endpoints(cloud, tenant_id, app)
        secrets = {"code": code} | ({"code_verifier": verifier} if verifier else {})
        form = {"grant_type": "authorization_code", "redirect_uri": app.redirect_uri}
        response = self._post(cloud, endpoints, app, form, secrets)
        grant = self._grant(response, endpoints, app, nonce)
        if isinstance(grant, Grant) and grant.refresh_token is None:
            raise NeedsAction(
                "Microsoft granted no lasting access (offline_access).",
                code="azure.offline_access_missing",
                fix="Ask for the scope offline_access at the sign-in, and allow it for the application: Portal: Entra ID > App "
                "registrations > the application > API permissions > Microsoft Graph > Delegated > offline_access.",
            )
        return self._checked(grant, response)

    def refresh(self, cloud: Cloud, tenant_id: str, app: OAuthApp, refresh_token: Plaintext) -> Grant:
        """Get a fresh token. Repeatable: Entra ID goes on accepting the token that was used."""
        endpoints = self._endpoints(cloud, tenant_id, app)
        form = {"grant_type": "refresh_token", "scope": _scope(cloud)}
        response = self._post(cloud, endpoints, app, form, {"refresh_token": refresh_token})
        return self._checked(self._grant(response, endpoints, app, None), response)

    def refuse(self, cloud: Cloud, tenant_id: str, app: OAuthApp, said: Mapping[str, str]) -> NoReturn:
        """Raise what a callback without a code says. Its words are Microsoft's or, at worst, those of a stranger: quoted."""
        raise refusal(ErrorSource.CONSENT, refused_callback(said), _subject(cloud, tenant_id, app), [app.secret])

    def tenant_id(self, cloud: Cloud, tenant: str) -> str:
        """Return the id of the tenant that has this domain. Raises as :meth:`authorize_url` does. Repeatable."""
        return self._endpoints(cloud, tenant).tenant_id

    # --- the wire -----------------------------------------------------------------------------------------------------

    def _endpoints(self, cloud: Cloud, tenant_id: str, app: OAuthApp | None = None) -> _Endpoints:
        fault = tenant_fault(tenant_id)
        if fault:
            raise NeedsAction(fault.message, code=fault.code, fix=fault.fix)
        url = f"{cloud.authority_of(tenant_id)}/v2.0/.well-known/openid-configuration"
        try:
            response = self._discovery.get(url, lambda: self._fetch(url))
        except TransportFailed as failure:
            raise no_answer(ErrorSource.CONSENT, failure) from None
        if response.status != 200:
            raise refusal(
                ErrorSource.CONSENT, token_answer(response, self._clock.now()), _subject(cloud, tenant_id, app), []
            )
        return _read_endpoints(cloud, tenant_id, response)

    def _fetch(self, url: str) -> HttpResponse:
        headers = {"accept": "application/json", "client-request-id": self._ids.new()}
        return self._transport.send(HttpRequest("GET", url, headers, timeout=self._timeout))

    def _post(
        self,
        cloud: Cloud,
        endpoints: _Endpoints,
        app: OAuthApp,
        form: Mapping[str, str],
        secrets: Mapping[str, Plaintext],
    ) -> HttpResponse:
        outcome = self._send(endpoints.token, {**form, "client_id": app.client_id}, app, secrets)
        # All raised here, where no frame below is alive: they hold the secrets in the clear.
        if isinstance(outcome, TransportFailed):
            raise no_answer(ErrorSource.CONSENT, outcome)
        if isinstance(outcome, Exception):
            raise outcome.with_traceback(None)
        if outcome.status != 200:
            hide = [app.secret, *secrets.values()]
            answer = token_answer(outcome, self._clock.now())
            raise refusal(ErrorSource.CONSENT, answer, _subject(cloud, endpoints.tenant_id, app), hide)
        return outcome

    def _send(
        self, url: str, form: Mapping[str, str], app: OAuthApp, secrets: Mapping[str, Plaintext]
    ) -> HttpResponse | Exception:
        clear = {name: value.reveal() for name, value in {**secrets, "client_secret": app.secret}.items()}
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
            "client-request-id": self._ids.new(),
        }
        try:
            return self._transport.send(
                HttpRequest("POST", url, headers, urlencode({**form, **clear}).encode(), self._timeout)
            )
        except Exception as failure:  # noqa: BLE001 - whatever it is, its frames hold secrets; it is raised again above
            return failure

    # --- believing ----------------------------------------------------------------------------------------------------

    def _grant(
        self, response: HttpResponse, endpoints: _Endpoints, app: OAuthApp, nonce: str | None
    ) -> Grant | Exception | None:
        body = json_object(response.body) or {}
        now = self._clock.now()
        token = access_token(body, now, app.client_id)
        if token is None:
            return None
        about = _identity(body)
        wrong = _mismatch(about, endpoints, app, nonce, now)
        if wrong:
            return wrong
        scope, fresh = body.get("scope"), body.get("refresh_token")
        scopes = tuple(name.rpartition("/")[2] for name in scope.split()) if isinstance(scope, str) else ()
        account = about.get("preferred_username") or token_claims(token.value.reveal()).get("upn")
        return Grant(
            endpoints.tenant_id,
            replace(token, roles=(), on_behalf=True, scopes=scopes),
            Plaintext(fresh) if isinstance(fresh, str) and fresh else None,
            account[:320] if isinstance(account, str) and account.isprintable() else None,
        )

    def _checked(self, grant: Grant | Exception | None, response: HttpResponse) -> Grant:
        if isinstance(grant, Grant):
            return grant
        if grant is None:
            raise unreadable(ErrorSource.CONSENT, response.headers.get("x-ms-request-id"))
        raise grant


def _scope(cloud: Cloud) -> str:
    return f"{cloud.scope} openid offline_access"


def _subject(cloud: Cloud, tenant_id: str, app: OAuthApp | None) -> ErrorContext:
    if app is None:  # a look at the tenant alone
        return ErrorContext(tenant_id, cloud.portal, cloud.authority, cloud.graph, "of this server")
    return ErrorContext(tenant_id, cloud.credentials_page(app.client_id), cloud.authority, cloud.graph, app.client_id)


def _read_endpoints(cloud: Cloud, tenant_id: str, response: HttpResponse) -> _Endpoints:
    document = json_object(response.body) or {}
    names = ("issuer", "authorization_endpoint", "token_endpoint")
    issuer, authorize, token = (text if isinstance(text := document.get(name), str) else "" for name in names)
    match = _UUID.search(issuer.lower())
    if not match or not authorize or not token:
        raise unreadable(ErrorSource.CONSENT, response.headers.get("x-ms-request-id"))
    # Entra answers discovery also for tenants of its other clouds, pointing there. Neither person nor secret must follow.
    if not cloud.is_authority(token) or not cloud.is_authority(authorize):
        raise wrong_cloud(cloud, tenant_id)
    return _Endpoints(match[0], issuer, authorize, token)


def _identity(body: Mapping[str, object]) -> dict[str, object]:
    """What the answer says about the person: the ID token's claims or, where none was asked for, the access token's."""
    for name in ("id_token", "access_token"):
        text = body.get(name)
        if isinstance(text, str) and (claims := token_claims(text)):
            return claims
    return {}


def _mismatch(
    claims: Mapping[str, object], endpoints: _Endpoints, app: OAuthApp, nonce: str | None, now: datetime
) -> Exception | None:
    """Say what is wrong with whom the answer is about. It came directly and over TLS, so its signature adds nothing."""
    tenant = claims.get("tid")
    if not isinstance(tenant, str):
        return Permanent(
            "Microsoft's answer does not say which tenant it is for.", code="azure.sign_in_unidentified", fix=_AGAIN
        )
    if tenant.lower() != endpoints.tenant_id:
        return NeedsAction(
            f"The sign-in was for tenant {tenant[:36]!a}, but the connection is for tenant {endpoints.tenant_id}.",
            code="azure.wrong_tenant",
            fix="Check Directory (tenant) ID, and sign in with an account of that tenant.",
        )
    if nonce is None:
        return None
    token_nonce = claims.get("nonce")
    if not isinstance(token_nonce, str) or not hmac.compare_digest(token_nonce.encode(), nonce.encode()):
        return NeedsAction("The answer belongs to another sign-in.", code="azure.code_of_another_sign_in", fix=_AGAIN)
    ends = claims.get("exp")
    late = not isinstance(ends, int | float) or ends < (now - _SKEW).timestamp()
    if claims.get("aud") != app.client_id or claims.get("iss") != endpoints.issuer or late:
        return NeedsAction(
            "The answer was made for another application, by another service, or long ago.",
            code="azure.code_of_another_sign_in",
            fix=_AGAIN,
        )
    return None
