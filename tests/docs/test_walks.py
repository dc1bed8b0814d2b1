"""The pages that are walked: a reader with a server, a local Entra ID and a shell types every block of them, in order."""

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from entra_emulator import Demo, Emulator, SystemClock
from entra_emulator.admin.vaults import PERMISSIONS
from entra_emulator.server.server import Running, run_in_thread
from keyturn.crypto.root import generate
from tests.docs.command_blocks import WALKS, CommandBlock, command_blocks
from tests.features.boot.starting import start
from tests.system.command import Home

pytestmark = pytest.mark.client
QUICK = {
    "KEYTURN_PROOF_SPACING": "0.05",
    "KEYTURN_CONFIRM_SPACING": "0.1",
    "KEYTURN_SWEEP_AFTER": "1",
    "KEYTURN_SETTLE": "1",
    "KEYTURN_FIND_EVERY": "0.1",
}
MADE = """api $URL/api/v1/app-connections/azure-client-secrets | jq -r '.appConnections[] | select(.name == "prod-entra-2").id'"""
REFUSED = ('.secretsMapping = {clientId: "A"', '"secretValue": "mine"')
"""Blocks that show a refusal."""
EMAIL = "ada@example.com"


@dataclass
class Reader:
    """Somebody with a shell, a server and a local Entra ID. Variables that one block sets are there in the next."""

    folder: Path
    environ: Mapping[str, str]
    url: str
    token: str
    running: Running
    emulator: Emulator
    demo: Demo
    words: dict[str, str] = field(default_factory=dict)

    def api(self, method: str, path: str, body: object = None) -> dict[str, object]:
        headers = {"authorization": f"Bearer {self.token}"}
        answer = httpx2.request(method, self.url + path, headers=headers, json=body, timeout=60, trust_env=False)
        assert answer.status_code < 400, answer.text
        return dict(answer.json())

    def walk(self, page: str, words: Mapping[str, str], given: Mapping[str, str]) -> None:
        """Type the blocks of a page: `words` are replaced, as a reader would, `given` are variables that the page asks for."""
        for block in command_blocks(page):
            if not block.calls_az and not block.reason:
                self._type(block, words, given)

    def _type(self, block: CommandBlock, words: Mapping[str, str], given: Mapping[str, str]) -> None:
        text = block.text
        for before, after in words.items():
            text = text.replace(before, after)
        text = text.replace("curl -s", "curl --fail-with-body -s")
        kept = self.folder / f"{Path(block.page).stem}.sh"
        variables = self.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
        }
        if any(word in text for word in REFUSED):
            text = f"set +o pipefail\n{text}"
        script = f"[ -f {kept} ] && . {kept}\n{text}\ndeclare -p | grep -v '^declare -[a-z]*r' > {kept}; declare -f >> {kept}\n"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**variables, **given},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{block.page}\n{text}\n{done.stdout}\n{done.stderr}"
        self.settle()

    def settle(self) -> None:
        """Wait until no rotation of a connection is under way: a reader is slower than this."""
        for _ in range(300):
            found = json.dumps(self.api("GET", "/api/v1/app-connections/azure-client-secrets"))
            if '"activeRun": {' not in found:
                return
            time.sleep(0.1)
        raise AssertionError(found)

    def connection(self, name: str, tenant: str, client: str, secret: str) -> str:
        credentials = {"tenantId": tenant, "clientId": client, "clientSecret": secret}
        body: dict[str, object] = {"name": name, "method": "client-secret", "credentials": credentials}
        body |= {
            "isAutoRotationEnabled": True,
            "rotation": {"rotationInterval": 30, "rotateAtUtc": {"hours": 2, "minutes": 15}},
        }
        made = self.api("POST", "/api/v1/app-connections/azure-client-secrets", body)["appConnection"]
        assert isinstance(made, dict)
        return str(made["id"])


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    emulator = Emulator(SystemClock(), seed=3)
    demo = emulator.seed_demo()
    with run_in_thread(emulator, ca_file=folder / "entra-ca.pem") as running:
        environ = {
            "KEYTURN_AUTHORITY": running.authority,
            "KEYTURN_GRAPH": running.authority,
            "KEYTURN_CA_FILE": running.ca_file,
            "KEYTURN_DATA_DIR": str(folder / "data"),
            "PORT": "0",
            **QUICK,
        }
        home = Home(folder, folder)
        first = home.run(
            "admin",
            "bootstrap",
            "--email",
            EMAIL,
            "--organization",
            "Example",
            "--password-stdin",
            stdin="a long password for tests",
            **environ,
        )
        assert first.status == 0, first.err
        with home.serving(**environ) as serving:
            token = first.out.strip().splitlines()[-1]
            made = Reader(folder, environ, serving.url, token, running, emulator, demo)
            secret = demo.connection.secrets[0].value
            made.words["prod-entra"] = made.connection("prod-entra", demo.tenant_id, demo.connection.app_id, secret)
            made.settle()
            yield made


def given(reader: Reader) -> tuple[dict[str, str], dict[str, str]]:
    """What a reader puts in the place of the examples of all pages, and the variables that pages ask for."""
    demo, running = reader.demo, reader.running
    orders = next(one for one in demo.others if one.display_name == "Orders worker")
    words = {
        "http://localhost:43357": reader.url,
        "https://keyturn.example.com": reader.url,
        "https://localhost:42725": running.authority,
        "/tmp/keyturn-demo-.../entra-ca.pem": running.ca_file,
        "ktn_...": reader.token,
        "OBJECT=...": f"OBJECT={orders.object_id}",
        "CLIENT=...": f"CLIENT={orders.app_id}",
    }
    variables = {
        "URL": reader.url,
        "TOKEN": reader.token,
        "KEYTURN_URL": reader.url,
        "KEYTURN": reader.url,
        "HOSTNAME": "reader",
    }
    return words, variables


def test_the_tutorials(reader: Reader) -> None:
    words, variables = given(reader)
    reader.walk(WALKS[0], words, variables)
    reader.walk(WALKS[1], words, variables)


def test_an_application_is_rotated(reader: Reader) -> None:
    words, variables = given(reader)
    payments = next(one for one in reader.demo.others if one.display_name == "Payments API")
    project = reader.api("POST", "/api/v1/projects", {"projectName": "Billing", "slug": "billing"})["project"]
    assert isinstance(project, dict)
    folder = {"projectId": project["id"], "environment": "prod", "path": "/", "name": "billing"}
    reader.api("POST", "/api/v2/folders", folder)
    by_hand = reader.emulator.admin.secrets(payments.object_id)[0]
    variables |= {
        "CONNECTION_ID": reader.words["prod-entra"],
        "PROJECT_ID": str(project["id"]),
        "OBJECT_ID": payments.object_id,
        "CLIENT_ID": payments.app_id,
        "APP_ID": payments.app_id,
        "KEY_ID_IN_USE": by_hand.key_id,
        "KEY_ID": by_hand.key_id,
        "SECRET": by_hand.value,
    }
    reader.walk("docs/how-to/rotate-an-application.md", words, variables)


def test_a_connection_is_made_and_mended(reader: Reader) -> None:
    words, variables = given(reader)
    worker = reader.demo.worker
    identity = reader.api("POST", "/api/v1/identities", {"name": "machine", "role": "admin"})["identity"]
    assert isinstance(identity, dict)
    at = f"/api/v1/auth/universal-auth/identities/{identity['id']}"
    auth = reader.api("POST", at, {})["identityUniversalAuth"]
    assert isinstance(auth, dict)
    secret = str(reader.api("POST", f"{at}/client-secrets", {})["clientSecret"])
    login = json.dumps({"clientId": auth["clientId"], "clientSecret": secret})
    words |= {
        '{"clientId": "...", "clientSecret": "..."}': login,
        '"name": "prod-entra"': '"name": "prod-entra-2"',
        "the value of step 4": worker.secrets[0].value,
        "azure-client-secrets/$ID": f"azure-client-secrets/$({MADE})",
    }
    variables |= {"TENANT_ID": reader.demo.tenant_id, "APP_ID": worker.app_id, "ID": reader.words["prod-entra"]}
    reader.walk("docs/how-to/connect-a-real-tenant.md", words, variables)
    project = reader.api("POST", "/api/v1/projects", {"projectName": "Gone", "slug": "gone"})["project"]
    assert isinstance(project, dict)
    reader.api("DELETE", f"/api/v1/projects/{project['id']}")
    kept = reader.api("POST", "/api/v1/projects", {"projectName": "Kept", "slug": "kept"})["project"]
    assert isinstance(kept, dict)
    (deletion,) = reader.api("GET", "/api/v1/deletions")["deletions"]  # type: ignore[misc]
    reader.walk(
        "docs/how-to/what-to-do-when.md",
        words,
        variables | {"PROJECT_ID": str(kept["id"]), "DELETION_ID": str(deletion["id"])},
    )


def test_programs_and_tools_read(reader: Reader) -> None:
    words, variables = given(reader)
    project = reader.api("POST", "/api/v1/projects", {"projectName": "Payments", "slug": "payments"})["project"]
    assert isinstance(project, dict)
    reader.api(
        "POST", "/api/v2/folders", {"projectId": project["id"], "environment": "prod", "path": "/", "name": "billing"}
    )
    identity = reader.api("POST", "/api/v1/identities", {"name": "program", "role": "admin"})["identity"]
    assert isinstance(identity, dict)
    at = f"/api/v1/auth/universal-auth/identities/{identity['id']}"
    auth = reader.api("POST", at, {})["identityUniversalAuth"]
    assert isinstance(auth, dict)
    secret = reader.folder / "client-secret"
    secret.write_text(str(reader.api("POST", f"{at}/client-secrets", {})["clientSecret"]))
    secret.chmod(0o600)
    words |= {
        "KEYTURN_CLIENT_ID=...": f"KEYTURN_CLIENT_ID={auth['clientId']}",
        "/etc/billing/keyturn-client-secret": str(secret),
        "-H 'If-None-Match: \"1f0c...\"'": "",
        "&wait=55": "&wait=1",
    }
    connection = reader.words["prod-entra"]
    variables |= {"PROJECT": str(project["id"]), "CONNECTION_ID": connection, "ID": connection}
    reader.walk("docs/how-to/give-secrets-to-a-program.md", words, variables)
    reader.walk("docs/how-to/be-told-of-changes.md", words, variables)
    object_id = next(one for one in reader.demo.others if one.display_name == "Orders worker").object_id
    reader.walk("docs/how-to/terraform.md", words, variables | {"BILLING_OBJECT_ID": object_id})
    reader.walk("docs/how-to/run-behind-a-proxy.md", words, variables)
    reader.walk(
        "docs/how-to/see-all-secrets-of-a-tenant.md", words, variables | {"INVENTORY_ID": "0", "OBJECT_ID": object_id}
    )


@pytest.mark.compiled  # every command of two guides, each a process of its own: with the other long clients
def test_keys_are_changed(reader: Reader) -> None:
    """On a database without a server, as a change waits half a minute for servers that run."""
    words, variables = given(reader)
    client = reader.emulator.admin.create_application(reader.demo.tenant_id, "vault user")
    reader.emulator.admin.create_vault(reader.demo.tenant_id, "team", access={client.principal_id: PERMISSIONS})
    form = {"grant_type": "client_credentials", "client_id": client.app_id, "scope": "https://vault.azure.net/.default"}
    form["client_secret"] = client.secrets[0].value
    at, trust = reader.running.authority, ssl.create_default_context(cafile=reader.running.ca_file)
    token = httpx2.post(
        f"{at}/{reader.demo.tenant_id}/oauth2/v2.0/token", data=form, verify=trust, trust_env=False
    ).json()["access_token"]
    httpx2.post(
        f"{at}/keys/keyturn/create?api-version=7.6",
        headers={"authorization": f"Bearer {token}"},
        json={"kty": "RSA"},
        verify=trust,
        trust_env=False,
    ).raise_for_status()
    elsewhere = {"KEYTURN_DATA_DIR": str(reader.folder / "keys")}
    start({**reader.environ, **elsewhere})
    vault = {
        "KEYTURN_KEY_VAULT_KEY": f"{at}/keys/keyturn",
        "KEYTURN_KEY_VAULT_TENANT_ID": reader.demo.tenant_id,
        "KEYTURN_KEY_VAULT_CLIENT_ID": client.app_id,
        "KEYTURN_KEY_VAULT_CLIENT_SECRET": client.secrets[0].value,
        "VAULT": at,
        "ENCRYPTION_KEY": generate(),
        "ID": reader.words["prod-entra"],
    }
    reader.walk("docs/how-to/rotate-encryption-keys.md", words, variables | elsewhere | vault)
    reader.walk("docs/how-to/keep-the-root-key-in-key-vault.md", words, variables | elsewhere | vault)
