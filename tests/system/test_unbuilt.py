"""Which method and path pairs existing clients send: each is served, or says 501 that it is not built; never 404."""

import re

import pytest

from keyturn.web.reference.openapi import operations_of
from keyturn.web.unbuilt import TAG, is_unbuilt, pairs
from tests.system.estate import RunningServer

AZURE = "/api/v1/app-connections/azure-client-secrets"
ROTATIONS = "/api/v2/secret-rotations"
UNIVERSAL = "/api/v1/auth/universal-auth"

# What the descriptions of this API's clients name, section by section. A segment that begins with a colon is a value.
CLIENTS_SEND = f"""
GET /api/v1/app-connections/options
GET /api/v1/app-connections
GET POST {AZURE}
GET {AZURE}/available
GET PATCH DELETE {AZURE}/:id
GET {AZURE}/connection-name/:name
GET {AZURE}/:id/clients
POST {AZURE}/:id/rotate-credentials

GET {ROTATIONS}/options
GET {ROTATIONS}
GET POST {ROTATIONS}/azure-client-secret
GET PATCH DELETE {ROTATIONS}/azure-client-secret/:id
GET {ROTATIONS}/azure-client-secret/rotation-name/:name
GET {ROTATIONS}/azure-client-secret/:id/generated-credentials
POST {ROTATIONS}/azure-client-secret/:id/rotate-secrets
POST {ROTATIONS}/azure-client-secret/:id/check-credentials

POST {UNIVERSAL}/login
POST /api/v1/auth/token/renew
POST /api/v1/auth/token/revoke
POST /api/v1/identities
GET PATCH DELETE /api/v1/identities/:id
GET /api/v1/identities/details
POST GET PATCH DELETE {UNIVERSAL}/identities/:id
GET POST {UNIVERSAL}/identities/:id/client-secrets
GET {UNIVERSAL}/identities/:id/client-secrets/:secret
POST {UNIVERSAL}/identities/:id/client-secrets/:secret/revoke
POST {UNIVERSAL}/identities/:id/clear-lockouts
POST GET PATCH DELETE /api/v2/workspace/:id/identity-memberships/:identity
POST /api/v1/admin/bootstrap
POST /api/v3/auth/login
POST /api/v3/auth/login1
POST /api/v3/auth/login2
POST /api/v2/service-token

GET /api/v3/secrets/raw
GET POST PATCH DELETE /api/v3/secrets/raw/:name
GET /api/v3/secrets/raw/id/:id
POST PATCH DELETE /api/v3/secrets/batch/raw
GET /api/v4/secrets
POST PATCH DELETE /api/v4/secrets/batch
GET POST PATCH DELETE /api/v4/secrets/:name
GET /api/v4/secrets/id/:id

GET POST /api/v1/folders
GET PATCH DELETE /api/v1/folders/:id
GET /api/v1/folders/:project/:environment/:path
GET POST /api/v2/folders
GET PATCH DELETE /api/v2/folders/:id

POST /api/v2/workspace
GET /api/v1/workspace/:id
GET DELETE /api/v2/workspace/:slug
GET /api/v1/projects
PATCH /api/v1/projects/:id
GET /api/v1/projects/slug/:slug
GET /api/v1/workspace/slug/:slug
GET /api/v1/workspace
PUT /api/v1/workspace/:slug/audit-logs-retention
POST /api/v1/workspace/:id/environments
GET PATCH DELETE /api/v1/workspace/:id/environments/:environment
GET /api/v1/workspace/environments/:environment
GET /api/v1/projects/:id/environments/slug/:slug
GET POST /api/v1/workspace/:id/tags
GET PATCH DELETE /api/v1/workspace/:id/tags/:tag
GET /api/v1/workspace/:id/tags/slug/:slug
GET POST /api/v1/projects/:id/tags
GET PATCH DELETE /api/v1/projects/:id/tags/:tag
GET /api/v1/projects/:id/tags/slug/:slug
GET POST /api/v1/secret-imports
GET PATCH DELETE /api/v1/secret-imports/:id
GET /api/status
GET /api/docs/json

GET /api/v1/projects/roles/:id
GET /api/v2/workspace/identity-memberships/:membership
GET /api/v1/projects/:id/user/:user/membership
POST /api/v2/workspace/:id/roles
PATCH DELETE /api/v2/workspace/:id/roles/:role
GET /api/v2/workspace/:id/roles/slug/:slug
POST /api/v1/workspace/:slug/roles
PATCH DELETE /api/v1/workspace/:slug/roles/:role
GET /api/v1/workspace/:slug/roles/slug/:role
POST /api/v1/secret-syncs/:app/check-destination
POST /api/v1/secret-syncs/:app
GET PATCH DELETE /api/v1/secret-syncs/:app/:id
POST GET /api/v2/workspace/:id/memberships
PATCH DELETE /api/v2/workspace/:id/memberships/:membership
POST /api/v1/workspace/:id/memberships/details
DELETE /api/v1/workspace/:id/memberships
"""

CLIENTS_SEND += """
GET POST /api/v1/app-connections/:app
GET PATCH DELETE /api/v1/app-connections/:app/:id
GET POST /api/v2/secret-rotations/:type
GET PATCH DELETE /api/v2/secret-rotations/:type/:id
POST /api/v3/secrets/move
POST DELETE /api/v3/secrets/tags/:name
GET POST /api/v1/dynamic-secrets
GET PATCH DELETE /api/v1/dynamic-secrets/:name
POST /api/v1/dynamic-secrets/leases
GET DELETE /api/v1/dynamic-secrets/leases/:id
POST /api/v1/dynamic-secrets/leases/:id/renew
GET POST /api/v1/kms/keys
GET PATCH DELETE /api/v1/kms/keys/:id
POST /api/v1/kms/keys/:id/encrypt
POST /api/v1/kms/keys/:id/decrypt
GET /api/v1/kms/keys/key-name/:name
GET POST PATCH DELETE /api/v1/auth/token-auth/identities/:id
GET POST /api/v1/auth/token-auth/identities/:id/tokens
PATCH /api/v1/auth/token-auth/tokens/:token
POST /api/v1/auth/token-auth/tokens/:token/revoke
"""
TOKEN_METHODS = ("oidc", "kubernetes", "azure", "aws", "gcp", "jwt", "ldap", "oci", "alicloud", "tls-cert")
CLIENTS_SEND += "\n".join(
    f"POST /api/v1/auth/{name}-auth/login\nPOST GET PATCH DELETE /api/v1/auth/{name}-auth/identities/:id"
    for name in TOKEN_METHODS
)


def client_requests() -> list[tuple[str, str]]:
    pairs_of_clients = []
    for line in filter(None, CLIENTS_SEND.splitlines()):
        *methods, path = line.split()
        pairs_of_clients += [(method, path) for method in methods]
    return pairs_of_clients


def with_colons(path: str) -> str:
    """Write the path with each value as a colon alone."""
    return re.sub(r"\{[^}]*\}|:\w+", ":", path)


def test_what_is_not_built_is_just_what_clients_send_and_no_route_serves(whole: RunningServer) -> None:
    built = {
        (each.method, with_colons(each.path)) for each in operations_of(whole.application.endpoints) if each.tag != TAG
    }
    known_pairs = {(method, with_colons(path)) for method, path in client_requests()}
    assert {(method, with_colons(path)) for method, path in pairs()} == known_pairs - built


@pytest.mark.parametrize(("method", "path"), [pair for pair in client_requests() if is_unbuilt(*pair)])
def test_an_unbuilt_route_asks_who_calls_and_then_says_501(whole: RunningServer, method: str, path: str) -> None:
    url = path.replace(":", "some-")
    bearer = {"authorization": f"Bearer {whole.token}"}
    public = url.startswith("/api/v3/auth/") or url.endswith("-auth/login")
    stranger = whole.client.request(method, url)
    assert stranger.status_code == (501 if public else 401), stranger.text
    for at in (url, f"{url}/"):
        answer = whole.client.request(method, at, headers=bearer, json={} if method != "GET" else None)
        shape = answer.json()
        assert (answer.status_code, shape["statusCode"], shape["error"]) == (501, 501, "NotImplemented")
        assert shape["code"] == "request.not_built"
        assert shape["reqId"] == answer.headers["x-request-id"]
        assert method in shape["message"]
        assert "<" not in shape["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v5/secrets"),
        ("GET", "/api/v3/secrets/raw/a/b/c"),
        ("DELETE", "/api/v1/workspace/{project_id}/secret-snapshots"),
    ],
)
def test_all_else_stays_404(whole: RunningServer, method: str, path: str) -> None:
    url = path.format(**whole.things)
    answer = whole.client.request(method, url, headers={"authorization": f"Bearer {whole.token}"})
    assert (answer.status_code, answer.json()["error"]) == (404, "Not Found"), answer.text


def test_a_wrong_method_is_told_the_built_ones_only(whole: RunningServer) -> None:
    answer = whole.client.put("/api/v1/projects", headers={"authorization": f"Bearer {whole.token}"})
    assert answer.status_code == 405
    assert {method.strip() for method in answer.headers["allow"].split(",")} >= {"GET", "POST"}


@pytest.mark.parametrize("path", ["app-connections/azure-client-secrets", "app-connections/options"])
def test_what_is_built_beside_other_kinds_tells_its_own_methods(whole: RunningServer, path: str) -> None:
    answer = whole.client.put(f"/api/v1/{path}", headers={"authorization": f"Bearer {whole.token}"})
    assert (answer.status_code, "GET" in answer.headers["allow"]) == (405, True)


def test_what_is_not_built_is_not_in_the_reference(whole: RunningServer) -> None:
    document = whole.client.get("/api/docs/json").json()
    unbuilt = [each.path for each in whole.application.endpoints if is_unbuilt(each.method, each.path)]
    assert "/api/v1/secret-syncs/{app}" in unbuilt
    assert not {path for path in document["paths"] if path.startswith("/api/v1/secret-syncs")}
