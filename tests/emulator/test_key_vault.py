"""Azure Key Vault: keys that wrap and unwrap, the challenge, what is disabled, deleted and throttled."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest

from entra_emulator import ApplicationHandle, Budget, Emulator, Request, Response
from tests.emulator.scene import EmulatorFixture

AT = "https://team.vault.azure.net"
EVERYTHING = ("get", "list", "create", "update", "delete", "recover", "purge", "rotate", "wrapKey", "unwrapKey")
TEXT = base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=").decode()


@dataclass
class VaultScene:
    scene: EmulatorFixture
    app: ApplicationHandle

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = "", at: str = AT, version: str = "7.4"
    ) -> Response:
        headers = {"Content-Type": "application/json"}
        bearer = self.token() if token == "" else token
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        data = b"" if body is None else json.dumps(body).encode()
        return self.scene.emulator.call(Request(method, f"{at}/{path}?api-version={version}", headers, data))

    def token(self, resource: str = "https://vault.azure.net") -> str:
        return str(self.scene.token(self.app, scope=f"{resource}/.default").json()["access_token"])

    def wrap(self, version: str = "") -> dict[str, str]:
        path = f"keys/root/{version}/wrapkey" if version else "keys/root/wrapkey"
        answer = self.ask("POST", path, {"alg": "RSA-OAEP-256", "value": TEXT})
        assert answer.status == 200, answer.json()
        return dict(answer.json())

    def unwrap(self, kid: str, value: str) -> Response:
        return self.ask("POST", f"{kid.removeprefix(AT + '/')}/unwrapkey", {"alg": "RSA-OAEP-256", "value": value})


@pytest.fixture
def vault(scene: EmulatorFixture) -> VaultScene:
    app = scene.application("server")
    scene.emulator.admin.create_vault(scene.tenant, "team", access={app.principal_id: EVERYTHING})
    made = VaultScene(scene, app)
    assert made.ask("POST", "keys/root/create", {"kty": "RSA"}).status == 200
    return made


def refused(answer: Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status, error["code"], error.get("innererror", {}).get("code", "")


def test_what_one_version_wraps_that_version_alone_unwraps(vault: VaultScene) -> None:
    first = vault.wrap()
    rotated = vault.ask("POST", "keys/root/rotate").json()["key"]["kid"]
    second = vault.wrap()
    assert second["kid"] == rotated != first["kid"]
    for one in (first, second):
        assert vault.unwrap(one["kid"], one["value"]).json() == {"kid": one["kid"], "value": TEXT}
    assert refused(vault.unwrap(second["kid"], first["value"])) == (400, "BadParameter", "")
    shown = vault.ask("GET", "keys/root/versions").json()["value"]
    assert [item["kid"] for item in shown] == [first["kid"], second["kid"]]


def test_callers_are_told_where_to_sign_in_and_what_for(vault: VaultScene, scene: EmulatorFixture) -> None:
    bare = vault.ask("GET", "keys/root", token=None)
    assert refused(bare) == (401, "Unauthorized", "")
    authority = f"https://login.microsoftonline.com/{scene.tenant}"
    challenge = f'Bearer authorization="{authority}", resource="https://vault.azure.net"'
    assert bare.header("WWW-Authenticate") == challenge
    wrong = vault.ask("GET", "keys/root", token=vault.token("https://graph.microsoft.com"))
    assert (wrong.status, "AKV10022" in wrong.json()["error"]["message"]) == (401, True)
    other = scene.emulator.admin.create_tenant("Fabrikam")
    stranger = scene.emulator.admin.create_application(other, "stranger")
    form = {
        "grant_type": "client_credentials",
        "client_id": stranger.app_id,
        "scope": "https://vault.azure.net/.default",
    }
    form["client_secret"] = stranger.secrets[0].value
    foreign = scene.post_form(form, tenant=other).json()["access_token"]
    assert "AKV10032" in vault.ask("GET", "keys/root", token=foreign).json()["error"]["message"]


def test_nobody_may_do_more_than_they_were_given(vault: VaultScene, scene: EmulatorFixture) -> None:
    wrapped = vault.wrap()
    scene.emulator.admin.set_vault_access("team", vault.app.principal_id, "wrapKey")
    assert refused(vault.unwrap(wrapped["kid"], wrapped["value"])) == (403, "Forbidden", "AccessDenied")
    assert vault.wrap()["kid"] == wrapped["kid"]


def test_a_disabled_key_wraps_and_does_not_unwrap(vault: VaultScene) -> None:
    wrapped = vault.wrap()
    version = wrapped["kid"].rpartition("/")[2]
    changed = vault.ask("PATCH", f"keys/root/{version}", {"attributes": {"enabled": False}}).json()
    assert changed["attributes"]["enabled"] is False
    assert vault.wrap()["kid"] == wrapped["kid"]
    assert refused(vault.unwrap(wrapped["kid"], wrapped["value"])) == (403, "Forbidden", "KeyDisabled")


def test_a_deleted_key_is_recovered_or_purged(vault: VaultScene, scene: EmulatorFixture) -> None:
    wrapped = vault.wrap()
    deleted = vault.ask("DELETE", "keys/root").json()
    assert deleted["recoveryId"] == f"{AT}/deletedkeys/root"
    assert refused(vault.unwrap(wrapped["kid"], wrapped["value"])) == (404, "KeyNotFound", "")
    taken = vault.ask("POST", "keys/root/create", {"kty": "RSA"})
    assert refused(taken) == (409, "Conflict", "ObjectIsDeletedButRecoverable")
    assert vault.ask("POST", "deletedkeys/root/recover").status == 200
    assert vault.unwrap(wrapped["kid"], wrapped["value"]).json()["value"] == TEXT
    vault.ask("DELETE", "keys/root")
    scene.emulator.admin.create_vault(
        scene.tenant, "locked", access={vault.app.principal_id: EVERYTHING}, purge_protected=True
    )
    locked = AT.replace("team", "locked")
    vault.ask("POST", "keys/k/create", {"kty": "RSA"}, at=locked)
    vault.ask("DELETE", "keys/k", at=locked)
    assert refused(vault.ask("DELETE", "deletedkeys/k", at=locked)) == (403, "Forbidden", "ForbiddenByPolicy")
    assert vault.ask("DELETE", "deletedkeys/root").status == 204
    assert vault.ask("GET", "deletedkeys/root").status == 404


def test_too_many_requests_are_refused(vault: VaultScene, scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, vault_budget=Budget(2, 10.0))
    scene.clock.advance(10)
    answers = [vault.ask("GET", "keys/root").status for _ in range(3)]
    assert answers == [200, 200, 429]
    scene.clock.advance(10)
    assert vault.ask("GET", "keys/root").status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "secrets/one", None, 400),
        ("POST", "keys/root/sign", {"alg": "RS256", "value": "x"}, 405),
        ("PUT", "keys/root", {}, 405),
        ("POST", "keys/more/create", {"kty": "RSA", "release_policy": {}}, 400),
        ("POST", "keys/more/create", {"kty": "EC"}, 400),
        ("POST", "keys/more/create", {"kty": "RSA", "attributes": {"exp": 1}}, 400),
        ("POST", "keys/root/wrapkey", {"alg": "A256KW", "value": TEXT}, 400),
        ("POST", "keys/root/unwrapkey", {"alg": "RSA-OAEP-256", "value": "!"}, 400),
        ("POST", "keys/root/unwrapkey", [], 400),
        ("GET", "keys/nobody", None, 404),
    ],
)
def test_what_is_not_here_is_refused_aloud(vault: VaultScene, method: str, path: str, body: Any, status: int) -> None:
    answer = vault.ask(method, path, body)
    assert (answer.status, bool(answer.json()["error"]["code"])) == (status, True)
    assert vault.ask(method, path, body, version="9.9").status == 400


@pytest.mark.parametrize("value", [[], {}, [[]], [{}], "text", 7, True, {"a": []}])
def test_values_of_any_kind_are_refused_where_another_is_expected(vault: VaultScene, value: Any) -> None:
    for name in ("kty", "key_size", "attributes", "tags", "key_ops"):
        answer = vault.ask("POST", "keys/another/create", {"kty": "RSA", name: value})
        fits = (name, value) in [("key_ops", []), ("attributes", {}), ("tags", {})]
        assert answer.status == (200 if fits else 400), (name, answer.body)
    for name in ("key_ops", "attributes", "tags"):
        fits = (name, value) in [("key_ops", []), ("attributes", {}), ("tags", {})]
        answer = vault.ask("PATCH", "keys/root", {name: value})
        assert answer.status == (200 if fits else 400), (name, answer.body)


def test_a_vault_outlives_the_emulator(vault: VaultScene, scene: EmulatorFixture) -> None:
    wrapped = vault.wrap()
    second = Emulator(scene.clock, signing_key=scene.emulator._world.signing)
    second.restore(json.loads(json.dumps(scene.emulator.snapshot())))
    vault.scene = EmulatorFixture(second, scene.clock, scene.tenant)
    assert vault.unwrap(wrapped["kid"], wrapped["value"]).json()["value"] == TEXT
