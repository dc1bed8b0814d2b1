"""The examples of the how-to for clients, run as they stand against the fixture that the distribution brings."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from entra_emulator.pytest_plugin import Entra, entra, entra_signing_key

__all__ = ["entra", "entra_signing_key"]  # fixtures; an installed distribution brings them by itself

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "test-against-the-emulator.md").read_text(encoding="utf-8")


def example(heading: str, language: str) -> str:
    """The first block of that language below the heading."""
    match = re.search(rf"^##+ {heading}\n.*?^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert match, heading
    return match.group(1)


def program(name: str) -> str:
    """Where the program is; a test is skipped, with its name, where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def output_of(*command: str | Path) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def run(heading: str) -> dict[str, Any]:
    """Run a Python example here, and return the names that it made."""
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example(heading, "python"), f"{heading} of the how-to", "exec"), names)
    return names


@pytest.mark.client
@pytest.mark.usefixtures("entra")
def test_the_python_examples_work() -> None:
    for heading in ("azure-identity", "MSAL"):
        run(heading)


@pytest.mark.client
def test_the_tests_of_the_example_pass(entra: Entra) -> None:
    tests = [test for name, test in run("In pytest").items() if name.startswith("test_")]
    for test in reversed(tests):  # the last one moves the clock
        test(entra)
    assert len(tests) == 2


@pytest.mark.client
@pytest.mark.usefixtures("entra")
def test_node_signs_in_as_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "example.mjs").write_text(example("Node", "js"), encoding="utf-8")
    assert output_of(program("node"), tmp_path / "example.mjs") == "200"


@pytest.mark.client
@pytest.mark.compiled  # thousands of modules, read for one call
@pytest.mark.usefixtures("entra")
def test_the_example_of_msgraph_works() -> None:
    assert output_of(sys.executable, "-c", example("msgraph-sdk", "python")) == "under test"


@pytest.mark.client
@pytest.mark.compiled
@pytest.mark.usefixtures("entra")
def test_go_signs_in_as_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "example.go").write_text(example("Go", "go"), encoding="utf-8")
    assert output_of(program("go"), "run", tmp_path / "example.go") == "200"


def test_the_page_names_every_variable_that_the_fixture_sets(entra: Entra) -> None:
    assert all(f"`{name}`" in PAGE for name in entra.environ)
    assert {name: os.environ[name] for name in entra.environ} == entra.environ
    assert json.dumps(entra.environ).count(entra.ca_file) == 3
