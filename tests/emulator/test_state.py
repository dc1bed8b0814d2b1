"""A place of its own: `entra-emulator serve --state DIR`, a seed file, an export."""

from __future__ import annotations

import http.client
import json
import os
import resource
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from entra_emulator import Emulator, Request, Settings, SigningKey, VirtualClock
from entra_emulator.admin.seed_file import plant
from entra_emulator.admin.snapshot import VERSION
from entra_emulator.server.files import LineFiles
from entra_emulator.server.server import Server
from entra_emulator.server.state import StateFolder
from tests.emulator.certificates import Certificate
from tests.emulator.people import people_in
from tests.emulator.scene import GRAPH, GRAPH_SCOPE, EmulatorFixture
from tests.emulator.test_admin_api import admin

DAY = 86_400.0


def test_an_export_is_everything_and_an_import_begins_with_it(
    scene: EmulatorFixture, certificate: Certificate, signing_key: SigningKey
) -> None:
    people = people_in(scene)
    scene.emulator.admin.configure(scene.tenant, replicas=3, graph_appear=(1, 30), reports_budget=None)
    permissions = ("AuditLog.Read.All", "Directory.Read.All", "Application.ReadWrite.All", "Policy.Read.All")
    reader, app = scene.application("reader", permissions=permissions), scene.application()
    scene.emulator.admin.add_certificate(app.object_id, certificate.pem)
    scene.add_password(reader, app)
    fic = {"name": "ci-1", "issuer": "https://ci.example", "subject": "s", "audiences": ["api://AzureADTokenExchange"]}
    assert scene.graph(reader, "POST", f"applications/{app.object_id}/federatedIdentityCredentials", fic).status == 201
    scene.emulator.admin.create_group(scene.tenant, "group", members=(people.ada,))
    scene.emulator.admin.set_policy(scene.tenant, passwordCredentials=[{"restrictionType": "passwordAddition"}])
    scene.emulator.admin.create_subscription(scene.tenant, "sub", owners=(app.principal_id,))
    scene.emulator.admin.trust_issuer("https://ci.example", "k1", certificate.public_key_pem)
    deleted = scene.application("deleted")
    scene.graph(reader, "DELETE", f"applications/{deleted.object_id}")
    refresh = people.tokens()["refresh_token"]
    scene.token(app)
    scene.clock.advance(900)
    kept = json.loads(json.dumps(scene.emulator.snapshot()))
    log = json.loads(json.dumps(scene.emulator.log_lines()))
    paths = (
        "applications", "servicePrincipals", "users", "groups", "policies/defaultAppManagementPolicy",
        "directory/deletedItems/microsoft.graph.application", "auditLogs/directoryAudits",
        f"applications/{app.object_id}/federatedIdentityCredentials",
        "https://graph.microsoft.com/beta/auditLogs/signIns?$filter=signInEventTypes/any(t:%20t%20eq%20'servicePrincipal')",
        "https://graph.microsoft.com/beta/reports/appCredentialSignInActivities",
    )  # fmt: skip

    def answers() -> list[Any]:
        clock = VirtualClock(scene.clock.now())
        other = Emulator(clock, seed=99, signing_key=signing_key)
        other.restore(kept, log)
        copy = EmulatorFixture(other, clock, scene.tenant)
        bodies = [copy.graph(reader, "GET", path).body for path in paths]
        assert b"servicePrincipalCredentialKeyId" in b"".join(bodies)
        refreshed = people_copy(people, copy).refresh(refresh).json()
        return [*bodies, set(refreshed), copy.token(app).json()["expires_in"]]

    assert answers() == answers(), "the same state and the same time give the same answers"
    other = Emulator(VirtualClock(scene.clock.now()), signing_key=signing_key)
    other.restore(kept)
    assert json.loads(json.dumps(other.snapshot())) == kept
    for wrong in (
        {},
        {"version": VERSION + 1},
        kept | {"nonsense": 1},
        kept | {"tenants": [{"id": 1}]},
        kept | {"tenants": 7},
    ):
        with pytest.raises(ValueError, match=r"not|no nonsense"):
            other.restore(wrong)
    assert json.loads(json.dumps(other.snapshot())) == kept, "what does not fit changes nothing"
    copy = EmulatorFixture(other, VirtualClock(scene.clock.now()), scene.tenant)
    assert admin(copy, "GET", "issuers") == admin(scene, "GET", "issuers")
    assert admin(scene, "GET", "export")["tenants"][0]["id"] == scene.tenant
    admin(scene, "POST", "import", kept)


def people_copy(people: Any, scene: EmulatorFixture) -> Any:
    return type(people)(scene, people.web, people.ada, people.uri)


SEED = {
    "tenants": [
        {
            "name": "Fabrikam",
            "settings": {"replicas": 2},
            "users": [{"name": "Ada Admin", "roles": ["Global Administrator"]}],
            "applications": [
                {"name": "rotator", "permissions": ["Application.ReadWrite.OwnedBy"], "owns_itself": True},
                {
                    "name": "payments",
                    "owners": ["rotator", "Ada Admin"],
                    "secrets": 0,
                    "credentials": [
                        {"display_name": "old", "end": "2020-01-01T00:00:00Z", "start": "2019-01-01T00:00:00Z"}
                    ],
                },
            ],
            "subscriptions": [{"name": "Works", "owners": ["rotator"]}],
        }
    ]
}


def test_a_seed_file_makes_tenants_and_says_where_it_does_not_fit() -> None:
    emulator = Emulator(VirtualClock())
    plant(emulator.handle, json.dumps(SEED).encode())
    [tenant] = emulator.snapshot()["tenants"]
    names = {item["display_name"]: item for item in tenant["applications"].values()}
    assert len(names["payments"]["owners"]) == 2
    assert [item["display_name"] for item in names["payments"]["passwords"]] == ["old"]
    assert emulator.admin.settings("fabrikam.onmicrosoft.com") == Settings(replicas=2)
    for wrong, place in (
        (b"junk", "not JSON"),
        (b"[]", "one member"),
        (b'{"tenants": [7]}', r"tenants\[0\]"),
        (b'{"tenants": [{"name": "x", "setings": {}}]}', r"tenants\[0\]: unknown member: setings"),
        (b'{"tenants": [{"name": "x", "users": [{"name": "y", "role": []}]}]}', r"users\[0\]: unknown member: role"),
        (
            b'{"tenants": [{"name": "x", "applications": [{"nonsense": 1, "name": "y"}]}]}',
            r"applications\[0\].*nonsense",
        ),
        (b'{"tenants": [{"name": "z", "users": [{"name": "a", "roles": ["x"]}]}]}', r"users\[0\].*directory role"),
    ):
        with pytest.raises(ValueError, match=place):
            plant(Emulator(VirtualClock()).handle, wrong)


def served(folder: Path, *options: str) -> tuple[subprocess.Popen[bytes], dict[str, Any], ssl.SSLContext]:
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "entra_emulator",
        "serve",
        "--state",
        str(folder / "state"),
        "--ca-file",
        str(folder / "ca.pem"),
    ]
    process = subprocess.Popen([*command, "--ready-file", str(ready), *options], stdout=subprocess.DEVNULL)
    for _ in range(600):
        if ready.exists():
            break
        time.sleep(0.05)
    content = json.loads(ready.read_text())
    return process, content, ssl.create_default_context(cafile=content["ca_file"])


def write_until_it_dies(request: urllib.request.Request, trusted: ssl.SSLContext, answered: list[str]) -> None:
    while True:
        try:
            with urllib.request.urlopen(request, context=trusted) as response:
                answered.append(json.load(response)["value"])
        except (OSError, ValueError, http.client.HTTPException):
            return


def keep(folder: Path, key: SigningKey, calls: list[Request]) -> Emulator:
    """Begins with what the folder keeps, or anew, and answers these calls as the server does."""
    state, clock = StateFolder(folder), VirtualClock()
    emulator = Emulator(clock, seed=5, signing_key=key)
    if state.load(emulator) is None:
        scene = EmulatorFixture(emulator, clock, emulator.admin.create_tenant("Contoso"))
        scene.application("rotator", permissions=("Application.ReadWrite.All", "AuditLog.Read.All"))
        state.begin(emulator, None)
    for call in calls:
        state.after(emulator, call, emulator.handle(call))
    state.close()
    return emulator


def calls_of(emulator: Emulator) -> list[Request]:
    """A token, an application, two secrets, and reads."""
    clock = VirtualClock()
    tenant = emulator.snapshot()["tenants"][0]["id"]
    scene = EmulatorFixture(emulator, clock, tenant)
    rotator = emulator.admin.application(next(iter(emulator.snapshot()["tenants"][0]["applications"])))
    form = {"grant_type": "client_credentials", "client_id": rotator.app_id, "scope": GRAPH_SCOPE}
    form["client_secret"] = rotator.passwords[0].value
    token = scene.post_form(form).json()["access_token"]
    login = f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    path = f"{GRAPH}/applications/{rotator.object_id}"
    return [
        Request("POST", login, {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(form).encode()),
        Request("GET", path, headers),
        Request("POST", f"{path}/addPassword", headers, b'{"passwordCredential": {"displayName": "one"}}'),
        Request("POST", f"{path}/addPassword", headers, b'{"passwordCredential": {"displayName": "two"}}'),
        Request("GET", f"{path}?$select=id", headers),
    ]


def shown(emulator: Emulator) -> list[tuple[Any, ...]]:
    return [
        (entry.sequence, entry.operation, entry.status, entry.committed, entry.request_id) for entry in emulator.ledger
    ]


def test_the_ledger_is_kept_the_same_for_the_same_requests(tmp_path: Path, signing_key: SigningKey) -> None:
    calls = calls_of(keep(tmp_path / "any", signing_key, []))
    first = keep(tmp_path / "first", signing_key, calls)
    again = keep(tmp_path / "first", signing_key, [])
    assert shown(again) == shown(first)
    assert [entry.operation for entry in again.ledger] == [
        "token",
        "getApplication",
        "addPassword",
        "addPassword",
        "getApplication",
    ]
    keep(tmp_path / "second", signing_key, calls)
    for name in ("ledger.jsonl", "log.jsonl", "directory.json", "changes.jsonl"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name
    more = keep(tmp_path / "first", signing_key, calls)
    assert [entry.sequence for entry in more.ledger] == list(range(1, 11)), "the numbers go on"
    ids = [entry.request_id for entry in more.ledger]
    assert len(set(ids)) == len(ids), "no id is given twice"
    keep(tmp_path / "first", signing_key, [Request("POST", "https://localhost/_emulator/reset"), calls[0]])
    assert len(keep(tmp_path / "first", signing_key, []).ledger) == 1, "a reset forgets what was kept, too"


def test_of_a_request_that_a_kill_cut_short_the_ledger_and_the_directory_tell_the_same(
    tmp_path: Path, signing_key: SigningKey
) -> None:
    calls = calls_of(keep(tmp_path / "any", signing_key, []))
    keep(tmp_path / "state", signing_key, calls[:3])
    before = {name: (tmp_path / "state" / name).read_bytes() for name in ("directory.json", "changes.jsonl")}
    keep(tmp_path / "state", signing_key, calls[3:4])
    for name, content in before.items():
        (tmp_path / "state" / name).write_bytes(content)
    for name in ("ledger.jsonl", "log.jsonl"):
        with (tmp_path / "state" / name).open("ab") as file:
            file.write(b'{"sequence":5,"at"')
    emulator = keep(tmp_path / "state", signing_key, calls[4:])
    assert [(entry.operation, entry.committed) for entry in emulator.ledger] == [
        ("token", False), ("getApplication", False), ("addPassword", True), ("addPassword", False), ("getApplication", False)
    ]  # fmt: skip
    [application] = emulator.snapshot()["tenants"][0]["applications"].values()
    assert [item["display_name"] for item in application["passwords"]] == ["secret 1", "one"]
    audited = [line["audit"]["operation"] for line in emulator.log_lines() if "audit" in line]
    assert audited == ["addPassword"]
    later = keep(tmp_path / "state", signing_key, [])
    assert shown(later) == shown(emulator), "half a line is gone for good, and so is what took no effect"
    assert later.log_lines() == emulator.log_lines()


def test_kept_lines_are_bounded_in_number_and_in_bytes(tmp_path: Path) -> None:
    def lines(count: int, text: str = "") -> list[dict[str, Any]]:
        return [{"sequence": number, "text": text} for number in range(count)]

    for most, largest, text in ((10, 10_000, ""), (1_000, 500, "x" * 50)):
        path = tmp_path / f"{most}.jsonl"
        files = LineFiles(path, most, largest)
        for item in lines(95, text):
            files.add([item])
        kept = LineFiles(path, most, largest).read()
        assert kept == lines(95, text)[-len(kept) :]
        sizes = [item.stat().st_size for item in tmp_path.glob(f"{most}*.jsonl")]
        assert len(sizes) == 2
        assert max(sizes) <= largest + 100
        assert len(kept) <= 2 * most


def test_lines_that_could_not_be_written_come_with_the_next_and_leave_no_half(tmp_path: Path) -> None:
    files, limits = LineFiles(tmp_path / "some.jsonl", 100, 10_000), resource.getrlimit(resource.RLIMIT_FSIZE)
    items = [{"number": number, "text": "x" * 200} for number in range(4)]
    files.add(items[:1])
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (300, limits[1])
    )  # a disk without room for more than half of the next line
    try:
        with pytest.raises(OSError, match="too large"):
            files.add(items[1:2])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert LineFiles(tmp_path / "some.jsonl", 100, 10_000).read() == items[:1]
    files.add(items[2:])
    assert LineFiles(tmp_path / "some.jsonl", 100, 10_000).read() == items


def test_what_a_power_cut_left_of_a_line_is_removed(tmp_path: Path) -> None:
    path, items = tmp_path / "some.jsonl", [{"number": number} for number in range(3)]
    for rest in (b'{"number"', b"\0" * 100, b'{"num\0\0\0', b'\0\0\n{"number":4}\n'):
        LineFiles(path, 100, 10_000).replace(items)
        with path.open("ab") as file:
            file.write(rest)
        files = LineFiles(path, 100, 10_000)
        assert files.read() == items, rest
        files.add([{"number": 3}])
        assert LineFiles(path, 100, 10_000).read() == [*items, {"number": 3}], rest


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("directory.json", b"{"),
        ("directory.json", b"7"),
        ("directory.json", b'{"version": 1, "requests": "x"}'),
        ("log.jsonl", b"nonsense\n"),
        ("log.jsonl", b"7\n"),
        ("log.jsonl", b"{}\n"),
        ("log.jsonl", b'{"audit": {}, "tenant": []}\n'),
        ("log.jsonl", b'{"sign_in": 7}\n'),
        ("ledger.jsonl", b"[]\n"),
        ("ledger.jsonl", b'{"sequence": "x"}\n'),
        ("changes.jsonl", b"7\n"),
        ("changes.jsonl", b'{"number": "x"}\n'),
        ("changes.jsonl", b'{"number": 2}\n'),
        ("changes.jsonl", b'{"number": 1, "rows": 7}\n'),
        ("changes.jsonl", b'{"number": 1, "rows": [[["tenants", "x", "id"], 7]]}\n'),
        ("changes.jsonl", b'{"number": 1, "rows": [[["version", "x"], 7]]}\n'),
    ],
)
def test_a_folder_that_holds_something_else_is_refused_in_words(
    name: str, content: bytes, tmp_path: Path, signing_key: SigningKey
) -> None:
    keep(tmp_path, signing_key, [])
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{tmp_path} cannot be read: "):
        keep(tmp_path, signing_key, [])
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("name", ["ledger.jsonl", "log.jsonl", "changes.jsonl"])
def test_what_cannot_be_kept_is_answered_with_a_500_and_kept_with_the_next(
    name: str, tmp_path: Path, signing_key: SigningKey, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "state"
    calls = calls_of(keep(tmp_path / "any", signing_key, []))
    keep(folder, signing_key, calls[:1])
    state, clock = StateFolder(folder), VirtualClock()
    emulator = Emulator(clock, seed=5, signing_key=signing_key)
    state.load(emulator)
    state.begin(emulator, None)
    server = Server(emulator, state=state)
    (folder / name).touch()
    (folder / name).rename(folder / "away")
    (folder / name).mkdir()
    refused = server.keep(calls[2], emulator.handle(calls[2]))
    assert (refused.status, refused.sequence) == (500, 2)
    assert name in refused.body.decode()
    assert [record.getMessage() for record in caplog.records] == [refused.body.decode()]
    (folder / name).rmdir()
    (folder / "away").rename(folder / name)
    answer = emulator.handle(calls[3])
    assert server.keep(calls[3], answer) == answer
    state.close()
    again = keep(folder, signing_key, [])
    assert [(entry.operation, entry.committed) for entry in again.ledger] == [
        ("token", False), ("addPassword", True), ("addPassword", True)
    ]  # fmt: skip
    assert [line["audit"]["operation"] for line in again.log_lines() if "audit" in line] == ["addPassword"] * 2
    [application] = again.snapshot()["tenants"][0]["applications"].values()
    assert [item["display_name"] for item in application["passwords"]] == ["secret 1", "one", "two"]
    kept = {"changes.jsonl", "directory.json", "ledger.jsonl", "lock", "log.jsonl"}
    assert {path.name for path in folder.iterdir()} == kept


def test_what_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    first, at, trusted = served(tmp_path, "--demo")
    try:
        app = at["demo"]["connection"]
        url = f"{at['admin']}/applications/{app['object_id']}/secrets"
        request = urllib.request.Request(url, b'{"display_name": "kept"}', {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, context=trusted) as response:
            made = json.load(response)
        url = f"{at['authority']}/{at['demo']['tenant_id']}/discovery/v2.0/keys"
        with urllib.request.urlopen(url, context=trusted) as response:
            keys = json.load(response)["keys"]
        answered = [made["value"]]
        writers = [threading.Thread(target=write_until_it_dies, args=(request, trusted, answered)) for _ in range(3)]
        for writer in writers:
            writer.start()
        while len(answered) < 20 and any(writer.is_alive() for writer in writers):
            time.sleep(0.01)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    for writer in writers:
        writer.join()
    certificate = (tmp_path / "ca.pem").read_bytes()
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    second, again, _ = served(tmp_path, "--demo", "--seed-file", "nothing is planted over what was kept")
    try:
        assert again["demo"] == at["demo"]
        assert (tmp_path / "ca.pem").read_bytes() == certificate, "clients that trusted it still do"
        with urllib.request.urlopen(f"{again['admin']}/applications/{app['object_id']}", context=trusted) as response:
            assert set(answered) <= {item["value"] for item in json.load(response)["secrets"]}
        url = f"{again['authority']}/{again['demo']['tenant_id']}/discovery/v2.0/keys"
        with urllib.request.urlopen(url, context=trusted) as response:
            assert [item["kid"] for item in json.load(response)["keys"]] == [item["kid"] for item in keys]
    finally:
        second.terminate()
        second.wait()
    (tmp_path / "state" / "directory.json").write_text("{")
    broken = subprocess.run(
        [sys.executable, "-m", "entra_emulator", "serve", "--state", str(tmp_path / "state")],
        capture_output=True,
        check=False,
        env=os.environ | {"COLUMNS": "500"},
    )
    assert broken.returncode == 2
    assert b"cannot be read" in broken.stderr
