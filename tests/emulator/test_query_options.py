"""Query options of Graph: heeded or refused on every route, dropped on none."""

from __future__ import annotations

from typing import Any

import pytest

from entra_emulator import SigningKey
from entra_emulator.graph.service import routes
from entra_emulator.graph.views import OBJECT_PROPERTIES
from tests.emulator.certificates import Certificate
from tests.emulator.full_tenant import FullTenant
from tests.emulator.scene import EmulatorFixture

WRONG = {
    "filter": ("nonsense eq 'x'", "displayName eq", "x" * 9_000),
    "orderby": ("nonsense",),
    "expand": ("nonsense",),
    "select": ("nonsense",),
    "top": ("0", "-1", "x", "1000000"),
    "skiptoken": ("nonsense",),
    "search": ('"nonsense:x"',),
    "deltatoken": ("nonsense",),
    "format": ("json",),
    "skip": ("1",),
    "apply": ("x",),
}
ALWAYS_EMPTY = ("policies", "appmanagementpolicies")


@pytest.fixture
def full(scene: EmulatorFixture, certificate: Certificate, signing_key: SigningKey) -> FullTenant:
    return FullTenant(scene, certificate)


def test_every_read_is_answered_and_refuses_query_options_that_make_no_sense(full: FullTenant) -> None:
    eventual, wrong = {"ConsistencyLevel": "eventual"}, list[tuple[str, ...]]()
    for pattern, methods in routes("beta").items():
        if "GET" not in methods:
            continue
        path = full.filled(pattern)
        plain = full.ask("GET", path, headers=eventual)
        assert plain.status == 200, (path, plain.body)
        rows = plain.json().get("value") if plain.body.startswith(b"{") else None
        for name, values in WRONG.items():
            for value in values:
                answer = full.ask("GET", f"{path}?${name}={value}", headers=eventual)
                nothing_to_tell = rows == [] and name in {"filter", "select", "expand", "search"}
                if answer.status != 400 and not nothing_to_tell:
                    wrong.append((pattern, name, value, str(answer.status)))
    assert wrong == []


def test_lists_beside_an_object_are_filtered_counted_and_paged(full: FullTenant) -> None:
    def rows(path: str) -> Any:
        answer = full.ask("GET", path, headers={"ConsistencyLevel": "eventual"})
        assert answer.status == 200, (path, answer.body)
        return answer.json()

    app, group = f"applications/{full.app.object_id}", f"groups/{full.keys['groups']}"
    owned = rows(f"{app}/owners?$select=id,userPrincipalName,accountEnabled,servicePrincipalType")["value"]
    assert [(item["@odata.type"], item["accountEnabled"]) for item in owned] == [("#microsoft.graph.user", True)]
    members = rows(f"{group}/members?$select=userPrincipalName,appId")["value"]
    assert sorted(sorted(item) for item in members) == [["@odata.type", "appId"], ["@odata.type", "userPrincipalName"]]
    first = rows(f"{group}/members?$top=1&$count=true")
    assert (len(first["value"]), first["@odata.count"]) == (1, 2)
    rest = full.scene.graph(full.director, "GET", first["@odata.nextLink"]).json()
    assert len(rest["value"]) == 1
    assert "@odata.nextLink" not in rest
    assert rest["value"] != first["value"]
    assert len(rows(f"{group}/members?$filter=displayName eq 'target'")["value"]) == 1
    assert rows(f"{group}/members?$filter=displayName eq 'nobody'")["value"] == []
    assert len(rows(f"{app}/federatedIdentityCredentials?$filter=name eq 'ci-1'&$select=name")["value"]) == 1
    names = [item["displayName"] for item in rows(f"{group}/members?$orderby=displayName desc&$count=true")["value"]]
    assert names == ["target", "Ada Admin"]
    expanded = rows(f"{app}?$select=id&$expand=owners($select=displayName,appId)")
    assert expanded["owners"] == [{"@odata.type": "#microsoft.graph.user", "displayName": "Ada Admin"}]
    shown = rows("groups?$filter=displayName eq 'Team'&$select=displayName&$expand=members($select=displayName)")[
        "value"
    ]
    assert sorted(item["displayName"] for item in shown[0]["members"]) == ["Ada Admin", "target"]
    every = {"ids": [full.app.object_id, full.app.principal_id, full.people.ada, full.keys["groups"]]}
    shown = full.ask("POST", "directoryObjects/getByIds", every).json()["value"]
    assert {name for item in shown for name in item} <= OBJECT_PROPERTIES | {"@odata.type"}
