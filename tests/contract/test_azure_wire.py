"""The whole stack over TLS: real transport, real sockets, real faults."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from entra_emulator import HANG, RESET, Effect, slow
from entra_emulator.server.server import run_in_thread
from keyturn.errors import Retryable, Unanswered, Upstream
from keyturn.ports.http import HttpRequest, HttpResponse
from keyturn.ports.provider import AccessToken
from keyturn.providers.azure.clouds import standard_clouds
from keyturn.providers.azure.provider import AzureProvider
from keyturn.providers.transport import HttpTransport
from tests.contract.conftest import ContractFixture


class Impatient:
    """The real transport, which waits for a second at most while told to hurry."""

    def __init__(self, transport: HttpTransport) -> None:
        self._transport = transport
        self._hurried = False

    def send(self, request: HttpRequest) -> HttpResponse:
        return self._transport.send(replace(request, timeout=timedelta(seconds=1)) if self._hurried else request)

    @contextmanager
    def hurried(self) -> Iterator[None]:
        self._hurried = True
        yield
        self._hurried = False


@dataclass
class Wired:
    scene: ContractFixture
    provider: AzureProvider
    transport: Impatient

    def token(self) -> AccessToken:
        return self.provider.sign_in(self.scene.tenant, self.scene.app.app_id, self.scene.secret())


@contextmanager
def wired(scene: ContractFixture, *, trusted: bool = True) -> Iterator[Wired]:
    with run_in_thread(scene.emulator) as server:
        transport = HttpTransport(ca_file=Path(server.ca_file) if trusted else None)
        clouds = standard_clouds().overridden("global", authority=server.authority, graph=server.authority)
        impatient = Impatient(transport)
        yield Wired(scene, AzureProvider(impatient, scene.clock, clouds, timeout=timedelta(seconds=30)), impatient)
        transport.close()


def test_a_secret_is_added_proven_and_removed_over_tls(scene: ContractFixture) -> None:
    with wired(scene) as wire:
        token = wire.token()
        application = wire.provider.application(scene.tenant, token, app_id=scene.app.app_id)
        wire.provider.check_may_write(scene.tenant, token, application)
        issued = wire.provider.add_password(
            scene.tenant, token, application.object_id, "over the wire", scene.in_days(30)
        )
        fresh = wire.provider.sign_in(scene.tenant, scene.app.app_id, issued.value)
        wire.provider.remove_password(scene.tenant, fresh, application.object_id, scene.app.secrets[0].key_id)
        after = wire.provider.application(scene.tenant, fresh, object_id=application.object_id)
        assert [item.key_id for item in after.credentials] == [issued.key_id]
        assert [item.name for item in wire.provider.applications(scene.tenant, fresh)] == ["Billing"]


def test_logs_of_every_level_show_no_secret_and_no_token(
    scene: ContractFixture, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with wired(scene) as wire:
        token = wire.token()
        issued = wire.provider.add_password(scene.tenant, token, scene.app.object_id, "m", scene.in_days(30))
        scene.emulator.faults.fail_next("addPassword", HANG)
        with wire.transport.hurried(), pytest.raises(Unanswered):
            wire.provider.add_password(scene.tenant, token, scene.app.object_id, "m", scene.in_days(30))
    assert "msal" in caplog.text
    for secret in (scene.secret(), token.value, issued.value):
        assert secret.reveal() not in caplog.text


def test_many_threads_share_one_provider(scene: ContractFixture) -> None:
    with wired(scene) as wire, ThreadPoolExecutor(16) as pool:
        tokens = list(pool.map(lambda _: wire.token(), range(64)))
    assert len({token.value.reveal() for token in tokens}) == 64


def test_an_authority_that_is_not_trusted_never_gets_the_secret(scene: ContractFixture) -> None:
    with wired(scene, trusted=False) as wire, pytest.raises(Retryable) as caught:
        wire.token()
    assert caught.value.code == "azure.unreachable"
    assert "trust store" in (caught.value.fix or "")
    assert len(scene.emulator.ledger) == 0


@pytest.mark.parametrize("effect", [RESET, HANG, slow(30), Effect(503), Effect(504)])
def test_a_write_whose_answer_is_lost_is_in_doubt_and_was_sent_once(scene: ContractFixture, effect: Effect) -> None:
    with wired(scene) as wire:
        token = wire.token()
        scene.emulator.faults.fail_next("addPassword", effect)
        with wire.transport.hurried(), pytest.raises(Unanswered):
            wire.provider.add_password(scene.tenant, token, scene.app.object_id, "lost", scene.in_days(30))
    assert scene.names() == ["secret 1", "lost"]


@pytest.mark.parametrize("effect", [RESET, HANG, Effect(503), Effect(429, retry_after=2.5)])
def test_a_sign_in_that_fails_on_the_wire_works_again_at_once(scene: ContractFixture, effect: Effect) -> None:
    with wired(scene) as wire:
        wire.token()
        scene.emulator.faults.fail_next("token", effect, when="before")
        with wire.transport.hurried(), pytest.raises(Upstream) as caught:
            wire.token()
        assert type(caught.value) is Retryable
        assert wire.token().roles
