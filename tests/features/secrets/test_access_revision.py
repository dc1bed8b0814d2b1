"""The access revision is another number after each request that may change who reads what; else the copies would be old."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from keyturn.db.unit import Database
from keyturn.web.table import filled_in
from tests.databases import KINDS, database_of_kind
from tests.features.secrets.hot_desk import V3, HotDesk, hot_desk

UNIVERSAL = "/api/v1/auth/universal-auth/identities/{identity_id}"
PROJECT = "/api/v1/projects/{project_id}"
OIDC = {"oidcDiscoveryUrl": "https://issuer.test", "boundIssuer": "https://issuer.test", "boundSubject": "x"}
ENTRA = {
    "tenantId": "11111111-2222-4333-8444-555555555555",
    "resource": "https://management.azure.com/",
    "allowedServicePrincipalIds": "11111111-2222-4333-8444-666666666666",
}
KUBERNETES = {
    "kubernetesHost": "https://cluster.test",
    "allowedNamespaces": "payments",
    "allowedNames": "api",
    "allowedAudience": "",
    "tokenReviewerJwt": "x",
}
FROM_HERE = {"accessTokenTrustedIps": [{"ipAddress": "0.0.0.0/0"}]}
TAKES_NOTHING = {
    *(
        "login_machine",
        "login_person",
        "bootstrap",
        "create_user",
        "create_identity",
        "clear_lockouts",
        "create_secret",
    ),
    *("create_project", "set_retention", "set_version_limit", "create_role", "find_person"),
    *("create_environment", "update_environment", "delete_environment"),
}
"""Requests that give somebody something new, or are in the feed of the project: who has copies of them has none of this."""


@dataclass
class Walk:
    """Sends requests and looks whether the number moved. ``known`` fills the paths."""

    desk: HotDesk
    known: dict[str, str]
    sent: set[str] = field(default_factory=set)

    def moves(self, method: str, path: str, body: object = None, *, token: str | None = None) -> Any:
        before = self.desk.one.counters.access
        answer = self.desk.one.send(method, filled_in(path, self.known), token or self.desk.admin, body)
        assert answer.status_code < 300, (method, path, answer.text)
        assert self.desk.one.counters.access > before, f"{method} {path} moves nothing"
        self.sent.add(f"{method} {path}")
        return answer.json() if answer.content else {}


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with database_of_kind(getattr(request, "param", "sqlite"), tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("database", KINDS, indirect=True)
def test_every_request_that_may_take_something_moves_it(database: Database, tmp_path: Path) -> None:
    with hot_desk(database, tmp_path) as desk:
        robot = desk.robot()
        walk = Walk(desk, {"project_id": desk.project_id, "identity_id": robot["id"]})
        _walk_tokens(walk, robot)
        _walk_project(walk, robot)
        _walk_methods(walk)
        _walk_people(walk)
        walk.moves("PATCH", "/api/v1/identities/{identity_id}", {"role": "member"})
        walk.moves("DELETE", "/api/v1/identities/{identity_id}")
        walk.moves("PATCH", PROJECT, {"slug": "renamed"})
        walk.moves("DELETE", PROJECT)
        walk.known["project_id"] = desk.ask("POST", "/api/v1/projects", {"projectName": "Second"})["project"]["slug"]
        walk.moves("DELETE", "/api/v2/workspace/{project_id}")
        assert _not_walked(walk) == set()


def _not_walked(walk: Walk) -> set[str]:
    """Writing requests of the server, by the name of what serves them, that were not sent and are not known to take nothing."""
    names = {
        f"{each.method} {each.path}": each.function.__name__
        for each in walk.desk.one.client._application.endpoints
        if each.method != "GET" and not any(word in each.path for word in ("/secrets", "/tags", "secret-imports"))
    }
    return set(names.values()) - {names[request] for request in walk.sent} - TAKES_NOTHING


def _walk_tokens(walk: Walk, robot: dict[str, str]) -> None:
    token = walk.desk.sign_in(robot)
    walk.desk.clock.advance(60)
    walk.moves("POST", "/api/v1/auth/token/renew", {"accessToken": token})
    walk.moves("POST", "/api/v1/auth/token/revoke", {"accessToken": token})
    walk.desk.sign_in(robot)
    [row] = walk.desk.ask("GET", filled_in(f"{UNIVERSAL}/client-secrets", walk.known))["clientSecretData"]
    walk.known["secret_id"] = row["id"]
    walk.moves("POST", f"{UNIVERSAL}/client-secrets/{{secret_id}}/revoke")


def _walk_project(walk: Walk, robot: dict[str, str]) -> None:
    rules = [{"action": ["read"], "subject": "secrets"}]
    role = {"slug": "reader", "name": "Reader", "permissions": rules}
    made = walk.desk.ask("POST", filled_in(f"{PROJECT}/roles", walk.known), role)["role"]
    walk.known["role_id"] = made["id"]
    walk.moves("PATCH", f"{PROJECT}/roles/{{role_id}}", {"permissions": []})
    member = f"{PROJECT}/identity-memberships/{{identity_id}}"
    walk.moves("PATCH", member, {"roles": [{"role": "viewer"}]})
    walk.moves("DELETE", f"{PROJECT}/roles/{{role_id}}")
    walk.moves("DELETE", member)
    walk.moves("POST", member, {"role": "member"})


def _walk_methods(walk: Walk) -> None:
    walk.moves("PATCH", UNIVERSAL, FROM_HERE)
    walk.moves("DELETE", UNIVERSAL)
    walk.moves("POST", UNIVERSAL, {})
    for method, body in (("oidc", OIDC), ("azure", ENTRA), ("kubernetes", KUBERNETES)):
        root = f"/api/v1/auth/{method}-auth/identities/{{identity_id}}"
        walk.desk.ask("POST", filled_in(root, walk.known), body)
        walk.sent.add(f"POST {root}")
        walk.moves("PATCH", root, FROM_HERE)
        walk.moves("DELETE", root)


def _walk_people(walk: Walk) -> None:
    new = {"email": "ben@contoso.test", "password": "vellum-orbit-pickle-95", "role": "member"}
    walk.known["user_id"] = walk.desk.ask("POST", "/api/v1/users", new)["user"]["id"]
    people = f"{PROJECT}/memberships"
    walk.moves("POST", people, {"emails": [new["email"]], "roleSlugs": ["member"]})
    found = walk.desk.ask("GET", filled_in(people, walk.known))["memberships"]
    walk.known["membership_id"] = next(each["id"] for each in found if each["user"]["email"] == new["email"])
    walk.moves("PATCH", f"{people}/{{membership_id}}", {"roles": [{"role": "viewer"}]})
    walk.moves("DELETE", f"{people}/{{membership_id}}")
    walk.moves("POST", people, {"emails": [new["email"]], "roleSlugs": ["member"]})
    walk.moves("DELETE", people, {"emails": [new["email"]]})
    first = {"email": new["email"], "password": new["password"], "newPassword": "vellum-orbit-pickle-96"}
    signed_in = walk.desk.one.client.post("/api/v1/auth/login", json=first)
    passwords = {"oldPassword": first["newPassword"], "newPassword": "vellum-orbit-pickle-97"}
    walk.moves("POST", "/api/v1/users/me/password", passwords, token=signed_in.json()["accessToken"])
    walk.moves("PATCH", "/api/v1/users/{user_id}", {"role": "viewer"})
    walk.moves("POST", "/api/v1/users/{user_id}/disable", {})
    walk.moves("POST", "/api/v1/users/{user_id}/enable")
    walk.moves("DELETE", "/api/v1/users/{user_id}")


def test_what_happens_all_the_time_does_not_move_it(database: Database, tmp_path: Path) -> None:
    with hot_desk(database, tmp_path) as desk:
        desk.put("KEY", "value for many")
        robot = desk.robot()
        desk.one.counters.look()
        before = desk.one.counters.access
        for _ in range(3):
            token = desk.sign_in(robot)
            desk.one.send("GET", desk.url("KEY"), token)
            desk.clock.advance(61)
        wrong = {"clientId": robot["clientId"], "clientSecret": "wrong"}
        assert desk.one.client.post("/api/v1/auth/universal-auth/login", json=wrong).status_code == 401
        desk.ask("PATCH", f"{V3}/KEY", {"workspaceId": desk.project_id, "environment": "dev", "secretValue": "new"})
        desk.clock.advance(40 * 24 * 3600)
        desk.one.counters.look()
        assert desk.one.counters.access == before
