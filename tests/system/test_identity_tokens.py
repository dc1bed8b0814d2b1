"""A served product and the local Entra ID, over sockets and TLS: programs sign in with a token and without a secret."""

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from infisical_sdk import InfisicalSDKClient
from infisical_sdk.infisical_requests import APIError

from entra_emulator import Emulator, SystemClock
from entra_emulator.server.server import run_in_thread
from tests.simulation.seeds import share
from tests.system.command import PATIENCE, Home
from tests.system.sdk_project import PASSWORD

pytestmark = pytest.mark.client

RESOURCE = "api://keyturn.contoso.test"


class Served:
    """A server that may call this machine, when ``networks`` says so, and a program of the tenant."""

    def __init__(self, web: httpx2.Client, url: str, admin: str, authority: str, ca: str) -> None:
        self.web, self.url, self.admin, self.authority, self.ca = web, url, admin, authority, ca

    def post(self, path: str, body: object) -> Any:
        return self._asked("POST", path, body)

    def reasons(self) -> list[str]:
        """Return why tokens were refused, newest first."""
        events = self._asked("GET", "/api/v1/organization/audit-logs")["auditLogs"]
        return [repr(each) for each in events if each["event"]["type"] == "refuse-identity-signed-token"]

    def _asked(self, method: str, path: str, body: object = None) -> Any:
        headers = {"authorization": f"Bearer {self.admin}"}
        answer = self.web.request(method, path, json=body, headers=headers, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(params=share(["127.0.0.0/8", ""], 2))
def networks(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(tmp_path: Path, networks: str) -> Iterator[tuple[Served, str, str]]:
    """The server, the tenant's id, and a token that the tenant gave to a program."""
    emulator = Emulator(SystemClock(), 1)
    tenant = emulator.admin.create_tenant("Contoso")
    emulator.admin.create_application(tenant, "Keyturn", identifier_uris=(RESOURCE,))
    program = emulator.admin.create_application(tenant, "Program")
    ca_file = tmp_path / "ca.pem"
    home = Home(tmp_path, tmp_path)
    bootstrap = ("admin", "bootstrap", "--email", "ada@contoso.test", "--organization", "Contoso", "--password-stdin")
    admin = home.run(*bootstrap, stdin=f"{PASSWORD}\n").out.strip()
    with run_in_thread(emulator, ca_file=ca_file) as running:
        cloud = {
            "KEYTURN_AUTHORITY": running.authority,
            "KEYTURN_GRAPH": running.authority,
            "KEYTURN_CA_FILE": str(ca_file),
            "KEYTURN_IDENTITY_NETWORKS": networks,
        }
        form = {
            "grant_type": "client_credentials",
            "client_id": program.app_id,
            "client_secret": program.secrets[0].value,
            "scope": f"{RESOURCE}/.default",
        }
        url = f"{running.authority}/{tenant}/oauth2/v2.0/token"
        with httpx2.Client(verify=ssl.create_default_context(cafile=ca_file), trust_env=False) as entra:
            token = entra.post(url, data=form).json()["access_token"]
        with home.serving(PORT="0", **cloud) as server, httpx2.Client(base_url=server.url, trust_env=False) as web:
            yield Served(web, server.url, admin, running.authority, ca_file.read_text()), tenant, token
            assert server.stop().status == 0


def test_programs_sign_in_with_what_their_platform_gives_them(place: tuple[Served, str, str], networks: str) -> None:
    served, tenant, token = place
    principal = jwt.decode(token, options={"verify_signature": False})["oid"]
    identity = served.post("/api/v1/identities", {"name": "program", "role": "viewer"})["identity"]["id"]
    azure = {"tenantId": tenant, "resource": RESOURCE, "allowedServicePrincipalIds": principal}
    served.post(f"/api/v1/auth/azure-auth/identities/{identity}", azure)
    oidc = {
        "oidcDiscoveryUrl": f"{served.authority}/{tenant}/v2.0",
        "boundIssuer": f"https://sts.windows.net/{tenant}/",
        "boundAudiences": RESOURCE,
        "boundClaims": {"oid": principal},
        "caCert": served.ca,
    }
    served.post(f"/api/v1/auth/oidc-auth/identities/{identity}", oidc)
    # As the identity's page writes it. Entra ID is an address of the operator, which needs no permission.
    line = f'curl -sS {served.url}/api/v1/auth/azure-auth/login -d identityId={identity} -d jwt="$TOKEN"'
    environ = {"TOKEN": token, "PATH": "/usr/bin:/bin"}
    answer = subprocess.run(["bash", "-c", line], env=environ, capture_output=True, check=True)
    assert b'"tokenType":"Bearer"' in answer.stdout
    with InfisicalSDKClient(host=served.url) as client:
        if networks:
            assert client.auth.oidc_auth.login(identity, token).tokenType == "Bearer"
            assert client.api.get("/api/v1/identities/details", model=dict).status_code == 200
            assert served.reasons() == []
        else:
            with pytest.raises(APIError) as refused:
                client.auth.oidc_auth.login(identity, token)
            assert refused.value.status_code == 401
            assert "KEYTURN_IDENTITY_NETWORKS" in served.reasons()[0]
            assert "KEYTURN" not in str(refused.value.response)
