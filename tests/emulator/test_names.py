"""Names of properties and parameters are read in any case, as scripts write them, and told as Graph writes them."""

from __future__ import annotations

import pytest

from entra_emulator import Request
from tests.emulator.scene import GRAPH, EmulatorFixture

EVERYTHING = ("Application.ReadWrite.All", "User.ReadWrite.All", "Group.ReadWrite.All", "AuditLog.Read.All")
NICKNAMES = ("mailNickname", "mailNickName", "MailNickname", "mailnickname")


@pytest.mark.parametrize("nickname", NICKNAMES)
def test_bodies_may_be_written_in_any_case(scene: EmulatorFixture, nickname: str) -> None:
    director = scene.application("director", permissions=EVERYTHING)
    group = {"DisplayName": "Team", nickname: "team", "mailenabled": False, "SecurityEnabled": True}
    made = scene.graph(director, "POST", "groups", group).json()
    assert (made["displayName"], made["mailNickname"], made["securityEnabled"]) == ("Team", "team", True)
    user = {
        "AccountEnabled": True,
        "DisplayName": "Ada",
        nickname: "ada",
        "userprincipalname": "ada@contoso.onmicrosoft.com",
        "PasswordProfile": {"Password": "x", "ForceChangePasswordNextSignIn": False},
    }
    assert scene.graph(director, "POST", "users", user).json()["displayName"] == "Ada"
    app = scene.graph(director, "POST", "applications", {"DisplayName": "app", "SignInAudience": "AzureADMyOrg"}).json()
    path = f"applications/{app['id']}"
    change = {"Web": {"RedirectUris": ["https://x.example/"], "ImplicitGrantSettings": {"EnableIdTokenIssuance": True}}}
    assert scene.graph(director, "PATCH", path, change).status == 204
    web = scene.graph(director, "GET", path).json()["web"]
    assert web["redirectUris"] == ["https://x.example/"]
    assert web["implicitGrantSettings"]["enableIdTokenIssuance"] is True
    secret = scene.graph(
        director, "POST", f"{path}/addPassword", {"PasswordCredential": {"DisplayName": "mine"}}
    ).json()
    assert secret["displayName"] == "mine"
    assert scene.graph(director, "POST", f"{path}/removePassword", {"KeyId": secret["keyId"]}).status == 204


def test_queries_may_be_written_in_any_case(scene: EmulatorFixture) -> None:
    director = scene.application("director", permissions=EVERYTHING)
    target = scene.application("target")
    one = scene.graph(
        director, "GET", f"applications/{target.object_id}", select="DisplayName,PASSWORDCREDENTIALS"
    ).json()
    assert {name for name in one if "@" not in name} == {"displayName", "passwordCredentials"}
    for query in ("startsWith(DisplayName,'tar')", f"AppId eq '{target.app_id}'", f"appid in ('{target.app_id}')"):
        rows = scene.graph(director, "GET", "applications", filter=query).json()["value"]
        assert [row["id"] for row in rows] == [target.object_id], query
    advanced = {"ConsistencyLevel": "eventual"}
    url = f"{GRAPH}/applications?$orderby=displayname%20desc&$count=true&$expand=Owners($select=DisplayName)"
    rows = scene.graph(director, "GET", url, None, advanced).json()["value"]
    assert [row["displayName"] for row in rows] == ["target", "director"]
    assert all(row["owners"] == [] for row in rows)
    found = scene.graph(director, "GET", f'{GRAPH}/applications?$search="DISPLAYNAME:arge"', None, advanced).json()
    assert [row["id"] for row in found["value"]] == [target.object_id]
    delta = scene.graph(director, "GET", "applications/delta?$select=displayname").json()["value"]
    assert {"id", "displayName"} == set(delta[0])


def test_what_no_case_makes_a_name_and_what_stands_there_twice_is_refused(scene: EmulatorFixture) -> None:
    director = scene.application("director", permissions=EVERYTHING)
    path = f"applications/{scene.application('target').object_id}"
    assert scene.graph(director, "PATCH", path, {"displayNames": "x"}).status == 400
    assert scene.graph(director, "PATCH", path, {"displayName": "x", "DisplayName": "y"}).status == 400
    assert scene.graph(director, "GET", path, select="displaynames").status == 400
    assert scene.graph(director, "GET", "applications", filter="displaynames eq 'x'").status == 400
    deep = b'{"web":' * 900 + b"1" + b"}" * 900
    headers = {"Authorization": f"Bearer {scene.bearer(director)}", "Content-Type": "application/json"}
    assert scene.emulator.call(Request("PATCH", f"{GRAPH}/{path}", headers, deep)).status == 400


def test_names_of_custom_security_attributes_are_the_tenants_own(scene: EmulatorFixture) -> None:
    permissions = (*EVERYTHING, "CustomSecAttributeAssignment.ReadWrite.All")
    director = scene.application("director", permissions=permissions)
    path = f"servicePrincipals/{scene.application('target').principal_id}"
    attributes = {
        "Mail": {"@odata.type": "#Microsoft.DirectoryServices.CustomSecurityAttributeValue", "DisplayName": "x"}
    }
    answer = scene.graph(director, "PATCH", path, {"CustomSecurityAttributes": attributes})
    assert answer.status == 204, answer.body
    shown = scene.graph(director, "GET", path, select="customSecurityAttributes").json()
    assert shown["customSecurityAttributes"]["Mail"]["DisplayName"] == "x"
