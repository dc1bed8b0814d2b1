"""Access tokens from Entra ID, through Microsoft's own library, without any of its caches.

A token request is also the proof that a secret works, so nothing may be answered from memory: every call makes a new
MSAL application with empty caches. Only the tenant's discovery document, which holds no secret and proves nothing, is
kept.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from keyturn.errors import NeedsAction, RefusalReason
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import bound_delay
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.http import HttpRequest, HttpResponse, Transport, TransportFailed
from keyturn.ports.provider import AccessToken, SigningCertificate
from keyturn.providers.azure.assertions import Presented, audience_of, read_presented, token_claims
from keyturn.providers.azure.certificate import assertion
from keyturn.providers.azure.clouds import Cloud
from keyturn.providers.azure.error_mapping import ErrorContext, no_answer, refusal, unreadable
from keyturn.providers.azure.error_row import ErrorSource
from keyturn.providers.azure.paste_checks import PasteFault, client_id_fault, client_secret_fault, tenant_fault
from keyturn.providers.azure.responses import Answer, json_object, token_answer

DISCOVERY_KEPT = timedelta(hours=1)
_SHORTEST_LIFE = timedelta(minutes=5)
_TENANTS_KEPT = 4096
_OUT_OF_TIME = "700024"
_MALFORMED_ASSERTION = "50027"
"""AADSTS50027 and its more special neighbours (5002738 and so on)."""


@dataclass(frozen=True)
class _Assertion:
    """A token of another issuer, which proves who signs in."""

    token: Plaintext


class _SignInRefused(Exception):
    """Leaves MSAL with a failed exchange before MSAL can log, cache or reword it."""

    def __init__(self, outcome: HttpResponse | TransportFailed) -> None:
        super().__init__()
        self.outcome = outcome


@dataclass(frozen=True)
class _MsalResponse:
    """What MSAL expects of an HTTP library's response. Only successes are ever handed to it."""

    text: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    status_code: int = 200

    def raise_for_status(self) -> None:
        """Do nothing: failures never get this far."""


class Discovery:
    """The discovery documents of tenants, each kept for an hour of the clock if it names its endpoints. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._documents: dict[str, tuple[datetime, HttpResponse]] = {}

    def get(self, url: str, fetch: Callable[[], HttpResponse]) -> HttpResponse:
        """Return the kept answer for the URL, or fetch it."""
        now = self._clock.now()
        with self._lock:
            entry = self._documents.get(url)
        if entry and now < bound_delay(entry[0] + DISCOVERY_KEPT, now, DISCOVERY_KEPT):
            return entry[1]
        response = fetch()
        if not _names_endpoints(response):
            return response
        with self._lock:
            if len(self._documents) >= _TENANTS_KEPT:
                self._documents.clear()
            self._documents[url] = (now, response)
        return response


class _MsalHttp:
    """The HTTP library of one MSAL application: sends through our transport, and stops MSAL at the first failure."""

    def __init__(self, transport: Transport, discovery: Discovery, ids: Ids, timeout: timedelta) -> None:
        self._transport = transport
        self._discovery = discovery
        self._ids = ids
        self._timeout = timeout
        self.fault: Exception | None = None
        """What went wrong on our side of the wire: never to be taken for a strange answer."""

    def get(
        self, url: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None, **_: object
    ) -> _MsalResponse:
        full = f"{url}?{urlencode(params)}" if params else url
        return _for_msal(self._discovery.get(full, lambda: self._send("GET", full, headers or {}, b"")))

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> _MsalResponse:
        full = f"{url}?{urlencode(params)}" if params else url
        form = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
        return _for_msal(self._send("POST", full, form, urlencode(data or {}).encode()))

    def close(self) -> None:
        """Do nothing: the transport is shared."""

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        all_headers = {**headers, "client-request-id": self._ids.new()}
        try:
            response = self._transport.send(HttpRequest(method, url, all_headers, body, self._timeout))
        except TransportFailed as failure:
            raise _SignInRefused(failure) from None
        except Exception as fault:
            self.fault = fault
            raise
        if response.status != 200 or json_object(response.body) is None:
            raise _SignInRefused(response)
        return response


def _names_endpoints(response: HttpResponse) -> bool:
    document = json_object(response.body) or {}
    return all(isinstance(document.get(name), str) for name in ("token_endpoint", "authorization_endpoint"))


def _for_msal(response: HttpResponse) -> _MsalResponse:
    return _MsalResponse(response.body.decode("utf-8", "replace"), response.headers)


class Tokens:
    """Requests tokens from Entra ID. Safe to share between threads."""

    def __init__(
        self, transport: Transport, clock: Clock, ids: Ids, timeout: timedelta, resource: str | None = None
    ) -> None:
        """``resource`` is what tokens are for instead of Graph, e.g. ``https://vault.azure.net``."""
        self._transport = transport
        self._clock = clock
        self._ids = ids
        self._timeout = timeout
        self._resource = resource
        self.discovery = Discovery(clock)

    def by_secret(self, cloud: Cloud, tenant_id: str, app_id: str, secret: Plaintext) -> AccessToken:
        """Return a fresh Graph token. Repeatable; one request, and one more for a tenant not seen within the hour.

        Raises NotYet for refusals that replication explains, Retryable, NeedsAction or Permanent otherwise; and
        NeedsAction before anything is sent when what is given cannot be a tenant, a client id or a secret.
        """
        _refuse_nonsense(tenant_id, app_id, client_secret_fault(secret))
        return self._token_of(self._ask(cloud, tenant_id, app_id, secret), cloud, tenant_id, app_id, secret)

    def by_certificate(self, cloud: Cloud, tenant_id: str, app_id: str, certificate: SigningCertificate) -> AccessToken:
        """Return a fresh Graph token for an assertion signed here. Raises as :meth:`by_secret` does. Repeatable.

        Where the service does not know the newer kind of assertion, it is asked once more with the older one.
        """
        _refuse_nonsense(tenant_id, app_id, None)
        if self._clock.now() >= certificate.expires_at:
            raise _certificate_expired(certificate, cloud, app_id)
        outcome = self._ask(cloud, tenant_id, app_id, certificate)
        if isinstance(outcome, HttpResponse) and _unknown_assertion(token_answer(outcome, self._clock.now())):
            outcome = self._ask(cloud, tenant_id, app_id, certificate, sha1=True)
        return self._token_of(outcome, cloud, tenant_id, app_id, certificate.private_key)

    def by_assertion(self, cloud: Cloud, tenant_id: str, app_id: str, token: Plaintext) -> AccessToken:
        """Return a fresh Graph token for a token of another issuer. Raises as :meth:`by_secret` does. Repeatable.

        Entra ID alone judges its times: by the clock of this server, which may be wrong, it is not held back.
        """
        _refuse_nonsense(tenant_id, app_id, None)
        told = read_presented(token)
        outcome = self._ask(cloud, tenant_id, app_id, _Assertion(token))
        if told.expires_at is not None and self._clock.now() >= told.expires_at and self._is_out_of_time(outcome):
            raise _token_expired(told.expires_at)
        return self._token_of(outcome, cloud, tenant_id, app_id, token, told)

    def _is_out_of_time(self, outcome: AccessToken | HttpResponse | Exception) -> bool:
        """Whether Entra ID has refused an assertion for its times."""
        return isinstance(outcome, HttpResponse) and _OUT_OF_TIME in token_answer(outcome, self._clock.now()).codes

    def _token_of(
        self,
        outcome: AccessToken | HttpResponse | Exception,
        cloud: Cloud,
        tenant_id: str,
        app_id: str,
        hide: Plaintext,
        told: Presented | None = None,
    ) -> AccessToken:
        # All raised here, where no frame below is alive: MSAL's frames hold the secret and the token in the clear.
        if isinstance(outcome, AccessToken):
            return outcome
        if isinstance(outcome, TransportFailed):
            raise no_answer(ErrorSource.SIGN_IN, outcome)
        if isinstance(outcome, Exception):
            raise outcome.with_traceback(None)
        if outcome.status == 200:
            raise unreadable(ErrorSource.SIGN_IN, outcome.headers.get("x-ms-request-id"))
        subject = ErrorContext(
            tenant_id,
            cloud.credentials_page(app_id),
            cloud.authority,
            cloud.graph,
            app_id,
            told=told,
            wanted_audience=audience_of(cloud.name),
        )
        raise refusal(ErrorSource.SIGN_IN, token_answer(outcome, self._clock.now()), subject, [hide])

    def _ask(
        self,
        cloud: Cloud,
        tenant_id: str,
        app_id: str,
        proof: "Plaintext | SigningCertificate | _Assertion",
        *,
        sha1: bool = False,
    ) -> AccessToken | HttpResponse | Exception:
        """Return the token or what went wrong: an answer, a broken connection, or a fault on this side of the wire."""
        import msal  # noqa: PLC0415 - a fifth of a second, which only processes that sign in should pay

        http = _MsalHttp(self._transport, self.discovery, self._ids, self._timeout)

        def sign(facts: Mapping[str, str], certificate: SigningCertificate | _Assertion) -> str:
            if isinstance(certificate, _Assertion):
                return certificate.token.reveal()
            try:
                audience = facts["token_endpoint"]
                return assertion(certificate, app_id, audience, self._clock.now(), self._ids, sha1=sha1)
            except Exception as fault:
                http.fault = fault
                raise

        try:
            application = msal.ConfidentialClientApplication(
                app_id,
                client_credential=proof.reveal()
                if isinstance(proof, Plaintext)
                else {"client_assertion": lambda facts: sign(facts, proof)},
                authority=cloud.authority_of(tenant_id),
                instance_discovery=False,
                azure_region=False,
                http_client=http,
            )
            # Entra answers discovery also for tenants of its other clouds, pointing there. The secret must not follow.
            if not cloud.is_authority(application.authority.token_endpoint):
                return wrong_cloud(cloud, tenant_id)
            scope = cloud.scope if self._resource is None else f"{self._resource}/.default"
            return self._token(application.acquire_token_for_client([scope]), app_id) or HttpResponse(200)
        except _SignInRefused as refusal:
            return refusal.outcome
        except Exception:  # noqa: BLE001 - MSAL raises many kinds for documents that make no sense
            return http.fault or HttpResponse(200)

    def _token(self, result: Mapping[str, Any], app_id: str) -> AccessToken | None:
        return access_token(result, self._clock.now(), app_id)


def access_token(result: Mapping[str, Any], now: datetime, client_id: str) -> AccessToken | None:
    """Read the access token of a success for this client, and what it says about itself; None when there is none."""
    value = result.get("access_token")
    if not isinstance(value, str) or not value:
        return None
    claims = token_claims(value)
    return AccessToken(
        Plaintext(value),
        _end(result.get("expires_in"), claims.get("exp"), now),
        _texts(claims.get("roles")),
        oid if isinstance(oid := claims.get("oid"), str) else None,
        directory_roles=_texts(claims.get("wids")),
        client_id=client_id,
    )


def _end(expires_in: object, exp: object, now: datetime) -> datetime:
    """The relative time is preferred: it holds also when this machine's clock is wrong."""
    try:
        if isinstance(expires_in, (int, float, str)):
            return now + timedelta(seconds=int(expires_in))
        if isinstance(exp, (int, float)):
            return datetime.fromtimestamp(exp, UTC)
    except (ValueError, OverflowError, OSError):
        return now + _SHORTEST_LIFE
    return now + _SHORTEST_LIFE


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _refuse_nonsense(tenant_id: str, app_id: str, credential_fault: PasteFault | None) -> None:
    fault = tenant_fault(tenant_id) or client_id_fault(app_id) or credential_fault
    if fault:
        raise NeedsAction(fault.message, code=fault.code, fix=fault.fix, field=fault.field)


def _unknown_assertion(answer: Answer) -> bool:
    """Whether Entra ID could not make sense of the assertion, as services do that know SHA-1 thumbprints only."""
    return any(code.startswith(_MALFORMED_ASSERTION) for code in answer.codes)


def _certificate_expired(certificate: SigningCertificate, cloud: Cloud, app_id: str) -> NeedsAction:
    return NeedsAction(
        f"The certificate of the connection expired on {certificate.expires_at:%Y-%m-%d %H:%M} UTC.",
        code="azure.certificate_expired",
        reason=RefusalReason.CREDENTIAL_EXPIRED,
        field="certificateBody",
        fix="Make a new certificate, upload it and enter it in the connection's credentials. "
        f"Portal: {cloud.credentials_page(app_id)}, Certificates, Upload certificate.",
    )


def _token_expired(expired_at: datetime) -> NeedsAction:
    return NeedsAction(
        f"The token of this server's identity expired on {expired_at:%Y-%m-%d %H:%M} UTC, and no newer one is there.",
        code="azure.federated_token_expired",
        reason=RefusalReason.CREDENTIAL_EXPIRED,
        field="tokenSource",
        fix="Find out why the platform does not renew it: on Kubernetes the kubelet does, in a projected volume, and never for a "
        "file that was copied or mounted by subPath. Then look at this server's clock.",
    )


def wrong_cloud(cloud: Cloud, tenant_id: str) -> NeedsAction:
    """Return the error for a tenant whose sign-in service belongs to another cloud."""
    return NeedsAction(
        f"Tenant {tenant_id} does not live in the cloud {cloud.title}: its sign-in service is elsewhere.",
        code="azure.wrong_cloud",
        fix="Choose the cloud that the tenant lives in. The secret was not sent.",
    )
