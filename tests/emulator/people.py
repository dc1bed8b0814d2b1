"""A tenant where people sign in: an administrator, a user without a role, and a web application."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from entra_emulator import ApplicationHandle, Browser, Request, Response
from tests.emulator.scene import GRAPH, LOGIN, EmulatorFixture

BACK = "https://app.example.com/back"
MANAGE = "https://graph.microsoft.com/Application.ReadWrite.All"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def fields_of(callback: str) -> dict[str, str]:
    """What came back to the client, in the query or in the fragment."""
    parts = urlsplit(callback)
    assert callback.startswith(BACK)
    return dict(parse_qsl(parts.query or parts.fragment, keep_blank_values=True))


@dataclass
class People:
    """The scene with its people."""

    scene: EmulatorFixture
    web: ApplicationHandle
    ada: str
    uri: str

    def url(self, tenant: str | None = None, **changes: str | None) -> str:
        """An address of /authorize; None leaves a parameter out."""
        defaults: dict[str, str | None] = {
            "client_id": self.web.app_id,
            "response_type": "code",
            "redirect_uri": BACK,
            "scope": f"{MANAGE} openid profile offline_access",
            "state": "st 1&=é",
            "nonce": "n-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        parameters = {name: value for name, value in (defaults | changes).items() if value is not None}
        return f"{LOGIN}/{tenant or self.scene.tenant}/oauth2/v2.0/authorize?{urlencode(parameters)}"

    def browser(self) -> Browser:
        return Browser(self.scene.emulator.handle)

    def authorize(self, user: str | None = None, *, decline: bool = False, **changes: str | None) -> dict[str, str]:
        """What the client is called back with."""
        url = self.url(**changes)
        return fields_of(self.scene.emulator.admin.authorize(url, user=user or self.ada, decline=decline))

    def redeem(self, code: str, tenant: str | None = None, **changes: str) -> Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": self.web.app_id,
            "client_secret": self.web.secrets[0].value,
            "code": code,
            "redirect_uri": BACK,
            "code_verifier": VERIFIER,
        } | changes
        return self.scene.post_form({name: text for name, text in form.items() if text}, tenant)

    def refresh(self, token: str, tenant: str | None = None, **changes: str) -> Response:
        form = {
            "grant_type": "refresh_token",
            "client_id": self.web.app_id,
            "client_secret": self.web.secrets[0].value,
            "refresh_token": token,
        } | changes
        return self.scene.post_form({name: text for name, text in form.items() if text}, tenant)

    def tokens(self, user: str | None = None, **changes: str | None) -> dict[str, Any]:
        """Signs in and redeems."""
        tokens: dict[str, Any] = self.redeem(self.authorize(user, **changes)["code"]).json()
        return tokens

    def graph(
        self, token: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Response:
        all_headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} | (headers or {})
        data = b"" if body is None else json.dumps(body).encode()
        return self.scene.emulator.call(Request(method, f"{GRAPH}/{path}", all_headers, data))


def people_in(scene: EmulatorFixture) -> People:
    admin = scene.emulator.admin
    web = scene.application("web", redirect_uris=(BACK,), scopes=("Application.ReadWrite.All", "User.Read"))
    ada = admin.create_user(scene.tenant, "Ada Admin", roles=("Application Administrator",))
    return People(scene, web, ada, admin.create_user(scene.tenant, "Uri User"))


def code_of(response: Response) -> int:
    """The AADSTS number of a refusal."""
    code: int = response.json()["error_codes"][0]
    return code
