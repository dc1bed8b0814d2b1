"""The vendor's own library, unmodified, over TLS."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msal
import pytest

from entra_emulator import ApplicationHandle, Effect
from entra_emulator.directory.first_party import AZURE_CLI
from tests.emulator.certificates import Certificate
from tests.emulator.conftest import Served

pytestmark = pytest.mark.client

SCOPES = ["https://graph.microsoft.com/.default"]
DAY = 86_400.0


def ask(world: Served, app: ApplicationHandle, credential: Any) -> dict[str, Any]:
    """A fresh client each time: MSAL answers from its own caches otherwise."""
    client = msal.ConfidentialClientApplication(
        app.app_id, client_credential=credential, authority=world.authority, instance_discovery=False
    )
    answer: dict[str, Any] = client.acquire_token_for_client(SCOPES)
    return answer


def test_msal_gets_a_token_with_a_client_secret(world: Served) -> None:
    app = world.demo.connection
    answer = ask(world, app, app.secrets[0].value)
    assert answer["token_type"] == "Bearer"
    assert 3599 <= answer["expires_in"] <= 5400
    last = world.emulator.ledger.query(operation="token", caller=app.app_id)[-1]
    assert last.auth_key_id == app.secrets[0].key_id


def test_msal_answers_a_second_request_from_its_own_cache(world: Served) -> None:
    app = world.demo.connection
    client = msal.ConfidentialClientApplication(
        app.app_id, client_credential=app.secrets[0].value, authority=world.authority, instance_discovery=False
    )
    client.acquire_token_for_client(SCOPES)
    before = len(world.emulator.ledger)
    assert client.acquire_token_for_client(SCOPES)["token_source"] == "cache"
    assert len(world.emulator.ledger) == before


@pytest.mark.parametrize("what", ["nonsense", "the key id"])
def test_msal_reads_7000215_for_a_value_that_is_not_a_secret(world: Served, what: str) -> None:
    app = world.demo.connection
    answer = ask(world, app, "nonsense" if what == "nonsense" else app.secrets[0].key_id)
    assert answer["error"] == "invalid_client"
    assert answer["error_codes"] == [7000215]
    assert "client secret value, not the client secret ID" in answer["error_description"]
    assert app.app_id in answer["error_description"]
    assert answer["error_uri"].endswith("/error?code=7000215")


def test_msal_reads_7000222_for_an_expired_secret(world: Served) -> None:
    app = world.emulator.admin.create_application(world.demo.tenant_id, "expired", secrets=0)
    now = world.emulator.clock.now()
    old = world.emulator.admin.add_secret(app.object_id, start=now - 9 * DAY, end=now - DAY)
    answer = ask(world, app, old.value)
    assert answer["error_codes"] == [7000222]
    assert "error_uri" not in answer


def test_msal_with_a_certificate_signs_ps256_with_a_sha256_thumbprint(world: Served, certificate: Certificate) -> None:
    app = world.emulator.admin.create_application(world.demo.tenant_id, "certificate", secrets=0)
    key_id = world.emulator.admin.add_certificate(app.object_id, certificate.pem)
    credential = {"private_key": certificate.private_pem.decode(), "public_certificate": certificate.pem.decode()}
    assert "access_token" in ask(world, app, credential)
    assert world.emulator.ledger.query(operation="token", caller=app.app_id)[-1].auth_key_id == key_id


def test_msal_with_a_thumbprint_signs_rs256_with_a_sha1_thumbprint(world: Served, certificate: Certificate) -> None:
    app = world.emulator.admin.create_application(world.demo.tenant_id, "thumbprint", secrets=0)
    world.emulator.admin.add_certificate(app.object_id, certificate.pem)
    thumbprint = hashlib.sha1(certificate.der).hexdigest()
    credential = {"private_key": certificate.private_pem.decode(), "thumbprint": thumbprint}
    assert "access_token" in ask(world, app, credential)


def test_msal_reads_700027_for_a_certificate_that_is_not_registered(world: Served, certificate: Certificate) -> None:
    app = world.emulator.admin.create_application(world.demo.tenant_id, "no certificate", secrets=0)
    credential = {"private_key": certificate.private_pem.decode(), "public_certificate": certificate.pem.decode()}
    answer = ask(world, app, credential)
    assert answer["error_codes"] == [700027]
    assert "The key was not found." in answer["error_description"]


def test_msal_refuses_an_authority_whose_tenant_is_unknown(world: Served) -> None:
    with pytest.raises(ValueError, match="Unable to get authority configuration"):
        msal.ConfidentialClientApplication(
            world.demo.connection.app_id,
            client_credential="x",
            authority=f"{world.running.authority}/11111111-1111-4111-8111-111111111111",
            instance_discovery=False,
        )


def test_msal_cannot_read_the_token_endpoints_plain_text_429(world: Served) -> None:
    world.emulator.faults.fail_next("token", Effect(429))
    with pytest.raises(json.JSONDecodeError):
        ask(world, world.demo.connection, world.demo.connection.secrets[0].value)


def test_msal_raises_for_a_503(world: Served) -> None:
    world.emulator.faults.fail_next("token", calls=3, when="before")
    with pytest.raises(Exception, match="503"):
        ask(world, world.demo.connection, world.demo.connection.secrets[0].value)


def test_msal_signs_a_person_in_on_another_device(world: Served) -> None:
    client = msal.PublicClientApplication(AZURE_CLI, authority=world.authority, instance_discovery=False)
    flow = client.initiate_device_flow(["https://graph.microsoft.com/User.Read"])
    world.emulator.admin.approve_device(flow["user_code"], user=world.demo.ada)
    answer = client.acquire_token_by_device_flow(flow)
    assert answer["id_token_claims"]["name"] == "Ada Admin"
    assert client.acquire_token_silent(["https://graph.microsoft.com/User.Read"], client.get_accounts()[0])
