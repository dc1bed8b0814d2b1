"""Unmodified SDKs of other languages do with the genuine server what they can do with folders and secrets.

They are fetched once into ``build/sdks`` by the tools of their languages. Where those are missing or cannot fetch, a test is
skipped. The Go SDK takes minutes to build: ``make clients`` does it.
"""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system.sdk_project import SdkProject, sdk_project

pytestmark = pytest.mark.client

HERE = Path(__file__).parent / "sdks"
CACHE = Path(__file__).parents[2] / "build" / "sdks"
NODE_SDK = "@infisical/sdk@5.0.2"
GO_SDK = "github.com/infisical/go-sdk@v0.8.0"
FETCHING, RUNNING = 600, 100


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def fetched(*command: str, at: Path) -> None:
    try:
        done = subprocess.run(command, cwd=at, capture_output=True, text=True, timeout=FETCHING, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{command[0]} took too long")
    if done.returncode:
        pytest.skip(f"{command[0]} could not fetch: {done.stderr[-300:]}")


def ends_well(given: SdkProject, *command: str) -> None:
    arguments = (given.url, given.client_id, given.client_secret, given.project_id)
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=RUNNING, check=False)
    assert done.stdout.strip().splitlines()[-1:] == ["ok"], done.stdout + done.stderr


def fetch_node_sdk(npm: str, modules: Path) -> None:
    """Install the SDK unless it is there whole. Processes of the tests that do so at once wait for each other."""
    modules.mkdir(parents=True, exist_ok=True)
    with (modules / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (modules / "whole").exists():
            fetched(npm, "install", "--prefix", str(modules), "--no-audit", "--no-fund", NODE_SDK, at=modules)
            (modules / "whole").touch()


@pytest.mark.alternates("SDK for Node")
def test_the_node_sdk_keeps_secrets(tmp_path: Path) -> None:
    node, npm, modules = program("node"), program("npm"), CACHE / "node"
    fetch_node_sdk(npm, modules)
    with sdk_project(tmp_path) as given:
        ends_well(given, node, str(HERE / "node.mjs"), str(modules))


def go_program(folder: str) -> Path:
    """Return the program of the Go source in this folder of ``sdks/go``, built where it is missing or was changed."""
    go, modules = program("go"), CACHE / "go"
    source, at = HERE / "go" / folder / "main.go", modules / folder
    copy, built = at / "main.go", at / "reader"
    if not built.exists() or copy.read_bytes() != source.read_bytes():
        at.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)
        if not (modules / "go.mod").exists():
            fetched(go, "mod", "init", "sdk", at=modules)
        fetched(go, "get", GO_SDK, at=modules)
        fetched(go, "mod", "tidy", at=modules)
        fetched(go, "build", "-o", str(built), ".", at=at)
    return built


@pytest.mark.compiled
@pytest.mark.timeout(900)
def test_the_go_sdk_keeps_secrets(tmp_path: Path) -> None:
    with sdk_project(tmp_path) as given:
        ends_well(given, str(go_program(".")))
