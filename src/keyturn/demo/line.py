"""How the demonstration talks: to Keyturn over its HTTP API, and to the local Entra ID as its administrator."""

import ssl
from dataclasses import field
from typing import Any

import httpx2

from keyturn.demo.processes import DemoStage
from keyturn.errors import Permanent
from keyturn.kit.dataclasses import dataclass

Json = dict[str, Any]
CONNECTIONS = "/api/v1/app-connections/azure-client-secrets"
UNIVERSAL = "/api/v1/auth/universal-auth/identities"


@dataclass
class DemoClient:
    """Both are asked as any client would; ``token`` is the administrator's once there is one."""

    stage: DemoStage
    token: str = field(default="", repr=False)

    def api(self, method: str, path: str, body: Json | None = None) -> Json:
        """Ask Keyturn. Raises Permanent for every answer but 200."""
        return self._asked(method, path, body, expect=200)

    def metrics(self) -> str:
        """Ask Keyturn for its metrics, as Prometheus does."""
        return self.text("/metrics", self.stage.metrics_token)

    def text(self, path: str, token: str | None = None) -> str:
        """Ask Keyturn for what is text. Raises Permanent for every answer but 200."""
        headers = {"authorization": f"Bearer {token or self.token}"}
        answer = httpx2.get(self.stage.url + path, headers=headers, timeout=120, trust_env=False)
        if answer.status_code != 200:
            raise Permanent(f"GET {path} was answered {answer.status_code}: {answer.text}", code="demo.api")
        return answer.text

    def refused(self, method: str, path: str, body: Json) -> str:
        """Ask Keyturn for what it has to refuse; return why it does. Raises Permanent for every answer but 400."""
        return str(self._asked(method, path, body, expect=400)["message"])

    def _asked(self, method: str, path: str, body: Json | None, expect: int) -> Json:
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        answer = httpx2.request(method, self.stage.url + path, json=body, headers=headers, timeout=120, trust_env=False)
        if answer.status_code != expect:
            raise Permanent(f"{method} {path} was answered {answer.status_code}: {answer.text}", code="demo.api")
        return dict(answer.json())

    def machine(self, name: str, project_id: str) -> Json:
        """Make a machine identity that may read a project; return what it signs in with, and its access token."""
        new = {"name": name, "role": "no-access"}
        identity = self.api("POST", "/api/v1/identities", new)["identity"]["id"]
        client_id = self.api("POST", f"{UNIVERSAL}/{identity}", {})["identityUniversalAuth"]["clientId"]
        secret = self.api("POST", f"{UNIVERSAL}/{identity}/client-secrets", {})["clientSecret"]
        member = f"/api/v2/workspace/{project_id}/identity-memberships/{identity}"
        self.api("POST", member, {"role": "viewer"})
        login = {"clientId": client_id, "clientSecret": secret}
        token = self.api("POST", "/api/v1/auth/universal-auth/login", login)["accessToken"]
        return login | {"accessToken": token}

    def entra(self, method: str, path: str, body: Json | None = None) -> Json:
        """Ask the local Entra ID's administration."""
        with httpx2.Client(verify=self._trust(), trust_env=False) as client:
            answer = client.request(method, f"{self.stage.entra['admin']}/{path}", json=body)
        answer.raise_for_status()
        return dict(answer.json() or {})

    def refusal(self, client_id: str, secret: str) -> str | None:
        """Ask the token endpoint itself. Returns None when the secret is accepted, else what Entra says."""
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret,
            "scope": "https://graph.microsoft.com/.default",
        }
        tenant = self.stage.entra["demo"]["tenant_id"]
        url = f"{self.stage.entra['authority']}/{tenant}/oauth2/v2.0/token"
        with httpx2.Client(verify=self._trust(), trust_env=False) as client:
            answer = client.post(url, data=form)
        return None if answer.status_code == 200 else str(answer.json()["error_description"])

    def browser(self) -> httpx2.Client:
        """Return what goes to both as a person's browser does: it follows redirects and keeps cookies."""
        headers = {"accept": "text/html", "sec-fetch-site": "none"}
        return httpx2.Client(verify=self._trust(), trust_env=False, follow_redirects=True, headers=headers)

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.stage.ca_file)
