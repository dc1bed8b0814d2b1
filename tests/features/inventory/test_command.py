"""``keyturn inventory``: what scripts beside the server get of the tenants that are read."""

import csv
import io
import json
from pathlib import Path

import pytest

from keyturn.cli.main import main
from keyturn.db.engine import open_engine, parse_url
from keyturn.db.unit import Database
from tests.features.inventory.scene import DAY, tenant


def test_the_command_prints_text_json_and_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"KEYTURN_DATA_DIR": str(tmp_path)}
    assert main(["migrate"], environ) == 0
    assert main(["inventory"], environ) == 1
    assert "switch it on for a connection" in capsys.readouterr().err
    database = Database(open_engine(parse_url(f"sqlite:///{tmp_path / 'keyturn.db'}")))
    with tenant(database) as scene:
        made = scene.application("=Shop")
        start = scene.world.clock.now().timestamp()
        secret = scene.world.emulator.admin.add_secret(
            made.object_id, "by\x1b[2J\r\nhand", start=start - DAY, end=start + DAY
        )
        scene.switch_on()
        scene.read()
    database.close()
    assert main(["inventory"], environ) == 0
    printed = capsys.readouterr()
    assert f"=Shop ({made.app_id}): client-secret {secret.key_id} 'by\\x1b[2J\\r\\nhand', ended " in printed.out
    assert f"Tenant {scene.world.tenant_id}, read through 'reader', as of " in printed.err
    assert main(["inventory", "--finding", "expired", "--format", "json"], environ) == 0
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["tenantId"], told["keyId"]) == (scene.world.tenant_id, secret.key_id)
    assert told["findings"] == ["no-owner", "expired"]
    assert main(["inventory", "--format", "csv", "--tenant", scene.world.tenant_id], environ) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert "'=Shop" in {row["displayName"] for row in rows}
    assert main(["inventory", "--finding", "nothing"], environ) == 2
    assert "no-owner" in capsys.readouterr().err
