"""What the demonstration shows, step by step, and the evidence at its end. Everything goes through the HTTP API."""

import re
import time
from collections.abc import Callable
from dataclasses import field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from keyturn.demo.application import ApplicationStory
from keyturn.demo.line import CONNECTIONS, DemoClient
from keyturn.demo.organization import OrganizationStory, RunCommand
from keyturn.demo.processes import DemoStage
from keyturn.errors import Permanent
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ids import SystemIds

EMAIL = "admin@example.com"
ORGANIZATION = "Demo"
REPLICATION = {"replicas": 2, "token_appear": [0.3, 2.5], "graph_appear": [0.3, 2.0], "token_vanish": [0.2, 1.5]}
PATIENCE_SECONDS = 180.0
EXPLAINED = {
    "inspect": "signs in, reads the application, may it be changed, is a slot free: before any write",
    "plan": "writes down what will be asked for, under a unique name",
    "announce": "from here on a crash means: look whether it exists",
    "issue": "asks Entra for the new secret, seals the answer at once",
    "prove": "signs in with the new secret, several times in a row",
    "publish": "the new secret becomes the current one, in one transaction",
    "retire": "writes down that the old one will now be removed",
    "remove": "removes it, signed in with the new secret",
    "confirm": "gone only when two lists some time apart do not have it",
    "resolve": "an answer was lost: looks for the secret by its name",
    "open": "the moment has come",
}


@dataclass
class Story:
    """One run of the demonstration."""

    stage: DemoStage
    console: Console
    password: str = field(default_factory=lambda: f"demo {SystemIds().nonce()}", repr=False)
    line: DemoClient = field(init=False)
    connection_id: str = ""
    rotation_id: str = ""
    """Of the secret of another application."""
    values: set[str] = field(default_factory=set, repr=False)
    _told: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.line = DemoClient(self.stage)

    # --- the acts ---------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Run the demonstration. Raises KeyturnError when anything is not as it should be."""
        self._set_the_scene()
        first = self._connect()
        self._original_is_dead(first)
        self._on_schedule()
        self._kill_in_the_middle()
        self._another_application()
        self._evidence(first)

    def play_on(self, run: RunCommand) -> None:
        """Show what an organization asks for besides. After :meth:`play`; raises as that does."""
        shown = OrganizationStory(
            self.line, self.connection_id, self.rotation_id, self._say, self._title, partial(self._command, run)
        )
        shown.play(self._restart_with)

    def _command(self, run: RunCommand, *arguments: str) -> str:
        """Run a command of Keyturn beside the server, by the moved clock; return what it printed."""
        return run(arguments, self.stage.server_environ, self._ahead())

    def _restart_with(self, meanwhile: Callable[[], None]) -> float:
        """Stop the server, do something, and start it anew with its clock as it was. Returns how many seconds that took."""
        if self.stage.server:
            self.stage.server.stop()
        meanwhile()
        return self.stage.open_server(self._ahead())

    def _set_the_scene(self) -> None:
        self._title("1. A local Entra ID and a Keyturn server start")
        entra = self.stage.open_entra()
        tenant = entra["demo"]["tenant_id"]
        self.line.entra("PATCH", f"tenants/{tenant}/settings", REPLICATION)
        self._say(f"Entra ID (emulated, over TLS)   {entra['authority']}")
        self._say("Its replicas lag by up to 2.5 s, and two replicas disagree meanwhile, as the real ones do.")
        took = self.stage.open_server()
        self._say(
            f"Keyturn                         {self.stage.url}   ready in {took:.1f} s, with an embedded database"
        )
        code = self.stage.setup_code
        body = {"email": EMAIL, "password": self.password, "organization": ORGANIZATION, "setupCode": code}
        self.line.token = self.line.api("POST", "/api/v1/admin/bootstrap", body)["identity"]["credentials"]["token"]

    def _connect(self) -> dict[str, Any]:
        self._title("2. Connect with a client secret, Automatic Credential Rotation on")
        demo = self.stage.entra["demo"]
        secret = demo["connection"]["secrets"][0]
        self.values.add(secret["value"])
        self._say(f"application  {demo['connection']['display_name']}  {demo['connection']['app_id']}")
        self._say(f"secret       {secret['value'][:3]}...  Key ID {secret['key_id']}  (typed by a person)")
        self._require(self._signs_in(secret["value"]) is None, "the original secret signs in")
        response = self.line.api(
            "POST",
            CONNECTIONS,
            {
                "name": "prod-entra",
                "method": "client-secret",
                "isAutoRotationEnabled": True,
                "rotation": {"rotationInterval": 30, "rotateAt": {"time": "02:15", "timeZone": "Europe/Oslo"}},
                "credentials": {
                    "tenantId": demo["tenant_id"],
                    "clientId": demo["connection"]["app_id"],
                    "clientSecret": secret["value"],
                    "clientSecretKeyId": secret["key_id"],
                },
            },
        )
        self.connection_id = response["appConnection"]["id"]
        self._watch(runs=1)
        return dict(secret)

    def _original_is_dead(self, original: dict[str, Any]) -> None:
        self._title("3. The original no longer opens anything")
        refusal = self._signs_in(original["value"])
        self._require(refusal is not None, "the original secret still signs in")
        self._say(f"Entra answers: {refusal}")
        self._journal()

    def _on_schedule(self) -> None:
        self._title("4. A month later, on schedule (both clocks are moved to just before the moment)")
        due = self._connection()["rotation"]["nextRotationAt"]
        moment = datetime.fromisoformat(due)
        # The server itself needs a moment to start, so the clock is set a little earlier than that.
        ahead = (moment - datetime.now(UTC) - timedelta(seconds=5)).total_seconds()
        if self.stage.server:
            self.stage.server.stop()
        self.line.entra("POST", "clock", {"advance": ahead})
        self.stage.open_server(ahead)
        self._say(f"due at {due}, which is 02:15 in Oslo")
        self._watch(runs=2)
        run = self._runs()[0]
        late = (datetime.fromisoformat(run["startedAt"]) - moment).total_seconds()
        self._require(run["reason"] == "scheduled", "the run was not a scheduled one")
        self._say(f"started {late:.1f} s after its moment")

    def _kill_in_the_middle(self) -> None:
        self._title("5. Rotate now, and kill -9 in the middle")
        self.line.api("POST", f"{CONNECTIONS}/{self.connection_id}/rotate-credentials")
        self._until(lambda: any(row["state"] in {"issued", "asking"} for row in self._credentials()))
        ahead = self._ahead()
        if self.stage.server:
            self._say(
                f"SIGKILL to process {self.stage.server.pid}: a secret was just asked for, nothing is published yet"
            )
            self.stage.server.kill()
        took = self.stage.open_server(ahead)
        self._say(f"started again, ready in {took:.1f} s; it takes up what the dead process left")
        self._watch(runs=3)

    def _restart(self) -> float:
        """Kill the server, and start it anew with its clock as it was. Returns how many seconds it took to be ready."""
        ahead = self._ahead()
        if self.stage.server:
            self.stage.server.kill()
        return self.stage.open_server(ahead)

    def _another_application(self) -> None:
        story = ApplicationStory(self.line, self.connection_id, self._say, self._title, self._restart)
        story.play()
        self.values |= story.values
        self.rotation_id = story.rotation_id

    def _evidence(self, original: dict[str, Any]) -> None:
        self._title("Evidence")
        self._journal()
        object_id = self.stage.entra["demo"]["connection"]["object_id"]
        inside = self.line.entra("GET", f"applications/{object_id}")
        keys = [secret["key_id"] for secret in inside["secrets"]]
        live = [row["keyId"] for row in self._credentials() if row["state"] == "current"]
        self._require(keys == live, f"Entra holds {keys}, the journal says {live}")
        self._say(f"Key ID before   {original['key_id']}")
        self._say(f"Key ID now      {live[0]}   the only secret that the application has in Entra: no orphan")
        leaks = self._leaks(inside)
        self._require(not leaks, f"a secret is readable in {leaks}")
        self._say(
            f"{len(self.values)} secrets were searched for in the database, its log and all server logs (debug level): none found"
        )
        for run in reversed(self._runs()):
            took = sum(step["durationMs"] for step in run["steps"])
            self._say(
                f"run {run['reason']:10} {run['state']:10} {run['durationMs'] / 1000:5.1f} s until published; steps {took} ms"
            )

    # --- watching ---------------------------------------------------------------------------------------------------

    def _watch(self, runs: int) -> None:
        """Show the steps as they happen, until the run has succeeded and the old secret is gone."""

        def over() -> bool:
            current_runs = self._runs()
            for run in reversed(current_runs):
                self._show_new_steps(run)
            runs_succeeded = len(current_runs) >= runs and all(run["state"] == "succeeded" for run in current_runs)
            return runs_succeeded and all(
                row["state"] in {"current", "revoked", "abandoned"} for row in self._credentials()
            )

        self._until(over)

    def _show_new_steps(self, run: dict[str, Any]) -> None:
        for number, step in enumerate(run["steps"]):
            key = f"{run['id']}/{number}"
            if self._told.get(key) == step["repeats"]:
                continue
            self._told[key] = step["repeats"]
            mark = "[green]ok[/]" if step["outcome"] == "done" else "[yellow]not yet[/]"
            times = f" x{step['repeats']}" if step["repeats"] > 1 else ""
            clock = step["finishedAt"][11:23]
            text = EXPLAINED.get(step["step"], "") if step["outcome"] == "done" else _why_not(step)
            self.console.print(f"  {clock}  {step['step']:9} {mark}{times:4} [dim]{text}[/]", highlight=False)

    def _journal(self) -> None:
        for row in self._credentials():
            name = row["displayName"] or "-"
            self._say(f"{row['state']:9} {row['hint'] or '???'}...  {row['keyId']}  {name}")

    # --- asking -----------------------------------------------------------------------------------------------------

    def _runs(self) -> list[dict[str, Any]]:
        path = f"{CONNECTIONS}/{self.connection_id}/rotation-runs"
        return list(self.line.api("GET", path)["rotationRuns"])

    def _credentials(self) -> list[dict[str, Any]]:
        path = f"{CONNECTIONS}/{self.connection_id}/credentials"
        return list(self.line.api("GET", path)["credentials"])

    def _connection(self) -> dict[str, Any]:
        path = f"{CONNECTIONS}/{self.connection_id}"
        return dict(self.line.api("GET", path)["appConnection"])

    def _ahead(self) -> float:
        """How far the moved clocks are ahead of this machine's."""
        return float(self.line.entra("GET", "clock")["now"]) - time.time()

    def _signs_in(self, secret: str) -> str | None:
        refusal = self.line.refusal(self.stage.entra["demo"]["connection"]["app_id"], secret)
        return re.split(r"\s+Trace ID", refusal)[0] if refusal else None

    def _leaks(self, inside: dict[str, Any]) -> list[str]:
        self.values.update(secret["value"] for secret in inside["secrets"])
        files = [path for path in self.stage.folder.rglob("*") if path.is_file() and not path.name.startswith("entra")]
        return [path.name for path in files if _holds(path, self.values)]

    def _until(self, ask: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not ask():
            self._remember_values()
            if time.monotonic() > until:
                raise Permanent(
                    "The demonstration does not go on.", code="demo.stuck", fix=f"See the logs in {self.stage.folder}."
                )
            time.sleep(0.1)

    def _remember_values(self) -> None:
        object_id = self.stage.entra["demo"]["connection"]["object_id"]
        self.values.update(secret["value"] for secret in self.line.entra("GET", f"applications/{object_id}")["secrets"])

    def _require(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise Permanent(f"Not as it should be: {otherwise}.", code="demo.broken")

    def _title(self, text: str) -> None:
        self.console.print(f"\n[bold]{text}[/]", highlight=False)

    def _say(self, text: str) -> None:
        self.console.print(f"  {text}", highlight=False, markup=False, soft_wrap=True)


def _why_not(step: dict[str, Any]) -> str:
    if step["step"] == "prove":
        return "not every replica knows it yet: waits, and begins to count again"
    return str(step["message"] or "")


def _holds(path: Path, values: set[str]) -> bool:
    content = path.read_bytes()
    return any(value.encode() in content for value in values)
