"""Programs that are built by Go into ``build/clients``, once for each state of their source."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

BUILT = Path(__file__).parents[2] / "build" / "clients"


def built(name: str, package: str, *, at: Path) -> str:
    """Build a program. Skips where there is no Go or no module to be had."""
    go = shutil.which("go")
    if not go:
        pytest.skip(f"{name} is missing, and so is Go, which would build it")
    content = b"".join(path.read_bytes() for path in sorted(at.iterdir()) if path.is_file())
    target = BUILT / f"{name}-{hashlib.sha256(content + package.encode()).hexdigest()[:16]}"
    if not target.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        command = [go, "build", "-mod=readonly", "-o", str(target), package]
        done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
        if done.returncode and "dial tcp" in done.stderr:
            pytest.skip(f"the modules of {name} cannot be fetched: {done.stderr[-200:]}")
        assert not done.returncode, done.stderr
    return str(target)


def downloaded(module: str) -> Path:
    """Return the folder of a module, which Go fetches and holds against its public record. Skips where it is not to be had."""
    go = shutil.which("go")
    if not go:
        pytest.skip(f"{module} is fetched by Go, which is missing")
    command = [go, "mod", "download", "-json", module]
    done = subprocess.run(command, cwd=BUILT.parent.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{module} cannot be fetched: {done.stdout[-200:]}{done.stderr[-200:]}")
    return Path(json.loads(done.stdout)["Dir"])


def checked(*command: str, stdin: str = "", fails: bool = False, **variables: str) -> str:
    """Run a program that has to succeed, or to fail; return what it printed, or complained of."""
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | variables
    done = subprocess.run(command, env=environ, input=stdin, capture_output=True, text=True, check=False, timeout=60)
    assert bool(done.returncode) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout
