"""``keyturn credentiald``: hands secrets to units of systemd that ask for them with ``LoadCredential=``.

systemd connects to the socket once for each credential; its own end of the connection is named after the unit and the credential
(https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#LoadCredential=ID:PATH). What is sent back is the
credential; there is no way to say that something failed but to send nothing. So what is not allowed gets nothing, and is told.
"""

import contextlib
import os
import re
import socket
import stat
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from keyturn.client.agent_config import Grant
from keyturn.client.domain import Source
from keyturn.client.reader import Reader
from keyturn.client.templates import content_of
from keyturn.errors import KeyturnError, Misconfigured

LARGEST = 1024 * 1024
"""systemd takes no larger credential."""
_SECONDS = 5.0
_PEER_NAME = re.compile(rb"\0[A-Za-z0-9]+/unit/([^/\0]{1,255})/([^/\0]{1,255})")
_LISTENING = 3
"""The first file descriptor that systemd passes on: https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html."""


class CredentialServer:
    """Answers one connection after the other. ``uids`` are the users whose service manager may ask; the system's is root."""

    def __init__(
        self,
        grants: Sequence[Grant],
        reader_of: Callable[[Source], Reader],
        tell: Callable[[str], None],
        uids: frozenset[int] = frozenset({0}),
    ) -> None:
        self._grants = {(each.unit, each.id): each for each in grants}
        self._readers = {each.source: reader_of(each.source) for each in grants}
        self._tell = tell
        self._uids = uids

    def answer(self, connection: socket.socket) -> None:
        """Send the credential that is asked for, or nothing. Never raises for what one connection does."""
        with contextlib.suppress(OSError), connection:
            connection.settimeout(_SECONDS)
            try:
                content = self._content(connection)
            except Exception as error:  # noqa: BLE001 - other units go on being answered; its text might hold a secret
                self._tell(f"A connection got nothing, as answering it failed unexpectedly ({type(error).__name__}).")
                return
            if content:
                connection.sendall(content)

    def _content(self, connection: socket.socket) -> bytes:
        name = connection.getpeername()
        match = _PEER_NAME.fullmatch(name if isinstance(name, bytes) else name.encode())
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if match is None or uid not in self._uids:
            self._tell(f"A connection of user {uid} that is not one of systemd's got nothing.")
            return b""
        unit, credential_id = (part.decode("utf-8", "backslashreplace") for part in match.groups())
        grant = self._grants.get((unit, credential_id))
        if grant is None:
            self._tell(f"{unit} asked for '{credential_id}', which it is not allowed, and got nothing.")
            return b""
        try:
            reading = self._readers[grant.source].read()
            content = content_of(grant.content, reading.secret_set.values)
        except KeyturnError as error:
            self._tell(f"{unit} got nothing for '{credential_id}': {error.diagnostics()}")
            return b""
        if len(content) > LARGEST:
            self._tell(f"{unit} got nothing for '{credential_id}': it has more than {LARGEST} bytes.")
            return b""
        if reading.stale:
            read_at = reading.secret_set.read_at
            self._tell(f"{unit} got '{credential_id}' as of {read_at:%Y-%m-%d %H:%M} UTC: {reading.stale.message}.")
        return content


def listening(path: Path | None, environ: Mapping[str, str]) -> socket.socket:
    """Return the socket: the one that systemd passes on, or one at the path that only its user can connect to.

    Raises Misconfigured when there is neither, or something else is at the path.
    """
    if environ.get("LISTEN_PID") == str(os.getpid()) and environ.get("LISTEN_FDS") == "1":
        return socket.socket(fileno=_LISTENING)
    if path is None:
        raise Misconfigured(
            "There is no socket to listen on.", code="client.socket", fix="Give --socket, or start by a socket unit."
        )
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise Misconfigured(
                f"There is something at {path} that is no socket.", code="client.socket", fix="Give another path."
            )
        path.unlink()
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        opened.bind(str(path))
    except OSError as error:
        opened.close()
        raise Misconfigured(
            f"The socket {path} cannot be made: {error.strerror}.",
            code="client.socket",
            fix="Make its folder writable.",
        ) from None
    finally:
        os.umask(mask)
    opened.listen(128)
    return opened
