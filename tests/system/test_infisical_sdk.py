"""The unmodified Python SDK of Infisical signs in to the genuine server over HTTP."""

from pathlib import Path

import httpx2
import pytest
from infisical_sdk import InfisicalSDKClient
from infisical_sdk.infisical_requests import APIError

from tests.system.command import PATIENCE, Home

pytestmark = pytest.mark.client

PASSWORD = "vellum-orbit-pickle-94"
UNIVERSAL = "/api/v1/auth/universal-auth/identities"


def test_the_python_sdk_signs_in_and_calls_with_its_token(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path)
    bootstrap = ("admin", "bootstrap", "--email", "ada@contoso.test", "--organization", "Contoso", "--password-stdin")
    admin = home.run(*bootstrap, stdin=f"{PASSWORD}\n").out.strip()
    with home.serving(PORT="0") as server, httpx2.Client(base_url=server.url, trust_env=False) as web:

        def post(path: str, body: object) -> httpx2.Response:
            return web.post(path, json=body, headers={"authorization": f"Bearer {admin}"}, timeout=PATIENCE)

        identity = post("/api/v1/identities", {"name": "deployer", "role": "member"}).json()["identity"]["id"]
        client_id = post(f"{UNIVERSAL}/{identity}", {}).json()["identityUniversalAuth"]["clientId"]
        secret = post(f"{UNIVERSAL}/{identity}/client-secrets", {}).json()["clientSecret"]
        with InfisicalSDKClient(host=server.url) as client:
            with pytest.raises(APIError) as refused:
                client.auth.universal_auth.login(client_id, "no-such-secret")
            assert (refused.value.status_code, refused.value.response["error"]) == (401, "UnauthorizedError")
            answer = client.auth.universal_auth.login(client_id, secret)
            assert (answer.tokenType, answer.expiresIn, answer.accessTokenMaxTTL) == ("Bearer", 2592000, 2592000)
            assert client.get_token() == answer.accessToken
            assert client.api.get("/api/v1/projects", model=dict).data == {"projects": []}
            project = post("/api/v2/workspace", {"projectName": "Payments", "slug": "payments"}).json()["project"]["id"]
            post(f"/api/v2/workspace/{project}/identity-memberships/{identity}", {"role": "member"})
            keeps_secrets(client, project)
        with InfisicalSDKClient(host=server.url, token=answer.accessToken) as sdk:
            assert sdk.api.get("/api/v1/identities/details", model=dict).status_code == 200
        assert server.stop().status == 0


def keeps_secrets(client: InfisicalSDKClient, project: str) -> None:
    """Do with folders and secrets what the SDK can."""
    where = {"project_id": project, "environment_slug": "dev"}
    folder = client.folders.create_folder(name="app", environment_slug="dev", project_id=project, path="/")
    assert (folder.name, folder.path) == ("app", "/app")
    assert [each.name for each in client.folders.list_folders(project, "dev", "/", recursive=True).folders] == ["app"]
    assert client.folders.get_folder_by_id(folder.id).path == "/app"
    at = where | {"secret_path": "/app"}
    secret = client.secrets.create_secret_by_name("DB", **at, secret_value=" kept\n", secret_comment="why")
    assert (secret.secretValue, secret.version) == (" kept\n", 1)
    assert client.secrets.get_secret_by_name("DB", **at).secretValue == " kept\n"
    changed = client.secrets.update_secret_by_name("DB", **at, secret_value="new", new_secret_name="URL")
    assert (changed.secretKey, changed.secretComment, changed.version) == ("URL", "why", 2)
    result = client.secrets.list_secrets(**where, secret_path="/", recursive=True)
    assert [(each.secretKey, each.secretValue) for each in result.secrets] == [("URL", "new")]
    hidden = client.secrets.list_secrets(**at, view_secret_value=False)
    assert hidden.secrets[0].secretValue == "<hidden-by-infisical>"
    with pytest.raises(APIError) as missing:
        client.secrets.get_secret_by_name("NONE", **at)
    assert missing.value.status_code == 404
    assert client.secrets.delete_secret_by_name("URL", **at).secretKey == "URL"
    assert client.secrets.list_secrets(**where, secret_path="/empty").secrets == []
