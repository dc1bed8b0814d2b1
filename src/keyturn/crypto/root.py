"""The root key: read from the environment or a key file, or unwrapped by a vault; named by an id that does not give it away."""

import base64
import binascii
import errno
import hashlib
import itertools
import os
import re
import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keyturn.crypto import envelope
from keyturn.errors import Misconfigured
from keyturn.kit.common import common_passwords
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.modes import Reach, reach

HOW_TO_KEEP_PRIVATE = (
    "Give the key as ENCRYPTION_KEY from a Secret, "
    "or let the volume keep its modes: fsGroupChangePolicy: OnRootMismatch."
)
HOW_TO_MAKE_ONE = "Generate a key with: keyturn keys generate (or: openssl rand -hex 32)"
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS})
_HEX = re.compile(r"(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{64})\Z")
# Keys printed in public documentation or sample files. Whoever copies one has no encryption at all.
_SAMPLES = frozenset({"f13dbc92aaaf86fa7cb0ed8ac3265f47", "6c1fe4e407b8911c104518103505b218"})
# Also printed in public: keys of AES examples (FIPS 197, NIST SP 800-38A, RFC 3602). Taken by releases before.
_EXAMPLES = frozenset(
    {
        "2b7e151628aed2a6abf7158809cf4f3c",
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        "06a9214036b8a15b512e03d534120006",
        "c286696d887c9aa0611bbb3e2025a45a",
        "56e47a38c5598974bc46903dba290349",
    }
)
_WORDS = (
    "password keyturn infisical secret secrets changeme change-me encryption encryption-key encryption_key key rootkey"
    " root-key root_key masterkey master-key test testing example demo default admin root hello hunter2 123456 12345678"
    " 123456789 1234567890 password1 password123 test123 admin123 secret123 qwerty123 azure microsoft entra"
)


class RootKey:
    """The key that wraps data keys. Its ``id`` is safe to show: 16 hex characters of a hash."""

    __slots__ = ("_key", "_typed", "id")

    def __init__(self, key: bytes, typed: bytes | None = None) -> None:
        """``typed`` is what the key was read from, where somebody may have typed it."""
        self._typed = typed
        if len(key) != envelope.KEY_BYTES:
            raise ValueError("a root key has 32 bytes")
        self._key = key
        self.id = hashlib.sha256(b"keyturn root key id\x1f" + key).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"RootKey({self.id})"

    def reveal(self) -> bytes:
        """Return the key itself, for the vault that wraps it. It goes nowhere else."""
        return self._key

    @property
    def guessable(self) -> bool:
        """Whether somebody could find it by trying: databases that have it must open, new ones do not get it.

        Tries tens of thousands of words at each call.
        """
        return self._typed is not None and _findable(self._typed)

    def wrap(self, key_id: str, data_key: bytes) -> str:
        """Encrypt a data key, bound to its id and to this root key's id."""
        return envelope.wrap(self._key, data_key, self._binding(key_id))

    def unwrap(self, key_id: str, wrapped: str) -> bytes | None:
        """Decrypt a data key; None when it was damaged or moved."""
        return envelope.unwrap(self._key, wrapped, self._binding(key_id))

    def _binding(self, key_id: str) -> bytes:
        return f"keyturn data key\x1f{key_id}\x1f{self.id}".encode()

    @classmethod
    def parse(cls, text: str, name: str) -> "RootKey":
        """Read 32 hex characters, 64 hex characters or the base64 of 32 bytes.

        16 bytes are expanded to 32 with HKDF-SHA256. Raises Misconfigured, naming the source and never the key, when
        the text is none of these or the key is one that anybody could guess.
        """
        raw = _decode(text.strip(), name)
        if _guessable(raw):
            raise Misconfigured(
                f"{name} is a key that anybody could guess.", code="crypto.root_key_weak", fix=HOW_TO_MAKE_ONE
            )
        if len(raw) == envelope.KEY_BYTES:
            return cls(raw, raw)
        wide = HKDF(SHA256(), envelope.KEY_BYTES, salt=None, info=b"keyturn root key from 16 bytes").derive(raw)
        return cls(wide, raw)


def _decode(text: str, name: str) -> bytes:
    if _HEX.match(text):
        return bytes.fromhex(text)
    try:
        raw = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != envelope.KEY_BYTES:
        raise Misconfigured(
            f"{name} is not a key: it needs 32 or 64 hexadecimal characters, or the base64 of 32 bytes, "
            f"but has {len(text)} characters.",
            code="crypto.root_key_malformed",
            fix="Put back the key that was used so far, from your backup: a new one opens nothing that is stored. "
            "Only for a new installation: openssl rand -hex 32",
        )
    return raw


def _guessable(raw: bytes) -> bool:
    half = len(raw) // 2
    steps = {(after - before) % 256 for before, after in itertools.pairwise(raw)}
    # 16 random bytes have fewer than 8 different values once in some 10**8 keys.
    return raw.hex() in _SAMPLES or len(set(raw)) < half or len(steps) == 1 or raw[:half] == raw[half:]


def _findable(raw: bytes) -> bool:
    """Say whether somebody typed the bytes, copied them from an example, or took the digest of a common word."""
    if raw.hex() in _EXAMPLES or all(0x20 <= byte < 0x7F for byte in raw):  # 16 random bytes: once in 10**7 keys
        return True
    make = hashlib.sha256 if len(raw) == envelope.KEY_BYTES else hashlib.md5
    words = {"", *_WORDS.split(), *common_passwords()}
    words |= {word.capitalize() for word in words} | {word.upper() for word in words}
    # With a line break, as `echo word | sha256sum` has it.
    return any(make(text.encode()).digest() == raw for word in words for text in (word, f"{word}\n"))


def refuse_guessable(key: RootKey, name: str) -> None:
    """Raise Misconfigured for a key that could be found by trying: nothing new is to be sealed under it."""
    if key.guessable:
        raise Misconfigured(
            f"{name} is a key that can be found by trying: text, an example, or the digest of a common word.",
            code="crypto.root_key_weak",
            fix=HOW_TO_MAKE_ONE,
        )


def warning_of(key: RootKey, name: str) -> str | None:
    """Return what to say while a database still has a key that can be found by trying."""
    if not key.guessable:
        return None
    return (
        f"{name} is a key that can be found by trying: whoever has a copy of the database can read its secrets. Change it:"
        " set ENCRYPTION_KEY to the output of `keyturn keys generate` and ENCRYPTION_KEY_PREVIOUS to the present key, restart"
        " all servers, then run `keyturn keys rotate`."
    )


def generate() -> str:
    """Return a fresh root key as 64 hex characters."""
    return os.urandom(envelope.KEY_BYTES).hex()


@dataclass(frozen=True, slots=True)
class RootKeys:
    """The root key in use, during a change of it the one before, and where to look for those of other places."""

    current: RootKey
    previous: RootKey | None = None
    elsewhere: Callable[[str], RootKey | None] | None = None

    def find(self, root_key_id: str) -> RootKey | None:
        """Return the key with this id, if it is here. Raises what a vault raises that is asked for it."""
        here = next((key for key in (self.current, self.previous) if key is not None and key.id == root_key_id), None)
        return self.elsewhere(root_key_id) if here is None and self.elsewhere is not None else here


class RootKeySource(Protocol):
    """Where the root key comes from."""

    @property
    def name(self) -> str:
        """What to call it in messages, e.g. ``ENCRYPTION_KEY``."""
        ...

    def load(self, *, may_create: bool = False) -> RootKeys:
        """Return the keys as they are now. ``may_create``: a missing key may be made, as the database has no data keys.

        Raises Misconfigured with one sentence and the fix. Repeatable.
        """
        ...


@dataclass(frozen=True)
class GivenRoot:
    """Keys given by the operator through the environment."""

    keys: RootKeys
    name: str = "ENCRYPTION_KEY"

    def load(self, *, may_create: bool = False) -> RootKeys:
        return self.keys


class KeyFile:
    """A root key in a file beside the embedded database, readable by its owner only.

    While the key is being changed, ``<name>.previous`` holds the one before.
    """

    def __init__(self, path: Path, notice: Callable[[str], None]) -> None:
        self.path = path
        self.previous_path = path.with_name(path.name + ".previous")
        self._told = set[str]()
        self._teller = notice

    @property
    def name(self) -> str:
        return f"The key file {self.path}"

    def _notice(self, text: str) -> None:
        """Say it once, however often the file is read."""
        if text not in self._told:
            self._told.add(text)
            self._teller(text)

    def load(self, *, may_create: bool = False) -> RootKeys:
        if not self.path.exists():
            if not may_create:
                raise Misconfigured(
                    f"The database holds sealed values, but its key file {self.path} is missing.",
                    code="crypto.key_file_missing",
                    fix="Put the key file back from your backup, or set ENCRYPTION_KEY; a new key opens nothing.",
                )
            self._create()
        current = _read(self.path, self._notice)
        return RootKeys(current, _read(self.previous_path, self._notice) if self.previous_path.exists() else None)

    def replace(self) -> RootKeys:
        """Put a fresh key into the file and keep the old one as ``.previous``.

        Killed anywhere, it leaves files that load; called again, it continues the change instead of beginning another.
        """
        keys = self.load()
        if keys.previous is None:
            self._put(self.previous_path, self.path.read_text())
        if keys.previous is None or keys.previous.id == keys.current.id:
            self._put(self.path, generate())
        return self.load()

    def _put(self, path: Path, text: str) -> None:
        draft = path.with_name(path.name + ".new")
        draft.unlink(missing_ok=True)
        write_private(draft, text)
        draft.replace(path)
        _sync_directory(path.parent)

    def forget_previous(self) -> None:
        """Delete the key before, when nothing is wrapped with it any more. Repeatable."""
        self.previous_path.unlink(missing_ok=True)
        _sync_directory(self.path.parent)

    def _create(self) -> None:
        draft = self.path.with_name(f"{self.path.name}.{os.urandom(4).hex()}.new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(draft, generate())
            try:
                os.link(draft, self.path)  # complete or absent, and never over a key that another process just made
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                write_private(self.path, draft.read_text())
            finally:
                draft.unlink()
            _sync_directory(self.path.parent)
        except FileExistsError:
            return
        except OSError as error:
            raise Misconfigured(
                f"The key file {self.path} cannot be made: {error.strerror}.",
                code="crypto.key_file_unwritable",
                fix="Make the data directory writable for this user, or set ENCRYPTION_KEY.",
            ) from error
        self._notice(
            f"A new root key was made: {self.path}. Back it up apart from the database: "
            "without it the stored secrets are lost."
        )


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner may read, and make it durable. Raises FileExistsError if it is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text.strip() + "\n")
        file.flush()
        os.fsync(descriptor)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, notice: Callable[[str], None]) -> RootKey:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(256)
    except OSError as error:
        raise Misconfigured(
            f"The key file {path} cannot be read: {error.strerror}.",
            code="crypto.key_file_unreadable",
            fix="Run Keyturn as the user who owns the data directory.",
        ) from error
    mode = stat.S_IMODE(status.st_mode)
    by_whom = reach(status, path.parent.stat())
    if by_whom is Reach.OTHERS:
        raise Misconfigured(
            f"The key file {path} may be read by other users of this machine (mode {mode & 0o777:04o}).",
            code="crypto.key_file_exposed",
            fix=f"Run: chmod 600 {shlex.quote(str(path))}. Where a volume's fsGroup undoes that at each mount: "
            f"{HOW_TO_KEEP_PRIVATE}",
        )
    if by_whom is Reach.VOLUME:
        notice(
            f"The key file {path} has mode {mode & 0o777:04o}: all programs of group {status.st_gid} may read it, "
            "as may all files of this volume."
        )
    return RootKey.parse(data.decode("ascii", errors="replace"), f"The key file {path}")
