"""Opens the keys that people paste without letting any of them occupy the server: measured first, then opened.

What is light is opened here; all else in a process of its own, with a limit of processor time, one at a time.
"""

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta

from keyturn.errors import TooMany
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure import opener
from keyturn.providers.azure.der import MOST_BITS, DerKind, TooMuch, Unreadable, modulus_bits, work_of
from keyturn.providers.azure.files import Piece
from keyturn.providers.azure.opener import OpenedKeyFile, Unopened

LIGHT_BITS = 4096
LIGHT_ROUNDS = 100_000
LIGHT_ENCRYPTED = 1400
"""Bytes. What is inside an encrypted key shows only afterwards; no key of more than 4096 bits is so short."""
LONGEST_WAIT = timedelta(seconds=60)
# Of the environment the other process gets what Python may need to start, and no setting of this server.
_NEEDED = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LANG", "LC_ALL", "TMPDIR")
_ONE_AT_A_TIME = threading.Lock()

Run = Callable[[str, bytes, bytes | None], OpenedKeyFile]


def open_piece(piece: Piece, passphrase: Plaintext | None) -> OpenedKeyFile:
    """Open a key or a PFX file. Raises TooMuch, Unreadable, Unopened, or TooMany when others are being opened for long."""
    secret = passphrase.reveal().encode() if passphrase and len(passphrase) else None
    form, data, light = _measure(piece)
    if not (piece.kind == DerKind.PFX or needs_passphrase(piece)):
        secret = None
    run: Run = opener.open_file if light else in_process
    if form == "pfx" and secret is None:
        return _without_passphrase(run, data)
    return run(form, data, secret)


def needs_passphrase(piece: Piece) -> bool:
    """Whether it is a key that is surely encrypted. A PFX file may be protected by no passphrase or by an empty one."""
    return piece.kind == DerKind.ENCRYPTED_KEY


def _measure(piece: Piece) -> tuple[str, bytes, bool]:
    """Return how to open it, and whether that is light. Raises TooMuch and Unreadable before anything is done."""
    if piece.dek:
        return "pem", _old_pem(piece), len(piece.data) <= LIGHT_ENCRYPTED
    if piece.kind == DerKind.PFX:
        work_of(DerKind.PFX, piece.data)
        return "pfx", piece.data, False
    if piece.kind == DerKind.ENCRYPTED_KEY:
        light = work_of(DerKind.ENCRYPTED_KEY, piece.data) <= LIGHT_ROUNDS and len(piece.data) <= LIGHT_ENCRYPTED
        return "der", piece.data, light
    if piece.kind not in {DerKind.KEY, DerKind.RSA_KEY}:
        raise Unreadable
    bits = modulus_bits(DerKind(piece.kind), piece.data)
    if bits > MOST_BITS:
        raise TooMuch
    return "der", piece.data, bits <= LIGHT_BITS


def _old_pem(piece: Piece) -> bytes:
    """Write a key in the old encryption of PEM as its readers want it."""
    cipher, start = piece.dek or ("", "")
    label = piece.label or "RSA PRIVATE KEY"
    body = base64.encodebytes(piece.data).decode()
    head = f"Proc-Type: 4,ENCRYPTED\nDEK-Info: {cipher},{start}\n\n"
    return f"-----BEGIN {label}-----\n{head}{body}-----END {label}-----\n".encode()


def _without_passphrase(run: Run, data: bytes) -> OpenedKeyFile:
    try:
        return run("pfx", data, None)
    except Unopened as unopened:
        if unopened.why != "passphrase":
            raise
    return run("pfx", data, b"")


def in_process(form: str, data: bytes, passphrase: bytes | None) -> OpenedKeyFile:
    """Open it in another process. Raises as ``opener.open_file`` does, TooMuch after its time is over, and TooMany."""
    if not _ONE_AT_A_TIME.acquire(timeout=LONGEST_WAIT.total_seconds()):
        raise TooMany(
            "Other keys that take long to open are being opened.",
            code="azure.key_waits",
            retry_after=LONGEST_WAIT,
            fix="Try again in a minute.",
        )
    try:
        return _ask_opener(form, data, passphrase)
    finally:
        _ONE_AT_A_TIME.release()


def _ask_opener(form: str, data: bytes, passphrase: bytes | None) -> OpenedKeyFile:
    secret = None if passphrase is None else passphrase.decode()
    request = json.dumps({"form": form, "data": base64.b64encode(data).decode(), "passphrase": secret})
    environment = {name: os.environ[name] for name in _NEEDED if name in os.environ}
    try:
        process = subprocess.run(  # noqa: S603 - this interpreter and a module of ours
            [sys.executable, "-P", "-m", opener.__name__],
            input=request.encode() + b"\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=LONGEST_WAIT.total_seconds(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TooMuch from None
    if process.returncode < 0:
        raise TooMuch  # ended for its processor time, or for its memory
    if process.returncode or not process.stdout:
        raise Unopened("malformed")
    return opener.decode(process.stdout)
