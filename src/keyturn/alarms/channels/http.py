"""What channels over HTTPS have in common: addresses that people type, and one request to them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from keyturn.alarms.channels.kind import Config, Undelivered, refused
from keyturn.kit.retry_after import retry_after
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, NamedHostTransport, TransportFailed

TIMEOUT = timedelta(seconds=15)
_GONE = frozenset({404, 410})


def require_address(text: str, field: str) -> str:
    """Return the host of an https address. Raises Refused for anything else; what was typed is not repeated."""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        right = parts.scheme == "https" and bool(host) and "@" not in parts.netloc and (parts.port or 443) > 0
    except ValueError:
        right, host = False, ""
    if not right or not text.isascii() or not text.isprintable() or " " in text or len(text) > 2000:
        raise refused("The address is not one of HTTPS.", field, "Copy it whole: it begins with https:// and a host.")
    return host


def shown_host(config: Config, secret: Plaintext | None) -> dict[str, Any]:
    """Return what is shown of a channel whose address is its secret: the host. Raises Refused as :func:`require_address`.

    Without a new secret it is the host of before.
    """
    return {"host": require_address(secret.reveal(), "secret") if secret else str(config.get("host") or "")}


def post_json(transport: NamedHostTransport, url: Plaintext | None, body: object, now: datetime) -> str:
    """Send once, and return the status. Raises Undelivered, which repeats neither the address nor the answer."""
    if url is None:
        raise Undelivered("The channel has no address.")
    return post(transport, url, msgspec.json.encode(body), now)


def post(
    transport: NamedHostTransport, url: Plaintext, data: bytes, now: datetime, headers: Mapping[str, str] | None = None
) -> str:
    """As :func:`post_json`, of bytes that are JSON already."""
    fields = {"content-type": "application/json", **(headers or {})}
    try:
        answer = transport.send(HttpRequest("POST", url.reveal(), fields, data, TIMEOUT, status_only=True))
    except TransportFailed as error:
        raise Undelivered(f"No answer: {error}.") from None
    if not 200 <= answer.status < 300:
        raise Undelivered(why_not(answer.status), retry_after(answer.headers, now))
    return f"Taken, with status {answer.status}"


def why_not(status: int) -> str:
    """Say what an answer is that is none of success, and what to do where the status says so."""
    if 300 <= status < 400:
        return f"Answered with status {status}: redirects are not followed. Enter the address that it leads to."
    if status in _GONE:
        return f"Answered with status {status}: there is no receiver at this address any more. Enter its new address."
    return f"Answered with status {status}."
