"""Unmodified SDKs read the secret of an application before, during and after its rotation, and what they read signs in."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from infisical_sdk import InfisicalSDKClient

from keyturn.demo.line import CONNECTIONS, DemoClient
from keyturn.demo.processes import DemoStage
from tests.system.installation import system_environ
from tests.system.sdk_project import PASSWORD, UNIVERSAL
from tests.system.test_other_sdks import CACHE, HERE, fetch_node_sdk, go_program, program

pytestmark = pytest.mark.client

ROTATIONS = "/api/v2/secret-rotations/azure-client-secret"
NAMES = {"clientId": "AZURE_CLIENT_ID", "clientSecret": "AZURE_CLIENT_SECRET"}


@dataclass
class Shop:
    """A served Keyturn at a served Entra ID, with an application whose secret is rotated into a project."""

    line: DemoClient
    project_id: str
    client_id: str
    client_secret: str
    rotation_id: str
    app_id: str

    def rotate(self) -> None:
        self.line.api("POST", f"{ROTATIONS}/{self.rotation_id}/rotate-secrets")

    def works(self, values: dict[str, str]) -> bool:
        return self.line.refusal(values[NAMES["clientId"]], values[NAMES["clientSecret"]]) is None


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    stage = DemoStage(tmp_path_factory.mktemp("shop"), system_environ(), 0)
    line = DemoClient(stage)
    try:
        demo = stage.open_entra()["demo"]
        stage.open_server()
        yield _opened(line, demo)
    finally:
        stage.close()


def _opened(line: DemoClient, demo: dict[str, Any]) -> Shop:
    first = {"email": "ada@contoso.test", "password": PASSWORD, "organization": "Contoso"}
    bootstrapped = line.api("POST", "/api/v1/admin/bootstrap", first | {"setupCode": line.stage.setup_code})
    line.token = bootstrapped["identity"]["credentials"]["token"]
    signer, target = demo["wide"], demo["others"][0]
    credentials = {
        "tenantId": demo["tenant_id"],
        "clientId": signer["app_id"],
        "clientSecret": signer["secrets"][0]["value"],
    }
    connection = {"name": "entra", "method": "client-secret", "credentials": credentials}
    connection_id = line.api("POST", CONNECTIONS, connection)["appConnection"]["id"]
    project_id = line.api("POST", "/api/v1/projects", {"projectName": "Shop", "slug": "shop"})["project"]["id"]
    identity = line.api("POST", "/api/v1/identities", {"name": "shop", "role": "no-access"})["identity"]["id"]
    client_id = line.api("POST", f"{UNIVERSAL}/{identity}", {})["identityUniversalAuth"]["clientId"]
    secret = line.api("POST", f"{UNIVERSAL}/{identity}/client-secrets", {})["clientSecret"]
    line.api("POST", f"/api/v2/workspace/{project_id}/identity-memberships/{identity}", {"role": "viewer"})
    body = {
        "name": "shop",
        "projectId": project_id,
        "connectionId": connection_id,
        "environment": "prod",
        "secretPath": "/",
        "rotationInterval": 30,
        "parameters": {"objectId": target["object_id"], "clientId": target["app_id"]},
        "secretsMapping": NAMES,
    }
    rotation_id = line.api("POST", ROTATIONS, body)["secretRotation"]["id"]
    return Shop(line, project_id, client_id, secret, rotation_id, target["app_id"])


def follows(shop: Shop, read: Callable[[], dict[str, str]]) -> None:
    """Read before, during and after a rotation: what was read always signs in, and the new secret arrives."""
    before = read()
    assert before[NAMES["clientId"]] == shop.app_id
    rotating = threading.Thread(target=shop.rotate)
    rotating.start()
    seen = [before]
    while rotating.is_alive():
        seen.append(read())
        assert shop.works(seen[-1])
    rotating.join()
    after = read()
    assert after != before
    assert shop.works(after)
    assert shop.works(before), "who has not read again may still use the previous one"


def test_the_python_sdk_follows_a_rotation(shop: Shop) -> None:
    with InfisicalSDKClient(host=shop.line.stage.url, cache_ttl=None) as client:
        client.auth.universal_auth.login(shop.client_id, shop.client_secret)

        def read() -> dict[str, str]:
            listed = client.secrets.list_secrets(
                project_id=shop.project_id, environment_slug="prod", secret_path="/"
            ).secrets
            return {each.secretKey: each.secretValue for each in listed}

        follows(shop, read)


@pytest.mark.alternates("SDK for Node")
def test_the_node_sdk_follows_a_rotation(shop: Shop) -> None:
    node, npm, modules = program("node"), program("npm"), CACHE / "node"
    fetch_node_sdk(npm, modules)
    _follows_line_by_line(shop, node, str(Path(HERE) / "follow.mjs"), str(modules))


@pytest.mark.compiled
@pytest.mark.timeout(900)
def test_the_go_sdk_follows_a_rotation(shop: Shop) -> None:
    _follows_line_by_line(shop, str(go_program("follow")))


def _follows_line_by_line(shop: Shop, *command: str) -> None:
    """As :func:`follows`, with a program that reads once for each line that it is sent, and answers with a line of JSON."""
    arguments = [*command, shop.line.stage.url, shop.client_id, shop.client_secret, shop.project_id]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        asking, answers = reader.stdin, reader.stdout

        def read() -> dict[str, str]:
            asking.write("read\n")
            asking.flush()
            return dict(json.loads(answers.readline()))

        follows(shop, read)
        asking.close()
        assert reader.wait(30) == 0
