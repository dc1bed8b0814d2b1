"""Continuous access evaluation: a token whose client can answer a challenge lives for a day, and ends when it is revoked.

The answer is a 401 with `WWW-Authenticate: Bearer ... error="insufficient_claims", claims="<base64>"`, where the claims are
`{"access_token": {"nbf": {"essential": true, "value": "<POSIX seconds>"}}}`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from entra_emulator import Response
from tests.emulator.people import People, claims_of
from tests.emulator.scene import GRAPH_SCOPE, EmulatorFixture

CP1 = '{"access_token":{"xms_cc":{"values":["cp1"]}}}'


def challenge(answer: Response) -> dict[str, Any]:
    """The claims that a refusal asks for."""
    header = answer.header("WWW-Authenticate") or ""
    assert (answer.status, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken"), answer.body
    assert "TokenIssuedBeforeRevocationTimestamp" in answer.json()["error"]["message"]
    assert header.startswith(
        'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
    )
    assert 'error="insufficient_claims"' in header
    [text] = re.findall(r' claims="([^"]+)"', header)
    claims: dict[str, Any] = json.loads(base64.b64decode(text))
    return claims


def test_a_disabled_application_is_challenged_until_it_has_a_newer_token(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application("app", permissions=("Application.Read.All",))

    def read(token: str) -> Response:
        return scene.graph(app, "GET", f"applications/{app.object_id}", headers={"Authorization": f"Bearer {token}"})

    def switch(*, enabled: bool) -> None:
        scene.clock.advance(10)
        body = {"accountEnabled": enabled}
        assert scene.graph(manager, "PATCH", f"servicePrincipals/{app.principal_id}", body).status == 204

    plain = scene.token(app).json()["access_token"]
    token = scene.token(app, claims=CP1).json()["access_token"]
    assert claims_of(token)["xms_cc"] == ["CP1"]
    assert read(token).status == 200
    switch(enabled=False)
    nbf = {"essential": True, "value": str(int(scene.clock.now()))}
    assert challenge(read(token)) == {"access_token": {"nbf": nbf}}
    assert read(plain).status == 403
    assert "AADSTS7000112" in scene.token(app, claims=CP1).json()["error_description"]
    switch(enabled=True)
    assert read(plain).status == 200
    asked = challenge(read(token))
    assert asked == {"access_token": {"nbf": nbf}}
    asked["access_token"]["xms_cc"] = {"values": ["CP1"]}
    newer = scene.token(app, claims=json.dumps(asked)).json()["access_token"]
    assert read(newer).status == 200
    scene.clock.advance(10)
    assert scene.graph(manager, "DELETE", f"servicePrincipals/{app.principal_id}").status == 204
    assert challenge(read(newer))


def test_only_applications_of_one_tenant_are_evaluated_and_only_at_graph(scene: EmulatorFixture) -> None:
    scene.application("api", identifier_uris=("api://orders",))
    app, shared = scene.application("app"), scene.application("shared", audience="AzureADMultipleOrgs")
    hour = 2 * 3600
    for who, scope, most in (
        (app, GRAPH_SCOPE, 86_400),
        (app, "api://orders/.default", hour),
        (shared, GRAPH_SCOPE, hour),
    ):
        body = scene.token(who, scope=scope, claims=CP1).json()
        assert ("xms_cc" in claims_of(body["access_token"]), "refresh_in" in body) == (most > hour,) * 2
        assert most / 4 < body["expires_in"] <= most


@pytest.mark.parametrize(
    "claims", ["{", "[]", "7", '{"access_token":[]}', '{"access_token":{"xms_cc":7}}', "[" * 50_000]
)
def test_claims_that_are_no_request_are_refused(scene: EmulatorFixture, claims: str) -> None:
    answer = scene.token(scene.application(), claims=claims)
    assert (answer.status, answer.json()["error_codes"]) == (400, [90100])


EVENTS: dict[str, Callable[[People], object]] = {
    "sessions revoked": lambda people: people.scene.emulator.admin.revoke_sessions(people.uri),
    "disabled": lambda people: people.scene.emulator.admin.set_user(people.uri, enabled=False),
    "deleted": lambda people: people.scene.emulator.admin.delete_user(people.uri),
    "another password": lambda people: people.scene.graph(
        people.scene.application("director", permissions=("User.ReadWrite.All",)),
        "PATCH",
        f"users/{people.uri}",
        {"passwordProfile": {"password": "another 1"}},
    ),
}


@pytest.mark.parametrize("event", EVENTS)
def test_a_persons_token_is_challenged_when_something_happens_to_them(people: People, event: str) -> None:
    people.scene.emulator.admin.consent(people.web.object_id, "User.Read")
    scope = "https://graph.microsoft.com/User.Read offline_access"
    tokens = people.tokens(people.uri, scope=scope)
    evaluated = people.refresh(tokens["refresh_token"], scope=scope, claims=CP1).json()["access_token"]
    for token in (tokens["access_token"], evaluated):
        assert people.graph(token, "GET", "me").status == 200
    people.scene.clock.advance(10)
    EVENTS[event](people)
    people.scene.clock.advance(10)
    assert challenge(people.graph(evaluated, "GET", "me"))
    assert people.graph(tokens["access_token"], "GET", "me").status == (
        403 if event in {"disabled", "deleted"} else 200
    )
