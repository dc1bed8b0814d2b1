"""How the text of a variable becomes a value. A parser raises ValueError whose text is the fault, never the value."""

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import sqlalchemy as sa

from keyturn.db.engine import parse_url
from keyturn.errors import Misconfigured
from keyturn.kit import bech32, pasted
from keyturn.kit.host_names import ascii_host
from keyturn.kit.ids import is_uuid
from keyturn.kit.secret import Plaintext
from keyturn.settings.model import TokenSourceSetting

Network = IPv4Network | IPv6Network

_HOST = re.compile(r"[0-9A-Za-z.:\-_\[\]%]{1,253}\Z")
_SUB_PATH = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*\Z")
_DAY = 86_400.0
_VAULT_KEY = re.compile(r"[0-9A-Za-z-]{1,127}\Z")
_SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}\Z")
_SOURCE_ARGUMENTS = {
    "file": re.compile(r"/[^\x00]*[^/\x00]\Z"),
    "variable": re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z"),
    "github": re.compile(r"\Z"),
    "managed-identity": re.compile(r"([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})?\Z"),
}
"""What kinds of token sources there are, and what stands behind the colon."""
_SERVICE_LINK = re.compile(r"(?:tcp|udp|sctp)://\S+", re.IGNORECASE)
_SERVICE_VARIABLE = re.compile(
    r"\w+_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO))?)"
)


def is_service_link(value: str) -> bool:
    """Say whether Kubernetes made this value: it gives each pod ``<NAME>_PORT=tcp://10.0.0.5:80`` for each Service."""
    return _SERVICE_LINK.fullmatch(value) is not None


def is_service_variable(name: str, value: str) -> bool:
    """Say whether Kubernetes made this variable for a Service."""
    return _SERVICE_VARIABLE.fullmatch(name) is not None or is_service_link(value)


def whole(least: int, most: int) -> Callable[[str], int]:
    """Parser of whole numbers within bounds."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,12}", text):
            raise ValueError("is not a whole number")
        number = int(text)
        if not least <= number <= most:
            raise ValueError(f"is not between {least} and {most}")
        return number

    return parse


def days(least: int, most: int = 36_500) -> Callable[[str], int]:
    """Parser of a number of days, which may be 0 where that stands for no end."""
    number = whole(0, most)

    def parse(text: str) -> int:
        count = number(text)
        if 0 < count < least:
            raise ValueError(f"is neither 0 nor between {least} and {most}")
        return count

    return parse


def seconds(least: float = 0.0, most: float = _DAY) -> Callable[[str], timedelta]:
    """Parser of durations in seconds, fractions allowed."""

    def parse(text: str) -> timedelta:
        try:
            number = float(text)
        except ValueError:
            raise ValueError("is not a number of seconds") from None
        if not math.isfinite(number) or not least <= number <= most:
            raise ValueError(f"is not between {least:g} and {most:g} seconds")
        return timedelta(seconds=number)

    return parse


def choice(*options: str) -> Callable[[str], str]:
    """Parser of one of several words, in either case."""
    by_lower = {option.lower(): option for option in options}

    def parse(text: str) -> str:
        if text.lower() not in by_lower:
            raise ValueError(f"is none of: {', '.join(options)}")
        return by_lower[text.lower()]

    return parse


def switch(text: str) -> bool:
    """true or false."""
    if text.lower() not in {"true", "false"}:
        raise ValueError("is neither true nor false")
    return text.lower() == "true"


def word(text: str) -> str:
    """Any text without control characters."""
    if not text.isprintable():
        raise ValueError("holds control characters")
    return text


def secret(text: str) -> Plaintext:
    """Any text that can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("is not UTF-8") from None
    return Plaintext(text)


def host(text: str) -> str:
    """A host name or address."""
    name = ascii_host(text)
    if not _HOST.match(name):
        raise ValueError("is not a host name or address")
    return name.strip("[]")


def setup_code(text: str) -> Plaintext:
    """A code of at least 16 letters and digits; whatever stands between them does not count."""
    signs = sum(sign.isalnum() for sign in text)
    if signs < 16:
        raise ValueError(f"has {signs} letters and digits, of 16 at least")
    if len(text) > 256:
        raise ValueError("has more than 256 characters")
    return Plaintext(text)


def bearer_token(text: str) -> Plaintext:
    """What a program sends as ``Authorization: Bearer``: at least 16 printable characters without spaces."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("holds spaces, control characters or letters beyond ASCII")
    if not 16 <= len(text) <= 512:
        raise ValueError(f"has {len(text)} characters, where 16 to 512 are taken")
    return Plaintext(text)


def entra_secret(text: str) -> Plaintext:
    """A client secret of Entra ID. Files of variables keep the quotes around it: they are taken away, as on the pages."""
    return secret(pasted.secret(text))


def guid(text: str) -> str:
    """A client id, whatever it was pasted with."""
    plain = pasted.identifier(text)
    if not is_uuid(plain):
        raise ValueError("is not a UUID")
    return plain


def guids(text: str) -> tuple[str, ...]:
    """Ids, separated by commas or spaces."""
    return tuple(dict.fromkeys(guid(part) for part in text.replace(",", " ").split()))


def folder(text: str) -> Path:
    """A folder, which need not exist yet."""
    path = _path(text)
    if path.exists() and not path.is_dir():
        raise ValueError("is a file, not a folder")
    return path


def file_to_write(text: str) -> Path:
    """A file, which need not exist yet."""
    path = _path(text)
    if path.is_dir():
        raise ValueError("is a folder, not a file")
    return path


def existing_file(text: str) -> Path:
    """A file that can be read."""
    path = _path(text)
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise ValueError(f"names a file that cannot be read ({error.strerror})") from None


def _path(text: str) -> Path:
    """Return where it leads, from here and from home. Raises ValueError for what no system takes as a path."""
    if "\x00" in text:
        raise ValueError("is not a path")
    try:
        path = Path(text).expanduser().absolute()
        path.exists()
    except RuntimeError:
        raise ValueError("begins with ~ and a name that has no home directory: give the whole path") from None
    except OSError as error:
        raise ValueError(f"is not a path ({error.strerror})") from None
    return path


def site_url(text: str) -> str:
    """An http or https origin, with a path where the host is shared; a trailing slash is dropped."""
    origin = _origin(text, ("http", "https"), with_path=True)
    path = _split(text)[0].path.strip("/")
    if path and not _SUB_PATH.match(path):
        raise ValueError("has a path with more than letters, digits, - and _ between single slashes")
    return f"{origin}/{path}" if path else origin


def origin(text: str) -> str:
    """An http or https origin; a trailing slash is dropped."""
    return _origin(text, ("http", "https"))


def secure_origin(text: str) -> str:
    """An https origin: secrets travel there."""
    return _origin(text, ("https",))


def origins(text: str) -> tuple[str, ...]:
    """A JSON array of http or https origins."""
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError("is not a JSON array of texts")
    return tuple(origin(item) for item in items)


def syslog(text: str) -> tuple[str, str, int]:
    """The address of a syslog server: how it is reached, host and port."""
    parts, port = _split(text)
    if parts.scheme not in {"udp", "tcp", "tls"}:
        raise ValueError("does not begin with udp://, tcp:// or tls://")
    if not parts.hostname or "@" in parts.netloc or parts.path.strip("/"):
        raise ValueError("is more, or less, than a host and a port")
    if not port:
        raise ValueError("has no port")
    return parts.scheme, _host_of(parts), port


def https_address(text: str) -> str:
    """An https address with a path, without a user name."""
    parts, port = _split(text)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("does not begin with https:// and a host name")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError("holds a user name or a fragment")
    host = _host_of(parts)
    return text if parts.netloc.isascii() else parts._replace(netloc=f"{host}:{port}" if port else host).geturl()


def webhook_secret(text: str) -> Plaintext:
    """A secret of webhooks as its specification writes it."""
    try:
        length = len(base64.b64decode(text.removeprefix("whsec_"), validate=True))
    except (binascii.Error, ValueError):
        length = 0
    if not text.startswith("whsec_") or not 24 <= length <= 64:
        raise ValueError("is not whsec_ and base64 of 24 to 64 bytes")
    return Plaintext(text)


def networks(text: str) -> tuple[Network, ...]:
    """Addresses or networks in CIDR form, separated by commas or spaces."""
    try:
        return tuple(ip_network(part, strict=False) for part in text.replace(",", " ").split())
    except ValueError:
        raise ValueError("holds something that is no address or network") from None


def backup_keys(text: str) -> tuple[str, ...]:
    """Parser of public keys that backups are encrypted for."""
    keys = tuple(text.replace(",", " ").split())
    if any(key.upper().startswith("AGE-SECRET-KEY-") for key in keys):
        raise ValueError(
            "holds a private key: give the public one, which begins with age1, and keep the private one elsewhere"
        )
    for key in keys:
        if len(bech32.decode("age", key) or b"") != 32:
            raise ValueError("is not a public key as keyturn backup key prints it, or was mistyped")
    return keys


def token_sources(text: str) -> tuple[TokenSourceSetting, ...]:
    """``name=kind`` or ``name=kind:argument``, separated by commas or spaces."""
    sources = [_token_source(part) for part in text.replace(",", " ").split()]
    if len({source.name for source in sources}) < len(sources):
        raise ValueError("names a source twice")
    return tuple(sources)


def vault_keys(text: str) -> tuple[str, ...]:
    """Addresses of keys of vaults without a version, separated by spaces."""
    return tuple(dict.fromkeys(_vault_key(part) for part in text.replace(",", " ").split()))


def _vault_key(text: str) -> str:
    parts, _ = _split(text)
    where = parts.path.strip("/").split("/")
    if len(where) == 3 and where[0] == "keys" and where[2]:
        raise ValueError("names a version of a key; leave the version out")
    if len(where) != 2 or where[0] != "keys" or not _VAULT_KEY.match(where[1]):
        raise ValueError("is not the address of a key, as https://contoso.vault.azure.net/keys/keyturn")
    return f"{secure_origin(f'{parts.scheme}://{parts.netloc}')}/keys/{where[1]}"


def _token_source(text: str) -> TokenSourceSetting:
    name, _, rest = text.partition("=")
    kind, _, argument = rest.partition(":")
    if not _SOURCE_NAME.match(name):
        raise ValueError("holds a name with more than lower-case letters, digits and -")
    if kind not in _SOURCE_ARGUMENTS:
        raise ValueError(f"holds a kind that is none of: {', '.join(_SOURCE_ARGUMENTS)}")
    if not _SOURCE_ARGUMENTS[kind].match(argument):
        raise ValueError(f"holds a source of the kind {kind} with a wrong argument, or without one")
    return TokenSourceSetting(name, kind, argument)


def _origin(text: str, schemes: tuple[str, ...], *, with_path: bool = False) -> str:
    parts, port = _split(text)
    if parts.scheme not in schemes:
        raise ValueError(f"does not begin with {' or '.join(scheme + '://' for scheme in schemes)}")
    host = _host_of(parts)
    if "@" in parts.netloc:
        raise ValueError("holds a user name")
    if (parts.path.strip("/") and not with_path) or parts.query or parts.fragment:
        raise ValueError("has more than scheme, host and port")
    name = f"[{host}]" if ":" in host else host
    usual = port in {None, {"http": 80, "https": 443}[parts.scheme]}
    return f"{parts.scheme}://{name}" if usual else f"{parts.scheme}://{name}:{port}"


def _host_of(parts: SplitResult) -> str:
    host = ascii_host(parts.hostname or "")
    if not _HOST.match(host):
        raise ValueError("has no valid host name")
    return host


def _split(text: str) -> tuple[SplitResult, int | None]:
    if not text.isprintable() or " " in text:
        raise ValueError("holds spaces or control characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("is not an address") from None
    return parts, port


def database_url(text: str) -> str:
    """The address of a PostgreSQL or SQLite database. Its password never shows in the fault."""
    try:
        url = parse_url(text)
    except Misconfigured as error:
        raise ValueError(
            "is not a postgresql:// address" if error.code == "config.database_url" else "is not PostgreSQL or SQLite"
        ) from None
    except (ValueError, sa.exc.ArgumentError):
        raise ValueError(
            "is not a postgresql:// address; special characters in the password must be %-encoded"
        ) from None
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:" or url.query:
            raise ValueError("names no SQLite file")
        url = url.set(database=str(Path(url.database).absolute()))
    elif not url.database:
        raise ValueError("names no database")
    return url.render_as_string(hide_password=False)


def certificates(text: str) -> str:
    """Base64 of PEM certificates, or the PEM itself."""
    pem = text
    if not text.startswith("-----BEGIN"):
        try:
            pem = base64.b64decode(text, validate=True).decode("ascii")
        except (binascii.Error, ValueError):
            raise ValueError("is not the base64 of a PEM certificate") from None
    if "-----BEGIN CERTIFICATE-----" not in pem or "PRIVATE KEY" in pem:
        raise ValueError("is not the base64 of a PEM certificate")
    return pem.strip() + "\n"
