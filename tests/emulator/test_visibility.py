"""Replication: what was done is known to each replica only in its own time."""

from __future__ import annotations

from tests.emulator.scene import EmulatorFixture


def test_a_new_secret_flaps_until_every_replica_knows_it(scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, replicas=3, token_appear=(5.0, 60.0))
    app = scene.application(permissions=("Application.ReadWrite.OwnedBy",), owns_itself=True)
    value = scene.add_password(app, app).json()["secretText"]
    assert {scene.token(app, value).status for _ in range(30)} == {401}
    mixed = False
    for _ in range(12):
        scene.clock.advance(5)
        mixed = mixed or {scene.token(app, value).status for _ in range(20)} == {200, 401}
    assert mixed
    assert {scene.token(app, value).status for _ in range(30)} == {200}


def test_a_new_secret_is_missing_from_reads_until_every_replica_knows_it(scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, replicas=2, graph_appear=(10.0, 20.0))
    manager, app = scene.manager(), scene.application(secrets=0)
    key_id = scene.add_password(manager, app).json()["keyId"]
    assert scene.key_ids(manager, app) == []
    scene.clock.advance(20)
    assert all(scene.key_ids(manager, app) == [key_id] for _ in range(20))


def test_a_removed_secret_goes_on_working_for_a_while(scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, token_vanish=(30.0, 30.0), graph_vanish=(10.0, 10.0))
    manager, app = scene.manager(), scene.application()
    key_id = app.secrets[0].key_id
    assert scene.remove_password(manager, app, key_id).status == 204
    assert scene.token(app).status == 200
    assert scene.key_ids(manager, app) == [key_id]
    scene.clock.advance(10)
    assert scene.key_ids(manager, app) == []
    assert scene.token(app).status == 200
    scene.clock.advance(20)
    assert scene.token(app).status == 401
    assert scene.remove_password(manager, app, key_id).status == 400


def test_removing_a_key_that_the_replica_does_not_show_yet_is_a_400_that_proves_nothing(scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, graph_appear=(10.0, 10.0))
    manager, app = scene.manager(), scene.application(secrets=0)
    key_id = scene.add_password(manager, app).json()["keyId"]
    early = scene.remove_password(manager, app, key_id)
    assert early.status == 400
    assert "No password credential found with keyId" in early.json()["error"]["message"]
    assert [item.key_id for item in scene.emulator.admin.secrets(app.object_id)] == [key_id]
    scene.clock.advance(10)
    assert scene.remove_password(manager, app, key_id).status == 204


def test_a_secret_removed_before_it_appeared_never_appears(scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, token_appear=(60.0, 60.0), remove_needs_visible=False)
    manager, app = scene.manager(), scene.application(secrets=0)
    secret = scene.add_password(manager, app).json()
    assert scene.remove_password(manager, app, secret["keyId"]).status == 204
    scene.clock.advance(120)
    assert scene.token(app, secret["secretText"]).status == 401


def test_a_fresh_secret_beside_expired_ones_looks_expired_until_it_is_known(scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, token_appear=(10.0, 10.0))
    manager, app = scene.manager(), scene.application(secrets=0)
    now = scene.clock.now()
    scene.emulator.admin.add_secret(app.object_id, start=now - 100, end=now - 1)
    value = scene.add_password(manager, app).json()["secretText"]
    assert scene.token(app, value).json()["error_codes"] == [7000222]
    scene.clock.advance(10)
    assert scene.token(app, value).status == 200


def test_a_new_application_is_unknown_at_first(scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, object_appear=(5.0, 5.0))
    manager = scene.manager()
    response = scene.graph(manager, "POST", "applications", {"displayName": "young"})
    assert response.status == 201
    path = f"applications/{response.json()['id']}"
    assert scene.graph(manager, "GET", path).status == 404
    assert scene.graph(manager, "POST", f"{path}/addPassword", {}).status == 404
    early = scene.graph(manager, "POST", "servicePrincipals", {"appId": response.json()["appId"]})
    assert "does not reference a valid application object" in early.json()["error"]["message"]
    scene.emulator.admin.configure(scene.tenant, young_object_status=403)
    assert scene.graph(manager, "GET", path).status == 403
    scene.clock.advance(5)
    assert scene.graph(manager, "GET", path).status == 200
    assert scene.graph(manager, "POST", f"{path}/addPassword", {}).status == 200


def test_a_new_service_principal_is_unknown_to_the_token_endpoint_at_first(scene: EmulatorFixture) -> None:
    manager = scene.manager()
    application = scene.graph(manager, "POST", "applications", {"displayName": "young"}).json()
    secret = scene.graph(manager, "POST", f"applications/{application['id']}/addPassword", {}).json()["secretText"]
    scene.emulator.admin.configure(scene.tenant, object_appear=(5.0, 5.0))
    assert scene.graph(manager, "POST", "servicePrincipals", {"appId": application["appId"]}).status == 201
    form = {
        "grant_type": "client_credentials",
        "client_id": application["appId"],
        "client_secret": secret,
        "scope": "https://graph.microsoft.com/.default",
    }
    assert scene.post_form(form).json()["error_codes"] == [700016]
    scene.clock.advance(5)
    assert scene.post_form(form).status == 200


def test_a_consent_reaches_tokens_only_after_a_while(scene: EmulatorFixture) -> None:
    scene.emulator.admin.configure(scene.tenant, object_appear=(30.0, 30.0))
    app, target = scene.application(), scene.application("target")
    scene.emulator.admin.grant(app.principal_id, "Application.Read.All", replicated=True)
    path = f"applications/{target.object_id}"
    assert scene.graph(app, "GET", path).status == 403
    scene.clock.advance(30)
    assert scene.graph(app, "GET", path).status == 403, "the old token still lacks the permission"
    scene.tokens.clear()
    assert scene.graph(app, "GET", path).status == 200
