"""Programs that sign in through azure-identity go on while their client secret rotates, without knowing of it."""

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from azure.core.credentials import SupportsTokenInfo, TokenCredential
from azure.core.credentials_async import AsyncSupportsTokenInfo, AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError

from entra_emulator import ApplicationHandle, Emulator, SystemClock
from entra_emulator.server.server import Running, run_in_thread
from keyturn.client import reader as reader_module
from keyturn.client.azure import AsyncKeyturnCredential, KeyturnCredential
from keyturn.client.followed import FollowedCredential
from tests.features.client.conftest import Machine

SCOPE = "https://graph.microsoft.com/.default"
REFUSED = "AADSTS7000215"


@dataclass
class Workload:
    """An application of a served Entra ID, its secrets in a folder, and a program that signs in as it."""

    machine: Machine
    entra: Emulator
    running: Running
    tenant: str
    app: ApplicationHandle

    def hand_over(self, value: str) -> None:
        self.machine.server.secrets = {"AZURE_CLIENT_ID": self.app.app_id, "AZURE_CLIENT_SECRET": value}

    def tell(self, kept: KeyturnCredential, value: str) -> None:
        """Publish a value, and return once the program was told of it."""
        followed = kept._following._followed
        self.hand_over(value)
        until(lambda: followed._known is not None and followed._known.client_secret.reveal() == value)

    @property
    def secrets(self) -> FollowedCredential:
        reader = self.machine.reader(interval=3600, instance="host/1")
        server = self.machine.opened[-1].server
        return FollowedCredential(reader, "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", server.close)

    def refusals(self) -> int:
        return len([entry for entry in self.entra.ledger.query(operation="token") if entry.status != 200])


def until(holds: Callable[[], object]) -> None:
    over = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < over
        time.sleep(0.01)


@pytest.fixture(scope="module")
def _entra() -> Iterator[tuple[Emulator, Running, str]]:
    emulator = Emulator(SystemClock(), seed=3)
    with run_in_thread(emulator) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(running.ca_file))
        patch.setenv("SSL_CERT_FILE", str(running.ca_file))
        yield emulator, running, emulator.admin.create_tenant("Contoso")


@pytest.fixture
def workload(machine: Machine, _entra: tuple[Emulator, Running, str]) -> Workload:
    emulator, running, tenant = _entra
    app = emulator.admin.create_application(tenant, "billing")
    workload = Workload(machine, emulator, running, tenant, app)
    workload.hand_over(app.secrets[0].value)
    return workload


def credential(workload: Workload) -> KeyturnCredential:
    options = {"authority": workload.running.authority, "disable_instance_discovery": True}
    return KeyturnCredential(workload.tenant, secrets=workload.secrets, **options)


def replace_secret(workload: Workload) -> None:
    """Do what a rotation does in the end: there is a new secret, and the one before is gone."""
    fresh = workload.entra.admin.add_secret(workload.app.object_id)
    workload.hand_over(fresh.value)
    workload.entra.admin.remove_secret(workload.app.object_id, workload.app.secrets[0].key_id)


def test_a_program_goes_on_when_its_secret_was_replaced_behind_its_back(workload: Workload) -> None:
    with credential(workload) as kept:
        assert isinstance(kept, TokenCredential)
        assert isinstance(kept, SupportsTokenInfo)
        assert kept.get_token(SCOPE).token.count(".") == 2
        replace_secret(workload)
        assert kept.get_token_info(SCOPE, options={"enable_cae": True}).token, "one refusal, and then the new one"
        assert kept.get_token(SCOPE).token
        with pytest.raises(ClientAuthenticationError, match="AADSTS"):
            kept.get_token("not a scope")


def test_a_secret_is_in_use_once_it_signed_in(workload: Workload) -> None:
    server = workload.machine.server
    server.knows_waiting, server.headers = True, {"x-keyturn-key-id": "key-1"}

    with credential(workload) as kept:
        kept.get_token(SCOPE)
        until(lambda: len(server.in_use) == 1)
        server.headers = {"x-keyturn-key-id": "key-2"}
        workload.tell(kept, "not~known~yet")
        kept.get_token_info(SCOPE, options={"enable_cae": True})
        time.sleep(0.1)
        assert len(server.in_use) == 1, "Entra ID does not take it yet, and the program goes on with the one before"
        replace_secret(workload)
        kept.get_token_info(SCOPE)
        until(lambda: len(server.in_use) == 2)
    assert [each["keyIds"] for each in server.in_use] == [["key-1"], ["key-2"]]


def test_an_async_program_does_too(workload: Workload) -> None:
    async def program() -> None:
        options = {"authority": workload.running.authority, "disable_instance_discovery": True}
        async with AsyncKeyturnCredential(workload.tenant, secrets=workload.secrets, **options) as kept:
            assert isinstance(kept, AsyncTokenCredential)
            assert isinstance(kept, AsyncSupportsTokenInfo)
            assert (await kept.get_token(SCOPE)).token
            replace_secret(workload)
            assert (await kept.get_token_info(SCOPE, options={"enable_cae": True})).token

    asyncio.run(program())


def test_a_secret_that_is_wrong_stays_refused_and_is_asked_about_once(workload: Workload) -> None:
    workload.hand_over("wrong~secret")
    with credential(workload) as kept:
        before = workload.refusals()
        with pytest.raises(ClientAuthenticationError, match=REFUSED):
            kept.get_token(SCOPE)
        assert workload.refusals() == before + 1
        until(lambda: len(workload.machine.server.waited) == 3)
        assert sorted(workload.machine.server.waited)[:2] == [0, 0], "and once more when it was refused"
        assert workload.machine.server.waited.count(0) == 2, "the third one waits for a change"


def test_the_secret_before_helps_while_a_replica_does_not_know_the_newest(workload: Workload) -> None:
    workload.machine.server.knows_waiting = True
    with credential(workload) as kept:
        assert kept.get_token(SCOPE).token
        workload.tell(kept, "not~known~yet")
        assert kept.get_token_info(SCOPE, options={"enable_cae": True}).token


def test_an_outage_of_the_server_matters_only_to_who_has_nothing(
    workload: Workload, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "_SOON", 0.0)
    workload.machine.server.knows_waiting = True
    with credential(workload) as kept:
        assert kept.get_token(SCOPE).token
        until(lambda: len(workload.machine.server.waited) == 2)
        workload.machine.server.trouble = "refused"
        workload.machine.server.secrets["OTHER"] = "ends the wait"
        until(lambda: "going on with the known client secret" in caplog.text)
        assert kept.get_token_info(SCOPE, options={"enable_cae": True}).token, "it has a secret, which may still work"
        assert workload.app.secrets[0].value not in caplog.text
    with credential(workload) as new, pytest.raises(CredentialUnavailableError, match="You may not"):
        new.get_token(SCOPE)


def test_nothing_waits_for_changes_of_a_credential_that_nobody_has_any_more(workload: Workload) -> None:
    server = workload.machine.server
    server.knows_waiting = True
    kept = credential(workload)
    kept.get_token(SCOPE)
    thread = kept._following._followed._thread
    assert thread is not None
    assert thread.daemon, "it keeps no program from ending"
    until(lambda: len(server.waited) == 2)
    del kept
    gc.collect()
    server.secrets["OTHER"] = "ends the wait"
    thread.join(30)
    assert not thread.is_alive()
