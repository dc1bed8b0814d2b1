"""The ledger says who did what with which credential, and holds no secret."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from entra_emulator import Request
from entra_emulator.faults.ledger import Ledger
from tests.emulator.scene import LOGIN, EmulatorFixture


def test_an_entry_names_the_caller_the_target_and_the_keys(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application(secrets=0)
    headers = {"User-Agent": "rotator/1", "x-keyturn-instance": "one"}
    body = {"passwordCredential": {"displayName": "marker"}}
    secret = scene.graph(manager, "POST", f"applications(appId='{app.app_id}')/addPassword", body, headers).json()
    (entry,) = scene.emulator.ledger.query(operation="addPassword", application=app.object_id)
    assert entry.method == "POST"
    assert entry.at == scene.clock.now()
    assert entry.tenant == scene.tenant
    assert entry.caller == manager.app_id
    assert entry.auth_key_id == manager.secrets[0].key_id
    assert entry.key_id == secret["keyId"]
    assert (entry.status, entry.error, entry.committed) == (200, "", True)
    assert (entry.user_agent, entry.instance) == ("rotator/1", "one")
    assert len(entry.body_sha256) == 16


def test_a_refusal_is_an_entry_with_its_code_that_committed_nothing(scene: EmulatorFixture) -> None:
    app = scene.application()
    scene.token(app, "wrong")
    scene.remove_password(app, app, app.secrets[0].key_id)
    token, _, removal = scene.emulator.ledger
    assert (token.operation, token.status, token.error, token.auth_key_id) == ("token", 401, "7000215", "")
    assert (removal.operation, removal.status, removal.error) == ("removePassword", 403, "Authorization_RequestDenied")
    assert not removal.committed


def test_the_key_that_obtained_a_token_is_named_even_after_it_was_removed(scene: EmulatorFixture) -> None:
    app = scene.application(permissions=("Application.ReadWrite.OwnedBy",), owns_itself=True)
    first = app.secrets[0].key_id
    scene.remove_password(app, app, first)
    scene.key_ids(app, app)
    assert scene.emulator.ledger.query(operation="getApplication")[-1].auth_key_id == first


def test_entries_are_numbered_and_can_be_read_from_a_number_on(scene: EmulatorFixture) -> None:
    app = scene.application()
    numbers = [scene.token(app).sequence for _ in range(5)]
    assert numbers == [1, 2, 3, 4, 5]
    assert [item.sequence for item in scene.emulator.ledger.query(since=3)] == [4, 5]
    assert [item.sequence for item in scene.emulator.ledger.query(since=1, limit=2)] == [2, 3]
    with pytest.raises(AttributeError):
        scene.emulator.ledger.query(nonsense=1)


def test_no_secret_is_in_the_ledger(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application()
    value = scene.add_password(manager, app).json()["secretText"]
    scene.token(app, value)
    text = json.dumps([entry.as_dict() for entry in scene.emulator.ledger])
    assert value not in text
    assert manager.secrets[0].value not in text


def test_a_secret_used_as_a_client_secret_is_not_a_leak(scene: EmulatorFixture) -> None:
    app = scene.application()
    scene.token(app)
    assert not scene.emulator.ledger.saw_plaintext(app.secrets[0].value)


def test_a_secret_anywhere_else_is_a_leak(scene: EmulatorFixture) -> None:
    manager, app = scene.manager(), scene.application()
    ledger = scene.emulator.ledger
    scene.add_password(manager, app, "in a name: canary~1 ä")
    assert ledger.saw_plaintext("canary~1 ä")
    scene.graph(manager, "GET", "applications", filter="displayName eq 'canary~2 &'")
    assert ledger.saw_plaintext("canary~2 &")
    scene.post_form({"client_id": "canary~3"})
    assert ledger.saw_plaintext("canary~3")
    scene.emulator.call(Request("GET", f"{LOGIN}/{quote('canary~4/ü', safe='')}/x"))
    assert ledger.saw_plaintext("canary~4/ü")
    scene.graph(manager, "GET", "applications", headers={"User-Agent": "canary~5"})
    assert ledger.saw_plaintext("canary~5")
    scene.graph(app, "POST", "nowhere", {"a": "canary~6"})
    assert ledger.saw_plaintext("canary~6"), "in the body of a refused request"
    assert not ledger.saw_plaintext("canary~7")


def test_an_old_ledger_drops_its_oldest_entries_and_says_so() -> None:
    ledger = Ledger(limit=2, text_limit=10)
    for number in range(5):
        ledger.open(0.0, "GET", "/", b"")
        ledger.remember(b"text %d" % number)
    assert [item.sequence for item in ledger] == [4, 5]
    assert (ledger.dropped, ledger.texts_dropped) == (3, 4)
    assert ledger.get(3) is None
    assert ledger.get(5) is not None
