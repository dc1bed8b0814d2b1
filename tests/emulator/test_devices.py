"""POST /oauth2/v2.0/devicecode, and the client of Azure CLI that every tenant knows."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from entra_emulator import Browser, Request
from entra_emulator.directory.first_party import AZURE_CLI
from entra_emulator.sign_in.browser import SignInStopped
from tests.emulator.people import People, claims_of, code_of
from tests.emulator.scene import LOGIN

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SCOPE = "https://graph.microsoft.com/.default openid profile offline_access"


def begin(people: People, client_id: str, tenant: str = "organizations", scope: str = SCOPE) -> dict[str, Any]:
    form = urlencode({"client_id": client_id, "scope": scope}).encode()
    answer = people.scene.emulator.call(Request("POST", f"{LOGIN}/{tenant}/oauth2/v2.0/devicecode", {}, form))
    body: dict[str, Any] = answer.json()
    return body


def poll(people: People, client_id: str, device_code: str, tenant: str = "organizations", **more: str) -> Any:
    form = {"grant_type": GRANT, "client_id": client_id, "device_code": device_code} | more
    return people.scene.post_form(form, tenant)


def test_a_device_code_waits_until_a_person_has_typed_it(people: People) -> None:
    admin = people.scene.emulator.admin
    device = begin(people, AZURE_CLI)
    assert device["user_code"] in device["message"]
    assert (device["expires_in"], device["interval"]) == (900, 5)
    assert code_of(poll(people, AZURE_CLI, device["device_code"])) == 70016
    assert poll(people, AZURE_CLI, device["device_code"]).json()["error"] == "authorization_pending"
    with pytest.raises(SignInStopped, match="That code did not work"):
        admin.approve_device("NONSENSE1", user=people.ada)
    admin.approve_device(device["user_code"].lower(), user=people.ada)
    answer = poll(people, AZURE_CLI, device["device_code"]).json()
    claims = claims_of(answer["access_token"])
    assert (claims["oid"], claims["appid"], claims["idtyp"]) == (people.ada, AZURE_CLI, "user")
    assert people.graph(answer["access_token"], "GET", "applications").status == 200
    assert code_of(poll(people, AZURE_CLI, device["device_code"])) == 54005, "it is redeemed once"
    scope = "https://management.azure.com/.default"
    form = {
        "grant_type": "refresh_token",
        "client_id": AZURE_CLI,
        "refresh_token": answer["refresh_token"],
        "scope": scope,
    }
    assert people.scene.post_form(form).json()["access_token"], "one sign-in is good for other resources, too"


def test_a_device_code_is_declined_expires_and_belongs_to_its_client(people: People) -> None:
    admin, own = people.scene.emulator.admin, people.scene.application("native", secrets=0)
    assert code_of_answer(begin(people, own.app_id, people.scene.tenant)) == 7000218, "it allows no public client"
    manager = people.scene.manager()
    change = {"isFallbackPublicClient": True}
    assert people.scene.graph(manager, "PATCH", f"applications/{own.object_id}", change).status == 204
    scope = "https://graph.microsoft.com/User.Read"
    device = begin(people, own.app_id, people.scene.tenant, scope)
    admin.approve_device(device["user_code"], user=people.uri, decline=True)
    assert code_of(poll(people, own.app_id, device["device_code"], people.scene.tenant)) == 70017
    device = begin(people, own.app_id, people.scene.tenant, scope)
    admin.approve_device(device["user_code"], user=people.uri)
    assert code_of(poll(people, AZURE_CLI, device["device_code"], people.scene.tenant)) == 70000
    with_secret = poll(people, own.app_id, device["device_code"], people.scene.tenant, client_secret="x")
    assert code_of(with_secret) == 700025
    answer = poll(people, own.app_id, device["device_code"], people.scene.tenant, grant_type="device_code")
    assert "User.Read" in answer.json()["scope"], "as libraries for Node call the grant"
    late = begin(people, AZURE_CLI)
    people.scene.clock.advance(900)
    assert code_of(poll(people, AZURE_CLI, late["device_code"])) == 70019
    assert code_of(poll(people, AZURE_CLI, "1.Anonsense")) == 70018
    assert people.scene.emulator.call(Request("GET", f"{LOGIN}/common/oauth2/deviceauth")).status == 200


def code_of_answer(body: dict[str, Any]) -> int:
    code: int = body["error_codes"][0]
    return code


def test_azure_cli_signs_people_in_with_a_loopback_address(people: People) -> None:
    url = people.url(
        "organizations", client_id=AZURE_CLI, redirect_uri="http://localhost:8400", scope=SCOPE, prompt="select_account"
    )
    back = Browser(people.scene.emulator.handle).sign_in(url, people.ada)
    assert back.startswith("http://localhost:8400?code=")
