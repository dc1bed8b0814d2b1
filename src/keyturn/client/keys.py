"""The key of the encrypted copies: from a file that is named, a credential of systemd, a keyring, or a file of this user.

What each does not protect against. A file beside the copies: whoever may read both. A credential of systemd: root, and whoever
may become this user while the unit runs; on the disk it is sealed only where systemd-creds sealed it. A keyring: every program
of the same session, as it is open while that lasts.
"""

import os
import secrets
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from keyturn.client.files import read_own, write_file
from keyturn.client.settings import Settings
from keyturn.errors import Misconfigured

_SYSTEMD_CREDENTIAL = "keyturn-cache-key"
_KEYRING_ENTRY = ("keyturn", "cache-key")


def usual_folder(settings: Settings, environ: Mapping[str, str], variable: str, beside: str) -> Path:
    return Path(environ.get(variable) or settings.home / beside) / "keyturn"


def cache_key(settings: Settings, environ: Mapping[str, str], warn: Callable[[str], None]) -> bytes | None:
    """Return the key: of the file that is set, of a credential of systemd, of the keyring, or of a file of this user.

    The last two are made if need be. None, and ``warn`` is told, when no file can be made: a full disk stops nobody.
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
    place = settings.get("cache_key_place") or "file"
    if place == "keyring":
        return _of_keyring()
    if place != "file":
        raise Misconfigured(
            f"There is no place '{place}' for the key of the encrypted copies.",
            code="client.cache_key",
            fix="Set KEYTURN_CACHE_KEY_PLACE to keyring or file.",
        )
    path = usual_folder(settings, environ, "XDG_STATE_HOME", ".local/state") / "cache.key"
    try:
        return _derived(read_own(path), path)
    except FileNotFoundError:
        return _made(path, warn)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None


def _made(path: Path, warn: Callable[[str], None]) -> bytes | None:
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
        content = read_own(path)
    except OSError as error:
        why = error.strerror or type(error).__name__
        warn(
            f"NO COPY IS KEPT: the key {path} cannot be made ({why}). While the server does not answer, nothing can be started."
        )
        return None
    return _derived(content, path)


def _of_keyring() -> bytes:
    """Return the key that the keyring of this user holds, made if need be."""
    try:
        import keyring  # noqa: PLC0415 - an extra, and large
        import keyring.errors  # noqa: PLC0415
    except ModuleNotFoundError:
        raise Misconfigured(
            "The key of the encrypted copies should be in the keyring, and the package for it is not installed.",
            code="client.no_keyring",
            fix='Install it: pip install "keyturn[keyring]"',
        ) from None
    try:
        known = keyring.get_password(*_KEYRING_ENTRY)
        if known is None:
            keyring.set_password(*_KEYRING_ENTRY, secrets.token_hex(32))
            known = keyring.get_password(*_KEYRING_ENTRY)  # of two that make it at once the last one counts
    except keyring.errors.KeyringError as error:
        raise Misconfigured(
            f"The keyring of this user cannot be used ({type(error).__name__}).",
            code="client.no_keyring",
            fix="Unlock it, or keep the key elsewhere: KEYTURN_CACHE_KEY_FILE, or a credential of systemd.",
        ) from None
    return _derived((known or "").encode(), Path("keyring"))


def _derived(content: bytes, path: Path) -> bytes:
    if len(content.strip()) < 32:
        raise _unusable(path, "it holds fewer than 32 characters")
    return sha256(b"keyturn cache key\n" + content.strip()).digest()


def _unusable(path: Path, why: str) -> Misconfigured:
    return Misconfigured(
        f"The key of the encrypted copies in {path} cannot be used: {why}.",
        code="client.cache_key",
        fix="Give another file with KEYTURN_CACHE_KEY_FILE, or remove this one: a new key is made, and copies are read anew.",
    )
