"""Acting for people: what of the token endpoint's answer is believed, and that nothing secret shows on any path."""

import base64
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from keyturn.errors import NeedsAction, Permanent, Retryable, SignInAgain, Upstream
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse, TransportFailed
from keyturn.ports.provider import AccessToken, Grant, OAuthApp, Tenant
from keyturn.providers.azure.provider import AzureProvider
from keyturn_simulation.emulated import HOST, emulated_clouds
from tests.contract.conftest import START, ContractFixture
from tests.contract.test_azure_canaries import CANARY, FORMS, TOKEN, Echo, all_that_shows, assert_hidden
from tests.contract.test_azure_sign_in import Scripted
from tests.features.methods.certificates import pair

TENANT = "0b5e8f6a-1c2d-4e3f-8a9b-0c1d2e3f4a5b"
OTHER = "1b5e8f6a-1c2d-4e3f-8a9b-0c1d2e3f4a5b"
CLIENT = "2b5e8f6a-1c2d-4e3f-8a9b-0c1d2e3f4a5b"
APP = OAuthApp(CLIENT, Plaintext(CANARY), "https://keyturn.test/callback")
ISSUER = f"{HOST}/{TENANT}/v2.0"
NONCE = "the-nonce"


def jwt(**claims: Any) -> str:
    parts = ({"alg": "RS256"}, claims)
    text = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*text, "c2ln"])


def identity(**changes: Any) -> str:
    now = START.timestamp()
    claims = {
        "tid": TENANT,
        "aud": CLIENT,
        "iss": ISSUER,
        "nonce": NONCE,
        "exp": now + 3600,
        "preferred_username": "a@b.c",
    }
    return jwt(**{name: value for name, value in (claims | changes).items() if value is not None})


def discovery(host: str = HOST) -> HttpResponse:
    document = {
        "issuer": ISSUER,
        "token_endpoint": f"{host}/{TENANT}/oauth2/v2.0/token",
        "authorization_endpoint": f"{host}/{TENANT}/oauth2/v2.0/authorize",
    }
    return HttpResponse(200, {}, json.dumps(document).encode())


def answering(
    scene: ContractFixture, status: int = 200, *, host: str = HOST, **body: Any
) -> tuple[AzureProvider, Scripted]:
    answers = {"openid-configuration": discovery(host), "token": HttpResponse(status, {}, json.dumps(body).encode())}
    transport = Scripted(answers)
    return AzureProvider(transport, scene.clock, emulated_clouds()), transport


def good(**changes: Any) -> dict[str, Any]:
    whole = {
        "access_token": jwt(tid=TENANT, oid="x"),
        "refresh_token": "rt",
        "id_token": identity(),
        "expires_in": 3600,
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def redeem(provider: AzureProvider, nonce: str | None = NONCE) -> Grant:
    tenant, verifier = Tenant("global", TENANT), Plaintext("v" * 43) if nonce else None
    return provider.redeem(tenant, APP, Plaintext("the-code"), verifier=verifier, nonce=nonce)


def error_of(call: Callable[[], object]) -> Upstream:
    with pytest.raises(Upstream) as caught:
        call()
    return caught.value


def test_a_good_answer_is_believed(scene: ContractFixture) -> None:
    provider, transport = answering(scene, **good(scope="https://graph.microsoft.com/User.Read openid"))
    grant = redeem(provider)
    assert (grant.tenant_id, grant.account) == (TENANT, "a@b.c")
    assert grant.refresh_token == Plaintext("rt")
    assert (grant.token.on_behalf, grant.token.scopes, grant.token.roles) == (True, ("User.Read", "openid"), ())
    assert [request.method for request in transport.sent] == ["GET", "POST"]
    assert CANARY not in transport.sent[1].url


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"nonce": "another"}, "azure.code_of_another_sign_in"),
        ({"nonce": None}, "azure.code_of_another_sign_in"),
        ({"nonce": 5}, "azure.code_of_another_sign_in"),
        ({"aud": OTHER}, "azure.code_of_another_sign_in"),
        ({"iss": "https://evil.test"}, "azure.code_of_another_sign_in"),
        ({"exp": START.timestamp() - 301}, "azure.code_of_another_sign_in"),
        ({"exp": "tomorrow"}, "azure.code_of_another_sign_in"),
        ({"tid": OTHER}, "azure.wrong_tenant"),
        ({"tid": None}, "azure.sign_in_unidentified"),
        ({"tid": ["x"]}, "azure.sign_in_unidentified"),
    ],
)
def test_an_answer_about_something_else_is_refused(scene: ContractFixture, changes: dict[str, Any], code: str) -> None:
    provider, _ = answering(scene, **good(id_token=identity(**changes)))
    error = error_of(lambda: redeem(provider))
    assert error.code == code
    assert isinstance(error, NeedsAction | Permanent)
    assert error.fix


def test_without_a_nonce_the_tenant_still_counts(scene: ContractFixture) -> None:
    provider, _ = answering(scene, **good(id_token=None))
    assert redeem(provider, None).tenant_id == TENANT
    provider, _ = answering(scene, **good(id_token=None, access_token=jwt(tid=OTHER)))
    assert error_of(lambda: redeem(provider, None)).code == "azure.wrong_tenant"
    provider, _ = answering(scene, **good(id_token=None, access_token="opaque"))
    assert error_of(lambda: redeem(provider, None)).code == "azure.sign_in_unidentified"


@pytest.mark.parametrize("body", [{}, {"access_token": 5}, {"access_token": ""}, {"refresh_token": "rt"}])
def test_an_answer_without_a_token_makes_no_sense(scene: ContractFixture, body: dict[str, Any]) -> None:
    provider, _ = answering(scene, **body)
    error = error_of(lambda: redeem(provider))
    assert isinstance(error, Retryable)
    assert error.code == "azure.unreadable_answer"


def test_a_refresh_without_a_new_token_keeps_the_old_one(scene: ContractFixture) -> None:
    provider, _ = answering(scene, **good(refresh_token=None))
    grant = provider.refresh(Tenant("global", TENANT), APP, Plaintext("old"))
    assert grant.refresh_token is None


def test_neither_person_nor_secret_follows_a_tenant_to_another_cloud(scene: ContractFixture) -> None:
    provider, transport = answering(scene, host="https://login.microsoftonline.us")
    tenant = Tenant("global", TENANT)
    calls: list[Callable[[], object]] = [
        lambda: provider.authorize_url(tenant, APP, state="s", nonce="n", challenge="c"),
        lambda: redeem(provider),
        lambda: provider.refresh(tenant, APP, Plaintext("rt")),
    ]
    for call in calls:
        assert error_of(call).code == "azure.wrong_cloud"
    assert {request.method for request in transport.sent} == {"GET"}


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers", "a/b", "x?y", ""])
def test_nothing_is_asked_about_what_is_no_tenant(scene: ContractFixture, tenant: str) -> None:
    provider, transport = answering(scene)
    error = error_of(lambda: provider.authorize_url(Tenant("global", tenant), APP, state="s", nonce="n", challenge="c"))
    assert error.code == "azure.tenant_malformed"
    assert not transport.sent


@pytest.mark.parametrize(
    ("number", "code", "kind"),
    [
        (54005, "azure.code_used", NeedsAction),
        (700005, "azure.code_of_another_tenant", NeedsAction),
        (501481, "azure.code_of_another_sign_in", NeedsAction),
        (70008, "azure.grant_expired", SignInAgain),
        (700082, "azure.grant_expired", SignInAgain),
        (50173, "azure.grant_revoked", SignInAgain),
        (65001, "azure.consent_missing", SignInAgain),
        (50076, "azure.interaction_required", SignInAgain),
        (53003, "azure.conditional_access", SignInAgain),
        (7000215, "azure.oauth_app_secret_refused", NeedsAction),
        (7000222, "azure.oauth_app_secret_refused", NeedsAction),
        (700016, "azure.oauth_app_unknown", NeedsAction),
        (50011, "azure.redirect_unknown", NeedsAction),
        (90033, "azure.unavailable", Retryable),
        (4711, "azure.grant_revoked", SignInAgain),
    ],
)
def test_each_refusal_is_mapped(scene: ContractFixture, number: int, code: str, kind: type[Upstream]) -> None:
    description = f"AADSTS{number}: something. Trace ID: x"
    provider, _ = answering(scene, 400, error="invalid_grant", error_description=description, error_codes=[number])
    error = error_of(lambda: provider.refresh(Tenant("global", TENANT), APP, Plaintext("rt")))
    assert (error.code, type(error)) == (code, kind)
    assert str(number) in error.message
    assert "{" not in error.diagnostics()


def test_throttling_is_obeyed(scene: ContractFixture) -> None:
    answers = {
        "openid-configuration": discovery(),
        "token": HttpResponse(429, {"retry-after": "60"}, b"Too Many Requests"),
    }
    provider = AzureProvider(Scripted(answers), scene.clock, emulated_clouds())
    error = error_of(lambda: provider.refresh(Tenant("global", TENANT), APP, Plaintext("rt")))
    assert isinstance(error, Retryable)
    assert error.retry_after is not None
    assert error.retry_after.total_seconds() == 60


# --- canaries -----------------------------------------------------------------------------------------------------------

KEYS = pair()


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert_hidden(caplog.text)
    assert not any(line in caplog.text for line in KEYS.key_lines)


def calls(provider: AzureProvider, scene: ContractFixture) -> list[Callable[[], object]]:
    tenant, secret = Tenant("global", TENANT), Plaintext(CANARY)
    certificate = provider.read_certificate(KEYS.pem, Plaintext(KEYS.key_pem), None, scene.clock.now())
    return [
        lambda: provider.redeem(tenant, APP, secret, verifier=Plaintext(CANARY), nonce="n"),
        lambda: provider.redeem(tenant, APP, secret, verifier=None, nonce=None),
        lambda: provider.refresh(tenant, APP, secret),
        lambda: provider.sign_in_by_certificate(tenant, CLIENT, certificate),
    ]


class EchoOfTenant(Echo):
    def send(self, request: HttpRequest) -> HttpResponse:
        return discovery() if request.method == "GET" and "openid" in request.url else super().send(request)


class Broken:
    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    def send(self, request: HttpRequest) -> HttpResponse:
        if "openid" in request.url:
            return discovery()
        raise self.failure


def fails_without_showing(call: Callable[[], object]) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any error will do, as long as it shows nothing
        call()
    for text in all_that_shows(caught.value):
        assert_hidden(text)
        assert not any(line in text for line in KEYS.key_lines)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 429, 500, 503])
@pytest.mark.parametrize("plain", [False, True])
def test_a_service_that_repeats_what_it_was_sent_gives_nothing_away(
    scene: ContractFixture, status: int, plain: bool
) -> None:
    provider = AzureProvider(EchoOfTenant(status, plain=plain), scene.clock, emulated_clouds())
    for call in calls(provider, scene):
        fails_without_showing(call)


@pytest.mark.parametrize(
    "failure",
    [TransportFailed("read timeout", sent=True), TransportFailed("refused", sent=False), RuntimeError("open")],
)
def test_a_broken_connection_gives_nothing_away(scene: ContractFixture, failure: Exception) -> None:
    provider = AzureProvider(Broken(failure), scene.clock, emulated_clouds())
    for call in calls(provider, scene):
        fails_without_showing(call)


@pytest.mark.parametrize(
    "body",
    [
        {"access_token": TOKEN, "refresh_token": CANARY},
        {"access_token": jwt(tid=OTHER, canary=CANARY), "refresh_token": CANARY},
        {"access_token": jwt(tid=TENANT), "id_token": identity(nonce="wrong"), "refresh_token": CANARY},
        {"leak": CANARY, "id_token": TOKEN},
    ],
)
def test_half_an_answer_gives_nothing_away(scene: ContractFixture, body: dict[str, Any]) -> None:
    provider, _ = answering(scene, **body)
    for call in calls(provider, scene)[:1]:
        fails_without_showing(call)


def test_the_words_of_a_callback_are_quoted_without_secrets(scene: ContractFixture) -> None:
    provider, _ = answering(scene)
    answer = {"error": "odd", "error_description": f"{CANARY} AADSTS1234567 {TOKEN}\x00\n<b>"}
    error = error_of(lambda: provider.refuse(Tenant("global", TENANT), APP, answer))
    assert_hidden(error.diagnostics())
    assert error.message.isprintable()


def test_a_grant_shows_nothing(scene: ContractFixture) -> None:
    provider, _ = answering(scene, **good(refresh_token=CANARY, access_token=jwt(tid=TENANT, canary=CANARY)))
    grant = redeem(provider)
    assert isinstance(grant.token, AccessToken)
    assert_hidden(f"{grant!r} {vars(grant)!r} {APP!r} {vars(APP)!r}")
    assert len(FORMS) > 3
