"""Permissions of a role as people write them, one to a line. Pure.

``secrets: describeSecret, readValue | environment = dev, staging | path = /app/**``

``not`` before a subject makes an exception from the lines above it; ``!=`` stands for what is excluded; a value with a star or a
question mark is a pattern.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from keyturn.authz.vocabulary import actions_of
from keyturn.errors import Refused

_NAMES = {"environment": "environment", "path": "secretPath", "connection": "connectionId"}
_WORDS = {name: word for word, name in _NAMES.items()}


def permissions_of(text: str) -> tuple[Mapping[str, Any], ...]:
    """Return the permissions that the lines say. Raises Refused for a line that is none; empty lines say nothing."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    return tuple(_permission(number, line) for number, line in lines if line)


def lines_of(permissions: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the lines that say these permissions; None where lines cannot say all of it."""
    lines = [_line(each) for each in permissions]
    text = "\n".join(line or "" for line in lines)
    if None in lines:
        return None
    try:
        same = [_plain(each) for each in permissions_of(text)] == [_plain(each) for each in permissions]
    except Refused:
        return None
    return text if same else None


def _permission(number: int, line: str) -> Mapping[str, Any]:
    head, *conditions = (part.strip() for part in line.split("|"))
    subject, colon, actions = head.partition(":")
    words = subject.split()
    inverted = len(words) == 2 and words[0] == "not"
    if not colon or len(words) != 1 + inverted:
        raise _unread(number, line)
    given = {"subject": words[-1], "action": _list(actions), "inverted": inverted}
    where: dict[str, dict[str, Any]] = {}
    for condition in conditions:
        name, operator, values = _condition(number, condition)
        where.setdefault(name, {})[operator] = values
    return given | ({"conditions": where} if where else {})


def _condition(number: int, condition: str) -> tuple[str, str, str | list[str]]:
    word, equals, text = condition.partition("=")
    excluded = word.endswith("!")
    name, values = _NAMES.get(word.rstrip("! ")), _list(text)
    if name is None or not equals or not values or (excluded and len(values) > 1):
        raise _unread(number, condition)
    if excluded:
        return name, "$ne", values[0]
    if len(values) == 1 and any(char in values[0] for char in "*?"):
        return name, "$glob", values[0]
    return name, *(("$eq", values[0]) if len(values) == 1 else ("$in", values))


def _line(permission: Mapping[str, Any]) -> str | None:
    parts = [
        f"{'not ' if permission.get('inverted') else ''}{permission['subject']}: {', '.join(actions_of(permission))}"
    ]
    for name, wanted in (permission.get("conditions") or {}).items():
        if name not in _WORDS:
            return None
        for operator, value in (wanted if isinstance(wanted, dict) else {"$eq": wanted}).items():
            values = ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)
            parts.append(f"{_WORDS[name]} {'!=' if operator == '$ne' else '='} {values}")
    return " | ".join(parts)


def _plain(permission: Mapping[str, Any]) -> object:
    """Return the permission in one form, for comparing."""
    conditions = {
        name: wanted if isinstance(wanted, dict) else {"$eq": wanted}
        for name, wanted in (permission.get("conditions") or {}).items()
    }
    return permission["subject"], list(actions_of(permission)), bool(permission.get("inverted")), conditions


def _list(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _unread(number: int, text: str) -> Refused:
    return Refused(
        f"Line {number} is no permission: '{text}'.",
        code="roles.line",
        fix="Write it like this: secrets: describeSecret, readValue | environment = dev | path = /app/**",
        field="permissions",
    )
