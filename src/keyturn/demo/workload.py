"""The last act of the demonstration: a program under ``keyturn run``; its secret is rotated twice, and the server killed."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import field

from keyturn.demo.line import DemoClient
from keyturn.demo.processes import ChildProcess
from keyturn.errors import Permanent
from keyturn.kit.dataclasses import dataclass

ROTATE = "/api/v2/secret-rotations/azure-client-secret"
PATIENCE_SECONDS = 180.0


@dataclass
class WorkloadStory:
    """``identity`` is what the program's machine has to sign in to Keyturn with; ``restart`` kills the server and starts it anew.

    ``say`` prints a line.
    """

    line: DemoClient
    rotation_id: str
    where: Mapping[str, str]
    identity: Mapping[str, str] = field(repr=False)
    say: Callable[[str], None]
    restart: Callable[[], float]

    def play(self) -> None:
        """Play it. Raises KeyturnError when anything is not as it should be."""
        program = self._started()
        try:
            began = time.monotonic()
            first = self._newest(program, unlike="")
            self.say(
                f"keyturn run  started it in {time.monotonic() - began:.1f} s; it signs in with {first}... all the while"
            )
            second = self._rotated(program, first)
            took = self.restart()
            self.say(
                f"server       killed (SIGKILL) and ready again after {took:.1f} s; the program does not know that there is one"
            )
            self._rotated(program, second)
            self._judge(program)
            self._consumers()
        finally:
            program.stop()

    def _started(self) -> ChildProcess:
        stage = self.line.stage
        tenant = stage.entra["demo"]["tenant_id"]
        environ = {
            **stage.plain_environ,
            "HOME": str(stage.folder / "program"),
            "KEYTURN_URL": stage.url,
            "KEYTURN_PROJECT": self.where["project"],
            "KEYTURN_CLIENT_ID": self.identity["clientId"],
            "KEYTURN_CLIENT_SECRET": self.identity["clientSecret"],
            "TOKEN_URL": f"{stage.entra['authority']}/{tenant}/oauth2/v2.0/token",
            "SSL_CERT_FILE": str(stage.ca_file),
        }
        program = [sys.executable, "-m", "keyturn.demo.program"]
        options = ["--env", self.where["environment"], "--path", self.where["path"], "--ready", "0.5"]
        return ChildProcess(
            "program", ["keyturn", "run", *options, "--", *program], environ, stage.folder / "program.log"
        )

    def _rotated(self, program: ChildProcess, before: str) -> str:
        """Have the secret rotated, and return the beginning of the one with which the program signs in then."""
        self.line.api("POST", f"{ROTATE}/{self.rotation_id}/rotate-secrets")
        published = time.monotonic()
        hint = self._newest(program, unlike=before)
        took = time.monotonic() - published
        self.say(f"rotated      published; {took:.1f} s later the program was started anew and signed in: {hint}...")
        return hint

    def _newest(self, program: ChildProcess, unlike: str) -> str:
        """Wait until the program signs in with another secret than this one."""

        def found() -> str | None:
            lines = _sign_ins(program)
            return lines[-1][0] if lines and lines[-1][0] != unlike else None

        return str(program.wait_for(found))

    def _judge(self, program: ChildProcess) -> None:
        lines = _sign_ins(program)
        refused = [status for _, status in lines if status != "200"]
        starts = program.log.read_text().count("started ")
        if refused or starts != 3:
            raise Permanent(
                f"Not as it should be: {len(refused)} sign-ins refused, {starts} starts.", code="demo.broken"
            )
        self.say(
            f"program      signed in {len(lines)} times: 0 refused; started 3 times, once at first and once for each change"
        )

    def _consumers(self) -> None:
        """Say who uses what, as the server knows it: the program named what it signs in with once it worked."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            secrets = self.line.api("GET", f"{ROTATE}/{self.rotation_id}/consumers")["secrets"]
            users = [user for user in secrets[0]["consumers"] if user["lastAcknowledgedAt"]] if secrets else []
            if users:
                break
            if time.monotonic() > until:
                raise Permanent("Not as it should be: nobody is known to use the newest secret.", code="demo.broken")
            time.sleep(0.2)
        for secret in secrets:
            for user in secret["consumers"]:
                moment = user["switchedAt"] or user["lastAcknowledgedAt"] or user["lastReadAt"]
                name = f"{user['name'] or user['kind']} {user['instance'] or ''}".strip()
                self.say(f"{secret['hint']}...       {user['status']:9} {moment}  {name}")


def _sign_ins(program: ChildProcess) -> list[tuple[str, str]]:
    """Return beginning of the secret and status of each sign-in, the newest last."""
    lines = [line.split() for line in program.log.read_text(errors="replace").split("\n")[:-1]]
    return [(parts[-2], parts[-1]) for parts in lines if len(parts) >= 3 and parts[0] in {"started", "signed"}]
