"""The wire: what existing clients send and expect."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.accounts.service import Access
from keyturn.cli.main import main
from keyturn.db.unit import Database
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from tests.features.accounts.conftest import GOOD_PASSWORD
from tests.features.accounts.site import Json, SiteFixture, site
from tests.in_process import InProcess

FIRST = {"email": "ann@acme.test", "password": GOOD_PASSWORD, "organization": "Acme", "domain": "http://localhost"}
UNIVERSAL = "/api/v1/auth/universal-auth"


@pytest.fixture
def fresh(database: Database, clock: MovableClock, access: Access, tmp_path: Path) -> Iterator[SiteFixture]:
    with site(database, clock, access, tmp_path) as served:
        yield served


@pytest.fixture
def server(fresh: SiteFixture, access: Access) -> SiteFixture:
    """A server that is set up; the client holds the admin token."""
    fresh.token = access.bootstrap(FIRST["email"], Plaintext(GOOD_PASSWORD), FIRST["organization"]).token.reveal()
    return fresh


def make_robot(server: SiteFixture, role: str = "member") -> tuple[str, Json]:
    """Make an identity with a client secret; return its id and what it signs in with."""
    org = server.ask("GET", "/api/v1/identities/details")["identityDetails"]["organization"]
    body = {"name": "robot", "hasDeleteProtection": False, "organizationId": org["id"], "role": role}
    identity = server.ask("POST", "/api/v1/identities", body)["identity"]
    root = f"{UNIVERSAL}/identities/{identity['id']}"
    auth = server.ask("POST", root, {})["identityUniversalAuth"]
    secret = server.ask("POST", f"{root}/client-secrets", {"identityId": identity["id"]})
    return identity["id"], {"clientId": auth["clientId"], "clientSecret": secret["clientSecret"]}


# --- the first start and signing in -----------------------------------------------------------------------------------


def test_bootstrap_answers_as_the_command_line_client_expects_and_works_once(
    fresh: SiteFixture, access: Access
) -> None:
    code = access.setup.announce()
    assert code
    answer = fresh.ask("POST", "/api/v1/admin/bootstrap", FIRST | {"setupCode": code.reveal()})
    assert set(answer) == {"message", "identity", "organization", "user"}
    assert set(answer["identity"]) == {"id", "name", "credentials"}
    assert set(answer["organization"]) == {"id", "name", "slug"}
    assert set(answer["user"]) == {"id", "email", "firstName", "lastName", "username", "superAdmin"}
    again = fresh.ask("POST", "/api/v1/admin/bootstrap", FIRST, expect=400)
    assert again["error"] == "BadRequest"
    assert "set up already" in again["message"]


def test_login_renew_and_revoke(server: SiteFixture) -> None:
    _, credentials = make_robot(server)
    issued = server.ask("POST", f"{UNIVERSAL}/login", credentials | {"organizationSlug": "acme"})
    token = issued["accessToken"]
    assert issued == {
        "accessToken": token,
        "expiresIn": 2592000,
        "accessTokenMaxTTL": 2592000,
        "tokenType": "Bearer",
    }
    renewed = server.ask("POST", "/api/v1/auth/token/renew", {"accessToken": token})
    assert (renewed["accessToken"], renewed["tokenType"]) == (token, "Bearer")
    for _ in range(2):
        assert server.ask("POST", "/api/v1/auth/token/revoke", {"accessToken": token})["message"]
    assert server.ask("GET", "/api/v1/projects", token=token, expect=401)["error"] == "UnauthorizedError"


def test_the_three_ways_a_token_can_be_wrong(server: SiteFixture, clock: MovableClock) -> None:
    _, credentials = make_robot(server)
    token = server.ask("POST", f"{UNIVERSAL}/login", credentials)["accessToken"]
    server.token = None
    assert server.ask("GET", "/api/v1/projects", expect=401)["message"].startswith("token missing")
    malformed = server.ask("GET", "/api/v1/projects", token="eyJhbGciOiJIUzI1NiJ9.e30.x", expect=403)
    assert malformed["error"] == "TokenError"
    clock.advance(2592000)
    assert server.ask("GET", "/api/v1/projects", token=token, expect=403)["error"] == "TokenError"


def test_a_wrong_secret_and_an_unknown_client_answer_alike(server: SiteFixture) -> None:
    _, credentials = make_robot(server)
    wrong = server.ask("POST", f"{UNIVERSAL}/login", credentials | {"clientSecret": "x" * 52}, expect=401)
    unknown = server.ask("POST", f"{UNIVERSAL}/login", credentials | {"clientId": "nobody"}, expect=401)
    wrong.pop("reqId")
    unknown.pop("reqId")
    assert wrong == unknown


def test_logins_are_limited_per_address(
    database: Database, clock: MovableClock, access: Access, tmp_path: Path
) -> None:
    body = {"email": "ann@acme.test", "password": "wrong"}
    with site(database, clock, access, tmp_path, per_minute=3) as server:
        for _ in range(3):
            server.ask("POST", "/api/v1/auth/login", body, expect=401)
        assert server.ask("POST", "/api/v1/auth/login", body, expect=429)["error"] == "RateLimitExceeded"
        clock.advance(60)
        server.ask("POST", "/api/v1/auth/login", body, expect=401)


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        (f"{UNIVERSAL}/login", {"clientId": "x"}, ["clientSecret"]),
        (f"{UNIVERSAL}/login", {"clientId": 5, "clientSecret": "x"}, ["clientId"]),
        ("/api/v1/auth/login", {"email": "x", "password": "a\x00b"}, ["password"]),
        ("/api/v1/auth/token/renew", {}, ["accessToken"]),
        ("/api/v1/identities", {"name": " ", "role": "member"}, ["name"]),
        ("/api/v1/identities", {"name": "x", "role": "owner"}, ["role"]),
        ("/api/v2/workspace", {"projectName": "x", "slug": "Not A Slug"}, ["slug"]),
        ("/api/v2/workspace", {"projectName": "x", "template": "mine"}, ["template"]),
    ],
)
def test_a_request_of_the_wrong_shape_is_told_where(
    server: SiteFixture, path: str, body: Json, where: list[str]
) -> None:
    answer = server.ask("POST", path, body, expect=422)
    assert [issue["path"] for issue in answer["message"]] == [where]


HOSTILE = ["x", "%00", "%F0%9F%92%A9", "%ED%A0%80", "..%2F..", "'%20OR%201=1--", "a" * 5000, "%25", "9" * 40, "null"]


@pytest.mark.parametrize("hole", HOSTILE)
def test_hostile_paths_are_refused_and_never_a_failure_of_the_server(server: SiteFixture, hole: str) -> None:
    project = server.ask("POST", "/api/v2/workspace", {"projectName": "Payments"})["project"]["id"]
    root = f"{UNIVERSAL}/identities/{hole}"
    requests = [
        ("GET", f"/api/v1/identities/{hole}", None),
        ("PATCH", f"/api/v1/identities/{hole}", {"name": "x"}),
        ("DELETE", f"/api/v1/identities/{hole}", None),
        ("POST", root, {}),
        ("GET", f"{root}/client-secrets/{hole}", None),
        ("DELETE", f"/api/v1/users/{hole}", None),
        ("GET", f"/api/v1/workspace/{hole}", None),
        ("GET", f"/api/v2/workspace/{hole}", None),
        ("DELETE", f"/api/v2/workspace/{hole}", None),
        ("POST", f"/api/v1/workspace/{hole}/environments", {"name": "x", "slug": "x"}),
        ("PATCH", f"/api/v1/workspace/{project}/environments/{hole}", {"name": "x"}),
        ("GET", f"/api/v1/projects/{project}/environments/slug/{hole}", None),
        ("GET", f"/api/v1/workspace/environments/{hole}", None),
        ("POST", f"/api/v2/workspace/{project}/identity-memberships/{hole}", {"role": "viewer"}),
        ("PATCH", f"/api/v1/workspace/{project}/memberships/{hole}", {"roles": [{"role": "viewer"}]}),
        ("POST", f"/api/v1/workspace/{project}/memberships", {"usernames": [hole]}),
    ]
    for method, path, body in requests:
        assert 400 <= server.status(method, path, body) < 500, (method, path)
    assert server.status("GET", f"/api/v1/organization/audit-logs?projectId={hole}&cursor={hole}&event={hole}") < 500


# --- Terraform --------------------------------------------------------------------------------------------------------


def test_terraform_manages_an_identity(server: SiteFixture) -> None:
    details = server.ask("GET", "/api/v1/identities/details")["identityDetails"]["organization"]
    body = {
        "name": "robot",
        "hasDeleteProtection": True,
        "organizationId": details["id"],
        "role": "member",
        "metadata": [{"key": "team", "value": "a"}],
    }
    identity = server.ask("POST", "/api/v1/identities", body)["identity"]
    path = f"/api/v1/identities/{identity['id']}"
    read = server.ask("GET", path)["identity"]
    assert (read["role"], read["orgId"], read["customRole"]) == ("member", details["id"], None)
    assert read["metadata"][0] | {"id": ""} == {"id": "", "key": "team", "value": "a"}
    assert read["identity"]["hasDeleteProtection"] is True
    assert identity["createdAt"] == "2026-03-04T05:06:07.000Z"
    server.ask("DELETE", path, expect=400)
    changed = server.ask("PATCH", path, {"name": "android", "hasDeleteProtection": False, "metadata": []})["identity"]
    assert (changed["name"], changed["metadata"]) == ("android", [])
    server.ask("DELETE", path)
    assert server.ask("GET", path, expect=404)["error"] == "NotFound"


def test_the_command_refuses_to_delete_a_protected_identity_by_its_name_as_it_was_typed(
    server: SiteFixture, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.ask("POST", "/api/v1/identities", {"name": "CI-Prod", "role": "member", "hasDeleteProtection": True})
    monkeypatch.setattr("keyturn.client.opening.Http", lambda *_: InProcess(server.client))
    environ = {"HOME": "/nonexistent", "KEYTURN_URL": "http://localhost", "KEYTURN_TOKEN": server.token}
    assert main(("delete", "identity", "CI-Prod", "--yes"), environ) == 1
    assert "The machine identity 'CI-Prod' is protected against deletion." in capsys.readouterr().err


def test_terraform_manages_universal_auth_and_its_client_secret(server: SiteFixture) -> None:
    identity = server.ask("POST", "/api/v1/identities", {"name": "robot", "role": "member"})["identity"]
    root = f"{UNIVERSAL}/identities/{identity['id']}"
    body = {
        "clientSecretTrustedIps": [{"ipAddress": "10.0.0.0/8"}, {"ipAddress": "2001:db8::1"}],
        "accessTokenTTL": 3600,
        "accessTokenMaxTTL": 7200,
        "accessTokenNumUsesLimit": 5,
    }
    auth = server.ask("POST", root, body)["identityUniversalAuth"]
    assert auth == server.ask("GET", root)["identityUniversalAuth"]
    assert auth["clientSecretTrustedIps"] == [
        {"ipAddress": "10.0.0.0", "type": "ipv4", "prefix": 8},
        {"ipAddress": "2001:db8::1", "type": "ipv6"},
    ]
    assert auth["accessTokenTrustedIps"][0] == {"ipAddress": "0.0.0.0", "type": "ipv4", "prefix": 0}
    numbers = ("accessTokenTTL", "accessTokenMaxTTL", "accessTokenNumUsesLimit", "accessTokenPeriod")
    assert [auth[key] for key in numbers] == [3600, 7200, 5, 0]
    lockout = ("lockoutEnabled", "lockoutThreshold", "lockoutDurationSeconds", "lockoutCounterResetSeconds")
    assert [auth[key] for key in lockout] == [True, 3, 300, 30]
    changed = server.ask("PATCH", root, {"accessTokenTTL": 60})["identityUniversalAuth"]
    assert (changed["accessTokenTTL"], changed["accessTokenMaxTTL"]) == (60, 7200)
    server.ask("PATCH", root, {"accessTokenTTL": 9000}, expect=400)

    secret_body = {"identityId": identity["id"], "description": "", "numUsesLimit": 0, "ttl": 0}
    secret = server.ask("POST", f"{root}/client-secrets", secret_body)
    data = secret["clientSecretData"]
    assert data["clientSecretPrefix"] == secret["clientSecret"][:4]
    assert (data["identityUAId"], data["clientSecretTTL"]) == (auth["id"], 0)
    path = f"{root}/client-secrets/{data['id']}"
    assert server.ask("GET", path)["clientSecretData"] == data
    assert server.ask("GET", f"{root}/client-secrets")["clientSecretData"] == [data]
    assert server.ask("POST", f"{path}/revoke")["clientSecretData"]["isClientSecretRevoked"] is True
    assert server.ask("POST", f"{root}/clear-lockouts") == {"deleted": 0}
    server.ask("DELETE", root)
    server.ask("GET", root, expect=404)


def test_terraform_manages_a_project_and_its_environments(server: SiteFixture) -> None:
    body = {
        "projectName": "Payments",
        "slug": "payments",
        "organizationSlug": "",
        "projectDescription": "",
        "template": "",
        "shouldCreateDefaultEnvs": False,
        "hasDeleteProtection": True,
    }
    for slug in ("pay_ments", "Payments", "p" * 65):
        [issue] = server.ask("POST", "/api/v2/workspace", body | {"slug": slug}, expect=422)["message"]
        assert "lower-case letters" in issue["message"]
    project = server.ask("POST", "/api/v2/workspace", body)["project"]
    assert project == server.ask("GET", f"/api/v1/workspace/{project['id']}")["workspace"]
    assert project == server.ask("GET", "/api/v2/workspace/payments")
    assert project == server.ask("GET", "/api/v1/projects/slug/payments")
    assert [project] == server.ask("GET", "/api/v1/projects")["projects"]
    assert [project] == server.ask("GET", "/api/v1/workspace")["workspaces"]
    assert (project["_id"], project["type"], project["version"]) == (project["id"], "secret-manager", 3)
    assert project["environments"] == []

    root = f"/api/v1/workspace/{project['id']}/environments"
    answer = server.ask("POST", root, {"name": "QA", "slug": "qa", "position": 1})
    assert (answer["workspace"], answer["environment"]["position"]) == (project["id"], 1)
    qa = answer["environment"]
    assert server.ask("GET", f"/api/v1/workspace/environments/{qa['id']}")["environment"] == qa
    assert server.ask("GET", f"/api/v1/projects/{project['id']}/environments/slug/qa") == qa
    for place, status in ((project["id"], 200), (qa["id"], 404)):
        for noun in ("workspace", "projects"):
            server.ask("GET", f"/api/v1/{noun}/{place}/environments/{qa['id']}", expect=status)
    renamed = server.ask("PATCH", f"{root}/{qa['id']}", {"name": "Test", "slug": "test"})["environment"]
    assert (renamed["name"], renamed["slug"]) == ("Test", "test")
    other = server.ask("POST", root, {"name": "Last", "slug": "last", "position": 0})["environment"]
    assert other["position"] == 2
    body = {"name": "Later", "slug": "later", "position": 0, "ID": other["id"], "ProjectID": project["id"]}
    later = server.ask("PATCH", f"{root}/{other['id']}", body)["environment"]
    assert (later["name"], later["position"]) == ("Later", 2)
    server.ask("PATCH", f"{root}/{other['id']}", {"position": -1}, expect=422)
    server.ask("DELETE", f"{root}/{other['id']}")
    server.ask("DELETE", f"{root}/{qa['id']}", {"ID": qa["id"]})

    retention = "/api/v1/workspace/payments/audit-logs-retention"
    workspace = server.ask("PUT", retention, {"auditLogsRetentionDays": 90})["workspace"]
    assert workspace["auditLogsRetentionDays"] == 90
    again = server.ask("PUT", retention, {"auditLogsRetentionDays": 90})["workspace"]
    assert again == workspace == server.ask("GET", f"/api/v1/workspace/{project['id']}")["workspace"]
    server.ask("PUT", retention, {"auditLogsRetentionDays": -1}, expect=422)

    server.ask("DELETE", "/api/v2/workspace/payments", expect=400)
    server.ask("PATCH", f"/api/v1/projects/{project['id']}", {"hasDeleteProtection": False, "name": "Pay"})
    server.ask("DELETE", "/api/v2/workspace/payments")
    server.ask("GET", f"/api/v1/workspace/{project['id']}", expect=404)


@pytest.mark.parametrize(
    "root",
    [
        "/api/v2/workspace/{}/identity-memberships",
        "/api/v1/projects/{}/identity-memberships",
        "/api/v1/projects/{}/memberships/identities",
    ],
)
def test_terraform_manages_the_membership_of_an_identity(server: SiteFixture, root: str) -> None:
    project = server.ask("POST", "/api/v2/workspace", {"projectName": "Payments"})["project"]
    identity, credentials = make_robot(server)
    path = f"{root.format(project['id'])}/{identity}"
    server.ask("GET", path, expect=404)
    membership = server.ask("POST", path, {"roles": [{"role": "viewer", "isTemporary": False}]})["identityMembership"]
    assert membership == server.ask("GET", path)["identityMembership"]
    assert membership["identity"]["authMethods"] == ["universal-auth"]
    assert [role["role"] for role in membership["roles"]] == ["viewer"]
    alone = f"/api/v2/workspace/identity-memberships/{membership['id']}"
    assert server.ask("GET", alone)["identityMembership"] == membership
    server.ask("GET", f"/api/v2/workspace/identity-memberships/{identity}", expect=404)
    token = server.ask("POST", f"{UNIVERSAL}/login", credentials)["accessToken"]
    refused = server.ask("POST", path, {"role": "admin"}, token=token, expect=403)
    assert refused["error"] == "PermissionDenied"
    assert refused["details"][0]["action"] == "add-identity-members"
    changed = server.ask("PATCH", path, {"roles": [{"role": "admin"}]})
    assert [role["role"] for role in changed["roles"]] == ["admin"]
    assert server.ask("GET", root.format(project["id"]))["totalCount"] == 2
    temporary = {"roles": [{"role": "admin", "isTemporary": True}]}
    assert "for how long" in server.ask("PATCH", path, temporary, expect=422)["message"][0]["message"]
    server.ask("DELETE", path)
    server.ask("GET", path, expect=404)


def test_an_identity_without_a_role_may_do_nothing_here_and_nothing_in_a_project(server: SiteFixture) -> None:
    project = server.ask("POST", "/api/v2/workspace", {"projectName": "Payments"})["project"]
    identity = server.ask("POST", "/api/v1/identities", {"name": "worker"})["identity"]["id"]
    assert server.ask("GET", f"/api/v1/identities/{identity}")["identity"]["role"] == "no-access"
    path = f"/api/v2/workspace/{project['id']}/identity-memberships/{identity}"
    [role] = server.ask("POST", path, {})["identityMembership"]["roles"]
    assert role["role"] == "no-access"


# --- people and the audit trail ---------------------------------------------------------------------------------------


def test_an_admin_adds_a_person_who_joins_a_project(server: SiteFixture) -> None:
    project = server.ask("POST", "/api/v1/projects", {"projectName": "Payments"})["project"]
    body = {"email": "Bob@acme.test", "password": "granite-teapot-violin-7", "role": "viewer", "firstName": "Bob"}
    bob = server.ask("POST", "/api/v1/users", body)["user"]
    assert bob["email"] == "bob@acme.test"
    root = f"/api/v1/workspace/{project['id']}/memberships"
    (membership,) = server.ask("POST", root, {"usernames": ["bob@acme.test"]})["memberships"]
    assert (membership["role"], membership["userId"]) == ("member", bob["id"])
    assert server.ask("POST", f"{root}/details", {"username": "bob@acme.test"})["membership"] == membership
    assert server.ask("GET", f"{root}/{membership['id']}")["membership"] == membership
    by_user = f"/api/v1/projects/{project['id']}/user/{{}}/membership"
    assert server.ask("GET", by_user.format(bob["id"]))["membership"] == membership
    server.ask("GET", by_user.format(membership["id"]), expect=404)
    server.ask("GET", f"/api/v2/workspace/identity-memberships/{membership['id']}", expect=404)
    server.ask("PATCH", f"{root}/{membership['id']}", {"roles": [{"role": "viewer"}]})
    own = "mellow-carpet-zebra-41"
    first = {"email": "bob@acme.test", "password": body["password"], "newPassword": own}
    signed_in = server.ask("POST", "/api/v1/auth/login", first)["accessToken"]
    own_account = server.ask("GET", "/api/v1/users/me", token=signed_in)["user"]
    assert own_account["lastSignedInAt"]
    assert own_account | {"updatedAt": bob["updatedAt"], "lastSignedInAt": None} == bob
    assert len(server.ask("GET", "/api/v1/projects", token=signed_in)["projects"]) == 1
    server.ask("DELETE", root, {"emails": ["bob@acme.test"]})
    assert server.ask("GET", "/api/v1/projects", token=signed_in)["projects"] == []
    change = {"oldPassword": own, "newPassword": "saddle-cinnamon-lagoon"}
    server.ask("POST", "/api/v1/users/me/password", change, token=signed_in)
    server.ask("GET", "/api/v1/users/me", token=signed_in, expect=401)
    assert server.ask("PATCH", f"/api/v1/users/{bob['id']}", {"role": "member"})["user"]["role"] == "member"
    server.ask("DELETE", f"/api/v1/users/{bob['id']}")
    assert [user["email"] for user in server.ask("GET", "/api/v1/users")["users"]] == ["ann@acme.test"]


def test_the_audit_trail_is_read_page_by_page(server: SiteFixture) -> None:
    make_robot(server)
    path = "/api/v1/organization/audit-logs"
    first = server.ask("GET", f"{path}?limit=3")
    second = server.ask("GET", f"{path}?limit=3&cursor={first['nextCursor']}")
    names = [event["event"]["type"] for event in first["auditLogs"] + second["auditLogs"]]
    assert names == [
        "create-identity-universal-auth-client-secret",
        "add-identity-universal-auth",
        "create-identity",
        "bootstrap-instance",
    ]
    assert second["nextCursor"] is None
    (only,) = server.ask("GET", f"{path}?event=create-identity")["auditLogs"]
    assert only["requestId"].startswith("req-")
    assert only["actor"]["name"] == "Admin identity"
    server.ask("GET", f"{path}?limit=0", expect=422)
