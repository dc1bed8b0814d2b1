"""Encrypted copies of what was read, so that programs start and go on while the server does not answer.

A copy opens only with the key, for the same server, identity and folder. What the place of the key does not protect: ``keys``.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from keyturn.client.domain import SecretSet, Source
from keyturn.client.files import read_own, write_file
from keyturn.client.keys import cache_key, usual_folder
from keyturn.client.settings import Settings
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext

MOST_AGE = timedelta(hours=24)
_MAGIC = b"keyturn-cache-1\n"
_NONCE = 12


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
            "keyIds": secret_set.key_ids,
            "versions": dict(secret_set.versions),
            "usableUntil": secret_set.usable_until.isoformat() if secret_set.usable_until else None,
        }
        nonce = secrets.token_bytes(_NONCE)
        sealed = AESGCM(self.key).encrypt(nonce, json.dumps(content).encode(), self.binding)
        try:
            write_file(self.path, _MAGIC + nonce + sealed, mode=0o600)
        except OSError as error:
            self.warn(f"The encrypted copy {self.path} cannot be written ({error.strerror}).")

    def load(self, now: datetime) -> SecretSet | None:
        """Return the copy, however old it is; None when there is none that can be used: of somebody else, damaged."""
        content = self._content()
        if content is None:
            return None
        try:
            opened = json.loads(content)
            values = {str(name): Plaintext(value) for name, value in opened["values"].items()}
            until = opened.get("usableUntil")
            secret_set = SecretSet(
                values,
                str(opened["tag"]),
                datetime.fromisoformat(opened["readAt"]),
                tuple(map(str, opened.get("keyIds", ()))),
                datetime.fromisoformat(until) if until else None,
                opened.get("versions", {}),
            )
            age = now - secret_set.read_at
        except (ValueError, KeyError, TypeError, AttributeError):
            self.warn(f"The encrypted copy {self.path} is not used: it was written by another version.")
            return None
        # One from the future was written by a clock that was wrong: nobody knows how old it is.
        if age < timedelta(minutes=-5):
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
            raw = read_own(self.path)
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
) -> CacheFile | None:
    """Return the copy's place for this server, identity and source. Makes the key at first use.

    None, and ``warn`` is told, when there is no place for a key. Raises Misconfigured for a key that cannot be used.
    """
    folder = settings.file("cache_dir") or usual_folder(settings, environ, "XDG_CACHE_HOME", ".cache")
    binding = "\x1f".join((settings.url, identity, *source.binding())).encode()
    key = cache_key(settings, environ, warn)
    return CacheFile(folder / f"{sha256(binding).hexdigest()[:32]}.sealed", key, binding, warn) if key else None
