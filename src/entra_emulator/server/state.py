"""A folder in which an emulator keeps what it is: its authority, its signing key, its directory, its logs and its ledger.

Before an answer is sent, its request is added to the ledger and to the logs; then the directory is written as a whole, where the
request may have changed it: what a client was told is there after a kill. A request of which the directory knows nothing, because
the process ended between the two, took no effect: it is in the ledger as such, and in no log of changes.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from pathlib import Path

import trustme

from entra_emulator.admin.demo import Demo
from entra_emulator.admin.snapshot import Snapshot
from entra_emulator.core.wire import Request, Response
from entra_emulator.directory.codec import Unreadable
from entra_emulator.directory.keys import SigningKey
from entra_emulator.faults.ledger import Ledger
from entra_emulator.server.emulator import Emulator
from entra_emulator.server.files import LineFiles, write_whole
from entra_emulator.sign_in.sts import is_token_path

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_REQUESTS, _MOST_LOGGED = 10_000, 50_000
_LARGEST_LEDGER, _LARGEST_LOG = 4_000_000, 25_000_000


class StateFolder:
    """The folder, made where it is missing, readable by its owner alone, and used by one emulator at a time.

    Raises OSError where it cannot be used, or another emulator uses it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _lock(path)
        self._directory = path / "directory.json"
        self._log = LineFiles(path / "log.jsonl", _MOST_LOGGED, _LARGEST_LOG)
        self._requests = LineFiles(path / "ledger.jsonl", _MOST_REQUESTS, _LARGEST_LEDGER)
        self._ledger: Ledger | None = None
        self._noted = self._asked = 0
        self._demo: Demo | None = None

    def authority(self) -> trustme.CA:
        """The certificate authority that clients trust: the same at each start."""
        certificate, key = self._path / "ca.pem", self._path / "ca-key.pem"
        if not certificate.exists() or not key.exists():
            made = trustme.CA(organization_name="entra-emulator")
            write_whole(key, made.private_key_pem.bytes())
            write_whole(certificate, made.cert_pem.bytes())
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())

    def signing_key(self) -> SigningKey:
        """The key that signs tokens: the same at each start. Raises ValueError where the file is something else."""
        path = self._path / "signing-key.pem"
        if not path.exists():
            write_whole(path, SigningKey().pem())
        return SigningKey(pem=path.read_bytes())

    def load(self, emulator: Emulator) -> Snapshot | None:
        """Gives the emulator what was kept; None where nothing was. Raises ValueError for a file that cannot be read."""
        if not self._directory.exists():
            return None
        try:
            content, requests = json.loads(self._directory.read_bytes()), self._requests.read()
            answered = content.pop("requests", 0) if isinstance(content, dict) else 0
            if not isinstance(answered, int):
                raise Unreadable("'requests' is not a number")
            kept = emulator.restore(content, self._log.read(), requests, answered)
        except ValueError as error:
            raise ValueError(f"{self._path} cannot be read: {error}"[:500]) from error
        self._demo = kept.demo
        self._ledger, self._noted = emulator.ledger, emulator.ledger.last
        if any(line.get("committed") and line["sequence"] > answered for line in requests):
            self._log.replace(emulator.log_lines())
            self._requests.replace(entry.as_line() for entry in emulator.ledger)
        return kept

    def begin(self, emulator: Emulator, demo: Demo | None) -> None:
        """Keeps an emulator that has just been made, or that begins with what was kept."""
        self._demo = demo
        self._add_lines(emulator)
        self.save(emulator)

    def save(self, emulator: Emulator) -> None:
        """Keeps the directory as it is now."""
        content = emulator.snapshot(self._demo) | {"requests": self._noted}
        write_whole(self._directory, json.dumps(content, separators=(",", ":")).encode())

    def after(self, emulator: Emulator, request: Request, response: Response) -> None:
        """Keeps this request and what it may have changed; called before the answer is sent.

        Raises OSError where that cannot be written; it is then kept with the next request that changes something.
        """
        self._add_lines(emulator)
        entry = emulator.ledger.get(response.sequence)
        person = entry is not None and bool(entry.user)
        asked = emulator.issuers_asked
        if request.method in _READS:
            return
        if person or asked != self._asked or not is_token_path(request.url.partition("?")[0]):
            self._asked = asked
            self.save(emulator)

    def close(self) -> None:
        """Lets others use the folder, as the end of the process does, too."""
        os.close(self._lock)

    def _add_lines(self, emulator: Emulator) -> None:
        news = emulator.news(self._ledger, self._noted)
        if news.ledger is not self._ledger:  # it was reset, or began with an export
            self._requests.clear()
            self._log.clear()
        self._ledger, self._noted = news.ledger, news.last
        try:
            self._requests.add(news.requests)
        finally:
            self._log.add(news.log)


def _lock(folder: Path) -> int:
    """Keeps others out until what it gives is closed: two that write whole directories would undo each other's."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise OSError(f"{folder} is in use by another emulator") from error
    return descriptor
