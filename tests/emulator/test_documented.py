"""The table of what is documented and what is here is true: what it names is answered, and all else is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from entra_emulator.graph.documented import DOCUMENTED, pattern
from entra_emulator.graph.service import routes
from tests.emulator.certificates import Certificate
from tests.emulator.full_tenant import READER_ROLE, FullTenant
from tests.emulator.scene import GRAPH, EmulatorFixture

NOBODY = "00000000-0000-4000-8000-000000000009"
REPORTS_READER = "4a5d8f65-41da-4de4-8968-e035b65339cf"


@pytest.fixture
def full(scene: EmulatorFixture, certificate: Certificate) -> FullTenant:
    return FullTenant(scene, certificate)


def test_what_is_documented_and_not_here_is_refused_aloud(scene: EmulatorFixture) -> None:
    everything = ("Directory.ReadWrite.All", "Application.ReadWrite.All", "Policy.Read.All", "AuditLog.Read.All")
    caller = scene.application("caller", permissions=everything)
    here = routes("beta")
    absent = 0
    for resource, operations in DOCUMENTED.items():
        for suffix, methods in operations.items():
            path = f"{resource}/{suffix}".rstrip("/")
            for method in (part.partition(":")[0] for part in methods.split("|")):
                if method in here.get(pattern(path), {}):
                    continue
                absent += 1
                answer = scene.graph(caller, method, path.replace("{}", NOBODY), {} if method != "GET" else None)
                assert answer.status in {400, 405}, (method, path, answer.status)
                assert answer.json()["error"]["code"]
    assert absent > 10


def bodies(full: FullTenant) -> dict[str, Any]:
    """What each operation that changes something is sent; nothing where it takes no body."""
    app, people, group = full.app, full.people, full.keys["groups"]
    reference = {"@odata.id": f"{GRAPH}/directoryObjects/{full.director.principal_id}"}
    own_policy = {"@odata.id": f"{GRAPH}/policies/appManagementPolicies/{full.keys['appmanagementpolicies']}"}
    fic = {"name": "ci-2", "issuer": "https://ci.example", "subject": "t", "audiences": ["api://AzureADTokenExchange"]}
    fields = {"displayName": "x", "mailNickname": "x", "mailEnabled": False, "securityEnabled": True}
    person = {"displayName": "x", "mailNickname": "x", "userPrincipalName": "x@contoso.onmicrosoft.com"}
    return {
        "createApplication": {"displayName": "x"},
        "setManager": {"@odata.id": f"{GRAPH}/users/{people.uri}"},
        "validateProperties": {"entityType": "Group", "displayName": "x"},
        "updateApplication": {"displayName": "x"},
        "instantiateApplicationTemplate": {"displayName": "x"},
        "createServicePrincipal": {"appId": full.lonely()},
        "updateServicePrincipal": {"notes": "x"},
        "removePassword": {"keyId": app.secrets[0].key_id},
        "removeServicePrincipalPassword": {"keyId": full.principal_secret()},
        "addOwner": reference,
        "addServicePrincipalOwner": reference,
        "addGroupOwner": reference,
        "addGroupMember": reference,
        "addDirectoryRoleMember": reference,
        "createFederatedIdentityCredential": fic,
        "updateFederatedIdentityCredential": {"subject": "u"},
        "createAppManagementPolicy": {"displayName": "x", "description": "x", "restrictions": {}},
        "assignAppManagementPolicy": own_policy,
        "createUser": person | {"accountEnabled": True, "passwordProfile": {"password": "x"}},
        "createGroup": fields,
        "checkMemberGroups": {"groupIds": [group]},
        "checkMemberObjects": {"ids": [group]},
        "getDirectoryObjectsByIds": {"ids": [group]},
        "assignAppRole": full.assignment(full.director.principal_id),
        "createPermissionGrant": {
            "clientId": app.principal_id,
            "consentType": "AllPrincipals",
            "resourceId": full.graph_principal(),
            "scope": "User.Read",
        },
        "updatePermissionGrant": {"scope": "User.Read"},
        "activateDirectoryRole": {"roleTemplateId": REPORTS_READER},
        "createRoleAssignment": {
            "principalId": people.uri,
            "roleDefinitionId": READER_ROLE,
            "directoryScopeId": "/",
        },
        "batch": {"requests": [{"id": "1", "method": "GET", "url": "/organization"}]},
    }


JUNK: tuple[Any, ...] = ([], {}, [[]], 7, True, None, "", "x" * 20_000, {"a": {"b": [{"c": None}]}})


def spoiled(body: Any) -> Iterator[Any]:
    """The body with one wrong thing in it, at each depth."""
    yield from JUNK
    if isinstance(body, dict):
        for name, value in body.items():
            yield from (body | {name: wrong} for wrong in spoiled(value))
        yield body | {"nonsense": 1}
    if isinstance(body, list):
        yield from ([wrong] for wrong in spoiled(body[0]))


def test_every_change_refuses_what_does_not_belong_into_it_and_breaks_at_nothing(full: FullTenant) -> None:
    sent = bodies(full)
    begun, wrong = full.scene.emulator.snapshot(), list[tuple[Any, ...]]()
    for path, methods in routes("beta").items():
        for method, operation in methods.items():
            if method in {"GET", "DELETE"}:
                continue
            full.scene.emulator.restore(begun)
            for body in spoiled(sent.get(operation, {})):
                answer = full.ask(method, full.filled(path), body)
                taken = answer.status < 300 and isinstance(body, dict) and "nonsense" in body
                if taken or answer.status >= 500:
                    wrong.append((method, path, str(body)[:100], answer.status))
    assert wrong == []


PROVEN_ELSEWHERE = {"addKey", "removeKey", "addServicePrincipalKey", "removeServicePrincipalKey"}
"""They need a proof that a key signed: test_proof_keys."""


def test_every_change_that_the_table_names_is_made(full: FullTenant) -> None:
    begun, sent = full.scene.emulator.snapshot(), bodies(full)
    begun = full.scene.emulator.snapshot()
    for path, methods in routes("beta").items():
        for method, operation in methods.items():
            if method == "GET" or operation in PROVEN_ELSEWHERE:
                continue
            full.scene.emulator.restore(begun)
            body = sent.get(operation, {})
            if operation == "assignAppRole" and not path.startswith("serviceprincipals"):
                body = full.assignment({"users": full.people.uri, "groups": full.outer}[path.split("/")[0]])
                target = path.replace("{}", body["principalId"])
            elif operation == "assignAppManagementPolicy":
                target = path.replace(
                    "{}", full.director.object_id if "appl" in path.split("/")[0] else full.director.principal_id
                )
            else:
                target = full.filled(path)
            if path == "serviceprincipals/agentidentityblueprintprincipal":
                body = {"appId": full.lonely(kind="AgentIdentityBlueprint")}
            answer = full.ask(method, target, body if method != "DELETE" else None)
            assert answer.status in {200, 201, 204}, (method, target, operation, answer.status, answer.body)
