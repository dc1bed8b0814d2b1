"""What a kind of channel is."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

from keyturn.alarms.notification import Notification
from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext

Config = Mapping[str, Any]


class Undelivered(Exception):
    """The receiver did not take it, or nobody knows. The text says why, in words for people, and holds no secret.

    ``wait`` is how long the receiver asks to be left alone.
    """

    def __init__(self, message: str, wait: timedelta | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class ChannelKind(Protocol):
    """``secret`` says in words what the secret of such a channel is, for forms.

    ``secret_goes_to`` are the keys of the config that together say to whom the secret is told: with other values it is to be
    entered again, so that nobody has it sent to an address of their own. Without a value of one of them it is told to nobody.

    ``for_programs``: each alarm of a message is told, in as many parts as it takes. People read one message, in which alike
    alarms are one section, and of very many how many more there are.
    """

    @property
    def key(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def secret(self) -> str: ...

    @property
    def secret_needed(self) -> bool: ...

    @property
    def secret_goes_to(self) -> frozenset[str]: ...

    @property
    def for_programs(self) -> bool: ...

    def check(self, config: Config, secret: Plaintext | None) -> dict[str, Any]:
        """Return the config as it is kept; nothing of it may be a secret. Raises Refused for what can not work."""

    def send(self, config: Config, secret: Plaintext | None, notification: Notification) -> str:
        """Bring it there, and return what the receiver answered. Outside transactions.

        The same id each time it is tried. Raises Undelivered.
        """


def refused(message: str, field: str, fix: str) -> Refused:
    return Refused(message, code="alarms.channel_invalid", fix=fix, field=field)
