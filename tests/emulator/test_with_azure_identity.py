"""azure-identity, unmodified, over TLS."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msal.managed_identity
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    CredentialUnavailableError,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from entra_emulator import ApplicationHandle, Emulator, Request, SigningKey, SystemClock
from entra_emulator.server.outside import Network
from entra_emulator.server.server import Running, run_in_thread
from tests.emulator.certificates import Certificate
from tests.emulator.conftest import Served
from tests.emulator.issuer import AUDIENCE, Issuer

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


@dataclass
class Federated:
    """A served emulator that asks issuers, an issuer on this machine, and an application that trusts it."""

    emulator: Emulator
    running: Running
    tenant: str
    issuer: Issuer
    app: ApplicationHandle

    def trust(self, issuer: str, subject: str) -> ApplicationHandle:
        admin = self.emulator.admin
        app = admin.create_application(self.tenant, f"trusts {subject}", secrets=0)
        admin.trust_identity(app.object_id, issuer, subject)
        return app


@pytest.fixture(scope="module")
def federated(
    signing_key: SigningKey, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Federated]:
    issuer = Issuer(certificate.key)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = issuer.documents.get(f"{issuer.url}{self.path}")
            self.send_response(200 if document else 404)
            self.end_headers()
            self.wfile.write(document.body if document else b"")

        def log_message(self, *_: object) -> None: ...

    documents = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=documents.serve_forever, args=(0.02,), daemon=True).start()
    issuer.url = f"http://127.0.0.1:{documents.server_address[1]}"
    issuer.publish("k1")
    outside = Network(challenge_folder=tmp_path_factory.mktemp("tokens"))
    emulator = Emulator(SystemClock(), seed=7, signing_key=signing_key, outside=outside)
    tenant = emulator.admin.create_tenant("Contoso")
    with run_in_thread(emulator, metadata_port=0) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", running.ca_file)
        patch.delenv("CURL_CA_BUNDLE", raising=False)
        made = Federated(emulator, running, tenant, issuer, None)  # type: ignore[arg-type]
        made.app = made.trust(issuer.url, "system:serviceaccount:apps:web")
        yield made
    documents.shutdown()
    documents.server_close()


def test_workload_identity_credential_exchanges_the_token_of_a_pod(federated: Federated, tmp_path: Path) -> None:
    now, file = federated.emulator.clock.now(), tmp_path / "token"
    subject = "system:serviceaccount:apps:web"
    file.write_text(federated.issuer.token(now, sub=subject))

    def credential(path: Path) -> WorkloadIdentityCredential:
        return WorkloadIdentityCredential(
            tenant_id=federated.tenant,
            client_id=federated.app.app_id,
            token_file_path=str(path),
            authority=federated.running.authority,
            disable_instance_discovery=True,
        )

    assert credential(file).get_token(SCOPE).token.count(".") == 2
    (tmp_path / "other").write_text(federated.issuer.token(now, sub="system:serviceaccount:apps:other"))
    with pytest.raises(ClientAuthenticationError, match="AADSTS700213"):
        credential(tmp_path / "other").get_token(SCOPE)
    keys = federated.emulator.ledger.query(operation="token", caller=federated.app.app_id)
    assert [bool(entry.auth_key_id) for entry in keys] == [True, False]
    [known] = federated.emulator.call(Request("GET", "/_emulator/issuers")).json()
    assert (known["issuer"], known["keys"]) == (federated.issuer.url, ["k1"])


def test_managed_identity_credential_speaks_to_all_three_endpoints(
    federated: Federated, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, running = federated.emulator.admin, federated.running
    admin.create_managed_identity(federated.tenant, "own", system=True)
    chosen = admin.create_managed_identity(federated.tenant, "chosen")
    app = federated.trust(f"https://login.microsoftonline.com/{federated.tenant}/v2.0", chosen.principal_id)

    def signs_in() -> None:
        identity = ManagedIdentityCredential(client_id=chosen.client_id)
        with ClientAssertionCredential(
            federated.tenant,
            app.app_id,
            lambda: identity.get_token(f"{AUDIENCE}/.default").token,
            authority=running.authority,
            disable_instance_discovery=True,
        ) as credential:
            assert credential.get_token(SCOPE).token

    with monkeypatch.context() as machine:
        machine.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", running.metadata)
        signs_in()
        by_resource = {"resource_id": chosen.resource_id}
        assert ManagedIdentityCredential(identity_config=by_resource).get_token(SCOPE).token
        assert ManagedIdentityCredential().get_token(SCOPE).token
        with pytest.raises(CredentialUnavailableError, match="Identity not found"):
            ManagedIdentityCredential(client_id=app.app_id).get_token(SCOPE)
    with monkeypatch.context() as app_service:
        app_service.setenv("IDENTITY_ENDPOINT", f"{running.metadata}/msi/token")
        app_service.setenv("IDENTITY_HEADER", running.identity_header)
        signs_in()
    with monkeypatch.context() as arc:
        endpoint = f"{running.metadata}/arc/metadata/identity/oauth2/token"
        arc.setenv("IDENTITY_ENDPOINT", endpoint)
        arc.setenv("IMDS_ENDPOINT", running.metadata)
        asked = Request("GET", f"{endpoint}?api-version=2020-06-01", {"Metadata": "true"})
        challenge = federated.emulator.call(asked).header("WWW-Authenticate") or ""
        folder = Path(challenge.partition("=")[2]).parent
        arc.setitem(msal.managed_identity._supported_arc_platforms_and_their_prefixes, "linux", str(folder))
        signs_in()
