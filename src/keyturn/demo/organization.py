"""What an organization asks for, when the demonstration stays: people through Entra ID, the audit trail, numbers, a backup."""

import re
from collections.abc import Callable

from keyturn.demo.line import DemoClient
from keyturn.errors import Permanent

GROUP = "Operators"
SHOWN = ("keyturn_connections", "keyturn_credentials", "keyturn_rotations", "keyturn_secret_reads_total")


class OrganizationStory:
    """``play`` goes through it once, and tells what is seen."""

    def __init__(self, line: DemoClient, say: Callable[[str], None], title: Callable[[str], None]) -> None:
        self._line = line
        self._stage = line.stage
        self._say = say
        self._title = title

    def play(self) -> None:
        """Raises KeyturnError when anything is not as it should be."""
        self._let_people_in()
        self._scrape()

    def _let_people_in(self) -> None:
        self._title("9. People sign in through Entra ID, and have the roles of their groups")
        demo = self._stage.entra["demo"]
        role = {"groupId": demo["operators"], "groupName": GROUP, "role": "member"}
        self._line.api("POST", "/api/v1/group-roles", role)
        self._say(f"group {GROUP} {demo['operators']}: role member; Ada Admin is in it, Uri User is not")
        self._say(
            f"sign in at {self._stage.url}/sign-in with *Sign in through Entra ID*: Ada is let in, Uri is told why not"
        )

    def _scrape(self) -> None:
        self._title("10. Prometheus asks for numbers")
        text = self._line.metrics()
        series = [line for line in text.splitlines() if line and not line.startswith("#")]
        for name in SHOWN:
            found = [line for line in series if re.match(rf"{name}(\{{|\s)", line) and not line.endswith(" 0.0")]
            for line in found[:2]:
                self._say(line)
        _require(len(series) > len(SHOWN), "there are no metrics")
        self._say(f"{len(series)} series at {self._stage.url}/metrics, for whoever has the token")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Permanent(f"Not as it should be: {otherwise}.", code="demo.broken")
