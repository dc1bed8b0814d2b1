"""What `entra-emulator serve --state DIR` writes with each change: the rows that it is about, so that none is lost or half."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from entra_emulator import ApplicationHandle, Emulator, Request, Response, SigningKey, VirtualClock
from entra_emulator.server.state import StateFolder
from tests.emulator.certificates import Certificate
from tests.emulator.full_tenant import FullTenant
from tests.emulator.rows import RowKeeper
from tests.emulator.scene import GRAPH, EmulatorFixture

READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Keeping:
    """An emulator whose state is kept in a folder, and a caller that changes its applications."""

    def __init__(self, folder: Path, key: SigningKey, *, applications: int = 1, **options: Any) -> None:
        self.folder, self.clock = folder, VirtualClock()
        self.emulator = Emulator(self.clock, seed=5, signing_key=key)
        self.state = StateFolder(folder, **options)
        self.scene = EmulatorFixture(self.emulator, self.clock, self.emulator.admin.create_tenant("Contoso"))
        self.manager = self.scene.manager()
        self.targets = [self.scene.application(f"target {number}") for number in range(applications)]
        self.scene.bearer(self.manager)
        self.state.begin(self.emulator, None)

    def add_secret(self, target: ApplicationHandle, name: str) -> None:
        headers = {"Authorization": f"Bearer {self.scene.bearer(self.manager)}", "Content-Type": "application/json"}
        body = json.dumps({"passwordCredential": {"displayName": name}}).encode()
        self.send(Request("POST", f"{GRAPH}/applications/{target.object_id}/addPassword", headers, body))

    def send(self, request: Request) -> None:
        response = self.emulator.handle(request)
        assert response.status < 300, response.body
        self.state.after(self.emulator, request, response)

    def changes(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "changes.jsonl").read_bytes().splitlines()]


def snapshot(emulator: Emulator) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(json.dumps(emulator.snapshot()))
    return {**whole, "randomness": []}


def loaded(folder: Path, key: SigningKey) -> Emulator:
    """What another emulator finds in the folder."""
    state, emulator = StateFolder(folder), Emulator(VirtualClock(), seed=9, signing_key=key)
    assert state.load(emulator) is not None
    state.close()
    return emulator


def test_a_change_writes_its_rows_whatever_else_there_is(tmp_path: Path, signing_key: SigningKey) -> None:
    lengths = []
    for number in (1, 300):
        keeping = Keeping(tmp_path / str(number), signing_key, applications=number)
        target = keeping.targets[-1]
        before = (keeping.folder / "directory.json").read_bytes()
        keeping.add_secret(target, "one")
        keeping.add_secret(target, "two")
        [first, second] = keeping.changes()
        assert [path for path, _ in second["rows"]] == [
            ["tenants", keeping.scene.tenant, "applications", target.object_id]
        ]
        assert (first["number"], second["number"]) == (1, 2)
        lengths.append(len(json.dumps(second)))
        assert (keeping.folder / "directory.json").read_bytes() == before
        keeping.state.close()
        assert snapshot(loaded(keeping.folder, signing_key)) == snapshot(keeping.emulator)
    assert max(lengths) <= min(lengths) + 20


def test_wherever_a_kill_cuts_the_changes_all_whole_ones_are_there(tmp_path: Path, signing_key: SigningKey) -> None:
    keeping = Keeping(tmp_path, signing_key)
    states = [snapshot(keeping.emulator)]
    for number in range(3):
        keeping.add_secret(keeping.targets[0], str(number))
        states.append(snapshot(keeping.emulator))
    keeping.state.close()
    path = tmp_path / "changes.jsonl"
    content = path.read_bytes()
    ends = [place for place, letter in enumerate(content, 1) if letter == ord("\n")]
    for cut in sorted(
        {0, *(end + off for end in ends for off in (-1, 0, 1)), *range(0, len(content), len(content) // 12)}
    ):
        path.write_bytes(content[:cut])
        whole = sum(end <= cut for end in ends)
        assert snapshot(loaded(tmp_path, signing_key)) == states[whole], cut


def test_changes_begin_anew_before_they_outgrow_the_directory(tmp_path: Path, signing_key: SigningKey) -> None:
    keeping = Keeping(tmp_path, signing_key, small_changes=1_000)
    sizes = []
    for number in range(40):
        keeping.add_secret(keeping.targets[0], str(number))
        path = tmp_path / "changes.jsonl"
        sizes.append(path.stat().st_size if path.exists() else 0)
    assert 0 in sizes, "they began anew"
    assert max(sizes) < 3 * (tmp_path / "directory.json").stat().st_size
    keeping.state.close()
    assert snapshot(loaded(tmp_path, signing_key)) == snapshot(keeping.emulator)


def test_changes_that_the_directory_has_already_are_not_put_in_again(tmp_path: Path, signing_key: SigningKey) -> None:
    """The process ended after the directory was written and before the changes began anew."""
    keeping = Keeping(tmp_path, signing_key)
    for number in range(3):
        keeping.add_secret(keeping.targets[0], str(number))
    left = (tmp_path / "changes.jsonl").read_bytes()
    keeping.state.begin(keeping.emulator, None)
    keeping.state.close()
    assert not (tmp_path / "changes.jsonl").exists()
    (tmp_path / "changes.jsonl").write_bytes(left)
    assert snapshot(loaded(tmp_path, signing_key)) == snapshot(keeping.emulator)


def test_no_id_is_given_twice_after_a_kill(tmp_path: Path, signing_key: SigningKey) -> None:
    keeping = Keeping(tmp_path, signing_key)
    made = keeping.scene.application("one").object_id
    keeping.add_secret(keeping.targets[0], "one")
    keeping.state.close()
    emulator = loaded(tmp_path, signing_key)
    assert emulator.admin.application(made).display_name == "one"
    assert emulator.admin.create_application(keeping.scene.tenant, "two").object_id != made


def test_a_folder_of_the_first_version_is_read(tmp_path: Path, scene: EmulatorFixture, signing_key: SigningKey) -> None:
    app = scene.application()
    scene.emulator.admin.consent(app.object_id, "User.Read")
    kept = snapshot(scene.emulator)
    old = json.loads(json.dumps(kept)) | {"version": 1, "requests": 0}
    for tenant in old["tenants"]:
        tenant["consents"] = list(tenant["consents"].values())
    (tmp_path / "directory.json").write_text(json.dumps(old))
    assert snapshot(loaded(tmp_path, signing_key)) == kept


def test_every_kind_of_change_is_kept_as_it_is_made(signing_key: SigningKey, certificate: Certificate) -> None:
    clock = VirtualClock()
    emulator = Emulator(clock, seed=7, signing_key=signing_key)
    keeper, answer = RowKeeper(emulator), emulator.handle

    def checked(request: Request) -> Response:
        response = answer(request)
        if request.method not in READS:
            keeper.check()
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emulator, "handle", checked)
        scene = EmulatorFixture(emulator, clock, emulator.admin.create_tenant("Contoso"))
        tenant = FullTenant(scene, certificate)
        for pattern in ("users/{}", "groups/{}", "serviceprincipals/{}", "applications/{}"):
            assert tenant.ask("PATCH", tenant.filled(pattern), {"displayName": "other"}).status == 204
            assert tenant.ask("DELETE", tenant.filled(pattern)).status == 204
    keeper.check()
