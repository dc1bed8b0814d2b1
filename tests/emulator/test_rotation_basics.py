"""The round that every rotation makes: token, addPassword, token with the new secret, removePassword."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.emulator.scene import EmulatorFixture


def test_a_secret_added_through_graph_opens_the_token_endpoint_and_a_removed_one_does_not(
    scene: EmulatorFixture,
) -> None:
    app = scene.application(permissions=("Application.ReadWrite.OwnedBy",), owns_itself=True)
    response = scene.add_password(app, app, "marker")
    assert response.status == 200
    secret = response.json()
    assert secret["displayName"] == "marker"
    assert secret["hint"] == secret["secretText"][:3]
    assert scene.token(app, secret["secretText"]).status == 200

    assert scene.remove_password(app, app, app.secrets[0].key_id).status == 204
    refused = scene.token(app)
    assert refused.status == 401
    assert refused.json()["error_codes"] == [7000215]
    assert scene.key_ids(app, app) == [secret["keyId"]]


def test_a_token_outlives_the_secret_that_obtained_it(scene: EmulatorFixture) -> None:
    app = scene.application(permissions=("Application.ReadWrite.OwnedBy",), owns_itself=True)
    assert scene.remove_password(app, app, app.secrets[0].key_id).status == 204
    assert scene.key_ids(app, app) == []


def test_reads_never_show_a_value(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application()
    body = scene.graph(manager, "GET", f"applications(appId='{app.app_id}')").json()
    (secret,) = body["passwordCredentials"]
    assert secret["secretText"] is None
    assert secret["keyId"] == app.secrets[0].key_id
    assert app.secrets[0].value not in str(body)


def test_without_dates_a_secret_lives_two_years(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application()
    secret = scene.graph(manager, "POST", f"applications/{app.object_id}/addPassword").json()
    assert secret["startDateTime"][:4] == "2026"
    assert secret["endDateTime"][:4] == "2028"


def test_removing_an_unknown_key_is_a_400_that_names_it(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application()
    answer = scene.remove_password(manager, app, "11111111-1111-4111-8111-111111111111")
    assert answer.status == 400
    assert "No password credential found with keyId" in answer.json()["error"]["message"]


def test_many_threads_may_call_at_once(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application(secrets=0)
    scene.bearer(manager)

    def add(number: int) -> int:
        scene.emulator.faults.fail_next("removePassword")
        scene.emulator.ledger.query(operation="addPassword")
        return scene.add_password(manager, app, f"thread {number}").status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(add, range(200))) == {200}
    assert {item.display_name for item in scene.emulator.admin.secrets(app.object_id)} == {
        f"thread {number}" for number in range(200)
    }
    assert len(scene.emulator.faults.pending()) == 200
    sequences = [item.sequence for item in scene.emulator.ledger]
    assert sequences == list(range(1, len(sequences) + 1))
