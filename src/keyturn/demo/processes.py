"""Starts and ends the two processes of the demonstration."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keyturn.errors import Misconfigured
from keyturn.kit.ids import SystemIds

START_SECONDS = 180.0
"""A process that ended is noticed at once: so long a machine may take that is busy with other things."""
PACE = {
    # The real Entra ID needs more patience than the local one; the steps are the same.
    # The proofs take longer than its replicas lag: else what signed in could be refused by a slower one.
    "KEYTURN_PROOF_COUNT": "5",
    "KEYTURN_PROOF_SPACING": "0.55",
    "KEYTURN_CONFIRM_SPACING": "2",
    "KEYTURN_FIND_EVERY": "0.2",
    # Longer than its replicas lag: what is refused after that is gone.
    "KEYTURN_SETTLE": "5",
}


class ChildProcess:
    """A child process whose output goes to a log file."""

    def __init__(self, name: str, arguments: list[str], environ: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as out:
            self._child = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", *arguments], env=dict(environ), stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    def wait_for(self, answer: Callable[[], Any]) -> Any:
        """Ask until something comes. Raises Misconfigured when the process ends before, with what it said."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            result = answer()
            if result:
                return result
            if self._child.poll() is not None:
                break
            time.sleep(0.02)
        last_lines = self.log.read_text(errors="replace").strip().splitlines()[-5:]
        raise Misconfigured(
            f"The {self.name} did not start.", code="demo.not_started", fix="It said: " + " | ".join(last_lines)
        )

    def kill(self) -> None:
        """``kill -9``: no clean-up of any kind."""
        self._child.kill()
        self._child.wait()

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def wait(self, over: threading.Event) -> None:
        """Wait until it ends or the event is set."""
        while self._child.poll() is None and not over.wait(0.2):
            pass


class DemoStage:
    """The emulator and the server of one demonstration, in one folder."""

    def __init__(self, folder: Path, environ: Mapping[str, str], port: int) -> None:
        self.folder = folder
        self._environ = {name: value for name, value in environ.items() if not name.startswith(("KEYTURN_", "DB_"))}
        self._port = port or _free_port()
        self.emulator: ChildProcess | None = None
        self.server: ChildProcess | None = None
        self.entra: dict[str, Any] = {}
        # Known before the server starts: Entra ID sends people who signed in back to it.
        self.url = f"http://localhost:{self._port}"
        self.starts = 0
        self.setup_code = SystemIds().new()
        self.metrics_token = SystemIds().new()
        self.mail: Mapping[str, str] = {}
        """The settings of a mail server, where the demonstration has one."""

    @property
    def plain_environ(self) -> Mapping[str, str]:
        """The environment without anything of Keyturn's."""
        return self._environ

    @property
    def ca_file(self) -> Path:
        return self.folder / "entra-ca.pem"

    def open_entra(self) -> dict[str, Any]:
        """Start the local Entra ID. Returns what it says of itself."""
        ready = self.folder / "entra.json"
        options = {
            "--ready-file": str(ready),
            "--ca-file": str(self.ca_file),
        }
        arguments = ["entra_emulator", "serve", "--demo", *(part for option in options.items() for part in option)]
        for path in ("/organization/app-connections/azure/oauth/callback", "/sign-in/entra/callback"):
            arguments += ["--redirect-uri", f"{self.url}{path}"]
        self.emulator = ChildProcess("local Entra ID", arguments, self._environ, self.folder / "entra.log")
        self.emulator.wait_for(ready.exists)
        self.entra = json.loads(ready.read_text())
        return self.entra

    def open_server(self, ahead: float = 0.0) -> float:
        """Start Keyturn, with its clock ahead by so many seconds. Returns how many seconds it took to be ready."""
        self.starts += 1
        began, log = time.monotonic(), self.folder / f"keyturn-{self.starts}.log"
        arguments = ["keyturn", "serve", "--port", str(self._port), "--clock-ahead", str(ahead)]
        self.server = ChildProcess("server", arguments, self.server_environ, log)
        self.server.wait_for(lambda: "Keyturn is ready at " in log.read_text(errors="replace"))
        return time.monotonic() - began

    @property
    def server_environ(self) -> Mapping[str, str]:
        """The environment of the server, and of the commands beside it."""
        sign_in, people = (self.entra["demo"][name] for name in ("sign_in", "people"))
        return (
            self._environ
            | PACE
            | {
                "KEYTURN_DATA_DIR": str(self.folder / "data"),
                "KEYTURN_AUTHORITY": self.entra["authority"],
                "KEYTURN_GRAPH": self.entra["graph"].removesuffix("/v1.0"),
                "KEYTURN_CA_FILE": str(self.ca_file),
                "SITE_URL": self.url,
                "KEYTURN_SETUP_CODE": self.setup_code,
                "KEYTURN_METRICS_TOKEN": self.metrics_token,
                "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_ID": sign_in["app_id"],
                "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_SECRET": sign_in["secrets"][0]["value"],
                "KEYTURN_SSO_TENANT_ID": people["tenant_id"],
                "KEYTURN_SSO_CLIENT_ID": people["app_id"],
                "KEYTURN_SSO_CLIENT_SECRET": people["secrets"][0]["value"],
                **self.mail,
                "KEYTURN_LOG_LEVEL": "DEBUG",
                "KEYTURN_LOG_FORMAT": "json",
            }
        )

    def close(self) -> None:
        for process in (self.server, self.emulator):
            if process:
                process.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
