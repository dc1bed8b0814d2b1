"""Encrypted copies of what was read, so that programs start and go on while the server does not answer.

A copy opens only with the key, for the same server, identity and folder, and only for a while. With the key in a file beside
it, it protects against whoever gets the copies alone (a backup, another container), not against whoever may read both.
"""

import json
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from keyturn.client.domain import SecretSet, Source
from keyturn.client.files import write_file
from keyturn.client.settings import Settings
from keyturn.errors import Misconfigured
from keyturn.kit.secret import Plaintext

MOST_AGE = timedelta(hours=24)
_MAGIC = b"keyturn-cache-1\n"
_NONCE = 12
_SYSTEMD_CREDENTIAL = "keyturn-cache-key"


@dataclass(frozen=True)
class CacheFile:
    """The copy for one source. ``warn`` is told why a copy that is there cannot be used."""

    path: Path
    key: bytes
    binding: bytes
    warn: Callable[[str], None]

    def save(self, secret_set: SecretSet) -> None:
        """Write the copy, whole or not at all. A disk that is full is told, and stops nobody."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        content = {
            "readAt": secret_set.read_at.isoformat(),
            "tag": secret_set.tag,
            "values": {name: value.reveal() for name, value in secret_set.values.items()},
        }
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(self.key).encrypt(nonce, json.dumps(content).encode(), self.binding)
        try:
            write_file(self.path, _MAGIC + nonce + sealed, mode=0o600)
        except OSError as error:
            self.warn(f"The encrypted copy {self.path} cannot be written ({error.strerror}).")

    def load(self, now: datetime, most_age: timedelta = MOST_AGE) -> SecretSet | None:
        """Return the copy; None when there is none that may be used: too old, of somebody else, damaged."""
        content = self._content()
        if content is None:
            return None
        try:
            opened = json.loads(content)
            values = {str(name): Plaintext(value) for name, value in opened["values"].items()}
            secret_set = SecretSet(values, str(opened["tag"]), datetime.fromisoformat(opened["readAt"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            self.warn(f"The encrypted copy {self.path} is not used: it was written by another version.")
            return None
        # One from the future was written by a clock that was wrong: nobody knows how old it is.
        if not timedelta(minutes=-5) <= now - secret_set.read_at <= most_age:
            self.warn(
                f"The encrypted copy {self.path} is not used: it is of {secret_set.read_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
            )
            return None
        return secret_set

    def forget(self) -> None:
        """Remove the copy: the server refused what it holds. Safe to repeat."""
        self.path.unlink(missing_ok=True)

    def _content(self) -> bytes | None:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        try:
            raw = _read_own(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.warn(f"The encrypted copy {self.path} is not used: {error.strerror or error}.")
            return None
        if not raw.startswith(_MAGIC):
            self.warn(f"The encrypted copy {self.path} is not used: it was written by another version.")
            return None
        sealed = raw[len(_MAGIC) :]
        try:
            return AESGCM(self.key).decrypt(sealed[:_NONCE], sealed[_NONCE:], self.binding)
        except (InvalidTag, ValueError):
            self.warn(f"The encrypted copy {self.path} is not used: it is damaged, or was written with another key.")
            return None


def cache_file(
    settings: Settings, identity: str, source: Source, environ: Mapping[str, str], warn: Callable[[str], None]
) -> CacheFile:
    """Return the copy's place for this server, identity and source. Makes the key at first use.

    Raises Misconfigured for a key that cannot be used.
    """
    folder = settings.file("cache_dir") or _usual_folder(settings, environ, "XDG_CACHE_HOME", ".cache")
    binding = "\x1f".join((settings.url, identity, *source.binding())).encode()
    key = cache_key(settings, environ)
    return CacheFile(folder / f"{sha256(binding).hexdigest()[:32]}.sealed", key, binding, warn)


def _usual_folder(settings: Settings, environ: Mapping[str, str], variable: str, beside: str) -> Path:
    return Path(environ.get(variable) or settings.home / beside) / "keyturn"


def cache_key(settings: Settings, environ: Mapping[str, str]) -> bytes:
    """Return the key: of the file that is set, of a credential of systemd, or of a file of this user, made if need be.

    Raises Misconfigured for one that cannot be used.
    """
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    given = settings.file("cache_key_file")
    if given is None and credentials and (Path(credentials) / _SYSTEMD_CREDENTIAL).exists():
        given = Path(credentials) / _SYSTEMD_CREDENTIAL
    if given is not None:
        try:
            return _derived(given.read_bytes(), given)
        except OSError as error:
            raise _unusable(given, error.strerror or type(error).__name__) from None
    path = _usual_folder(settings, environ, "XDG_STATE_HOME", ".local/state") / "cache.key"
    try:
        return _derived(_read_own(path), path)
    except FileNotFoundError:
        return _made(path)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None


def _made(path: Path) -> bytes:
    content = secrets.token_hex(32).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        write_file(draft, content, mode=0o600)
        try:
            # It is there whole or not at all, whoever dies or looks meanwhile. Of two that make it at once the first one counts.
            os.link(draft, path)
        finally:
            draft.unlink()
    except FileExistsError:
        content = _read_own(path)
    except OSError as error:
        raise _unusable(path, error.strerror or type(error).__name__) from None
    return _derived(content, path)


def _derived(content: bytes, path: Path) -> bytes:
    if len(content.strip()) < 32:
        raise _unusable(path, "it holds fewer than 32 characters")
    return sha256(b"keyturn cache key\n" + content.strip()).digest()


def _read_own(path: Path) -> bytes:
    """Read a file that nobody but this user can have written. Raises OSError, also for one that somebody else can write."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid():
            raise PermissionError(1, "it belongs to another user")
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o022:
            raise PermissionError(1, "others can write it")
        return file.read()


def _unusable(path: Path, why: str) -> Misconfigured:
    return Misconfigured(
        f"The key of the encrypted copies in {path} cannot be used: {why}.",
        code="client.cache_key",
        fix="Give another file with KEYTURN_CACHE_KEY_FILE, or remove this one: a new key is made, and copies are read anew.",
    )
