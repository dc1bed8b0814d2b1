"""The examples of the how-to for clients, run as they stand against the fixture that the distribution brings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from entra_emulator.pytest_plugin import Entra, entra, entra_signing_key
from tests.emulator.az.shell import AZ
from tests.emulator.test_with_other_languages import java_classes
from tests.system.test_other_sdks import program

__all__ = ["entra", "entra_signing_key"]  # fixtures; an installed distribution brings them by itself

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "test-against-the-emulator.md").read_text(encoding="utf-8")


SHARED = """

def test_the_tenant_of_the_file_is_there(shared_entra):
    assert shared_entra.admin.settings("fabrikam.onmicrosoft.com").replicas == 3
    shared_entra.admin.create_tenant("Adventure Works")


def test_the_next_one_has_the_same_emulator(shared_entra):
    assert shared_entra.admin.settings("adventureworks.onmicrosoft.com").replicas == 1
"""
"""Tests that use the fixture of the page."""


def example(heading: str, language: str) -> str:
    """The first block of that language below the heading."""
    match = re.search(rf"^##+ {heading}\n.*?^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert match, heading
    return match.group(1)


def output_of(*command: str | Path, at: Path | None = None) -> str:
    done = subprocess.run(
        command, cwd=at, check=False, capture_output=True, text=True, timeout=300, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stdout + done.stderr
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


@pytest.mark.client
@pytest.mark.compiled
@pytest.mark.timeout(1500)
def test_java_reads_its_application_as_the_page_says(entra: Entra, tmp_path: Path) -> None:
    java, libraries = program("java"), java_classes(program("mvn")) / "libs"
    program("keytool")
    (tmp_path / "Example.java").write_text(example("Java", "java"), encoding="utf-8")
    (tmp_path / "ca.pem").write_text(Path(entra.ca_file).read_text())
    trust, start = example("Java", "sh").splitlines()
    start = start.replace("java ", f"{java} ", 1).replace("-jar program.jar", f"-cp '{libraries}/*' Example.java")
    assert output_of("sh", "-eu", "-c", f"{trust}\n{start}", at=tmp_path).splitlines()[-1] == "under test"


@pytest.mark.client
@pytest.mark.compiled
@pytest.mark.skipif(not AZ.exists(), reason="azure-cli is not installed in build/clients/az: make clients does it")
@pytest.mark.usefixtures("entra")
def test_az_reads_its_application_as_the_page_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{AZ.parent}{os.pathsep}{os.environ['PATH']}")
    assert output_of("bash", "-eu", "-c", example("az", "sh"), at=tmp_path).splitlines()[-1] == "under test"


def test_one_emulator_serves_many_tests_with_tenants_from_a_file(tmp_path: Path) -> None:
    sections = PAGE.partition("One emulator for many tests")[2]
    [_, fixture, *_] = re.split(r"^```(?:python)?\n", sections, flags=re.MULTILINE)
    (tmp_path / "test_mine.py").write_text(fixture + SHARED)
    (tmp_path / "seed.json").write_text(example("Tenants of your own", "json"))
    assert "2 passed" in output_of(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", at=tmp_path
    )


def test_the_page_names_every_variable_that_the_fixture_sets(entra: Entra) -> None:
    assert all(f"`{name}`" in PAGE for name in entra.environ)
    assert {name: os.environ[name] for name in entra.environ} == entra.environ
    assert json.dumps(entra.environ).count(entra.ca_file) == 3
