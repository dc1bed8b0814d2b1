"""A start, a rotation and a restart under every Python that is promised and that this machine has."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from keyturn.credentials.domain import ENDED, State
from tests.system.installation import ROOT, Installation, installation

PROMISED = ("3.11", "3.12", "3.13", "3.14")
FOLDER = ROOT / "build" / "pythons"
REQUIREMENTS = ROOT / "requirements" / "run.txt"
PATIENCE = 120
PACE = {
    "KEYTURN_PROOF_SPACING": "0.05",
    "KEYTURN_CONFIRM_SPACING": "0.05",
    "KEYTURN_SWEEP_AFTER": "1",
    "KEYTURN_FIND_EVERY": "0.1",
    "PORT": "0",
}


def interpreter(version: str) -> str | None:
    """Return a Python of this version; None when the machine has none."""
    if sys.version.startswith(f"{version}."):
        return sys.executable
    named = shutil.which(f"python{version}")
    roots = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))]
    if named and Path(named).parent.name == "shims":  # pyenv's, perhaps of another home
        roots.append(Path(named).parent.parent)
    paths = sorted(path for root in roots for path in root.glob(f"versions/{version}.*/bin/python"))
    for python in (*map(str, reversed(paths)), named):
        # What the PATH names may be a launcher that finds no interpreter of this version for this user.
        if python and subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode == 0:
            return python
    return None


def environment(version: str, python: str) -> str:
    """Return the Python of an environment with the locked packages, made once and kept."""
    if python == sys.executable:
        return python
    place = FOLDER / version
    ready = place / "ready"
    if not ready.exists() or ready.read_bytes() != REQUIREMENTS.read_bytes():
        uv = str(Path(sys.executable).with_name("uv"))
        draft = FOLDER / f"{version}.{os.getpid()}"
        install = ("pip", "install", "--quiet", "--require-hashes", "-r", str(REQUIREMENTS))
        for command in (
            (uv, "venv", "--quiet", "--python", python, str(draft)),
            (uv, *install, "--python", str(draft)),
        ):
            subprocess.run(command, check=True, timeout=280)
        (draft / "ready").write_bytes(REQUIREMENTS.read_bytes())
        shutil.rmtree(place, ignore_errors=True)
        draft.rename(place)
    return str(place / "bin" / "python")


@contextmanager
def serving(python: str, place: Installation) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [python, "-m", "keyturn", "serve"],
        env=dict(place.environ),
        cwd=place.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline().startswith("Keyturn is ready at "), child.communicate()
            yield child
        finally:
            child.kill()


def stop(child: subprocess.Popen[str]) -> str:
    child.terminate()
    return child.communicate(timeout=PATIENCE)[1]


def await_generation(place: Installation, connection_id: str, generation: int) -> None:
    """Wait until this secret is current and no other is left."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        records = place.services.history.of(place.actor, connection_id)
        live = [(row.generation, row.state) for row in records.credentials if row.state not in ENDED]
        if live == [(generation, State.CURRENT)] and not records.busy:
            return
        time.sleep(0.1)
    raise AssertionError(f"generation {generation} did not become current")


@pytest.mark.alternates
@pytest.mark.parametrize("version", PROMISED)
def test_a_start_a_rotation_and_a_restart(version: str, tmp_path: Path) -> None:
    program = interpreter(version)
    if program is None:
        pytest.skip(f"this machine has no Python {version}")
    python = environment(version, program)
    with installation(tmp_path, variables=PACE) as place:
        connection = place.connect(place.application("billing"), "billing")
        with serving(python, place) as child:
            await_generation(place, connection.id, 1)
            output = stop(child)
        with serving(python, place) as child:
            place.rotations.rotate_now(place.actor, connection.id)
            await_generation(place, connection.id, 2)
            output += stop(child)
    assert child.returncode == 0
    assert "Error" not in output
