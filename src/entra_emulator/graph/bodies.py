"""Reading what a caller sent to Graph; all of it is checked."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from entra_emulator.core.clock import parse_time
from entra_emulator.core.wire import read_json
from entra_emulator.directory.directory import as_guid
from entra_emulator.directory.world import Call
from entra_emulator.graph.errors import GraphError, bad_request

LIMIT = 4_000_000  # assumed, as is the 413
_UNREADABLE = (
    "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."
)


def json_object(call: Call) -> dict[str, Any]:
    """The JSON object in the body, its names as Graph writes them; an empty body reads as an empty object.

    Raises GraphError 400, 413 or 415.
    """
    raw = _inflated(call)
    call.world.ledger.remember(raw)
    if not raw.strip():
        return {}
    if "json" not in call.headers.get("content-type", "").lower():
        raise GraphError(400, "BadRequest", _UNREADABLE)
    try:
        value = _respelled(read_json(raw), call.spelled)
    except ValueError as error:
        raise GraphError(400, "BadRequest", _UNREADABLE) from error
    if not isinstance(value, dict):
        raise GraphError(400, "BadRequest", _UNREADABLE)
    return value


def only(body: dict[str, Any], names: frozenset[str], operation: str) -> None:
    """Refuses parameters that the action does not have. OData annotations may be there. Raises GraphError 400."""
    unknown = next((name for name in body if name not in names and not name.startswith("@odata.")), None)
    if unknown is not None:
        raise bad_request(
            f"The parameter '{unknown[:100]}' in the request payload is not a valid parameter for the operation "
            f"'{operation}'."
        )


def only_members(value: dict[str, Any], names: frozenset[str], kind: str) -> None:
    """Refuses members that a type does not have: what is accepted is kept. Raises GraphError 400."""
    unknown = next((name for name in value if name not in names and not name.startswith("@odata.")), None)
    if unknown is not None:
        raise bad_request(f"The property '{unknown[:100]}' does not exist on type '{kind}'.")


def text_or_none(body: dict[str, Any], name: str, limit: int = 10_000, resource: str = "Application") -> str | None:
    """A string member, or None where it is absent or null. Raises GraphError 400 for another type or a longer one."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong_type(name, "Edm.String")
    if len(value) > limit:
        raise bad_request(f"Invalid value specified for property '{name}' of resource '{resource}'.")
    return value


def needed_text(body: dict[str, Any], name: str, limit: int = 10_000, resource: str = "Application") -> str:
    """A string member that must be there and not be empty. Raises GraphError 400."""
    value = text_or_none(body, name, limit, resource)
    if not value:
        raise bad_request(f"A value is required for property '{name}' of resource '{resource}'.")
    return value


def texts(body: dict[str, Any], name: str) -> list[str]:
    """A member that is a list of strings. Raises GraphError 400."""
    value = body.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise wrong_type(name, "Collection(Edm.String)")
    return list(value)


def time_or(body: dict[str, Any], name: str, default: float) -> float:
    """A date-time member as POSIX seconds, or the default where it is absent or null. Raises GraphError 400."""
    value = body.get(name)
    if value is None:
        return default
    try:
        return parse_time(value if isinstance(value, str) else "")
    except ValueError as error:
        raise wrong_type(name, "Edm.DateTimeOffset") from error


def needed_guid(body: dict[str, Any], name: str) -> str:
    """A GUID member in canonical form. Raises GraphError 400."""
    value = as_guid(body.get(name))
    if value is None:
        raise wrong_type(name, "Edm.Guid")
    return value


def wrong_type(name: str, kind: str) -> GraphError:
    """A member that cannot be read as what it should be."""
    return bad_request(f"Cannot convert the value of '{name}' to the expected type '{kind}'.")


def _inflated(call: Call) -> bytes:
    encoding = call.headers.get("content-encoding", "identity").lower()
    raw = call.request.body
    if encoding == "gzip":
        reader = zlib.decompressobj(31)
        try:
            raw = reader.decompress(raw, LIMIT + 1)
        except zlib.error as error:
            raise GraphError(400, "BadRequest", _UNREADABLE) from error
    elif encoding not in {"identity", ""}:
        raise GraphError(415, "UnsupportedMediaType", "The content encoding of the request is not supported.")
    if len(raw) > LIMIT:
        raise GraphError(413, "RequestEntityTooLarge", "The request payload is too large.")
    return raw


def _respelled(value: Any, spelled: Mapping[str, str]) -> Any:
    """Raises ValueError for a name that stands there twice. Custom security attributes have names of the tenant's own."""
    if isinstance(value, list):
        return [_respelled(item, spelled) for item in value]
    if not isinstance(value, dict):
        return value
    members: dict[str, Any] = {}
    for written, item in value.items():
        property_name, at, annotation = written.partition("@")
        name = spelled.get(property_name.lower(), property_name) + at + annotation
        if name in members:
            raise ValueError(f"{name} stands there twice")
        own = name == "customSecurityAttributes" and isinstance(item, dict)
        members[name] = item if own else _respelled(item, spelled)
    return members
