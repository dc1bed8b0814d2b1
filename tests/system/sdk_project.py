"""A genuine server with a project and a machine identity in it, as tests of clients need it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.system.command import PATIENCE, Home

PASSWORD = "vellum-orbit-pickle-94"
UNIVERSAL = "/api/v1/auth/universal-auth/identities"


@dataclass(frozen=True)
class SdkProject:
    url: str
    client_id: str
    client_secret: str
    project_id: str


@contextmanager
def sdk_project(folder: Path) -> Iterator[SdkProject]:
    """Serve a project of which a machine identity is a member, and end well."""
    home = Home(folder, folder)
    bootstrap = ("admin", "bootstrap", "--email", "ada@contoso.test", "--organization", "Contoso", "--password-stdin")
    admin = home.run(*bootstrap, stdin=f"{PASSWORD}\n").out.strip()
    with home.serving(PORT="0") as server, httpx2.Client(base_url=server.url, trust_env=False) as web:

        def post(path: str, body: object) -> httpx2.Response:
            return web.post(path, json=body, headers={"authorization": f"Bearer {admin}"}, timeout=PATIENCE)

        identity = post("/api/v1/identities", {"name": "deployer", "role": "no-access"}).json()["identity"]["id"]
        client_id = post(f"{UNIVERSAL}/{identity}", {}).json()["identityUniversalAuth"]["clientId"]
        secret = post(f"{UNIVERSAL}/{identity}/client-secrets", {}).json()["clientSecret"]
        project = post("/api/v2/workspace", {"projectName": "Payments", "slug": "payments"}).json()["project"]["id"]
        post(f"/api/v2/workspace/{project}/identity-memberships/{identity}", {"role": "member"})
        yield SdkProject(server.url, client_id, secret, project)
        assert server.stop().status == 0
