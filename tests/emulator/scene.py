"""A small tenant on a virtual clock, and a caller that speaks to it in process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from entra_emulator import ApplicationHandle, Emulator, Request, Response, VirtualClock

LOGIN = "https://login.microsoftonline.com"
GRAPH = "https://graph.microsoft.com/v1.0"
GRAPH_SCOPE = "https://graph.microsoft.com/.default"


@dataclass
class EmulatorFixture:
    """One emulator, one tenant, and the requests that a careful client would send."""

    emulator: Emulator
    clock: VirtualClock
    tenant: str
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, app: ApplicationHandle, secret: str | None = None, **fields: str) -> Response:
        value = secret if secret is not None else app.secrets[0].value
        form = {
            "grant_type": "client_credentials",
            "client_id": app.app_id,
            "client_secret": value,
            "scope": GRAPH_SCOPE,
        } | fields
        return self.post_form({name: text for name, text in form.items() if text})

    def post_form(self, form: dict[str, str], tenant: str | None = None, **headers: str) -> Response:
        url = f"{LOGIN}/{tenant or self.tenant}/oauth2/v2.0/token"
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.emulator.call(Request("POST", url, kind | headers, urlencode(form).encode()))

    def bearer(self, app: ApplicationHandle) -> str:
        if app.app_id not in self.tokens:
            self.tokens[app.app_id] = self.token(app).json()["access_token"]
        return self.tokens[app.app_id]

    def graph(
        self,
        app: ApplicationHandle,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        **query: str,
    ) -> Response:
        text = "&".join(f"${name}={quote(value)}" for name, value in query.items())
        url = (path if path.startswith("https:") else f"{GRAPH}/{path}") + (f"?{text}" if text else "")
        all_headers = {"Authorization": f"Bearer {self.bearer(app)}", "Content-Type": "application/json"} | (
            headers or {}
        )
        data = b"" if body is None else json.dumps(body).encode()
        return self.emulator.call(Request(method, url, all_headers, data))

    def add_password(self, by: ApplicationHandle, to: ApplicationHandle, name: str = "made", **more: str) -> Response:
        body = {"passwordCredential": {"displayName": name, **more}}
        return self.graph(by, "POST", f"applications/{to.object_id}/addPassword", body)

    def remove_password(self, by: ApplicationHandle, to: ApplicationHandle, key_id: str) -> Response:
        return self.graph(by, "POST", f"applications/{to.object_id}/removePassword", {"keyId": key_id})

    def key_ids(self, by: ApplicationHandle, of: ApplicationHandle) -> list[str]:
        body = self.graph(by, "GET", f"applications/{of.object_id}").json()
        return [item["keyId"] for item in body["passwordCredentials"]]

    def application(self, name: str = "target", **more: Any) -> ApplicationHandle:
        return self.emulator.admin.create_application(self.tenant, name, **more)

    def manager(self) -> ApplicationHandle:
        return self.application("manager", permissions=("Application.ReadWrite.All",))
