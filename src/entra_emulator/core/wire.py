"""Requests and answers as plain values, and the ways a connection can fail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

WireKind = Literal["normal", "reset", "hang", "slow"]


@dataclass(frozen=True, slots=True)
class Wire:
    """What the connection does with a finished answer.

    `reset` drops the connection with RST, `hang` never answers, `slow` sends the headers at once and the body
    only after `seconds`.
    """

    kind: WireKind = "normal"
    seconds: float = 0.0


NORMAL = Wire()


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `url` is absolute (`https://host/path?query`) or a path with its query; `address` is the client's."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    address: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer.

    `wire` tells what the connection does with it, `delay` how many seconds the sender waits first, `sequence` is the
    number of the ledger entry (0: not in the ledger).
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    wire: Wire = NORMAL
    delay: float = 0.0
    sequence: int = 0

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case; None if there is none."""
        lowercase = name.lower()
        return next((value for key, value in self.headers if key.lower() == lowercase), None)

    def json(self) -> Any:
        """The body read as JSON. Raises ValueError when it is not JSON."""
        return json.loads(self.body)


class WireError(Exception):
    """The caller did not get a whole answer. Whether the request took effect is unknown to it."""


class ConnectionReset(WireError):
    """The connection was reset before an answer arrived."""


class TimedOut(WireError):
    """No complete answer arrived within the caller's time limit."""


def deliver(response: Response, timeout: float = 30.0) -> Response:
    """What a client with a time limit of `timeout` seconds would see of this answer, without waiting.

    Raises ConnectionReset or TimedOut where the wire fails; otherwise gives the answer back unchanged.
    """
    wire = response.wire
    if wire.kind == "reset":
        raise ConnectionReset("connection reset by peer")
    late = response.delay + (wire.seconds if wire.kind == "slow" else 0.0)
    if wire.kind == "hang" or late >= timeout:
        raise TimedOut(f"no complete answer within {timeout:g} seconds")
    return response


def read_json(data: bytes | str) -> Any:
    """What somebody sent as JSON. Raises ValueError for anything else: NaN, a name that an object has twice, a depth without end.

    Of two members with one name a reader may take either (RFC 8259, section 4); here none of them is dropped in silence.
    """
    try:
        return json.loads(data, parse_constant=_no_constant, object_pairs_hook=_object)
    except RecursionError as error:
        raise ValueError("JSON is nested too deeply") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        names = [name for name, _ in members]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:100]} stands there twice")
    return value


def json_body(value: Any) -> bytes:
    """Compact JSON, ASCII only, so that no text from a caller can break the encoding."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")
