"""The installed command as its users run it: in an empty folder, with an empty home and nothing else in the environment."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

import httpx2

COMMAND = Path(sys.executable).with_name("keyturn")
PATIENCE = 120.0


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str

    @property
    def levels(self) -> dict[str, str]:
        """The report of the doctor: the level of each subject."""
        return {line[6:22].strip(): line[:5].strip() for line in self.out.splitlines() if not line.startswith(" ")}


@dataclass
class Home:
    """A user of a machine: a home folder, and an empty folder in which commands are typed."""

    home: Path
    here: Path

    @property
    def data(self) -> Path:
        return self.home / ".local" / "share" / "keyturn"

    @property
    def key_file(self) -> Path:
        return self.data / "root.key"

    def environ(self, variables: dict[str, str]) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), **variables}

    def run(self, *arguments: str, stdin: str = "", **variables: str) -> Ended:
        """Run a command to its end."""
        done = subprocess.run(
            [COMMAND, *arguments],
            env=self.environ(variables),
            cwd=self.here,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def serving(self, **variables: str) -> Iterator["Serving"]:
        """Run the server until the end of the block, or until it was told to stop."""
        command = [COMMAND, "serve"]
        with subprocess.Popen(
            command, env=self.environ(variables), cwd=self.here, stdout=PIPE, stderr=PIPE, text=True
        ) as child:
            try:
                assert child.stdout is not None
                first = child.stdout.readline()
                assert first.startswith("Keyturn is ready at "), f"{first}{child.communicate()}"
                yield Serving(child, first, first.split()[4])
            finally:
                if child.returncode is None:
                    child.kill()


@dataclass
class Serving:
    child: subprocess.Popen[str]
    first_line: str
    url: str

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]

    def get(self, path: str, token: str | None = None) -> httpx2.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx2.get(self.url + path, headers=headers, timeout=PATIENCE, trust_env=False)

    def stop(self) -> Ended:
        """Ask it to end, as the system's service manager does."""
        self.child.terminate()
        out, err = self.child.communicate(timeout=PATIENCE)
        return Ended(self.child.returncode, out, err)


@contextmanager
def taken_port() -> Iterator[str]:
    """A port on which some other program listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield str(other.getsockname()[1])


def closed_port() -> str:
    """A port on which nobody listens."""
    with taken_port() as port:
        return port
