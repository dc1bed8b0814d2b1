"""The faults of a request, one dictionary each, in the words and keys that clients of this API already know."""

import json
from collections.abc import Sequence

from keyturn.kit.repeat import may_repeat
from keyturn.kit.sentences import upper_first

Issue = dict[str, object]
Path = tuple[str | int, ...]

_NAMES = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
    list: "array",
    dict: "object",
}


def name_of(value: object) -> str:
    """Return what JSON calls the type of a decoded value."""
    return _NAMES.get(type(value), "unknown")


def required(expected: str, path: Path) -> Issue:
    return _issue("invalid_type", path, "Required", expected=expected, received="undefined")


def wrong_type(expected: str, value: object, path: Path, *, received: str | None = None) -> Issue:
    actual = received or name_of(value)
    return _issue("invalid_type", path, f"Expected {expected}, received {actual}", expected=expected, received=actual)


def too_small(kind: str, minimum: float, path: Path, *, inclusive: bool = True, exact: bool = False) -> Issue:
    """``kind`` is string, array, object or number; the minimum counts characters, elements, or is the number itself."""
    message = _size_sentence(kind, minimum, "at least", "greater than", inclusive=inclusive, exact=exact)
    return _issue("too_small", path, message, minimum=minimum, type=kind, inclusive=inclusive, exact=exact)


def too_big(kind: str, maximum: float, path: Path, *, inclusive: bool = True, exact: bool = False) -> Issue:
    message = _size_sentence(kind, maximum, "at most", "less than", inclusive=inclusive, exact=exact)
    return _issue("too_big", path, message, maximum=maximum, type=kind, inclusive=inclusive, exact=exact)


def _size_sentence(kind: str, limit: float, count: str, compare: str, *, inclusive: bool, exact: bool) -> str:
    if kind == "number":
        return f"Number must be {compare} {'or equal to ' if inclusive else ''}{limit}"
    unit = {"string": "character(s)", "array": "element(s)", "object": "key(s)"}[kind]
    return f"{upper_first(kind)} must contain {'exactly' if exact else count} {limit} {unit}"


def not_multiple_of(step: float, path: Path) -> Issue:
    return _issue("not_multiple_of", path, f"Number must be a multiple of {step}", multipleOf=step)


def invalid_string(validation: str, message: str, path: Path) -> Issue:
    return _issue("invalid_string", path, message, validation=validation)


def invalid_literal(expected: object, path: Path) -> Issue:
    message = f"Invalid literal value, expected {json.dumps(expected)}"
    return _issue("invalid_literal", path, message, expected=expected)


def invalid_enum(options: Sequence[object], value: object, path: Path) -> Issue:
    """Name the options; a value of the caller is repeated only when it is a plain word, which no secret is."""
    if isinstance(value, str) and not may_repeat("choice", value):
        return _issue(
            "invalid_enum_value", path, f"Invalid enum value. Expected {_either(options)}", options=list(options)
        )
    message = f"Invalid enum value. Expected {_either(options)}, received '{value}'"
    return _issue("invalid_enum_value", path, message, options=list(options), received=value)


def invalid_discriminator(options: Sequence[object], path: Path) -> Issue:
    message = f"Invalid discriminator value. Expected {_either(options)}"
    return _issue("invalid_union_discriminator", path, message, options=list(options))


def invalid_union(path: Path) -> Issue:
    return _issue("invalid_union", path, "Invalid input")


def custom(message: str, path: Path) -> Issue:
    return _issue("custom", path, message)


def _either(options: Sequence[object]) -> str:
    return " | ".join(f"'{option}'" for option in options)


def _issue(code: str, path: Path, message: str, **facts: object) -> Issue:
    return {"code": code, **facts, "message": message, "path": list(path)}
