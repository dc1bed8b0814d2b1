"""A client library and a conformance tester for SCIM, unmodified, against a genuine server: ``make clients`` installs them."""

import subprocess
from pathlib import Path

import pytest

from tests.system.command import PATIENCE, Home

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "build" / "clients" / "scim" / "bin" / "python"
PLAY = Path(__file__).parent / "scim" / "play.py"
DEFAULT = "check_remove_attribute: PATCH modify() did not remove attribute 'active'"
"""What is removed has its default again: RFC 7644, section 3.5.1. The tester wants it to be absent."""

pytestmark = [
    pytest.mark.client,
    pytest.mark.skipif(
        not PYTHON.exists(), reason="scim2-client is not in build/clients/scim: make clients installs it"
    ),
]


def test_the_tester_finds_nothing_and_the_client_does_its_work(tmp_path: Path) -> None:
    home = Home(tmp_path, tmp_path)
    bootstrap = ("admin", "bootstrap", "--email", "ann@contoso.test", "--organization", "Contoso", "--password-stdin")
    home.run(*bootstrap, stdin="vellum-orbit-pickle-94\n")
    token = home.run("admin", "scim-token", "--name", "tester").out.strip()
    with home.serving(PORT="0", KEYTURN_LOG_LEVEL="WARNING") as server:
        played = subprocess.run(
            [PYTHON, PLAY, f"{server.url}/api/scim/v2", token],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert played.returncode == 0, played.stderr
        assert played.stdout.splitlines() == [DEFAULT]
        assert "checks passed" in played.stderr
        assert token not in server.stop().err
