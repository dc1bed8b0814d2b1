"""Microsoft's libraries for other languages, unmodified. They are fetched into ``build/clients`` by the tools of those languages.

Where a tool is missing or cannot fetch, the test is skipped, and says so. Go takes minutes to build: ``make clients`` does it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from entra_emulator import Emulator, SigningKey, SystemClock
from entra_emulator.directory.first_party import AZURE_CLI
from entra_emulator.server.outside import Network
from entra_emulator.server.server import Running, run_in_thread
from tests.emulator.certificates import Certificate
from tests.emulator.issuer import Issuer, served
from tests.emulator.real_names import real_names
from tests.system.test_other_sdks import fetched, program

pytestmark = pytest.mark.client

HERE = Path(__file__).parent
BUILT = Path(__file__).parents[2] / "build" / "clients"
SUBJECT = "system:serviceaccount:apps:web"


@dataclass(frozen=True)
class Client:
    """A served emulator, and what a program needs that may sign in as one application in every way."""

    emulator: Emulator
    running: Running
    tenant: str
    principal: str
    app_id: str
    secret: str
    user: str
    certificate: Path
    token: Path
    issuer: str


@pytest.fixture
def client(signing_key: SigningKey, certificate: Certificate, tmp_path: Path) -> Iterator[Client]:
    emulator = Emulator(SystemClock(), seed=7, signing_key=signing_key, outside=Network())
    issuer = Issuer(certificate.key)
    admin = emulator.admin
    tenant = admin.create_tenant("Contoso")
    app = admin.create_application(tenant, "client", permissions=("Application.ReadWrite.All",))
    admin.add_certificate(app.object_id, certificate.pem)
    user = admin.create_user(tenant, "Ada Admin", roles=("Application Administrator",))
    pem, token = tmp_path / "certificate.pem", tmp_path / "token"
    pem.write_bytes(certificate.private_pem + certificate.pem)
    with served(issuer, "k1"), run_in_thread(emulator) as running:
        admin.trust_identity(app.object_id, issuer.url, SUBJECT)
        token.write_text(issuer.token(emulator.clock.now(), sub=SUBJECT))
        secret = app.secrets[0].value
        yield Client(emulator, running, tenant, app.principal_id, app.app_id, secret, user, pem, token, issuer.url)


def node_modules(npm: str) -> Path:
    """The folder of the packages that the lock names, fetched where it is missing or the lock was changed."""
    folder, names = BUILT / "node", ("package.json", "package-lock.json")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        is_whole = (folder / "node_modules" / ".package-lock.json").exists()
        if not is_whole or any((folder / name).read_bytes() != (HERE / "node" / name).read_bytes() for name in names):
            for name in names:
                shutil.copy(HERE / "node" / name, folder)
            fetched(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", at=folder)
    return folder


def run_node(client: Client, *steps: str) -> None:
    node, modules = program("node"), node_modules(program("npm"))
    told = client.token.with_name("told.json")
    running = client.running
    told.write_text(
        json.dumps(
            {
                "authority": running.authority,
                "admin": running.admin,
                "tenant": client.tenant,
                "client": client.app_id,
                "secret": client.secret,
                "user": client.user,
                "cli": AZURE_CLI,
                "certificate": str(client.certificate),
                "tokenFile": str(client.token),
            }
        )
    )
    done = subprocess.run(
        [node, str(HERE / "node" / "clients.mjs"), str(modules), str(told), *steps],
        env=os.environ | {"NODE_EXTRA_CA_CERTS": running.ca_file},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.stdout.strip().splitlines()[-1:] == ["ok"], done.stdout + done.stderr


def test_libraries_for_node_sign_in_in_every_way_and_manage_applications(client: Client) -> None:
    run_node(client, "secret", "certificate", "federated", "passwords", "pages", "delta")


@pytest.mark.compiled
def test_a_library_for_node_signs_a_person_in_by_the_code_of_a_device(client: Client) -> None:
    run_node(client, "device")


def go_program(folder: str) -> Path:
    """The tests of a Go module, built where they are missing or were changed."""
    go, source = program("go"), HERE / folder
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(source.iterdir()))).hexdigest()
    built = BUILT / f"{folder}-{digest[:16]}"
    if not built.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        fetched(go, "mod", "download", at=source)
        done = subprocess.run(
            [go, "test", "-mod=readonly", "-c", "-o", str(built), "."],
            cwd=source,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not done.returncode, done.stderr
    return built


def run_go(client: Client, folder: str, tests: int, **told: str) -> None:
    """Run all tests of a Go module, which finds the local Entra ID by the real names."""
    with real_names(client.running.port) as proxy:
        environment = {
            "HTTPS_PROXY": proxy,
            "SSL_CERT_FILE": client.running.ca_file,
            "TENANT": client.tenant,
            "CLIENT": client.app_id,
            "SECRET": client.secret,
        }
        command = [str(go_program(folder)), "-test.v", "-test.timeout", "100s"]
        done = subprocess.run(command, env=os.environ | environment | told, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout + done.stderr
    assert done.stdout.count("--- PASS") == tests, done.stdout


@pytest.mark.compiled
@pytest.mark.timeout(1500)
def test_libraries_for_go_sign_in_by_the_real_names_and_manage_applications(client: Client) -> None:
    client.emulator.admin.grant(client.principal, "AppRoleAssignment.ReadWrite.All")
    told = {"CERTIFICATE": str(client.certificate), "TOKEN_FILE": str(client.token)}
    run_go(client, "go", 6, **told, ISSUER=client.issuer, SUBJECT=SUBJECT)


@pytest.mark.compiled
@pytest.mark.timeout(1500)
def test_the_secrets_engine_of_vault_leases_secrets_of_applications_and_replaces_its_own(client: Client) -> None:
    """The engine is the one that Vault runs, without the server around it: what it asks of Azure is the same."""
    admin = client.emulator.admin
    subscription = admin.create_subscription(client.tenant, "Works", owners=(client.principal,))
    target = admin.create_application(client.tenant, "target", secrets=0)
    run_go(client, "vault", 3, SUBSCRIPTION=subscription, TARGET=target.object_id)
    assert not admin.secrets(target.object_id)


@pytest.mark.compiled
@pytest.mark.timeout(1500)
def test_the_sdks_of_terraforms_provider_do_what_its_resources_do_while_replicas_lag(
    client: Client, certificate: Certificate
) -> None:
    """The provider itself comes from its own registry: this is what its resources for applications ask of Graph."""
    settings = ("graph_appear", "graph_vanish", "object_appear", "token_appear")
    client.emulator.admin.configure(client.tenant, replicas=3, **dict.fromkeys(settings, (0.1, 1.0)))
    pfx, passphrase = client.token.with_name("certificate.pfx"), "of the certificate"
    encryption = BestAvailableEncryption(passphrase.encode())
    pfx.write_bytes(serialize_key_and_certificates(None, certificate.key, certificate.x509, None, encryption))
    told = {"CERTIFICATE": str(client.certificate), "PFX": str(pfx), "TOKEN_FILE": str(client.token)}
    run_go(client, "terraform", 9, **told, PASSPHRASE=passphrase, METADATA_HOST=client.running.authority)


def java_classes(mvn: str) -> Path:
    """The folder with the Java programs and the libraries of the pom.xml, built where they are missing or were changed."""
    sources = sorted(path for path in (HERE / "java").rglob("*") if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    folder = BUILT / f"java-{digest[:16]}"
    BUILT.mkdir(parents=True, exist_ok=True)
    with (BUILT / "java.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        if not (folder / "whole").exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(HERE / "java", folder)
            goals = (
                "compile",
                "dependency:copy-dependencies",
                "-DoutputDirectory=target/libs",
                "-DincludeScope=runtime",
            )
            fetched(mvn, "-q", "-B", *goals, at=folder)
            (folder / "whole").touch()
    return folder / "target"


def run_java(client: Client, program_name: str, store: Path, **told: str) -> None:
    """Run a Java program, which trusts the certificate of the local Entra ID by a key store."""
    java, keytool, classes = program("java"), program("keytool"), java_classes(program("mvn"))
    running = client.running
    trust = [keytool, "-importcert", "-noprompt", "-alias", "emulator", "-file", running.ca_file, "-keystore", store]
    subprocess.run([*trust, "-storetype", "PKCS12", "-storepass", "changeit"], check=True, capture_output=True)
    at = {
        "AUTHORITY": running.authority,
        "TENANT": client.tenant,
        "CLIENT": client.app_id,
        "SECRET": client.secret,
        "CERTIFICATE": str(client.certificate),
    }
    options = [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStorePassword=changeit"]
    command = [java, *options, "-cp", f"{classes / 'classes'}:{classes / 'libs'}/*", program_name]
    done = subprocess.run(command, env=os.environ | at | told, capture_output=True, text=True, timeout=200, check=False)
    assert done.stdout.strip().splitlines()[-1:] == ["ok"], done.stdout + done.stderr


@pytest.mark.compiled
@pytest.mark.timeout(1500)
def test_libraries_for_java_sign_in_and_notice_that_a_secret_was_rotated(client: Client, tmp_path: Path) -> None:
    admin = client.emulator.admin
    [first] = [secret.key_id for secret in admin.secrets(client.app_id) if secret.value == client.secret]
    url = f"{client.running.admin}/applications/{client.app_id}/secrets/{first}"
    following = admin.add_secret(client.app_id, "next").value
    run_java(client, "Clients", tmp_path / "emulator.p12", NEXT_SECRET=following, SECRET_URL=url)


@pytest.mark.compiled
@pytest.mark.timeout(1500)
def test_the_library_of_graph_for_java_makes_applications_that_sign_in(client: Client, tmp_path: Path) -> None:
    told = {"TOKEN_FILE": str(client.token), "ISSUER": client.issuer, "SUBJECT": SUBJECT}
    run_java(client, "Graph", tmp_path / "emulator.p12", **told)
