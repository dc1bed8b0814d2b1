"""A folder in which an emulator keeps what it is: its authority, its signing key, its directory, its logs and its ledger.

Before an answer is sent, its request is added to the ledger and to the logs; then the rows of the directory that it changed are
added to the changes: what a client was told is there after a kill. A request of which neither the directory nor a change knows,
because the process ended between the two, took no effect: it is in the ledger as such, and in no log of changes. At each start,
and when the changes have become longer than twice the directory, it is written as a whole, and they begin anew.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any

import trustme

from entra_emulator.admin.demo import Demo
from entra_emulator.admin.rows import KeptRows, put_rows
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
_SMALL_CHANGES = 4_000_000
_LOOK_EVERY = 100
"""Requests that are not expected to change anything, after which it is looked whether they did."""


class StateFolder:
    """The folder, made where it is missing, readable by its owner alone, and used by one emulator at a time.

    Changes of up to `small_changes` bytes are kept apart however small the directory is. Raises OSError where it cannot be used,
    or another emulator uses it.
    """

    def __init__(self, path: Path, *, small_changes: int = _SMALL_CHANGES) -> None:
        self._path, self._small = path, small_changes
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _lock(path)
        self._directory = path / "directory.json"
        self._log = LineFiles(path / "log.jsonl", _MOST_LOGGED, _LARGEST_LOG)
        self._requests = LineFiles(path / "ledger.jsonl", _MOST_REQUESTS, _LARGEST_LEDGER)
        self._changes = LineFiles(path / "changes.jsonl", sys.maxsize, sys.maxsize, synced=True)
        self._rows: KeptRows | None = None
        self._ledger: Ledger | None = None
        self._noted = self._asked = self._changed = self._whole = self._passed = 0
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
            answered, changes = self._put_changes(content)
            kept = emulator.restore(content, self._log.read(), requests, answered, changes)
        except ValueError as error:
            raise ValueError(f"{self._path} cannot be read: {error}"[:500]) from error
        self._demo = kept.demo
        self._ledger, self._noted = emulator.ledger, emulator.ledger.last
        if any(line.get("committed") and line["sequence"] > answered for line in requests):
            self._log.replace(emulator.log_lines())
            self._requests.replace(entry.as_line() for entry in emulator.ledger)
        return kept

    def _put_changes(self, content: Any) -> tuple[int, int]:
        """Puts the changes into the directory that they follow. Gives the number of the newest request, and how many they are."""
        answered, first = _number(content, "requests"), _number(content, "changes")
        self._changed = first
        for line in self._changes.read():
            number, requests = _number(line, "number"), _number(line, "requests")
            if number <= first:
                continue  # the process ended after the directory was written, and before the changes began anew
            if number != self._changed + 1:
                raise Unreadable(f"after change {self._changed} comes {number}")
            put_rows(content, line.get("rows", ()))
            self._changed, answered = number, requests
        return answered, self._changed - first

    def begin(self, emulator: Emulator, demo: Demo | None) -> None:
        """Keeps an emulator that has just been made, or that begins with what was kept."""
        self._demo = demo
        self._add_lines(emulator)
        self._save(emulator)

    def _save(self, emulator: Emulator) -> None:
        """Keeps the directory as a whole."""
        content = emulator.snapshot(self._demo) | {"requests": self._noted, "changes": self._changed}
        text = json.dumps(content, separators=(",", ":")).encode()
        write_whole(self._directory, text)
        self._rows, self._whole = emulator.kept_rows(self._demo), len(text)
        self._changes.clear()

    def _add_changes(self, emulator: Emulator) -> None:
        """Keeps what became other in the directory, and that this request is in it."""
        rows = None
        if self._rows is not None and self._changes.size <= max(self._small, 2 * self._whole):
            rows = emulator.changed_rows(self._rows, self._demo)
        if rows is None:
            self._save(emulator)
            return
        self._changed += 1
        self._changes.add([{"number": self._changed, "requests": self._noted, "rows": rows}])

    def after(self, emulator: Emulator, request: Request, response: Response) -> None:
        """Keeps this request and what it may have changed; called before the answer is sent.

        Raises OSError where that cannot be written; it is then kept with the next request that changes something.
        """
        self._add_lines(emulator)
        entry = emulator.ledger.get(response.sequence)
        person = entry is not None and bool(entry.user)
        is_token = is_token_path(request.url.partition("?")[0]) and not person and emulator.issuers_asked == self._asked
        self._passed += 1
        if self._passed >= _LOOK_EVERY or not (request.method in _READS or is_token):
            self._passed, self._asked = 0, emulator.issuers_asked
            self._add_changes(emulator)

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


def _number(line: Any, name: str) -> int:
    """Takes a number out of what was read; 0 where it is not there."""
    value = line.pop(name, 0) if isinstance(line, dict) else None
    if not isinstance(value, int):
        raise Unreadable(f"{name!r} is not a number")
    return value


def _lock(folder: Path) -> int:
    """Keeps others out until what it gives is closed: two that write whole directories would undo each other's."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise OSError(f"{folder} is in use by another emulator") from error
    return descriptor
