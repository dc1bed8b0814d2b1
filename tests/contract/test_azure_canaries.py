"""No secret and no token ever shows: not in errors, not in tracebacks' variables, not in logs, on no path."""

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import parse_qsl, quote, quote_plus

import pytest

from entra_emulator import GATEWAY_TIMEOUT, HANG, RESET, Effect, Emulator, Fault
from keyturn.errors import Upstream
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse, TransportFailed
from keyturn.ports.provider import AccessToken, CredentialRequest, Tenant
from keyturn.providers.azure.certificate import proof_of_possession
from keyturn.providers.azure.key_pairs import new_key, new_pair
from keyturn.providers.azure.provider import AzureProvider
from keyturn_simulation.emulated import emulated_clouds
from keyturn_simulation.keys import private_lines
from tests.contract.conftest import ContractFixture
from tests.contract.test_azure_sign_in import Scripted, discovery

CANARY = "canary8Q~[@+]:w-=%/fly"
TOKEN = "eyJjYW5hcnkifQ.eyJjYW5hcnkifQ.Y2FuYXJ5LXRva2Vu"
FORMS = (CANARY, quote(CANARY), quote_plus(CANARY), json.dumps(CANARY)[1:-1], TOKEN)


def all_that_shows(error: BaseException) -> Iterator[str]:
    """Everything that a logger, a crash reporter or a debugger would print of an error and of all behind it."""
    yield "".join(traceback.format_exception(error))
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None:
            continue
        yield f"{current!r} {current} {current.args!r} {vars(current)!r}"
        pending += [current.__cause__, current.__context__]
        for frame, _ in traceback.walk_tb(current.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                yield repr(frame.f_locals)


def assert_hidden(text: str) -> None:
    for form in FORMS:
        assert form not in text


class Echo:
    """A hostile Microsoft: answers with everything it was sent, in every field it has."""

    def __init__(self, status: int, *, plain: bool = False) -> None:
        self.status = status
        self.plain = plain

    def send(self, request: HttpRequest) -> HttpResponse:
        if request.method == "GET" and "openid" in request.url:
            return discovery()
        form = dict(parse_qsl(request.body.decode()))
        echo = f"{form.get('client_secret', '')} {request.body.decode()} {request.headers.get('authorization', '')}"
        body: dict[str, object] = {"error": echo, "error_description": echo, "trace_id": echo, "error_codes": [echo]}
        if "/v1.0/" in request.url:
            body = {"error": {"code": echo, "message": echo, "innerError": {"request-id": echo}}}
        raw = echo.encode() if self.plain else json.dumps(body).encode()
        return HttpResponse(self.status, {"request-id": echo, "x-ms-request-id": echo, "retry-after": echo}, raw)


def calls(provider: AzureProvider, tenant: Tenant, scene: ContractFixture) -> list[Callable[[], object]]:
    token = AccessToken(Plaintext(TOKEN), scene.in_days(1), ("Application.ReadWrite.OwnedBy",), scene.app.principal_id)
    object_id, key_id = scene.app.object_id, scene.app.secrets[0].key_id
    return [
        lambda: provider.sign_in(tenant, scene.app.app_id, Plaintext(CANARY)),
        lambda: provider.application(tenant, token, app_id=scene.app.app_id),
        lambda: provider.application(tenant, token, object_id=object_id),
        lambda: provider.add_password(tenant, token, object_id, "marker", scene.in_days(9)),
        lambda: provider.remove_password(tenant, token, object_id, key_id),
        lambda: provider.applications(tenant, token),
    ]


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert_hidden(caplog.text)


def fails_without_showing(call: Callable[[], object]) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any error will do, as long as it shows nothing
        call()
    for text in all_that_shows(caught.value):
        assert_hidden(text)


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 408, 409, 418, 429, 500, 503])
@pytest.mark.parametrize("plain", [False, True])
def test_a_service_that_repeats_what_it_was_sent_gives_nothing_away(
    scene: ContractFixture, status: int, plain: bool
) -> None:
    provider = AzureProvider(Echo(status, plain=plain), scene.clock, emulated_clouds())
    for number, call in enumerate(calls(provider, scene.tenant, scene)):
        if status in {200, 204} and number == 4:
            continue  # any success answers a removal
        fails_without_showing(call)


@pytest.mark.parametrize("status", [200, 302, 400, 403, 409, 429, 500])
def test_neither_a_key_nor_a_proof_is_given_away(scene: ContractFixture, status: int) -> None:
    pair = new_pair(new_key(), "canary", scene.clock.now(), scene.in_days(9))
    token = AccessToken(Plaintext(TOKEN), scene.in_days(1))
    provider = AzureProvider(Echo(status), scene.clock, emulated_clouds())
    kind, object_id = provider.kind("certificate"), scene.app.object_id
    order = CredentialRequest(object_id, "marker", scene.in_days(9), pair.packed())
    lines = private_lines(pair.private_key)
    proof = proof_of_possession(pair, object_id, scene.clock.now()).reveal().split(".")
    attempts: list[Callable[[], object]] = [lambda: kind.add(scene.tenant, token, pair.packed(), order)]
    if status != 200:
        attempts.append(lambda: kind.remove(scene.tenant, token, pair.packed(), object_id, object_id))
    for call in attempts:
        with pytest.raises(Upstream) as caught:
            call()
        for text in all_that_shows(caught.value):
            assert_hidden(text)
            assert not [piece for piece in (*lines, *proof[1:]) if piece in text]


@pytest.mark.parametrize("sent", [True, False])
def test_a_broken_connection_gives_nothing_away(scene: ContractFixture, sent: bool) -> None:
    class Broken:
        def send(self, request: HttpRequest) -> HttpResponse:
            raise TransportFailed("read timeout", sent=sent)

    provider = AzureProvider(Broken(), scene.clock, emulated_clouds())
    for call in calls(provider, scene.tenant, scene):
        fails_without_showing(call)


def test_a_fault_on_this_side_gives_nothing_away(scene: ContractFixture) -> None:
    class Held:
        def send(self, request: HttpRequest) -> HttpResponse:
            if "openid" in request.url:
                return discovery()
            raise RuntimeError("a transaction is open")

    provider = AzureProvider(Held(), scene.clock, emulated_clouds())
    fails_without_showing(calls(provider, scene.tenant, scene)[0])


@pytest.mark.parametrize(
    "body",
    [
        f'{{"access_token": {{"{TOKEN}": 1}}, "expires_in": 5}}',
        f'{{"access_token": "", "leak": "{TOKEN}"}}',
        f'{{"access_token": "{TOKEN}"',
        f'{{"error": "invalid_client", "error_description": "{CANARY}"}}',
    ],
)
def test_a_half_token_gives_nothing_away(scene: ContractFixture, body: str) -> None:
    answers = {"openid-configuration": discovery(), "token": HttpResponse(200, {}, body.encode())}
    provider = AzureProvider(Scripted(answers), scene.clock, emulated_clouds())
    fails_without_showing(calls(provider, scene.tenant, scene)[0])


@pytest.mark.parametrize("body", [{"secretText": CANARY}, {"keyId": 5, "secretText": CANARY}, [CANARY]])
def test_an_incomplete_issue_gives_nothing_away(scene: ContractFixture, body: object) -> None:
    answers = {"addPassword": HttpResponse(200, {}, json.dumps(body).encode())}
    provider = AzureProvider(Scripted(answers), scene.clock, emulated_clouds())
    fails_without_showing(calls(provider, scene.tenant, scene)[3])


@pytest.mark.parametrize(
    "pasted", [f"{CANARY}\n", f"-----BEGIN {CANARY}", f"{CANARY * 20}", f"eyJ{CANARY * 6}..", f"{CANARY} x"]
)
def test_a_wrong_paste_gives_nothing_away(scene: ContractFixture, pasted: str) -> None:
    fails_without_showing(lambda: scene.provider.sign_in(scene.tenant, scene.app.app_id, Plaintext(pasted)))


def test_success_gives_nothing_away(scene: ContractFixture, caplog: pytest.LogCaptureFixture) -> None:
    """The scene's own secrets and tokens, on the way of a whole rotation."""
    token = scene.token()
    issued = scene.provider.add_password(scene.tenant, token, scene.app.object_id, "marker", scene.in_days(9))
    fresh = scene.provider.sign_in(scene.tenant, scene.app.app_id, issued.value)
    report = f"{caplog.text} {token!r} {fresh!r} {issued!r} {vars(issued)!r}"
    for secret in (scene.secret(), issued.value, token.value, fresh.value):
        assert secret.reveal() not in report


@pytest.mark.parametrize("effect", [RESET, HANG, GATEWAY_TIMEOUT, Effect(429, retry_after=3.0)])
def test_secrets_go_to_the_token_endpoint_and_nowhere_else(scene: ContractFixture, effect: Effect) -> None:
    emulator: Emulator = scene.emulator
    emulator.faults.add(Fault("addPassword", (effect,), times=1))
    token = scene.token()
    for _ in range(2):
        try:
            issued = scene.provider.add_password(scene.tenant, token, scene.app.object_id, "m", scene.in_days(9))
        except Upstream as error:
            for text in all_that_shows(error):
                assert token.value.reveal() not in text
    scene.clock.advance(timedelta(minutes=1).total_seconds())
    scene.provider.sign_in(scene.tenant, scene.app.app_id, issued.value)
    assert not emulator.ledger.saw_plaintext(issued.value.reveal())
    assert not emulator.ledger.saw_plaintext(scene.secret().reveal())
