"""What an organization asks for, when the demonstration stays: people through Entra ID, numbers, the audit trail, a backup."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from keyturn.demo.application import ROTATIONS
from keyturn.demo.line import CONNECTIONS, DemoClient
from keyturn.demo.person import sign_in_through_entra
from keyturn.errors import Permanent
from keyturn.kit.dataclasses import dataclass

GROUP = "Operators"
INSIDER, OUTSIDER = "Ada Admin", "Uri User"
LET_IN, REFUSED = "Overview", "You were not signed in"
SHOWN = ("keyturn_connections", "keyturn_credentials", "keyturn_rotations", "keyturn_secret_reads_total")
PATIENCE_SECONDS = 120.0
DATABASE = "keyturn.db"
RECEIPT_KEY = "/api/v1/receipt-key"

RunCommand = Callable[[Sequence[str], Mapping[str, str], float], str]
"""Runs a command of Keyturn with an environment, and its clock ahead by so many seconds; returns what it printed."""


@dataclass(frozen=True)
class OrganizationStory:
    """``play`` goes through it once. ``connection_id`` is of one that has rotated, ``rotation_id`` of the secret of another
    application; ``command`` runs one beside the server."""

    line: DemoClient
    connection_id: str
    rotation_id: str
    say: Callable[[str], None]
    title: Callable[[str], None]
    command: Callable[..., str]

    def play(self, restart_with: Callable[[Callable[[], None]], float]) -> None:
        """Tell what is seen. ``restart_with`` stops the server, does something and starts it anew.

        Raises KeyturnError when anything is not as it should be.
        """
        self._let_people_in()
        self._scrape()
        self._verify()
        self._check_a_receipt()
        self._put_an_old_copy_back(restart_with)

    def _let_people_in(self) -> None:
        self.title("9. People sign in through Entra ID, and have the roles of their groups")
        stage = self.line.stage
        operators = stage.entra["demo"]["operators"]
        self.line.api("POST", "/api/v1/group-roles", {"groupId": operators, "groupName": GROUP, "role": "member"})
        self.say(f"group {GROUP} {operators}: role member; {INSIDER} is in it, {OUTSIDER} is not")
        heading, _ = sign_in_through_entra(self.line, INSIDER)
        _require(heading == LET_IN, f"{INSIDER} is not let in: {heading}")
        self.say(f"{INSIDER}    is let in, and sees the page {heading}")
        heading, why = sign_in_through_entra(self.line, OUTSIDER)
        _require(heading == REFUSED, f"{OUTSIDER} is not refused: {heading}")
        self.say(f"{OUTSIDER}     {heading}: {why}")
        self.say(f"do it yourself at {stage.url}/sign-in with *Sign in through Entra ID*")

    def _scrape(self) -> None:
        self.title("10. Prometheus asks for numbers")
        series = [line for line in self.line.metrics().splitlines() if line and not line.startswith("#")]
        for name in SHOWN:
            found = [line for line in series if re.match(rf"{name}(\{{|\s)", line) and not line.endswith(" 0.0")]
            for line in found[:2]:
                self.say(line)
        _require(len(series) > len(SHOWN), "there are no metrics")
        self.say(f"{len(series)} series at {self.line.stage.url}/metrics, for whoever has the token")

    def _verify(self) -> None:
        self.title("11. The audit trail proves that nobody changed it")
        anchors = self.command("audit", "head").splitlines()
        for anchor in anchors:
            self.say(f"keyturn audit head     {anchor}")
        for line in self.command("audit", "verify", *(f"--anchor={each}" for each in anchors)).splitlines():
            self.say(f"keyturn audit verify   {line}")

    def _check_a_receipt(self) -> None:
        self.title("12. A receipt of the last rotation, verified by whoever has the public key")
        run = self.line.api("GET", f"{CONNECTIONS}/{self.connection_id}/rotation-runs")["rotationRuns"][0]
        receipt, key = (
            self.line.text(f"/api/v1/rotation-runs/{run['id']}/receipt"),
            self.line.api("GET", RECEIPT_KEY)["key"],
        )
        file = self.line.stage.folder / "receipt.txt"
        file.write_text(receipt)
        for line in self.command("receipt", "verify", str(file), "--key", key).splitlines():
            self.say(f"keyturn receipt verify {line}")
        file.write_text(receipt.replace(run["id"], run["id"][::-1], 1))
        try:
            self.command("receipt", "verify", str(file), "--key", key)
        except Permanent:
            self.say("keyturn receipt verify refuses it once a single id in it is another one")
        else:
            _require(False, "a receipt that was changed is taken")

    def _put_an_old_copy_back(self, restart_with: Callable[[Callable[[], None]], float]) -> None:
        self.title("13. A backup is made, a secret in it is replaced, and the old copy is put back")
        folder = self.line.stage.folder
        key, copy = folder / "backup.key", folder / "before.age"
        public = self.command("backup", "key", str(key)).splitlines()[0]
        self.say(f"keyturn backup create  {self._last('backup', 'create', str(copy), '--to', public)}")
        copied = self._served()
        self.line.api("POST", f"{ROTATIONS}/{self.rotation_id}/rotate-secrets?reason=leaked")
        self._until(lambda: self.line.refusal(*copied) is not None, "the secret that leaked still works")
        self.say("then that secret leaked and was replaced and removed: the copy knows only one that works nowhere")
        took = restart_with(lambda: self._restore(copy, key))
        self.say(f"started on the old copy, ready in {took:.1f} s")
        began = time.monotonic()
        self._until(self._works, "the old copy is not healed")
        self.say(f"healed after {time.monotonic() - began:.1f} s: what programs read signs in again, by a new secret")

    def _works(self) -> bool:
        """Whether programs read a secret that signs in. What works nowhere is refused to them."""
        try:
            return self.line.refusal(*self._served()) is None
        except Permanent:
            return False

    def _until(self, ask: Callable[[], bool], otherwise: str) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not ask():
            _require(time.monotonic() < until, otherwise)
            time.sleep(0.2)

    def _restore(self, copy: Path, key: Path) -> None:
        restored = self.command("backup", "restore", str(copy), "--key-file", str(key), "--replace", DATABASE)
        for line in restored.splitlines():
            self.say(f"keyturn backup restore {line}")

    def _last(self, *arguments: str) -> str:
        return self.command(*arguments).strip().splitlines()[-1]

    def _served(self) -> tuple[str, str]:
        """Return the client id and the secret that programs read."""
        generated = self.line.api("GET", f"{ROTATIONS}/{self.rotation_id}/generated-credentials")
        current = generated["generatedCredentials"][generated["activeIndex"]]
        return str(current["clientId"]), str(current["clientSecret"])


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Permanent(f"Not as it should be: {otherwise}.", code="demo.broken")
