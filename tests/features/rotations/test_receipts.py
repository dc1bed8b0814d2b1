"""Receipts of rotations: anyone verifies one with a file and a key; nothing but what was signed is accepted."""

import html
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from keyturn.audit.events import RUN_REQUESTED
from keyturn.audit.verification import Verified
from keyturn.cli.main import main
from keyturn.client.receipts import verify_receipt
from keyturn.crypto import store
from keyturn.crypto.envelope import to_text
from keyturn.errors import Refused
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import SealContext
from keyturn.kit.signed_note import NoteKey, SignedNote
from keyturn.rotations.receipt_keys import replace_key
from keyturn.rotations.receipts import Receipts
from keyturn.rotations.run_check import compare_runs
from keyturn.rotations.work.run_outcome import record_rotation_event
from tests.databases import sqlite_database
from tests.features.rotations.applications import Applications, make_applications
from tests.features.rotations.page_desk import page_desk


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Applications]:
    with sqlite_database(tmp_path) as database:
        yield make_applications(database, signer_rotates=False)


def refusal(content: bytes, key: str) -> str:
    with pytest.raises(Refused) as caught:
        verify_receipt(content, key)
    assert caught.value.fix
    return caught.value.code


def test_the_receipt_of_a_run_is_verified_offline_to_the_last_byte(
    scene: Applications, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = scene.world
    rotating = world.connect("own-entra")
    world.settle()
    with page_desk(scene, tmp_path) as web:
        (run,) = re.findall(r'href="/rotation-runs/([^"/]+)/receipt"', web.page(f"/app-connections/{rotating.id}"))
        text = web.file(f"/rotation-runs/{run}/receipt")
        key = web.json("GET", "/api/v1/receipt-key")["key"]
        web.page("/rotation-runs/00000000-0000-4000-8000-000000000000/receipt", 404)
        web.done("/organization/audit-log/verify")
        assert re.search(r"by \w+: \d+ events, none changed, added or removed\.", web.page("/organization/audit-log"))
    content = text.encode()
    signer, said = verify_receipt(content, key)
    assert said["signedWith"] == signer.label
    assert key.startswith(f"{signer.label}+")
    assert (said["run"]["id"], said["run"]["state"], said["run"]["requestedBy"]) == (run, "succeeded", "Ada")
    assert {row["state"] for row in said["credentials"]} >= {"current"}
    assert all(row["keyId"] for row in said["credentials"])
    assert {event["event"] for event in said["events"]} >= {"credential-issued", "rotation-run-succeeded"}
    assert all(event["position"] and event["hash"] for event in said["events"])
    assert not [value for value in world.values_ever_issued() if value in text]

    for place in range(0, len(content), 97):
        changed = bytes([*content[:place], content[place] ^ 1, *content[place + 1 :]])
        assert refusal(changed, key) in {"receipt.changed", "receipt.unreadable", "receipt.key_foreign"}
    assert refusal(content[:-1], key) == refusal(content[: len(content) // 2], key) == "receipt.unreadable"
    assert refusal(content + b"\n", key) == refusal(b"", key) == refusal(b"\xff" * 90, key) == "receipt.unreadable"
    assert refusal(content, key[:-4] + "AAA=") == refusal(content, "") == "receipt.key_invalid"
    note = SignedNote.parse(content)
    assert note is not None
    forged = SignedNote(json.dumps(said | {"issuedAt": "2001-01-01"}) + "\n", note.name, note.key_id, note.signature)
    assert refusal(str(forged).encode(), key) == "receipt.changed"

    foreign = str(NoteKey(note.name, bytes(32)))
    assert refusal(content, foreign) == "receipt.key_foreign"
    file = tmp_path / "receipt.txt"
    file.write_bytes(content)
    assert main(["receipt", "verify", str(file), "--key", key], {}) == 0
    assert f"Verified: the receipt of run {run}" in capsys.readouterr().out
    file.write_bytes(content.replace(b"succeeded", b"sUcceeded", 1))
    assert main(["receipt", "verify", str(file), "--key", key], {}) == 1
    assert "The receipt was changed" in capsys.readouterr().err
    assert main(["receipt", "verify", str(tmp_path / "none"), "--key", key], {}) == 1
    assert "cannot be read: No such file" in capsys.readouterr().err


def test_receipts_of_a_key_that_was_replaced_are_verified_by_it_alone(
    scene: Applications, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = scene.world
    rotating = world.connect("own-entra")
    world.settle()
    with page_desk(scene, tmp_path) as web:
        (run,) = re.findall(r'href="/rotation-runs/([^"/]+)/receipt"', web.page(f"/app-connections/{rotating.id}"))
        old, first = web.file(f"/rotation-runs/{run}/receipt").encode(), web.json("GET", "/api/v1/receipt-key")["key"]
        for behind in (timedelta(days=1), timedelta(0)):  # the first one by a host whose clock is behind
            world.clock.advance(60)
            before, after = replace_key(world.database, world.sealer, MovableClock(world.clock.now() - behind))
            present = web.json("GET", "/api/v1/receipt-keys")["receiptKeys"][0]
            assert (present["key"], present["until"]) == (str(after), None)
        new, last = web.file(f"/rotation-runs/{run}/receipt").encode(), web.json("GET", "/api/v1/receipt-key")["key"]
        keys = web.json("GET", "/api/v1/receipt-keys")["receiptKeys"]
        assert "replace-receipt-key" in web.page("/organization/audit-log?event=replace-receipt-key")
    assert [each["key"] for each in keys] == [last, str(before), first]
    assert [each["until"] for each in keys] == [None, keys[0]["since"], keys[1]["since"]]
    assert last == str(after)
    published = "\n".join(each["key"] for each in keys)
    assert (str(verify_receipt(old, published)[0]), str(verify_receipt(new, published)[0])) == (first, last)
    assert refusal(old, last) == refusal(new, first) == "receipt.key_foreign"
    assert refusal(old, f"{first} nonsense") == "receipt.key_invalid"
    with world.database.read() as tx:
        rows = {
            key_id: world.sealer.open(value, SealContext("audit_keys", key_id, "value")).reveal()
            for key_id, value, _ in store.audit_keys_like(tx, "receipts")
        }
    assert len(rows) == 3
    publics = {to_text(each.public) for each in map(NoteKey.parse, published.split()) if each}
    assert {value for key_id, value in rows.items() if key_id != "receipts"} < publics, (
        "no private half but the present"
    )
    file = tmp_path / "receipt.txt"
    file.write_bytes(old)
    assert main(["receipt", "verify", str(file), "--key", published], {}) == 0
    assert f"signed with {verify_receipt(old, first)[0].label}." in capsys.readouterr().out


def test_there_is_no_receipt_of_a_run_whose_audit_events_were_changed(scene: Applications, tmp_path: Path) -> None:
    world = scene.world
    rotating = world.connect("own-entra")
    world.settle()
    with page_desk(scene, tmp_path) as web:
        (run,) = re.findall(r'href="/rotation-runs/([^"/]+)/receipt"', web.page(f"/app-connections/{rotating.id}"))
        with world.database.engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER audit_events_no_update")
            connection.exec_driver_sql(
                "UPDATE audit_events SET actor_name = 'Eve' WHERE event = 'rotation-run-succeeded'"
            )
        assert "was changed in the database" in web.page(f"/rotation-runs/{run}/receipt", 400)
        with world.database.engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER audit_events_no_delete")
            connection.exec_driver_sql("DELETE FROM audit_events WHERE event = 'rotation-run-recorded'")
        assert "There is no record of this run" in web.page(f"/rotation-runs/{run}/receipt", 400)


def test_a_record_of_any_other_form_is_a_fault_of_that_record_and_no_receipt(
    scene: Applications, tmp_path: Path
) -> None:
    world = scene.world
    rotating = world.connect("own-entra")
    world.settle()
    with page_desk(scene, tmp_path) as web:
        (run,) = re.findall(r'href="/rotation-runs/([^"/]+)/receipt"', web.page(f"/app-connections/{rotating.id}"))
        with world.database.engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER audit_events_no_update")
            (data,) = connection.exec_driver_sql(
                "SELECT data FROM audit_events WHERE event = 'rotation-run-recorded'"
            ).scalars()
        whole = json.loads(data)
        for told in (
            whole | {"steps": [{}]},
            whole | {"steps": 5},
            whole | {"steps": [{"id": "1", "repeats": None}]},
            whole | {"run": []},
            whole | {"run": {}, "credentials": [5]},
            [],
        ):
            with world.database.engine.begin() as connection:
                connection.exec_driver_sql(
                    "UPDATE audit_events SET data = ? WHERE event = 'rotation-run-recorded'", (json.dumps(told),)
                )
            assert "was changed in the database" in web.page(f"/rotation-runs/{run}/receipt", 400)
            found = Verified(world.actor.org_id)
            compare_runs(world.database, found)
            assert "is not as servers write it" in str(found.faults), told


def test_the_receipt_of_an_old_run_has_its_events_however_many_came_later_and_says_what_is_left_out(
    scene: Applications, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = scene.world
    connection = world.connect("own-entra")
    world.settle()
    (run,) = [run.id for run, _ in world.history.runs(world.actor, connection.id, 10, None)]
    receipts = Receipts(world.database, world.sealer, world.clock)

    def told() -> tuple[list[str], int]:
        said = verify_receipt(receipts.of_run(world.actor, run), receipts.public_key())[1]
        return [event["id"] for event in said["events"]], said["olderEventsLeftOut"]

    first, left_out = told()
    assert (len(first) > 3, left_out) == (True, 0)
    rotation = world.rotation(connection)
    with world.database.write() as tx:
        for number in range(1200):
            record_rotation_event(tx, world.actor, RUN_REQUESTED, rotation, world.clock.now(), runId=f"later-{number}")
    assert told() == (first, 0)
    monkeypatch.setattr("keyturn.rotations.receipts._MOST_EVENTS", 2)
    assert told() == (first[-2:], len(first) - 2)


def test_no_receipt_states_what_was_written_into_the_tables_afterwards_and_verification_finds_it(
    scene: Applications, tmp_path: Path
) -> None:
    world = scene.world
    rotating = world.connect("own-entra")
    world.settle()
    parts = ("rotation", "run", "credentials", "steps", "record", "events")
    with page_desk(scene, tmp_path) as web:
        (run,) = re.findall(r'href="/rotation-runs/([^"/]+)/receipt"', web.page(f"/app-connections/{rotating.id}"))
        key = web.json("GET", "/api/v1/receipt-key")["key"]

        def said() -> dict[str, object]:
            return verify_receipt(web.file(f"/rotation-runs/{run}/receipt").encode(), key)[1]

        def found() -> str:
            web.done("/organization/audit-log/verify")
            shown = html.unescape(web.page("/organization/audit-log?event=verify-audit-events"))
            newest = re.search(r'"faults": \d+[^}]*', shown)
            assert newest
            return newest[0].partition('"firstFault": ')[2]

        before = said()
        assert found() == ""
        for statement, fault in (
            ("UPDATE runs SET state = 'failed', reason = 'leaked'", f"run {run} is not as it was"),
            ("UPDATE runs SET state = 'succeeded', reason = 'enabled'", ""),
            ("UPDATE run_steps SET outcome = 'skipped' WHERE step = 'prove'", f"the steps of run {run} are not"),
            ("UPDATE run_steps SET outcome = 'done' WHERE step = 'prove'", ""),
            ("UPDATE rotations SET application_name = 'Eve'", ""),
            ("UPDATE credentials SET proofs = 99, key_id = 'eve'", ""),
            ("CREATE TABLE kept AS SELECT * FROM run_steps", ""),
            ("UPDATE run_steps SET repeats = 'x' WHERE step = 'prove'", f"the steps of run {run} are not"),
            ("DELETE FROM run_steps WHERE step = 'publish'", f"the steps of run {run} are not"),
            ("DELETE FROM run_steps", f"the steps of run {run} are not"),
            ("INSERT INTO run_steps SELECT * FROM kept", ""),
            ("DELETE FROM run_steps WHERE id = (SELECT min(id) FROM run_steps)", ""),
        ):
            with world.database.engine.begin() as connection:
                connection.exec_driver_sql(statement)
            assert {part: said()[part] for part in parts} == {part: before[part] for part in parts}, statement
            shown = found()
            assert fault in shown, statement
            assert bool(fault) == bool(shown), statement
