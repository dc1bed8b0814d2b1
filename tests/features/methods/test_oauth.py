"""Connecting by signing in at Microsoft: what users see, and what attackers do not get."""

import io
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa

from keyturn.connections.flow import SignInResult, UnverifiedCallback
from keyturn.db.tables import oauth_flows, oauth_tokens
from keyturn.db.unit import Database
from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext
from keyturn_simulation.world import make_world
from tests.features.connections.desk import NOBODY, ApiClient, Json, desk
from tests.features.methods.scene import FINISH, REDIRECT, START, VERIFIER, WRITE_ALL, MethodsFixture, set_up


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def count(web: ApiClient, what: sa.Table) -> int:
    with web.world.database.read() as tx:
        return int(tx.rows(sa.select(sa.func.count().label("n")).select_from(what))[0]["n"])


# --- the way that works -------------------------------------------------------------------------------------------------


def test_a_person_connects_and_the_connection_works(scene: MethodsFixture) -> None:
    query = scene.walk(scene.begin(description="tenant A", returnTo="/projects?tab=connections#new"))
    answer = scene.finish(query)
    assert answer["returnTo"] == "/projects?tab=connections#new"
    connection = answer["appConnection"]
    assert (connection["method"], connection["name"], connection["description"]) == ("oauth", "by-oauth", "tenant A")
    assert connection["credentials"] == {"tenantId": scene.world.tenant_id}
    assert connection["oauthAccount"].startswith("Ada@")
    assert connection["lastCheck"]["ok"] is True
    assert "certificateExpiresAt" not in connection
    assert scene.web.get(connection) == connection
    clients = scene.web.ask("GET", f"{connection['id']}/clients")["clients"]
    assert {client["name"] for client in clients} >= {"Our connection", "Of Ben", "Keyturn"}
    (event,) = scene.world.events("create-app-connection")
    assert (event["data"]["method"], event["data"]["account"]) == ("oauth", connection["oauthAccount"])


def test_the_browser_is_sent_to_the_tenant_with_all_that_protects_the_flow(scene: MethodsFixture) -> None:
    url = scene.begin()
    query = query_of(url)
    assert urlsplit(url).path == f"/{scene.world.tenant_id}/oauth2/v2.0/authorize"
    assert query["client_id"] == scene.app.app_id
    assert query["redirect_uri"] == REDIRECT
    assert (query["response_type"], query["response_mode"]) == ("code", "query")
    assert query["code_challenge_method"] == "S256"
    assert set(query["scope"].split()) >= {"openid", "offline_access"}
    assert len(query["state"]) >= 43
    assert len(query["nonce"]) >= 43
    assert scene.app.secrets[0].value not in url
    with scene.world.database.read() as tx:
        (row,) = tx.rows(sa.select(oauth_flows))
    assert not any(query[name] in repr(dict(row)) for name in ("state", "nonce", "code_challenge"))
    assert "admin" not in row["binding"]


def test_a_domain_of_the_tenant_will_do(scene: MethodsFixture) -> None:
    connection = scene.connect(tenantId="contoso.onmicrosoft.com")
    assert connection["credentials"]["tenantId"] == scene.world.tenant_id
    assert scene.web.ask("GET", f"{connection['id']}/clients")["clients"]


def test_tabs_do_not_disturb_each_other(scene: MethodsFixture) -> None:
    urls = [scene.begin(f"tab-{number}") for number in range(3)]
    back = [scene.walk(url) for url in urls]
    names = [scene.finish(query)["appConnection"]["name"] for query in reversed(back)]
    assert names == ["tab-2", "tab-1", "tab-0"]


def test_connecting_again_heals_and_may_change_the_account(scene: MethodsFixture) -> None:
    first = scene.connect()
    url = scene.begin(None, connectionId=first["id"], tenantId=None, returnTo="/x")
    answer = scene.finish(scene.walk(url, scene.ben))
    again = answer["appConnection"]
    assert (again["id"], again["version"], answer["returnTo"]) == (first["id"], 2, "/x")
    assert again["oauthAccount"].startswith("Ben@")
    assert again["credentialsHash"] != first["credentialsHash"]
    assert count(scene.web, oauth_tokens) == 1
    assert scene.web.ask("GET", f"{first['id']}/clients")["clients"]


def test_a_project_has_connections_of_its_own(scene: MethodsFixture) -> None:
    connection = scene.finish(
        scene.walk(scene.begin(who="project-member", projectId=scene.web.project_id)), who="project-member"
    )["appConnection"]
    assert connection["projectId"] == scene.web.project_id


# --- what is refused before anybody is sent away ------------------------------------------------------------------------


@pytest.mark.parametrize("tenant", ["common", "organizations", "Consumers", "not a tenant", "../x", "a/b"])
def test_a_sign_in_is_for_one_tenant(scene: MethodsFixture, tenant: str) -> None:
    issues = scene.web.issues({"name": "x", "tenantId": tenant}, path=START)
    assert set(issues) == {("tenantId",)}
    assert "Directory (tenant) ID" in issues["tenantId",]
    body = scene.by_code("some-code", credentials={"tenantId": tenant, "code": "some-code"})
    assert set(scene.web.issues(body)) == {("credentials", "tenantId")}


def test_a_tenant_that_does_not_exist_is_told_at_once(scene: MethodsFixture) -> None:
    answer = scene.web.refused({"name": "x", "tenantId": NOBODY}, 400, path=START)
    assert answer["code"] == "azure.tenant_unknown"
    assert NOBODY in answer["message"]


@pytest.mark.parametrize(
    "path",
    [
        *(
            "https://evil.test",
            "//evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "javascript:alert(1)",
            "projects",
            "/a\nb",
        ),
        *("/\t/evil.test", "/a b", "http:/x", "/é", "/" + "a" * 3000, "///evil.test", "/\\/evil.test", "?x"),
    ],
)
def test_nobody_is_sent_elsewhere_afterwards(scene: MethodsFixture, path: str) -> None:
    body = {"name": "x", "tenantId": scene.world.tenant_id, "returnTo": path}
    answer = scene.web.refused(body, 400, path=START)
    assert answer["code"] == "connections.return_path"


def test_a_name_that_is_taken_is_told_before_and_after(scene: MethodsFixture) -> None:
    late = scene.walk(scene.begin("taken"))
    scene.connect("taken")
    requests = len(scene.wire.asked_for_tokens())
    assert scene.finish(late, expect=400)["code"] == "connections.name_taken"
    assert len(scene.wire.asked_for_tokens()) == requests, "the code was used up for nothing"
    body = {"name": "taken", "tenantId": scene.world.tenant_id}
    assert scene.web.refused(body, 400, path=START)["code"] == "connections.name_taken"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name", "tenantId"}),
        ({"name": "Not A Slug", "tenantId": NOBODY}, {"name"}),
        ({"connectionId": "x"}, {"connectionId"}),
    ],
)
def test_a_form_with_faults_goes_nowhere(scene: MethodsFixture, body: Json, fields: set[str]) -> None:
    assert {str(path[0]) for path in scene.web.issues(body, path=START)} == fields


@pytest.mark.parametrize(
    ("who", "status"),
    [("member", 403), ("viewer", 403), ("project-member", 403), ("stranger", 200), ("", 401), ("x", 403)],
)
def test_only_who_may_create_connections_begins(scene: MethodsFixture, who: str, status: int) -> None:
    scene.web.ask("POST", START, {"name": "n", "tenantId": scene.world.tenant_id}, expect=status, who=who)


def test_connecting_again_needs_the_right_to_edit_and_the_method(scene: MethodsFixture) -> None:
    connection = scene.connect()
    for who, status in (("viewer", 403), ("stranger", 404), ("project-admin", 403)):
        scene.web.ask("POST", START, {"connectionId": connection["id"]}, expect=status, who=who)
    other = scene.web.create("with-secret")
    answer = scene.web.ask("POST", START, {"connectionId": other["id"]}, expect=400)
    assert answer["code"] == "connections.method_fixed"


def test_a_server_without_settings_says_which(database: Database, tmp_path: Path, log: io.StringIO) -> None:
    world = make_world(database)
    set_up(world, configured=False)
    with desk(world, tmp_path) as web:
        begin = {"name": "x", "tenantId": world.tenant_id}
        credentials = {"tenantId": world.tenant_id, "code": "some-code", "codeVerifier": VERIFIER, "nonce": "n"}
        create = {"name": "x", "method": "oauth", "credentials": credentials}
        for path, body in ((START, begin), ("", create)):
            answer = web.refused(body, 500, path=path)
            assert (answer["error"], answer["code"]) == ("InternalServerError", "connections.oauth_not_configured")
            assert "SITE_URL" in answer["fix"]
            assert "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_ID" in answer["fix"]
        (option,) = web.ask("GET", "/api/v1/app-connections/options")["appConnectionOptions"]
        assert "oauthClientId" not in option


# --- what Microsoft says ------------------------------------------------------------------------------------------------


def test_going_back_is_not_an_error_of_anybody(scene: MethodsFixture) -> None:
    cancelled = scene.finish(scene.walk(scene.begin(), cancel=True), expect=400)
    assert cancelled["code"] == "azure.sign_in_cancelled"
    assert "Connect again" in cancelled["fix"]


def test_declining_is_told_apart_and_recorded(scene: MethodsFixture) -> None:
    scene.admin.withdraw_consent(scene.app.object_id)
    declined = scene.finish(scene.walk(scene.begin(), decline=True), expect=400)
    assert declined["code"] == "azure.consent_declined"
    assert "Accept" in declined["fix"]
    (event,) = scene.world.events("fail-app-connection-sign-in")
    assert (event["data"]["code"], event["data"]["name"]) == ("azure.consent_declined", "by-oauth")


@pytest.mark.parametrize(
    ("parameters", "code", "fix"),
    [
        ({"error": "access_denied", "error_description": "AADSTS65004: User declined."}, "consent_declined", "Accept"),
        ({"error": "access_denied", "error_subcode": "cancel"}, "sign_in_cancelled", "Connect again"),
        (
            {"error": "consent_required", "error_description": "AADSTS90094: x"},
            "admin_consent_required",
            "admin-consent",
        ),
        (
            {"error": "access_denied", "error_description": "AADSTS90094: Admin"},
            "admin_consent_required",
            "administrator",
        ),
        ({"error": "consent_required"}, "admin_consent_required", "Grant admin consent"),
        ({"error": "invalid_request", "error_description": "AADSTS50105: not assigned"}, "not_assigned", "Assignment"),
        ({"error": "invalid_request", "error_description": "AADSTS50020: guest"}, "wrong_account", "account of that"),
        (
            {"error": "unauthorized_client", "error_description": "AADSTS700016: x"},
            "oauth_app_unknown",
            "account types",
        ),
        ({"error": "interaction_required", "error_description": "AADSTS50076: MFA"}, "interaction_required", "Connect"),
        ({"error": "access_denied", "error_description": "AADSTS53003: CA"}, "conditional_access", "Sign-in logs"),
        ({"error": "temporarily_unavailable"}, "unavailable", "Try again"),
        ({"error": "access_denied"}, "access_denied", "Accept"),
        ({"error": "what<script>"}, "sign_in_refused", "Sign-in logs"),
        ({"error": "odd", "error_description": "AADSTS4711: " + "long " * 1000}, "sign_in_refused", "Sign-in logs"),
    ],
)
def test_each_refusal_has_its_own_sentence(scene: MethodsFixture, parameters: Json, code: str, fix: str) -> None:
    state = query_of(scene.begin())["state"]
    answer = scene.finish({"state": state, **parameters}, expect=400)
    assert answer["code"] == f"azure.{code}"
    assert fix in answer["fix"]
    assert len(answer["message"]) < 700
    assert "<script>" not in answer["message"]
    assert not scene.wire.asked_for_tokens()


def test_an_answer_with_neither_code_nor_error_is_explained(scene: MethodsFixture) -> None:
    state = query_of(scene.begin())["state"]
    assert scene.finish({"state": state}, expect=400)["code"] == "connections.oauth_code_missing"


def test_when_the_servers_own_secret_is_refused_its_operator_is_told(scene: MethodsFixture) -> None:
    query = scene.walk(scene.begin())
    scene.admin.remove_secret(scene.app.object_id, scene.app.secrets[0].key_id)
    answer = scene.finish(query, expect=400)
    assert answer["code"] == "azure.oauth_app_secret_refused"
    assert "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_SECRET" in answer["fix"]


# --- attacks ------------------------------------------------------------------------------------------------------------


def refused(scene: MethodsFixture, query: Json, who: str | None = None) -> str:
    """Try to finish a sign-in that must be refused; return the code. Nothing may be made, and no code be exchanged."""
    requests = len(scene.wire.asked_for_tokens())
    before = scene.web.remains() | {"audit_events": 0}
    answer = scene.finish(query, expect=400, who=who)
    assert scene.web.remains() | {"audit_events": 0} == before
    assert len(scene.wire.asked_for_tokens()) == requests
    assert answer["fix"]
    return str(answer["code"])


def test_a_state_is_good_for_one_use(scene: MethodsFixture) -> None:
    query = scene.walk(scene.begin())
    scene.finish(query)
    assert refused(scene, query) == "connections.oauth_state_used"


def test_a_state_of_nobody_is_refused(scene: MethodsFixture) -> None:
    query = scene.walk(scene.begin())
    for state in ("", "x", query["state"][:-1], query["state"] + "0", "x" * 100_000):
        assert refused(scene, query | {"state": state}) == "connections.oauth_state_unknown"
    scene.finish(query)


def test_a_sign_in_of_another_user_is_refused_and_over(scene: MethodsFixture) -> None:
    """Somebody sends a victim the link of a sign-in of their own, to connect the victim's server to their tenant."""
    query = scene.walk(scene.begin())
    assert refused(scene, query, "other-admin") == "connections.oauth_other_user"
    assert refused(scene, query, "stranger") == "connections.oauth_other_user"
    assert refused(scene, query) == "connections.oauth_state_used"


def test_a_sign_in_of_another_browser_is_refused_and_over(scene: MethodsFixture) -> None:
    query = scene.walk(scene.begin())
    assert refused(scene, query, "admin-elsewhere") == "connections.oauth_other_session"
    assert refused(scene, query) == "connections.oauth_state_used"


def test_a_callback_needs_somebody_signed_in(scene: MethodsFixture) -> None:
    query = scene.walk(scene.begin())
    scene.finish(query, expect=401, who="")
    scene.finish(query)


def test_a_sign_in_takes_ten_minutes_at_most(scene: MethodsFixture) -> None:
    query = scene.walk(scene.begin())
    scene.world.clock.advance(600)
    assert refused(scene, query) == "connections.oauth_state_expired"


def test_a_code_of_another_flow_is_worth_nothing(scene: MethodsFixture) -> None:
    """A stolen or planted code: PKCE ties it to the flow that it was made for."""
    stolen = scene.walk(scene.begin("victim"))
    mine = scene.walk(scene.begin("mine"), scene.kim)
    answer = scene.finish({"state": mine["state"], "code": stolen["code"]}, expect=400)
    assert answer["code"] == "azure.code_of_another_sign_in"
    answer = scene.web.refused(scene.by_code(stolen["code"]), 400)
    assert answer["code"] == "azure.code_of_another_sign_in"
    assert scene.finish(stolen)["appConnection"]["oauthAccount"].startswith("Ada@")


def test_a_code_without_pkce_cannot_be_planted_into_a_flow(scene: MethodsFixture) -> None:
    planted = scene.code(scene.kim, bare=True)
    mine = scene.walk(scene.begin())
    answer = scene.finish({"state": mine["state"], "code": planted}, expect=400)
    assert answer["code"] == "azure.code_of_another_sign_in"
    assert count(scene.web, oauth_tokens) == 0


def test_a_code_of_another_application_in_another_tenant_is_refused(scene: MethodsFixture) -> None:
    other = scene.admin.create_tenant("Fabrikam")
    eve = scene.admin.create_user(other, "Eve")
    scene.app = scene.admin.create_application(
        other, "Of Eve", redirect_uris=(REDIRECT,), scopes=(WRITE_ALL,), app_id=None, audience="AzureADMultipleOrgs"
    )
    scene.admin.consent(scene.app.object_id, WRITE_ALL)
    code = scene.code(eve, tenant_id=other)
    answer = scene.web.refused(scene.by_code(code), 400)
    assert answer["code"] == "azure.grant_revoked"


def test_of_many_who_finish_at_once_one_gets_through(scene: MethodsFixture) -> None:
    world = scene.world
    query = scene.walk(scene.begin())
    sign_ins = world.services.sign_ins
    callback = UnverifiedCallback.of(Plaintext(query["state"]), Plaintext(query["code"]), {})
    ends: list[SignInResult | Refused] = []
    gate = threading.Barrier(4)

    def finish() -> None:
        gate.wait()
        try:
            ends.append(sign_ins.finish(world.actor, Plaintext("admin"), callback))
        except Refused as error:
            ends.append(error)

    threads = [threading.Thread(target=finish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(getattr(end, "code", "done") for end in ends) == ["connections.oauth_state_used"] * 3 + ["done"]
    assert len(scene.web.ask("GET", "")["appConnections"]) == 1


def test_what_a_flow_remembers_is_forgotten_when_it_ends(scene: MethodsFixture) -> None:
    for number in range(3):
        url = scene.begin(f"n-{number}")
        if number:
            scene.finish(scene.walk(url, cancel=number == 2), expect=400 if number == 2 else 200)
    with scene.world.database.read() as tx:
        rows = tx.rows(sa.select(oauth_flows).order_by(oauth_flows.c.created_at))
    assert sorted(row["payload"] is None for row in rows) == [False, True, True]
    scene.world.clock.advance(timedelta(days=1, minutes=11).total_seconds())
    scene.world.services.grants.forget_sign_ins()
    assert count(scene.web, oauth_flows) == 0


# --- over the API, with a code -----------------------------------------------------------------------------------------


def test_a_client_of_the_api_brings_its_own_code(scene: MethodsFixture) -> None:
    connection = scene.web.ask("POST", "", scene.by_code(scene.code()))["appConnection"]
    assert connection["method"] == "oauth"
    assert connection["credentials"] == {"tenantId": scene.world.tenant_id}
    (form,) = scene.wire.asked_for_tokens()
    assert (form["grant_type"], form["redirect_uri"]) == ("authorization_code", REDIRECT)
    assert form["code_verifier"] == VERIFIER


def test_a_code_alone_is_refused_and_not_redeemed(scene: MethodsFixture) -> None:
    """Whoever saw the address that a person came back to has the code, and neither of the other two."""
    code = scene.code(bare=True)
    alone = {"tenantId": scene.world.tenant_id, "code": code}
    answer = scene.web.refused(scene.by_code(code, credentials=alone), 400)
    assert answer["code"] == "connections.oauth_bare_code"
    assert "codeVerifier and nonce" in answer["message"]
    connection = scene.connect()
    requests = len(scene.wire.asked_for_tokens())
    again = scene.web.refused({"credentials": alone}, 400, method="PATCH", path=connection["id"])
    assert again["code"] == "connections.oauth_bare_code"
    half = {"codeVerifier": VERIFIER, **alone}
    assert set(scene.web.issues(scene.by_code(code, credentials=half))) == {("credentials", "nonce")}
    assert len(scene.wire.asked_for_tokens()) == requests
    planted = scene.web.refused(scene.by_code(code, "planted"), 400)
    assert planted["code"] == "azure.code_of_another_sign_in", "it was made without a challenge"


def test_a_server_may_be_told_to_take_a_code_alone(database: Database, tmp_path: Path, log: io.StringIO) -> None:
    world = make_world(database)
    wire, app = set_up(world, bare_codes=True)
    ada = world.emulator.admin.create_user(world.tenant_id, "Ada")
    world.emulator.admin.consent(app.object_id, WRITE_ALL)
    with desk(world, tmp_path, oauth_client_id=app.app_id) as web:
        scene = MethodsFixture(web, wire, app, ada, ada, ada)
        code = scene.code(bare=True)
        body = scene.by_code(code, credentials={"tenantId": world.tenant_id, "code": code})
        assert web.ask("POST", "", body)["appConnection"]["method"] == "oauth"


def test_a_code_is_good_for_one_connection(scene: MethodsFixture) -> None:
    code = scene.code()
    scene.web.ask("POST", "", scene.by_code(code))
    answer = scene.web.refused(scene.by_code(code, "another"), 400)
    assert answer["code"] == "azure.code_used"


@pytest.mark.parametrize("code", ["no-such-code", "x" * 8000, "a&client_id=b"])
def test_a_code_that_microsoft_does_not_know_makes_nothing(scene: MethodsFixture, code: str) -> None:
    answer = scene.web.refused(scene.by_code(code), 400)
    assert answer["code"].startswith("azure.")
    assert code not in str(answer)


@pytest.mark.parametrize(
    ("credentials", "field"),
    [({"tenantId": NOBODY}, "code"), ({"tenantId": NOBODY, "code": " "}, "code"), ({"code": "x"}, "tenantId")],
)
def test_what_is_missing_is_named(scene: MethodsFixture, credentials: Json, field: str) -> None:
    assert set(scene.web.issues(scene.by_code("", credentials=credentials))) == {("credentials", field)}


def test_access_that_does_not_last_is_refused(scene: MethodsFixture) -> None:
    code = scene.code(scope=f"https://graph.microsoft.com/{WRITE_ALL} openid")
    answer = scene.web.refused(scene.by_code(code), 400)
    assert answer["code"] == "azure.offline_access_missing"


def test_its_secret_cannot_be_rotated(scene: MethodsFixture) -> None:
    weekly: Any = {"rotationInterval": 7, "rotateAtUtc": {"hours": 1, "minutes": 0}}
    body = scene.by_code("unused", isAutoRotationEnabled=True, rotation=weekly)
    assert scene.web.refused(body, 400)["code"] == "rotation.method_not_supported"
    assert not scene.wire.asked_for_tokens()
    connection = scene.connect()
    body = {"isAutoRotationEnabled": True, "rotation": weekly}
    answer = scene.web.refused(body, 400, method="PATCH", path=connection["id"])
    assert answer["code"] == "rotation.method_not_supported"
    assert scene.web.ask("POST", f"{connection['id']}/rotate-credentials", expect=404)["code"] == "rotation.not_set_up"


def test_an_update_with_a_new_code_connects_again_and_with_the_same_one_does_nothing(scene: MethodsFixture) -> None:
    code = scene.code()
    connection = scene.web.ask("POST", "", scene.by_code(code))["appConnection"]
    requests = len(scene.wire.asked_for_tokens())
    same = scene.web.change(connection, credentials=scene.with_code(code), description="x")
    assert (same["credentialsHash"], same["description"]) == (connection["credentialsHash"], "x")
    assert len(scene.wire.asked_for_tokens()) == requests
    new = scene.web.change(connection, credentials=scene.with_code(scene.code(scene.ben)))
    assert new["oauthAccount"].startswith("Ben@")
    assert new["credentialsHash"] != connection["credentialsHash"]


def test_credentials_of_another_method_are_refused(scene: MethodsFixture) -> None:
    connection = scene.connect()
    answer = scene.web.refused({"credentials": scene.web.credentials()}, 400, method="PATCH", path=connection["id"])
    assert answer["code"] == "connections.method_fixed"
    secret = scene.web.create("by-secret")
    credentials = {"tenantId": scene.world.tenant_id, "code": "x"}
    answer = scene.web.refused({"credentials": credentials}, 400, method="PATCH", path=secret["id"])
    assert "'oauth'" in answer["message"]


def test_the_callback_route_takes_what_entra_sends(scene: MethodsFixture) -> None:
    """``session_state`` and the like come along; unknown keys do no harm."""
    query = scene.walk(scene.begin()) | {"session_state": NOBODY, "client_info": "e30"}
    assert scene.web.ask("POST", FINISH, query)["appConnection"]["name"] == "by-oauth"


def test_deleting_forgets_the_token(scene: MethodsFixture) -> None:
    connection = scene.connect()
    assert count(scene.web, oauth_tokens) == 1
    assert scene.web.ask("DELETE", connection["id"])["staysValid"] == []
    assert count(scene.web, oauth_tokens) == 0
