"""Settings of the client from the environment. What the command line of Infisical calls by another name is taken as well."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from urllib.parse import urlsplit

from keyturn.errors import Misconfigured
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.host_names import ascii_host
from keyturn.kit.pasted import trim_blanks
from keyturn.kit.secret import Plaintext

METHODS = ("universal-auth", "oidc-auth", "kubernetes-auth", "azure-auth")
SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")

# Each value by the names under which it is looked for, ours first, and what it means.
_VALUES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "url": (("KEYTURN_URL", "INFISICAL_API_URL", "INFISICAL_DOMAIN"), "Address of the server that a client asks."),
    "token": (("KEYTURN_TOKEN", "INFISICAL_TOKEN"), "Access token of a client, instead of a sign-in."),
    "method": (("KEYTURN_AUTH_METHOD", "INFISICAL_AUTH_METHOD"), f"How a client signs in: {', '.join(METHODS)}."),
    "client_id": (("KEYTURN_CLIENT_ID", "INFISICAL_UNIVERSAL_AUTH_CLIENT_ID"), "Client id of a machine identity."),
    "client_secret": (
        ("KEYTURN_CLIENT_SECRET", "INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET"),
        "Client secret of a machine identity.",
    ),
    "client_secret_file": (("KEYTURN_CLIENT_SECRET_FILE",), "File that holds the client secret."),
    "identity_id": (
        ("KEYTURN_IDENTITY_ID", "INFISICAL_MACHINE_IDENTITY_ID"),
        "Machine identity that signs in with a token of its platform.",
    ),
    "jwt": (("KEYTURN_JWT", "INFISICAL_JWT"), "That token."),
    "jwt_file": (("KEYTURN_JWT_FILE",), "File in which the platform keeps that token fresh."),
    "azure_resource": (("KEYTURN_AZURE_RESOURCE",), "Resource for which a managed identity gets its token."),
    "project": (("KEYTURN_PROJECT", "INFISICAL_PROJECT_ID"), "Id or slug of the project that a client reads."),
    "environment": (("KEYTURN_ENVIRONMENT",), "Slug of the environment that a client reads."),
    "path": (("KEYTURN_SECRET_PATH",), "Folder that a client reads; the root unless it is set."),
    "ca_file": (
        ("KEYTURN_SERVER_CA_FILE",),
        "File with certificates that a client trusts besides those of the machine.",
    ),
    "cache_dir": (("KEYTURN_CACHE_DIR", "CACHE_DIRECTORY"), "Folder for the encrypted copies of a client."),
    "cache_key_file": (("KEYTURN_CACHE_KEY_FILE",), "File with the key of those copies."),
    "cache_key_place": (
        ("KEYTURN_CACHE_KEY_PLACE",),
        "Where that key is made and kept when no file is named: file, or keyring for that of the user.",
    ),
}
VARIABLES: Mapping[str, str] = {
    name: meaning if name == names[0] else f"Taken for {names[0]} when that is not set."
    for names, meaning in _VALUES.values()
    for name in names
}
"""All variables of the client, with what they mean."""
CREDENTIALS = frozenset(name for key in ("token", "client_secret", "jwt") for name in _VALUES[key][0])
"""Variables that hold a credential of the client itself: no program that it starts inherits them."""
_SECRET = {"token", "client_secret", "jwt"}


@dataclass(frozen=True)
class Settings:
    """What the client knows before it asks the server. ``values`` are by the keys of the table above."""

    url: str
    values: Mapping[str, str]
    secrets: Mapping[str, Plaintext] = field(repr=False)
    home: Path = Path("/")

    def get(self, key: str) -> str | None:
        return self.values.get(key)

    def need(self, key: str, option: str) -> str:
        """Return a value. Raises Misconfigured naming the option and the variable when it is not set."""
        value = self.values.get(key)
        if not value:
            raise Misconfigured(
                f"{_words(key)} is not known.",
                code=f"client.no_{key}",
                fix=f"Give {option}, or set {_VALUES[key][0][0]}.",
            )
        return value

    def file(self, key: str) -> Path | None:
        """Return the path. Raises Misconfigured for the home of somebody who has none."""
        value = self.values.get(key)
        try:
            return Path(value).expanduser() if value else None
        except RuntimeError:
            raise Misconfigured(
                f"{_words(key)} begins with ~ and a name that has no home directory.",
                code=f"client.no_{key}",
                fix="Give the whole path.",
            ) from None


def read_settings(environ: Mapping[str, str], given: Mapping[str, str | None]) -> Settings:
    """Return the settings; what is ``given`` on the command line counts more than a variable. Raises Misconfigured."""
    found = {
        key: next((environ[name] for name in names if environ.get(name)), None) for key, (names, _) in _VALUES.items()
    }
    found |= {key: value for key, value in given.items() if value}
    values = {key: value for key, value in found.items() if value and key not in _SECRET}
    typed = {key: trim_blanks(value) for key, value in found.items() if value and key in _SECRET}
    secrets = {key: Plaintext(value) for key, value in typed.items() if value}
    if "token" in secrets:
        _require_sendable(secrets["token"])
    if not values.get("url"):
        raise Misconfigured(
            "The address of the server is not known.",
            code="client.no_url",
            fix="Give --url, or set KEYTURN_URL, e.g. https://keyturn.example.com",
        )
    return Settings(_address(values["url"]), values, secrets, Path(environ.get("HOME") or "/"))


def _address(text: str) -> str:
    """Return the server's address without a slash, and without the ``/api`` that some clients write behind it."""
    url = text.strip().rstrip("/").removesuffix("/api")
    try:
        parts = urlsplit(url)
        whole = parts.scheme in {"http", "https"} and bool(ascii_host(parts.hostname or "")) and parts.port != 0
    except ValueError:
        whole, parts = False, urlsplit("")
    if not whole or parts.query or parts.fragment or "@" in parts.netloc:
        raise Misconfigured(
            "The address of the server is not one that begins with https:// and the name of a host.",
            code="client.url",
            fix="Write it as https://keyturn.example.com",
        )
    if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise Misconfigured(
            f"http://{parts.netloc} would send secrets over the network as they are.",
            code="client.url_plain",
            fix="Use https://. Only a server on this machine may be asked over http://.",
        )
    return url


def _require_sendable(token: Plaintext) -> None:
    """Raise Misconfigured for a token that no header can hold: it was cut or changed where it was copied."""
    text = token.reveal()
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise Misconfigured(
            "The access token holds blanks or letters that no access token has.",
            code="client.token",
            fix="Copy it again, whole and without what stands around it; or get a new one: keyturn login",
        )


def _words(key: str) -> str:
    return "The " + key.replace("_", " ")
