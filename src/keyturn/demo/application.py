"""The second half of the demonstration: the secret of another application, and a program that reads it all the while."""

import threading
import time
from collections.abc import Callable
from dataclasses import field

from keyturn.demo.line import DemoClient, Json
from keyturn.demo.workload import WorkloadStory
from keyturn.errors import Permanent
from keyturn.kit.dataclasses import dataclass

ROTATIONS = "/api/v2/secret-rotations/azure-client-secret"
MAPPING = {"clientId": "AZURE_CLIENT_ID", "clientSecret": "AZURE_CLIENT_SECRET"}
WEBSHOP = "webshop"
PATH = "/payments"
LEAST_READS = 5


@dataclass
class DemoProgram:
    """A program as anybody would write it: it asks for its two secrets, and signs in to Entra ID with what it gets."""

    line: DemoClient
    project_id: str
    reads: int = 0
    refusals: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list, repr=False)
    """The different secrets that it got, the newest last."""

    def read(self) -> str | None:
        """Read, and sign in; return the secret that it got, None when there is none."""
        query = f"workspaceId={self.project_id}&environment=prod&secretPath={PATH}"
        listed = self.line.api("GET", f"/api/v3/secrets/raw?{query}")["secrets"]
        values = {secret["secretKey"]: secret["secretValue"] for secret in listed}
        if set(MAPPING.values()) - values.keys():
            return None
        self.reads += 1
        secret: str = values[MAPPING["clientSecret"]]
        if secret not in self.used:
            self.used.append(secret)
        refusal = self.line.refusal(values[MAPPING["clientId"]], secret)
        if refusal:
            self.refusals.append(refusal)
        return secret

    def work_during(self, happening: Callable[[], object]) -> None:
        """Read and sign in again and again while something happens, and for some rounds afterwards."""
        over, failures = threading.Event(), list[BaseException]()

        def work() -> None:
            left = LEAST_READS
            try:
                while left:
                    left -= over.is_set()
                    self.read()
                    time.sleep(0.1)
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            happening()
        finally:
            over.set()
            thread.join()
        if failures:
            raise failures[0]


@dataclass
class ApplicationStory:
    """The acts about another application. ``say`` prints a line, ``title`` the heading of an act.

    ``restart`` kills the server, and returns after how many seconds the next one was ready.
    """

    line: DemoClient
    connection_id: str
    say: Callable[[str], None]
    title: Callable[[str], None]
    restart: Callable[[], float]
    program: DemoProgram = field(init=False)
    values: set[str] = field(default_factory=set, repr=False)
    """Every secret that took part."""
    rotation_id: str = ""
    _identity: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def application(self) -> Json:
        return dict(self.line.stage.entra["demo"]["others"][0])

    def play(self) -> None:
        """Play it. Raises KeyturnError when anything is not as it should be."""
        self.title("6. Another application: its secret becomes two secrets of a project, and a program reads them")
        project_id = self._project()
        body = self._body(project_id, self.application)
        self._before()
        self._plan(body)
        self._create(body)
        self._refuse_itself(project_id)
        self.title("7. Rotate it while the program works")
        self._rotate()
        self.title("8. A program under keyturn run: rotated twice, and the server is killed")
        where = {"project": WEBSHOP, "environment": "prod", "path": PATH}
        WorkloadStory(self.line, self.rotation_id, where, self._identity, self.say, self.restart).play()
        self._remember()

    def _project(self) -> str:
        """Make a project with a folder, and a machine identity that may read there: the program's."""
        new = {"projectName": "Webshop", "slug": WEBSHOP}
        project_id: str = self.line.api("POST", "/api/v1/projects", new)["project"]["id"]
        where = {"projectId": project_id, "environment": "prod", "path": "/", "name": PATH.strip("/")}
        self.line.api("POST", "/api/v2/folders", where)
        self._identity = self.line.machine("payments-program", project_id)
        secret, token = self._identity["clientSecret"], self._identity["accessToken"]
        self.values |= {secret, token}
        self.program = DemoProgram(DemoClient(self.line.stage, token), project_id)
        return project_id

    def _body(self, project_id: str, application: Json) -> Json:
        return {
            "name": "payments-api",
            "projectId": project_id,
            "connectionId": self.connection_id,
            "environment": "prod",
            "secretPath": PATH,
            "rotationInterval": 30,
            "rotateAt": {"time": "03:00", "timeZone": "Europe/Oslo"},
            "parameters": {"objectId": application["object_id"], "clientId": application["app_id"]},
            "secretsMapping": MAPPING,
        }

    def _before(self) -> None:
        application = self.application
        self.say(
            f"application  {application['display_name']}  {application['app_id']}  (changed through prod-entra, which owns it)"
        )
        self._require(self.program.read() is None, "the program reads a secret before there is one")
        self.say("program      reads its folder before: no secret there")

    def _plan(self, body: Json) -> None:
        plan = self.line.api("POST", f"{ROTATIONS}/plan", body)["plan"]
        self.say("plan         what would be done, before anything is:")
        if not plan["isListed"]:
            self.say("               put the application on the list of those that prod-entra may rotate")
        self.say(
            f"               ask Entra ID for a secret that ends {plan['endsAt'][:10]}; the next follow {_days(plan['nextRuns'])}"
        )
        for secret in plan["secrets"]:
            fate = f"removed {secret['removedAt'][:10]}" if secret["removedAt"] else "stays, as nobody handed it over"
            self.say(f"               '{secret['name']}', Key ID {secret['keyId']}: {fate}")

    def _create(self, body: Json) -> None:
        began = time.monotonic()
        self.rotation_id = self.line.api("POST", ROTATIONS, body)["secretRotation"]["id"]
        self.say(
            f"created      in {time.monotonic() - began:.1f} s: answered once the new secret had signed in several times in a row"
        )
        self._require(self.program.read() is not None, "the program finds no secret")
        self._require(not self.program.refusals, "what the program read does not sign in")
        self.say(
            f"program      reads {', '.join(MAPPING.values())}, and signs in to Entra ID with them: {self._hint()}..."
        )

    def _refuse_itself(self, project_id: str) -> None:
        """The secret that a connection signs in with is no secret for programs: whoever had it could do all that it may."""
        own = self._body(project_id, self.line.stage.entra["demo"]["connection"])
        names = {name: f"OWN_{text}" for name, text in MAPPING.items()}
        refusal = self.line.refused("POST", ROTATIONS, own | {"name": "itself", "secretsMapping": names})
        self.say(f"refused      the connection's own application: {refusal}")

    def _rotate(self) -> None:
        program, before = self.program, self._hint()
        began = program.reads
        program.work_during(lambda: self.line.api("POST", f"{ROTATIONS}/{self.rotation_id}/rotate-secrets"))
        self._require(not program.refusals, f"the program was refused: {program.refusals[:1]}")
        self._require(self._hint() != before, "the program still reads the secret of before")
        number = program.reads - began
        self.say(
            f"program      read and signed in {number} times during the rotation: 0 refused; {before}..., then {self._hint()}..."
        )
        old = self.line.refusal(self.application["app_id"], program.used[-2])
        self._require(old is None, "the previous secret does not work any more")
        self.say(
            f"overlap      {before}... still signs in, for what has not read again; it is removed after the next rotation"
        )
        for row in self.line.api("GET", f"{ROTATIONS}/{self.rotation_id}/credentials")["credentials"]:
            self.say(f"{row['state']:12} {row['hint'] or '???'}...  {row['keyId']}  usable until {row['usableUntil']}")
        self.values |= {*program.used}
        self.say(
            f"Entra        holds {self._remember()} secrets of it: these two, and the one made by hand, which nobody handed over"
        )

    def _remember(self) -> int:
        """Collect the secrets that the application has in Entra ID, and return how many there are."""
        inside = self.line.entra("GET", f"applications/{self.application['object_id']}")["secrets"]
        self.values |= {secret["value"] for secret in inside}
        return len(inside)

    def _hint(self) -> str:
        return self.program.used[-1][:3]

    @staticmethod
    def _require(holds: bool, otherwise: str) -> None:
        if not holds:
            raise Permanent(f"Not as it should be: {otherwise}.", code="demo.broken")


def _days(moments: list[str]) -> str:
    return ", ".join(moment[:10] for moment in moments[:3])
