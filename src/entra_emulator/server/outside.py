"""Calling issuers within a budget, and writing the files of Azure Arc's challenges."""

from __future__ import annotations

import http.client
import os
import secrets
import socket
import ssl
import threading
import time
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from entra_emulator.core.outside import Document

_SECONDS = 5.0
_BYTES = 256 * 1024
_MOST_FILES = 100
_UNREACHABLE = Document(failure="unreachable")
_REFUSED = Document(failure="refused")


class Network:
    """The world as the machine sees it. Issuers are called by TLS, on this machine also without; redirects are not followed.

    A certificate is believed as OpenSSL does: `SSL_CERT_FILE` names further authorities, and `ca_file` (PEM) one more.
    Raises OSError or ValueError where that file cannot be read.
    """

    def __init__(self, *, challenge_folder: Path | None = None, ca_file: Path | None = None) -> None:
        self._folder = challenge_folder
        self._tls = ssl.create_default_context()
        if ca_file is not None:
            # Beside certificates such a file has comments, in any letters.
            self._tls.load_verify_locations(cadata=ca_file.read_text("ascii", errors="ignore"))

    def fetch(self, url: str) -> Document:
        """Gets a document of at most 256 KiB within five seconds, all counted. Never raises."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return _UNREACHABLE
        if not host or (parts.scheme != "https" and not (parts.scheme == "http" and _loopback(host))):
            return _UNREACHABLE
        connection: http.client.HTTPConnection = (
            http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=self._tls)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=_SECONDS)
        )
        # A timeout of sockets counts from each byte anew, so an issuer that trickles is cut off by this clock.
        late = threading.Event()
        try:
            connection.connect()
            cut = threading.Timer(_SECONDS, _shut, (connection.sock, late))
            cut.daemon = True
            cut.start()
            try:
                connection.request("GET", f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}")
                response = connection.getresponse()
                body = response.read(_BYTES + 1)
            finally:
                cut.cancel()
        except (OSError, http.client.HTTPException, ValueError):
            return _UNREACHABLE
        finally:
            connection.close()
        if late.is_set():
            return _UNREACHABLE
        return _REFUSED if response.status != 200 or len(body) > _BYTES else Document(body)

    def leave_challenge(self, secret: str) -> str:
        """Writes a file that only its owner reads; files of before are removed, so that few are ever there."""
        if self._folder is None:
            raise OSError(0, "no directory was given for them")
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in sorted(self._folder.glob("*.key"), key=_written)[:-_MOST_FILES]:
            old.unlink(missing_ok=True)
        path = self._folder / f"{secrets.token_hex(16)}.key"
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secret)
        return str(path)


def _shut(connected: socket.socket, late: threading.Event) -> None:
    late.set()
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
