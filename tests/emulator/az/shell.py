"""azure-cli from PyPI, unmodified: signed in as a person at an emulator that stands in for the real cloud."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from entra_emulator import Emulator
from entra_emulator.server.server import run_in_thread
from tests.emulator.real_names import real_names

ROOT = Path(__file__).parents[3]
AZ = ROOT / "build" / "clients" / "az" / "bin" / "az"


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str


@dataclass
class Shell:
    """`environment` is what az needs in a shell."""

    environment: dict[str, str]
    folder: Path
    process: subprocess.Popen[str]

    def run(self, arguments: list[str]) -> Answer:
        """Give az these arguments and wait until it has ended."""
        files = [self.folder / "out", self.folder / "err"]
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([arguments, *map(str, files)]) + "\n")
        self.process.stdin.flush()
        status = int(self.process.stdout.readline())
        return Answer(status, *(path.read_text().strip() for path in files))

    def bash(self, script: str) -> str:
        """Run a script of bash that stops at its first failure, with az in its path; gives what it wrote."""
        command = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=600, check=False
        )
        assert not done.returncode, done.stdout + done.stderr
        return done.stdout.strip()


@contextmanager
def shell(emulator: Emulator, user: str, folder: Path) -> Iterator[Shell]:
    """Serve the emulator by the names of the real cloud, and sign this user in by the code of a device."""
    with run_in_thread(emulator) as running, real_names(running.port) as proxy:
        environment = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")} | {
            "PATH": f"{AZ.parent}:{os.environ['PATH']}",
            "HTTPS_PROXY": proxy,
            "REQUESTS_CA_BUNDLE": running.ca_file,
            "AZURE_CONFIG_DIR": str(folder / "azure"),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",
            "AZURE_CORE_NO_COLOR": "yes",
        }
        _sign_in(emulator, user, environment)
        with subprocess.Popen(
            [str(AZ.parent / "python"), str(Path(__file__).with_name("forks.py"))],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            yield Shell(environment, folder, process)


def _sign_in(emulator: Emulator, user: str, environment: dict[str, str]) -> None:
    command = [str(AZ), "login", "--use-device-code", "--allow-no-subscriptions", "--output", "none"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as login:
        assert login.stderr
        said = ""
        for line in login.stderr:
            said += line
            if code := re.search(r"enter the code (\S+)", line):
                emulator.admin.approve_device(code[1], user=user)
    assert login.returncode == 0, said
