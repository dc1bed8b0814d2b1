"""The how-tos of monitoring and of log shipping: what they say is run, and what they name is there."""

import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import structlog
import yaml

from keyturn.app.monitoring import probe_server
from keyturn.settings.table import SETTINGS
from keyturn.web.server import logs
from tests.client import Client
from tests.features.monitoring.scrapes import TOKEN, core_of
from tests.features.web.things import application
from tests.log_state import kept_log_state

FOLDER = Path(__file__).parents[3] / "docs" / "how-to"
MONITORING = (FOLDER / "monitor-with-prometheus.md").read_text()
SHIPPING = (FOLDER / "ship-logs.md").read_text()


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def run(command: str, folder: Path, given: str = "") -> str:
    done = subprocess.run(
        ["sh", "-euc", command], cwd=folder, input=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_that_ask_for_metrics_get_them(tmp_path: Path) -> None:
    """On the listener of a worker: it is closed without the token, and open where there is none to ask for."""
    asking = [command for command in blocks(MONITORING, "sh") if command.startswith("curl")]
    assert len(asking) == 2
    (tmp_path / "metrics-token").write_text(f"{TOKEN}\n")
    file = str(tmp_path / "metrics-token")
    for command, setting in zip(asking, ({}, {"KEYTURN_METRICS_TOKEN_FILE": file}), strict=True):
        with core_of(tmp_path / "data", KEYTURN_HEALTH_PORT="0", **setting) as core:
            server = probe_server(core)
            assert server is not None
            server.start()
            shown = run(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{server.port}", command), tmp_path)
            assert "keyturn_build_info{version=" in shown
            if setting:
                refused = run(f"curl -s http://127.0.0.1:{server.port}/metrics", tmp_path)
                assert json.loads(refused)["code"] == "metrics.token"


def test_what_the_pages_name_is_there() -> None:
    names = {setting.name for setting in SETTINGS} | {"KEYTURN_METRICS_TOKEN_FILE"}
    for page in (MONITORING, SHIPPING):
        assert set(re.findall(r"\bKEYTURN_[A-Z_]+\b", page)) <= names
        for block in blocks(page, "yaml"):
            assert isinstance(yaml.safe_load(block), dict)
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page):
            assert (FOLDER / link).exists(), link


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_lines_of_the_log_have_the_fields_that_the_page_tells(tmp_path: Path) -> None:
    out = io.StringIO()
    with kept_log_state(), Client(application()) as web:
        logs.configure("INFO", "json", out)
        answer = web.get("/api/v1/things?password=canary")
        structlog.get_logger("keyturn").error("something.failed", code="x.no", reason="no")
    told = set(re.findall(r"`(\w+)`", SHIPPING.split("## Fields")[1].split("Probes")[0]))
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert {field for line in lines for field in line} <= told
    assert "canary" not in out.getvalue()
    errors, one = (command.replace("journalctl -u keyturn -o cat", "cat") for command in blocks(SHIPPING, "sh"))
    assert json.loads(run(errors, tmp_path, out.getvalue()))["event"] == "something.failed"
    sent = answer.headers["x-request-id"]
    shown = run(one.replace("req-3fX2aaaaaaaaaa", sent), tmp_path, out.getvalue())
    assert shown.split("\t")[1:] == ["request", "401\n"]
