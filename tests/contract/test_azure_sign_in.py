"""Signing in: what a success proves, and what each refusal tells."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from entra_emulator import HANG, RESET, Effect, Fault
from keyturn.errors import NeedsAction, NotYet, Retryable, Unanswered, Upstream
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse, Transport
from keyturn.ports.provider import AccessToken, Tenant
from keyturn.providers.azure.clouds import standard_clouds
from keyturn.providers.azure.provider import AzureProvider
from keyturn_simulation.emulated import HOST, emulated_clouds
from tests.contract.conftest import ContractFixture


def error_of(call: Callable[[], object]) -> Upstream:
    with pytest.raises(Upstream) as caught:
        call()
    return caught.value


class Scripted:
    """A transport that answers what it is told, by the end of the path."""

    def __init__(self, answers: Mapping[str, HttpResponse]) -> None:
        self.answers = answers
        self.sent: list[HttpRequest] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        return next(answer for end, answer in self.answers.items() if request.url.endswith(end))


def discovery(host: str = HOST) -> HttpResponse:
    endpoints = {"token_endpoint": f"{host}/t/oauth2/v2.0/token", "authorization_endpoint": f"{host}/t/authorize"}
    return HttpResponse(200, {}, json.dumps(endpoints).encode())


def provider_over(scene: ContractFixture, transport: Transport) -> AzureProvider:
    return AzureProvider(transport, scene.clock, emulated_clouds())


def test_a_right_secret_gives_a_token_that_says_what_it_may(scene: ContractFixture) -> None:
    token = scene.token()
    assert token.roles == ("Application.ReadWrite.OwnedBy",)
    assert token.principal_id == scene.app.principal_id
    assert timedelta(minutes=60) <= token.expires_at - scene.clock.now() <= timedelta(minutes=90)


def test_every_sign_in_asks_anew_and_discovery_is_asked_once_an_hour(scene: ContractFixture) -> None:
    for _ in range(5):
        scene.token()
    assert scene.transport.requests == 6
    scene.clock.advance(3601)
    scene.token()
    assert scene.transport.requests == 8


def test_a_removed_secret_is_noticed_at_the_very_next_sign_in(scene: ContractFixture) -> None:
    scene.token()
    scene.admin.remove_secret(scene.app.object_id, scene.app.secrets[0].key_id)
    assert error_of(scene.token).code == "azure.secret_invalid"


def test_a_wrong_secret_is_not_yet_known_or_mistyped(scene: ContractFixture) -> None:
    error = error_of(lambda: scene.provider.sign_in(scene.tenant, scene.app.app_id, Plaintext("not~the.secret")))
    assert (type(error), error.code) == (NotYet, "azure.secret_invalid")
    assert error.request_id
    assert "Value" in (error.fix or "")
    assert scene.app.app_id in error.message


def test_an_expired_secret_is_told_apart(scene: ContractFixture) -> None:
    scene.clock.advance(timedelta(days=731).total_seconds())
    error = error_of(scene.token)
    assert (type(error), error.code) == (NotYet, "azure.secret_expired")


def test_the_id_of_a_secret_is_recognised_without_asking(scene: ContractFixture) -> None:
    pasted = Plaintext(scene.app.secrets[0].key_id)
    error = error_of(lambda: scene.provider.sign_in(scene.tenant, scene.app.app_id, pasted))
    assert (type(error), error.code) == (NeedsAction, "azure.secret_id_pasted")
    assert scene.transport.requests == 0


@pytest.mark.parametrize(
    ("tenant_id", "code"),
    [
        ("11111111-1111-4111-8111-111111111111", "azure.tenant_unknown"),
        ("nobody.example.com", "azure.tenant_unknown"),
        ("common", "azure.tenant_malformed"),
        ("../../common", "azure.tenant_malformed"),
    ],
)
def test_a_wrong_tenant_is_named(scene: ContractFixture, tenant_id: str, code: str) -> None:
    tenant = Tenant("global", tenant_id)
    error = error_of(lambda: scene.provider.sign_in(tenant, scene.app.app_id, scene.secret()))
    assert (type(error), error.code) == (NeedsAction, code)
    assert error.fix


def test_an_application_that_the_tenant_does_not_know_may_still_be_spreading(scene: ContractFixture) -> None:
    foreign = "22222222-2222-4222-8222-222222222222"
    error = error_of(lambda: scene.provider.sign_in(scene.tenant, foreign, scene.secret()))
    assert (type(error), error.code) == (NotYet, "azure.application_unknown")


def test_a_refusal_is_not_remembered(scene: ContractFixture) -> None:
    """MSAL itself would answer the second call from its cache for a minute."""
    scene.emulator.faults.fail_next("token", Effect(400, "700016", "not found in the directory"), when="before")
    assert error_of(scene.token).code == "azure.application_unknown"
    scene.token()


def test_a_disabled_application_needs_somebody_to_enable_it(scene: ContractFixture) -> None:
    scene.admin.set_disabled(scene.app.object_id, disabled=True)
    error = error_of(scene.token)
    assert (type(error), error.code) == (NeedsAction, "azure.application_disabled")


@pytest.mark.parametrize("style", ["integer", "fraction", "date"])
def test_plain_text_throttling_is_obeyed_in_each_written_form(scene: ContractFixture, style: str) -> None:
    scene.admin.configure(scene.tenant_id, retry_after=style)
    scene.emulator.faults.fail_next("token", Effect(429, retry_after=17.0), when="before")
    error = error_of(scene.token)
    assert isinstance(error, Retryable)
    assert (error.code, error.retry_after) == ("azure.throttled", timedelta(seconds=17))
    scene.token()


@pytest.mark.parametrize("status", [500, 503, 504])
def test_a_temporary_failure_is_not_remembered(scene: ContractFixture, status: int) -> None:
    scene.emulator.faults.fail_next("token", Effect(status), when="before")
    error = error_of(scene.token)
    assert (type(error), error.code) == (Retryable, "azure.unavailable")
    scene.token()


@pytest.mark.parametrize("effect", [RESET, HANG])
def test_a_lost_answer_to_a_sign_in_is_simply_repeated(scene: ContractFixture, effect: Effect) -> None:
    scene.emulator.faults.fail_next("token", effect)
    error = error_of(scene.token)
    assert (type(error), error.code) == (Retryable, "azure.no_answer")
    assert not isinstance(error, Unanswered)


def test_an_unreachable_network_is_simply_repeated(scene: ContractFixture) -> None:
    with scene.transport.cut():
        assert error_of(scene.token).code == "azure.unreachable"
    scene.token()


def test_a_failure_of_discovery_is_not_remembered(scene: ContractFixture) -> None:
    scene.emulator.faults.add(Fault("*", (Effect(503),), when="before"))
    assert isinstance(error_of(scene.token), Retryable)
    scene.token()


def test_a_new_secret_flaps_while_it_spreads_and_then_holds(scene: ContractFixture) -> None:
    scene.admin.configure(scene.tenant_id, replicas=4, token_appear=(5.0, 60.0))
    issued = scene.provider.add_password(
        scene.tenant, scene.token(), scene.app.object_id, "flapping", scene.in_days(30)
    )
    outcomes: list[str] = []
    for _ in range(40):
        try:
            scene.provider.sign_in(scene.tenant, scene.app.app_id, issued.value)
            outcomes.append("ok")
        except NotYet as error:
            outcomes.append(error.code)
        scene.clock.advance(2)
    assert {"ok", "azure.secret_invalid"} <= set(outcomes)
    assert outcomes[-10:] == ["ok"] * 10


def test_the_secret_never_follows_a_tenant_into_another_cloud(scene: ContractFixture) -> None:
    transport = Scripted({"openid-configuration": discovery("https://login.microsoftonline.us")})
    error = error_of(lambda: provider_over(scene, transport).sign_in(scene.tenant, scene.app.app_id, scene.secret()))
    assert (type(error), error.code) == (NeedsAction, "azure.wrong_cloud")
    assert [request.method for request in transport.sent] == ["GET"]


def test_the_other_name_of_the_same_cloud_is_accepted(scene: ContractFixture) -> None:
    body = json.dumps({"access_token": "opaque", "expires_in": 60}).encode()
    transport = Scripted(
        {"openid-configuration": discovery("https://login.chinacloudapi.cn"), "token": HttpResponse(200, {}, body)}
    )
    provider = AzureProvider(transport, scene.clock, standard_clouds())
    assert provider.sign_in(Tenant("china", scene.tenant_id), scene.app.app_id, scene.secret()).roles == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>sign in to the hotel's network</html>",
        b"[]",
        b"{}",
        b'{"access_token": 5}',
        b'{"access_token": ""}',
        b'{"access_token": {"canary": 1}, "expires_in": []}',
        b'{"error": "invalid_client"}',
    ],
)
def test_a_success_without_a_token_is_no_proof(scene: ContractFixture, body: bytes) -> None:
    transport = Scripted({"openid-configuration": discovery(), "token": HttpResponse(200, {}, body)})
    error = error_of(lambda: provider_over(scene, transport).sign_in(scene.tenant, scene.app.app_id, scene.secret()))
    assert (type(error), error.code) == (Retryable, "azure.unreadable_answer")


@pytest.mark.parametrize("document", [b"", b"{}", b"[]", b'{"token_endpoint": 5, "authorization_endpoint": ""}'])
def test_a_strange_discovery_document_is_neither_used_nor_kept(scene: ContractFixture, document: bytes) -> None:
    transport = Scripted({"openid-configuration": HttpResponse(200, {}, document)})
    provider = provider_over(scene, transport)
    for _ in range(2):
        error = error_of(lambda: provider.sign_in(scene.tenant, scene.app.app_id, scene.secret()))
        assert isinstance(error, Retryable | NeedsAction)
    assert len(transport.sent) == 2


@pytest.mark.parametrize(
    "token",
    ["opaque", "a.b.c", "a.!!!!.c", "e30.bnVsbA.x", "e30.eyJyb2xlcyI6ICJhbGwiLCAib2lkIjogNX0.x"],
)
def test_a_token_that_cannot_be_read_is_still_a_token(scene: ContractFixture, token: str) -> None:
    body = json.dumps({"access_token": token, "expires_in": "3599"}).encode()
    transport = Scripted({"openid-configuration": discovery(), "token": HttpResponse(200, {}, body)})
    got = provider_over(scene, transport).sign_in(scene.tenant, scene.app.app_id, scene.secret())
    assert got == AccessToken(Plaintext(token), scene.clock.now() + timedelta(seconds=3599), client_id=scene.app.app_id)


def test_a_regional_override_of_the_machine_does_not_redirect_the_secret(
    scene: ContractFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSAL_FORCE_REGION", "westeurope")
    scene.token()


def test_a_refusal_by_this_servers_own_guard_is_not_taken_for_an_answer(scene: ContractFixture) -> None:
    class Held:
        def send(self, request: HttpRequest) -> HttpResponse:
            raise RuntimeError("a transaction is open")

    with pytest.raises(RuntimeError, match="a transaction is open"):
        provider_over(scene, Held()).sign_in(scene.tenant, scene.app.app_id, scene.secret())


def test_each_request_carries_its_own_id(scene: ContractFixture) -> None:
    answers = {"openid-configuration": discovery(), "token": HttpResponse(503)}
    transport = Scripted(answers)
    provider = provider_over(scene, transport)
    for _ in range(3):
        error_of(lambda: provider.sign_in(scene.tenant, scene.app.app_id, scene.secret()))
    assert len({request.headers["client-request-id"] for request in transport.sent}) == 4
    assert all(replace(request, headers={}).timeout == timedelta(seconds=10) for request in transport.sent)
