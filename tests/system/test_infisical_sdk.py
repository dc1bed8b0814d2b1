"""The unmodified Python SDK of Infisical signs in to the genuine server over HTTP, and keeps secrets there."""

from pathlib import Path

import pytest
from infisical_sdk import InfisicalSDKClient
from infisical_sdk.infisical_requests import APIError

from tests.system.sdk_project import sdk_project

pytestmark = pytest.mark.client


def test_the_python_sdk_signs_in_and_keeps_secrets(tmp_path: Path) -> None:
    with sdk_project(tmp_path) as given:
        with InfisicalSDKClient(host=given.url) as client:
            with pytest.raises(APIError) as refused:
                client.auth.universal_auth.login(given.client_id, "no-such-secret")
            assert (refused.value.status_code, refused.value.response["error"]) == (401, "UnauthorizedError")
            answer = client.auth.universal_auth.login(given.client_id, given.client_secret)
            assert (answer.tokenType, answer.expiresIn, answer.accessTokenMaxTTL) == ("Bearer", 2592000, 2592000)
            assert client.get_token() == answer.accessToken
            listed = client.api.get("/api/v1/projects", model=dict).data["projects"]
            assert [one["id"] for one in listed] == [given.project_id]
            keeps_secrets(client, given.project_id)
        with InfisicalSDKClient(host=given.url, token=answer.accessToken) as sdk:
            assert sdk.api.get("/api/v1/identities/details", model=dict).status_code == 200


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
