"""The list of secret rotations, what is done with several of them, and the audit log that names them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.kit.actor import Role
from keyturn.secrets.domain import Address
from keyturn.secrets.mapped import SecretNames
from tests.databases import sqlite_database
from tests.features.accounts.people import person
from tests.features.rotations.applications import Applications, make_applications
from tests.features.rotations.page_desk import page_desk
from tests.features.rotations.test_application_grants import holder, rotations

OTHERS = SecretNames("PAY_ID", "PAY_SECRET")
GONE = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Applications]:
    with sqlite_database(tmp_path) as database:
        yield make_applications(database, signer_rotates=False)


def test_rotations_are_found_and_several_are_changed(scene: Applications, tmp_path: Path) -> None:
    scene.secrets.folders.create(scene.actor, Address(scene.project_id, None, "prod", "/"), "billing", None)
    shop = scene.create()
    payroll = scene.create(scene.other_application("Payroll"), name="pay", path="/billing", names=OTHERS)
    ann = person(scene.world.database, scene.actor.org_id, Role.ADMIN, "ann@contoso.test")
    base = f"/projects/{scene.project_id}/integrations/secret-rotations"
    ids = [payroll.secret_rotation.id, shop.secret_rotation.id]
    with page_desk(scene, tmp_path) as web:

        def names(query: str = "") -> list[str]:
            return re.findall(r'<a class="name" href="/secret-rotations/[^"]+">([^<]+)', web.page(f"{base}{query}"))

        assert (names(), names("?order=desc")) == (["pay", "shop"], ["shop", "pay"])
        assert names("?size=1&page=2&sort=application") == [names("?sort=application")[1]]
        key_id = (payroll.current.key_id if payroll.current else "") or ""
        for word in ("payroll", f"app:+'{payroll.rotation.app_id.upper()}'.", "pay_SECRET", "billing", key_id):
            assert names(f"?q={word}") == ["pay"], word
        assert names(f"?q={shop.connection.name}") == ["pay", "shop"]
        assert "No rotation matches" in web.page(f"{base}?q=payroll+azure_client")
        assert names("?status=paused") == names("?status=mine") == []
        web.page(f"{base}?status=nope", 422)
        connections = f"/projects/{scene.project_id}/integrations/app-connections"
        assert "Use one of: azure-client-secrets." in web.page(f"{connections}?app=nope", 400)
        log = web.page("/organization/audit-log?event=create-secret-rotatoin&project=payments", 400)
        assert "No event is called 'create-secret-rotatoin'." in log
        assert "Similar: create-secret-rotation" in log
        assert 'name="project" value="payments"' in log, "what was typed is still there"

        asked = web.page(f"{base}/several?act=pause&back=%2Foverview&id={ids[0]}&id={ids[1]}")
        assert "Pause rotation: 2 rotations" in asked
        assert names("?status=paused") == []  # nothing before it is confirmed
        told = web.sent(f"{base}/several", {"act": "pause", "back": "/overview", "id": [*ids, GONE]})
        assert f"There is no secret rotation '{GONE}'." in told
        assert told.count("Paused.") == 2
        assert names("?status=paused") == ["pay", "shop"]
        told = web.sent(f"{base}/several", {"act": "rotate", "back": "/overview", "id": ids})
        assert told.count("The rotation has begun.") == 2
        assert f'data-refreshes="often" hx-get="{base}"' in web.page(base)  # until they are over
        web.sent(f"{base}/several", {"act": "owner", "owner": ann.id or "", "back": "/overview", "id": ids[:1]})
        web.who = ann
        assert names("?status=mine") == ["pay"]

        # Who may see some of them finds these, and is told of no others.
        web.who = holder(scene, {**rotations(scene.signer.id), "conditions": {"secretPath": "/"}})
        assert names() == ["shop"]
        assert names("?q=payroll") == []
        assert "1 to 1" not in web.page(base)


def test_the_audit_log_names_what_happened_to_what(scene: Applications, tmp_path: Path) -> None:
    world = scene.world
    rotating = world.connect("own-entra")
    world.settle()
    scene.create(name="=1+1")
    log = "/organization/audit-log"
    with page_desk(scene, tmp_path) as web:
        whole = web.page(log)
        assert f'href="{log}?about={rotating.id}" title="All events of this">own-entra</a>' in whole
        for query in (f"?about={rotating.id}", f"?about=%7B{rotating.id.upper()}%7D", "?about=own-entra"):
            page = web.page(log + query)
            assert "Credential issued" in page  # of its rotation, which is a subject of its own
            assert "Create app connection" in page
            assert "shop" not in page
        assert "called 'nobody'" in web.page(f"{log}?about=own-entra&by=nobody", 400)
        assert "Nothing matches" in web.page(f"{log}?until=2001-01-01")
        assert "own-entra" in web.page(f"{log}?since=2001-01-01&event=create-app-connection")
        refused = web.page(f"{log}?since=yesterday", 400)
        assert "Write it as 2026-11-30." in re.sub(r"<[^>]+>", "", refused), "with its day kept whole"

        lines = [json.loads(line) for line in web.file(f"{log}/export?format=jsonl&about=own-entra").splitlines()]
        assert {line["event"] for line in lines} >= {"create-app-connection"}
        assert all(line["subject"] == "own-entra" for line in lines)
        table = web.file(f"{log}/export?format=csv&event=create-secret-rotation")
        assert "'=1+1" in table  # no spreadsheet takes a name for a formula
        assert f"{log}?about=" in web.page(f"/app-connections/{rotating.id}")
