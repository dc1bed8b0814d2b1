"""Reading the members of a body of the admin API. Each raises Misfit, which says which member does not fit and why."""

from __future__ import annotations

from typing import Any

from entra_emulator.admin.changes import Misfit
from entra_emulator.core.clock import checked_time, parse_time

Body = dict[str, Any]


def only(body: Body, *names: str) -> None:
    """Refuses members with other names: what is accepted has an effect."""
    unknown = set(body).difference(names)
    if unknown:
        raise Misfit(f"unknown member: {', '.join(sorted(unknown))}")


def text_or_none(body: Body, name: str) -> str | None:
    """A text, or None where it is null or absent."""
    value = body.get(name)
    if not isinstance(value, str | None):
        raise Misfit(f"{name} is text")
    return value


def flag(body: Body, name: str) -> bool:
    """True or false; false where it is absent."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise Misfit(f"{name} is true or false")
    return value


def shown(body: Body, name: str) -> bool:
    """Whether Graph shows what it makes itself: null hides it; nothing else can be chosen."""
    if body.get(name) is not None:
        raise Misfit(f"{name} is null, or left out")
    return name not in body


def text(body: Body, name: str) -> str:
    """A text that must be there and not be empty."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Misfit(f"{name} is text and must be there")
    return value


def texts(body: Body, name: str) -> tuple[str, ...]:
    """A list of texts; an empty one where it is absent."""
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Misfit(f"{name} is a list of texts")
    return tuple(value)


def attributes(body: Body) -> dict[str, str | list[str]]:
    """Custom security attributes: texts, or lists of texts."""
    return {name: list(texts(body, name)) if isinstance(body[name], list) else text(body, name) for name in body}


def moment(body: Body, name: str) -> float | None:
    """A time: POSIX seconds or a date-time with a zone."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise Misfit(f"{name} is a time")
    return parse_time(value) if isinstance(value, str) else checked_time(value)
