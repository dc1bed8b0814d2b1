"""The README names real settings, real tests, real routes, and its examples run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import entra_emulator
from entra_emulator import RESET, Effect, Emulator, Settings, VirtualClock
from entra_emulator.pytest_plugin import Entra, entra, entra_signing_key

__all__ = ["entra", "entra_signing_key"]  # fixtures; an installed distribution brings them by itself

README = Path(entra_emulator.__file__).with_name("README.md").read_text(encoding="utf-8")


def test_every_test_that_the_readme_names_exists() -> None:
    here = Path(__file__).parent
    written = "\n".join(path.read_text(encoding="utf-8") for path in here.glob("test_*.py"))
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", README))
    assert len(named) > 40
    assert named <= set(re.findall(r"def (test_[a-z0-9_]+)\(", written))


def test_every_setting_and_admin_method_is_in_the_readme() -> None:
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", README, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert {item.name for item in fields(Settings)} <= named
    admin = Emulator(VirtualClock()).admin
    assert all(f"`{name}`" in README for name in dir(admin) if not name.startswith("_"))


def blocks(heading: str, language: str) -> list[str]:
    """The blocks of this language in the section of this heading."""
    section = re.search(rf"^## {heading}\n(.*?)^## ", README, re.DOTALL | re.MULTILINE)
    assert section, heading
    return re.findall(rf"^```{language}\n(.*?)^```", section[1], re.DOTALL | re.MULTILINE)


def run(example: str) -> dict[str, Any]:
    """Run a Python example, and return the names that it made."""
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example, "README.md", "exec"), names)
    return names


def test_the_example_in_process_runs() -> None:
    [example] = blocks("In process", "python")
    run(example)


@pytest.mark.client
def test_the_test_of_the_first_minute_passes(entra: Entra) -> None:
    [example] = blocks("In a minute", "python")
    run(example)["test_a_secret_that_ends"](entra)


def test_what_the_first_minute_says_of_faults_can_be_called(entra: Entra) -> None:
    rows = re.findall(r"^\| .* \| `(entra\.[^`]+\))` \|$", README, re.MULTILINE)
    assert len(rows) == 5
    for row in rows:
        eval(row, {"entra": entra, "RESET": RESET, "Effect": Effect, "seconds": 1})


def test_the_commands_of_the_first_minute_give_a_token(tmp_path: Path) -> None:
    start, use = blocks("In a minute", "sh")
    install, serve = start.splitlines()
    assert install == "pip install build/dist/entra_emulator-*.whl"  # tests/system/test_distributions.py installs it
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with subprocess.Popen(shlex.split(serve), cwd=tmp_path, env=environment, stdout=subprocess.PIPE) as process:
        while not (tmp_path / "emulator.env").exists() and process.poll() is None:
            time.sleep(0.02)
        answer = subprocess.check_output(["sh", "-eu", "-c", use], cwd=tmp_path, stderr=subprocess.DEVNULL)
        process.terminate()
    assert json.loads(answer)["access_token"]
