"""A channel to one of the services that apprise knows: https://appriseit.com

Its library sends in a process of its own, see :mod:`keyturn.alarms.channels.apprise.child`: there the address of each connection
is judged when it is opened, so neither a redirect nor a name that changes leads to where this server may not call.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keyturn.alarms.channels.apprise.services import SERVICES, service_of
from keyturn.alarms.channels.kind import Config, Undelivered, refused
from keyturn.alarms.notification import Notification
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.providers.pinned import Network
from keyturn.providers.transport import nothing_held

_SECONDS = 60.0
_LONGEST = 4000
_CHILD = "keyturn.alarms.channels.apprise.child"
_MEANS_SOMETHING = re.compile(r"(?<!\w)@(?=[\w*])|<(?=[@#!&]|users/|[A-Za-z]+:)|\](?=\()")


def inert(text: str) -> str:
    """Return a text in which names of people's choice call nobody and link nowhere, whatever service shows it.

    A sign without width stands where one looks for what has a meaning: ``@everyone``, ``<users/all>``, ``[words](address)``,
    ``<address|words>``.
    """
    return _MEANS_SOMETHING.sub("\\g<0>\N{ZERO WIDTH SPACE}", text)


@dataclass(frozen=True)
class Apprise:
    """Whoever knows the address can write there: it is the secret, and only the service's name is shown.

    ``networks`` may be called besides the public internet. ``ca_file`` is trusted in addition to the machine's trust store.
    ``guard`` is called before each process, and may raise.
    """

    networks: Sequence[Network]
    ca_file: Path | None = None
    guard: Callable[[], None] = nothing_held
    key: str = "apprise"
    title: str = "Other service"
    secret: str = "Address as apprise writes it, such as discord://..., ntfys://... or pagerduty://..."
    secret_needed: bool = True
    secret_goes_to: frozenset[str] = frozenset()
    for_programs: bool = False

    def check(self, config: Config, secret: Plaintext | None) -> dict[str, Any]:
        if secret is None:
            return {"service": str(config.get("service") or "")}
        service = service_of(secret.reveal())
        if service is None or not secret.reveal().isprintable():
            schemes = ", ".join(f"{scheme}://" for scheme in SERVICES)
            raise refused(
                "The address is of no service that is reached here.", "secret", f"It begins with one of {schemes}"
            )
        try:
            self._ask({"address": secret.reveal().strip()})
        except Undelivered as error:
            fix = f"Look up how an address of {service} is written: https://appriseit.com/services/"
            raise refused(str(error), "secret", fix) from None
        return {"service": service}

    def send(self, config: Config, secret: Plaintext | None, notification: Notification) -> str:
        if secret is None or service_of(secret.reveal()) is None:
            raise Undelivered("The channel has no address.")
        order = {"title": inert(notification.title), "body": inert(notification.text(_LONGEST))[:_LONGEST]}
        return (
            self._ask({"address": secret.reveal().strip(), **order}) + f" by {config.get('service') or 'the service'}"
        )

    def _ask(self, order: dict[str, str]) -> str:
        """Have it done by a child, and return what it says. Raises Undelivered, also when it takes longer than a minute."""
        self.guard()
        authorities = self.ca_file.read_text() if self.ca_file else ""
        whole = order | {"networks": [str(each) for each in self.networks], "authorities": authorities}
        try:
            child = subprocess.run(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", _CHILD],
                input=json.dumps(whole),  # not as an argument, nor in the environment: others of the machine read those
                env={},  # no proxies either: behind one nobody could judge the address
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                timeout=_SECONDS,
                check=True,
            )
            answer = json.loads(child.stdout)
        except subprocess.TimeoutExpired:
            raise Undelivered(f"No answer within {_SECONDS:.0f} seconds.") from None
        except (OSError, subprocess.CalledProcessError, ValueError):
            raise Undelivered(
                "The process that sends it failed: see whether apprise is installed beside this server."
            ) from None
        if not answer["ok"]:
            raise Undelivered(str(answer["message"]))
        return str(answer["message"])
