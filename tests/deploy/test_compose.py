"""The compose file: what it takes from others exists, and nothing in it may more than it needs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from keyturn import __version__
from keyturn.cli.ending import WITHIN
from keyturn.cli.main import COMMANDS
from keyturn.settings.table import SETTINGS
from tests.deploy.go_programs import built, checked

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "compose.yaml"
MAY = {"database": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}, "proxy": {"NET_BIND_SERVICE"}}


def compose() -> Any:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def test_no_service_may_more_than_it_needs() -> None:
    for name, service in compose()["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert set(service.get("cap_add", ())) == MAY.get(name, set())
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not {"privileged", "pid", "ipc", "network_mode", "devices"} & service.keys()
        of_the_machine = [volume for volume in service.get("volumes", ()) if volume.startswith(("/", "."))]
        assert of_the_machine == (["./Caddyfile:/etc/caddy/Caddyfile:ro"] if name == "proxy" else []), name
        assert "configs" not in service, (
            "Compose copies what stands in the file into containers, not into read-only ones"
        )
        assert service["healthcheck"], name
        assert service["deploy"]["resources"]["limits"].keys() >= {"memory", "pids"}
        tag = re.sub(r"^\$\{\w+:-|\}$", "", service["image"]).partition(":")[2]
        assert tag not in {"", "latest"}, name
        if name != "proxy":
            assert "ports" not in service, "only the proxy is reached from outside"


def test_settings_and_commands_of_it_exist_and_secrets_are_files() -> None:
    document = compose()
    names = {setting.name for setting in SETTINGS if not setting.secret}
    names |= {f"{setting.name}_FILE" for setting in SETTINGS if setting.secret}
    for name in ("keyturn", "migrate"):
        service = document["services"][name]
        assert set(service["environment"]) <= names
        assert service["command"][0] in COMMANDS
        assert f"keyturn:{__version__}" in service["image"]
    for service in document["services"].values():
        used = {str(text).rpartition("/")[2] for text in service.get("environment", {}).values() if "/run/s" in text}
        assert used <= set(service.get("secrets", ()))
    assert all(set(secret) == {"file"} for secret in document["secrets"].values())
    [front] = document["networks"]["front"]["ipam"]["config"]
    assert document["services"]["keyturn"]["environment"]["KEYTURN_TRUSTED_PROXIES"] == front["subnet"]
    assert document["networks"]["back"] == {"internal": True}
    assert "front" not in document["services"]["database"]["networks"]
    assert int(document["services"]["keyturn"]["stop_grace_period"].rstrip("s")) > WITHIN.total_seconds()


@pytest.mark.client
@pytest.mark.compiled
@pytest.mark.timeout(900)
def test_compose_itself_understands_it() -> None:
    """Compose's own loader reads it by the schema of the specification."""
    program = built("compose", ".", at=Path(__file__).parent / "compose")
    told = checked(program, str(FILE), SITE_HOST="keyturn.example.com")
    assert told.split() == ["database", "keyturn", "migrate", "proxy"]
    assert "SITE_HOST" in checked(program, str(FILE), fails=True)
