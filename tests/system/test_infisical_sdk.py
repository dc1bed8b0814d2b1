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

        def made(path: str, body: object) -> httpx2.Response:
            return web.post(path, json=body, headers={"authorization": f"Bearer {admin}"}, timeout=PATIENCE)

        identity = made("/api/v1/identities", {"name": "deployer", "role": "member"}).json()["identity"]["id"]
        client_id = made(f"{UNIVERSAL}/{identity}", {}).json()["identityUniversalAuth"]["clientId"]
        secret = made(f"{UNIVERSAL}/{identity}/client-secrets", {}).json()["clientSecret"]
        with InfisicalSDKClient(host=server.url) as client:
            with pytest.raises(APIError) as refused:
                client.auth.universal_auth.login(client_id, "no-such-secret")
            assert (refused.value.status_code, refused.value.response["error"]) == (401, "UnauthorizedError")
            answer = client.auth.universal_auth.login(client_id, secret)
            assert (answer.tokenType, answer.expiresIn, answer.accessTokenMaxTTL) == ("Bearer", 2592000, 2592000)
            assert client.get_token() == answer.accessToken
            assert client.api.get("/api/v1/projects", model=dict).data == {"projects": []}
            with pytest.raises(APIError) as unknown:
                client.secrets.list_secrets(environment_slug="dev", secret_path="/", project_id=identity)
            assert unknown.value.status_code == 501, "this server delivers no secrets yet"
        with InfisicalSDKClient(host=server.url, token=answer.accessToken) as known:
            assert known.api.get("/api/v1/identities/details", model=dict).status_code == 200
        assert server.stop().status == 0
