"""A folder in which an emulator keeps what it is: its certificate authority, its signing key, its directory and its logs.

The directory is written as a whole after each request that may have changed it, before the answer is sent: what a client was told
is there after a kill. Sign-ins and audits are lines that are added; those of the last moments before a power cut may be lost.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

import trustme

from entra_emulator.admin.demo import Demo
from entra_emulator.admin.snapshot import Snapshot
from entra_emulator.core.wire import Request, Response
from entra_emulator.directory.keys import SigningKey
from entra_emulator.server.emulator import Emulator
from entra_emulator.sign_in.sts import is_token_path

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class StateFolder:
    """The folder, made where it is missing, readable by its owner alone, and used by one emulator at a time.

    Raises OSError where it cannot be used, or another emulator uses it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        _lock(path)
        self._directory, self._log = path / "directory.json", path / "log.jsonl"
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
            kept = emulator.restore(json.loads(self._directory.read_bytes()), _lines(self._log))
        except ValueError as error:
            raise ValueError(f"{self._directory} cannot be read: {error}"[:500]) from error
        self._demo = kept.demo
        write_whole(self._log, b"".join(_line(item) for item in emulator.log_lines()))
        return kept

    def begin(self, emulator: Emulator, demo: Demo | None) -> None:
        """Keeps an emulator that has just been made."""
        self._demo = demo
        self.save(emulator)

    def save(self, emulator: Emulator) -> None:
        """Keeps the directory as it is now."""
        write_whole(self._directory, json.dumps(emulator.snapshot(self._demo), separators=(",", ":")).encode())

    def after(self, emulator: Emulator, request: Request, response: Response) -> None:
        """Keeps what this request may have changed; called before the answer is sent."""
        self._add_to_log(emulator)
        entry = emulator.ledger.get(response.sequence)
        person = entry is not None and bool(entry.user)
        asked = emulator.issuers_asked
        if request.method in _READS:
            return
        if person or asked != self._asked or not is_token_path(request.url.partition("?")[0]):
            self._asked = asked
            self.save(emulator)

    def _add_to_log(self, emulator: Emulator) -> None:
        lines, self._noted = emulator.log_lines(self._noted), emulator.ledger.last
        if lines:
            with os.fdopen(os.open(self._log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "wb") as file:
                file.write(b"".join(_line(item) for item in lines))


def _lock(folder: Path) -> None:
    """Keeps others out until this process ends: two that write whole directories would undo each other's."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise OSError(f"{folder} is in use by another emulator") from error


def _line(item: dict[str, Any]) -> bytes:
    return json.dumps(item, separators=(",", ":")).encode() + b"\n"


def _lines(path: Path) -> list[dict[str, Any]]:
    """The lines of the log; half a line at the end, of a moment that was cut short, is left out."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1] if line]


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file in one step, for its owner alone: it is whole or as it was before, also after a power cut."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
