"""Access tokens of connections that read: one sign-in for many pieces, as often as the token lasts."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from keyturn.connections.domain import Connection
from keyturn.ports.provider import AccessToken

MOST = 32
ENOUGH = timedelta(minutes=5)
"""A piece takes less: with so much left a token is used."""


class ReadingTokens:
    """Remembers at most :data:`MOST` tokens, in memory. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[int, AccessToken]] = OrderedDict()

    def of(self, connection: Connection, now: datetime, sign_in: Callable[[], AccessToken]) -> AccessToken:
        """Return a token of the connection's current credential; signs in, and raises what that raises, where none is kept."""
        with self._lock:
            version, token = self._kept.get(connection.id, (None, None))
        if token is not None and version == connection.secret_version and now + ENOUGH < token.expires_at:
            return token
        fresh = sign_in()
        with self._lock:
            self._kept[connection.id] = (connection.secret_version, fresh)
            self._kept.move_to_end(connection.id)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return fresh

    def forget(self, connection_id: str) -> None:
        with self._lock:
            self._kept.pop(connection_id, None)
