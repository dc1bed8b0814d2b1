"""azure-identity, unmodified, over TLS."""

from __future__ import annotations

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientSecretCredential

from tests.emulator.certificates import Certificate
from tests.emulator.conftest import Served

pytestmark = pytest.mark.client

SCOPE = "https://graph.microsoft.com/.default"


def test_client_secret_credential_gets_a_token(world: Served) -> None:
    app = world.demo.connection
    with ClientSecretCredential(
        world.demo.tenant_id,
        app.app_id,
        app.secrets[0].value,
        authority=world.running.authority,
        disable_instance_discovery=True,
    ) as credential:
        token = credential.get_token(SCOPE)
    assert token.token.count(".") == 2
    assert token.expires_on > world.emulator.clock.now() + 3000


def test_client_secret_credential_shows_the_aadsts_code_of_a_wrong_secret(world: Served) -> None:
    with (
        ClientSecretCredential(
            world.demo.tenant_id,
            world.demo.connection.app_id,
            "wrong",
            authority=world.running.authority,
            disable_instance_discovery=True,
        ) as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215"),
    ):
        credential.get_token(SCOPE)


@pytest.mark.parametrize("chain", [False, True])
def test_certificate_credential_gets_a_token(world: Served, certificate: Certificate, chain: bool) -> None:
    app = world.emulator.admin.create_application(world.demo.tenant_id, f"certificate {chain}", secrets=0)
    key_id = world.emulator.admin.add_certificate(app.object_id, certificate.pem)
    with CertificateCredential(
        world.demo.tenant_id,
        app.app_id,
        certificate_data=certificate.private_pem + certificate.pem,
        send_certificate_chain=chain,
        authority=world.running.authority,
        disable_instance_discovery=True,
    ) as credential:
        assert credential.get_token(SCOPE).token
    assert world.emulator.ledger.query(operation="token", caller=app.app_id)[-1].auth_key_id == key_id
