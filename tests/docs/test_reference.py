"""The reference says what the source says."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from entra_emulator.server.cli import app as emulator_app
from keyturn.audit.events import CATALOGUE
from keyturn.authz.domain import ORGANIZATION_ACTIONS, PROJECT_ACTIONS, Action
from keyturn.cli.main import COMMANDS, app
from keyturn.providers.azure.errors import TABLE
from keyturn.settings.table import COMMAND_VARIABLES, IGNORED, SETTINGS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
SOURCE = ROOT / "src" / "keyturn"


def documents(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/documents", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)


def source() -> str:
    return "\n".join(path.read_text() for path in SOURCE.rglob("*.py"))


def page(name: str) -> str:
    return (REFERENCE / name).read_text()


# That the written reference is what the source says is a part of make check, which takes seconds for it.


def test_a_stale_page_is_named_with_what_changed(tmp_path: Path) -> None:
    copy = tmp_path / "scripts" / "documents"
    copy.mkdir(parents=True)
    for path in (ROOT / "scripts" / "documents").glob("*.py"):
        (copy / path.name).write_text(path.read_text())
    written = tmp_path / "docs" / "reference"
    written.mkdir(parents=True)
    (written / "permissions.md").write_text(page("permissions.md").replace("read-project", "read-projects"))
    command = [sys.executable, str(copy), "--check", "permissions.md"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert checked.returncode == 1
    assert "permissions.md is stale" in checked.stderr
    assert "read-projects" in checked.stderr


def test_an_unknown_document_is_refused() -> None:
    assert documents("poems.md").returncode == 2


def test_whoever_names_what_is_not_there_is_told_where_to_look() -> None:
    rows = [line.split(" | ") for line in page("errors.md").splitlines() if " | NotFound 404 | " in line]
    assert len(rows) > 30
    silent = {row[0] for row in rows if not row[3].strip(" |")}
    # Identity providers read no sentences, of a file there is nothing to say, and the client names what there is.
    assert silent == {"| `client.not_found`", "| `request.no_file`", "| `scim.not_found`"}


SAYS_ITSELF = {
    "access.invalid_credentials",  # what was wrong is not said, to nobody
    "client.expired",  # an outage, whose class says where to look
    "alarms.channel_invalid",  # of a time zone, with those that may have been meant
    "config.invalid",  # several faults, each with its own
    "request.rate_limited",  # with when to try again
    "rotation.schedule_unreadable",  # with where to save it again
    "server.error",  # with where the reason is
}
"""Errors whose message says what to do."""
OF_THE_WIRE = {
    *("delivery.unchanged", "request.hung_up", "request.invalid", "request.malformed", "request.media_type"),
    *("request.method_not_allowed", "request.no_file", "request.too_slow", "scim.no_filter", "scim.not_found"),
    *("server.unhealthy", "token.unknown"),
}
"""Errors for programs: what is wrong with a request as such, or what a probe finds."""
OF_US = {"access.no_keyring", "demo.api", "demo.broken", "demo.command", "demo.stuck"}
"""Errors that only a mistake of ours, or a demonstration that went wrong, can bring about."""


def codes_without_fix(text: str) -> Iterator[str]:
    """Yield the codes of the errors that are made in a module without a ``fix``."""
    for call in ast.walk(ast.parse(text)) if 'code="' in text else ():
        given = {each.arg: each.value for each in call.keywords} if isinstance(call, ast.Call) else {}
        code = re.fullmatch(r"'([a-z]+\.[a-z_]+)'", ast.unparse(given["code"])) if "code" in given else None
        if code and not given.keys() & {
            "fix",
            "source",
            None,
        }:  # a row of the provider's table has a source, and its own test
            yield code[1]


def test_every_error_says_what_to_do() -> None:
    """Whatever its message: a cause that is told of a connection, a rotation or an alarm stands there with a way out."""
    silent = {code for path in SOURCE.rglob("*.py") for code in codes_without_fix(path.read_text())}
    assert silent - SAYS_ITSELF - OF_THE_WIRE - OF_US == set()
    assert (SAYS_ITSELF | OF_THE_WIRE | OF_US) - silent == set()


def test_every_setting_is_there() -> None:
    text = page("settings.md")
    names = [setting.name for setting in SETTINGS] + [setting.fallback for setting in SETTINGS if setting.fallback]
    assert [name for name in [*names, *COMMAND_VARIABLES, *IGNORED] if f"`{name}`" not in text] == []


def commands() -> dict[str, Any]:
    import importlib  # noqa: PLC0415

    root: Any = typer.main.get_command(app)
    commands_by_name: dict[str, Any] = {"keyturn": root, "entra-emulator": typer.main.get_command(emulator_app)}
    for name in root.commands:
        commands_by_name[f"keyturn {name}"] = typer.main.get_command(importlib.import_module(COMMANDS[name][0]).app)
    for name, command in list(commands_by_name.items()):
        if name != "keyturn":
            commands_by_name |= {
                f"{name} {inner}": subcommand for inner, subcommand in getattr(command, "commands", {}).items()
            }
    return commands_by_name


def test_every_command_and_option_is_there() -> None:
    text = page("cli.md")
    for name, command in commands().items():
        section = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert section, f"{name} has no section"
        for option in command.params:
            if option.hidden or option.name in {"install_completion", "show_completion"}:
                continue
            argument = option.param_type_name == "argument"
            for flag in [option.name.upper()] if argument else [*option.opts, *option.secondary_opts]:
                assert f"`{flag}`" in section, f"{flag} of {name}"


def test_every_error_code_is_there() -> None:
    text = page("errors.md")
    codes = set(re.findall(r"\bcode=\"([a-z]+\.[a-z_]+)\"", source())) | {row.code for row in TABLE}
    codes |= set(re.findall(r"\"((?:azure|request|rotation|connections)\.[a-z_]+)\",", source()))
    names_of_log_lines = {"rotation.lease_lost", "rotation.does_not_rest"}
    assert len(codes) > 100
    assert sorted(code for code in codes - names_of_log_lines if f"`{code}`" not in text) == []


def test_every_azure_code_is_in_the_provider_s_own_paper() -> None:
    paper = (SOURCE / "providers" / "azure" / "README.md").read_text()
    assert sorted({row.code for row in TABLE if f"`{row.code}`" not in paper}) == []


def test_every_audit_event_is_there() -> None:
    text = page("audit-events.md")
    names = {event.name for event in CATALOGUE.values()}
    assert {"rotation-enabled", "credentials-drifted", "create-app-connection"} <= names
    assert sorted(name for name in names if f"`{name}`" not in text) == []


def test_every_permission_is_there() -> None:
    text = page("permissions.md")
    tables = {action: (action in ORGANIZATION_ACTIONS) + (action in PROJECT_ACTIONS) for action in Action}
    assert [action for action in Action if text.count(f"| `{action.value}` |") != tables[action]] == []


@pytest.mark.parametrize("path", ["/api/v1/app-connections/azure-client-secrets", "/api/v1/auth/universal-auth/login"])
def test_the_openapi_document_has_the_real_routes(path: str) -> None:
    document = json.loads(page("openapi.json"))
    assert path in document["paths"]
    assert document["openapi"].startswith("3.1")
