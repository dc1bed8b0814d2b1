"""The facts of an answer that is not a success, read from the wire and not from a library's opinion of it."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, quote_plus

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ids import is_uuid
from keyturn.kit.retry_after import retry_after
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpResponse

_AADSTS = re.compile(r"AADSTS(\d{5,8})")
_TRACE = re.compile(r"\s*Trace ID:.*", re.DOTALL)
_JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.?[\w-]*")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_UNSTORABLE_SENT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|\xed[\xa0-\xbf]")
"""What may become such a text: most answers have nothing of it, and are not looked through."""
_QUOTED = 300


@dataclass(frozen=True)
class Answer:
    """A refusal or failure. ``codes`` from the most to the least specific; ``text`` is Microsoft's.

    Both are as they came, and not part of the repr: nobody promises that they do not repeat what was sent.
    """

    status: int
    codes: tuple[str, ...] = field(repr=False)
    text: str = field(repr=False)
    request_id: str | None
    retry_after: timedelta | None
    is_foreign: bool = False
    """It is no JSON object, as a refusal of the token endpoint or of Graph is: something between wrote it, such as a proxy that
    blocks. Throttling of the token endpoint alone is plain text.
    """


def token_answer(response: HttpResponse, now: datetime) -> Answer:
    """Read an error of the sign-in service: OAuth error and AADSTS numbers, or whatever else came."""
    body = json_object(response.body) or {}
    text = _string(body.get("error_description"))
    numbers = body.get("error_codes")
    codes = [str(number) for number in numbers if isinstance(number, int)] if isinstance(numbers, list) else []
    if not codes and (match := _AADSTS.search(text)):
        codes = [match[1]]
    codes += [_string(body.get("error"))]
    request_id = _string(body.get("trace_id")) or response.headers.get("x-ms-request-id")
    plain = _TRACE.sub("", text)
    wait = retry_after(response.headers, now)
    return Answer(response.status, _own_codes(codes), plain, safe_id(request_id), wait, _is_foreign(response))


def refused_callback(said: Mapping[str, str]) -> Answer:
    """Read what a browser brought back instead of a code. Its words are Microsoft's or, at worst, those of a stranger."""
    text = said.get("error_description", "")
    number = _AADSTS.search(text)
    codes = [number[1]] if number else []
    codes += [said[key] for key in ("error_subcode", "error") if re.fullmatch(r"[a-z_]{1,80}", said.get(key, ""))]
    return Answer(400, tuple(codes), _TRACE.sub("", text), None, None)


def graph_answer(response: HttpResponse, now: datetime) -> Answer:
    """Read an error of Graph: the OData envelope, or whatever else came."""
    error = (json_object(response.body) or {}).get("error")
    error = error if isinstance(error, dict) else {}
    inner = error.get("innerError")
    inner = inner if isinstance(inner, dict) else {}
    request_id = response.headers.get("request-id") or _string(inner.get("request-id"))
    return Answer(
        response.status,
        _own_codes([_string(error.get("code"))]),
        _string(error.get("message")),
        safe_id(request_id),
        retry_after(response.headers, now),
        _is_foreign(response),
    )


def json_object(body: bytes) -> dict[str, object] | None:
    """Return the body if it is one JSON object; None for anything else, however broken.

    What no database can hold in a text, NUL and halves of characters, is U+FFFD instead.
    """
    try:
        value = json.loads(body)
        if _UNSTORABLE_SENT.search(body):
            value = _storable(value)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _storable(value: object) -> object:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {name: _storable(each) for name, each in value.items()}
    return value


def moment(value: object) -> datetime | None:
    """Return a time as Microsoft writes it, which may have seven fractional digits; None for what is missing or not a time."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def quote_words(text: str, hide: Iterable[Plaintext]) -> str:
    """Return Microsoft's own words for people: one line, short, without any of the secrets and without tokens."""
    for secret in hide:
        for form in _encodings(secret.reveal()) if len(secret) else ():
            text = text.replace(form, "***")
    return _UNPRINTABLE.sub(" ", _JWT.sub("***", text)).strip()[:_QUOTED]


def _is_foreign(response: HttpResponse) -> bool:
    return json_object(response.body) is None


def _own_codes(codes: list[str]) -> tuple[str, ...]:
    return tuple(code for code in codes if re.fullmatch(r"[\w.-]{1,80}", code))


def safe_id(text: str | None) -> str | None:
    """Return a request id, which Microsoft writes as a UUID; None for anything else that might stand there."""
    return text if text and is_uuid(text) else None


def _encodings(secret: str) -> tuple[str, ...]:
    """The ways a secret may be written in an answer that repeats the request."""
    return secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
