"""Changes of resources as SCIM clients send them: RFC 7644, section 3.5.2, and the forms in which Entra ID sends them. Pure.

Entra ID writes operations with a capital (``Replace``), leaves the path out and gives a dictionary, in which a key may be a path
(``name.givenName``), and names members to remove in the value instead of in the path:
https://learn.microsoft.com/entra/identity/app-provisioning/application-provisioning-config-problem-scim-compatibility
"""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from keyturn.errors import Refused
from keyturn.kit.dataclasses import dataclass
from keyturn.provisioning.scim.filters import Filter, parse_filter, plain_path, values_at

MOST_OPERATIONS = 1000
MOST_COMPARISONS = 1000
"""Of one operation, unless it names an element by its ``value``: a change is made while others wait for the group."""
_PATH = re.compile(
    r"(?P<attribute>[A-Za-z$][\w$:.-]*?)(?:\[(?P<filter>.*)\])?(?:\.(?P<sub>[A-Za-z$][\w$-]*))?", re.DOTALL
)


@dataclass(frozen=True)
class Target:
    """Where an operation applies: an attribute, some of its elements, a part of it."""

    attribute: str
    among: Filter | None = None
    sub: str | None = None


def apply_operations(resource: Mapping[str, Any], operations: object, known: Mapping[str, str]) -> dict[str, Any]:
    """Return the resource after all operations.

    ``known`` are the names of its attributes by their lower-case form; operations on others change nothing, as this server keeps
    nothing of them. Raises Refused for what is no operation, and for a target that there is none of.
    """
    if not isinstance(operations, list) or not 0 < len(operations) <= MOST_OPERATIONS:
        raise invalid(f"'Operations' is a list of 1 to {MOST_OPERATIONS} operations.")
    changed = deepcopy(dict(resource))
    for operation in operations:
        _apply(changed, operation, known)
    return changed


def _apply(resource: dict[str, Any], operation: object, known: Mapping[str, str]) -> None:
    if not isinstance(operation, Mapping):
        raise invalid("An operation is an object with 'op', 'path' and 'value'.")
    op, path, value = str(operation.get("op", "")).lower(), operation.get("path"), operation.get("value")
    if op not in {"add", "replace", "remove"}:
        raise invalid(f"'{operation.get('op')}' is no operation: add, replace or remove.")
    if path is None or path == "":
        if op == "remove":
            raise _no_target("An operation that removes says with 'path' what.")
        if not isinstance(value, Mapping):
            raise invalid("Without 'path' the 'value' is an object.")
        for name, part in value.items():
            if isinstance(name, str):
                _at_target(resource, op, _target(name), part, known)
        return
    if not isinstance(path, str):
        raise _bad_path(path)
    _at_target(resource, op, _target(path), value, known)


def _target(path: str) -> Target:
    match = _PATH.fullmatch(path.strip())
    if match is None:
        raise _bad_path(path)
    attribute, sub = plain_path(match["attribute"]), match["sub"]
    if match["filter"] is not None:
        return Target(attribute, parse_filter(match["filter"]), sub)
    if attribute.startswith("urn:"):
        return Target(attribute)
    name, _, rest = attribute.partition(".")
    return Target(name, None, rest or sub)


def attribute_path(text: str) -> str:
    """Return the plain path of an attribute without a filter in it; the empty one for none. Raises Refused."""
    if not text.strip():
        return ""
    target = _target(text)
    if target.among is not None:
        raise _bad_path(text)
    return f"{target.attribute}.{target.sub}".lower() if target.sub else target.attribute


def _at_target(resource: dict[str, Any], op: str, target: Target, value: Any, known: Mapping[str, str]) -> None:
    name = known.get(target.attribute)
    if name is None:
        return
    if target.among is not None:
        _in_elements(resource, name, op, target, value)
    elif target.sub is not None:
        held = resource.setdefault(name, {})
        if not isinstance(held, dict):
            raise _bad_path(f"{name}.{target.sub}")
        _set_field(held, target.sub, None if op == "remove" else value)
    elif isinstance(resource.get(name), list):
        _in_list(resource, name, op, value)
    elif op == "remove":
        resource.pop(name, None)
    elif op == "add" and isinstance(value, Mapping) and isinstance(resource.get(name), dict):
        for key, part in value.items():
            _set_field(resource[name], str(key), part)
    else:
        resource[name] = value


def _in_elements(resource: dict[str, Any], name: str, op: str, target: Target, value: Any) -> None:
    elements = resource.get(name)
    chosen = _chosen(elements, target.among, name) if isinstance(elements, list) and target.among else []
    if not chosen:
        if op == "remove":
            return  # it is as it is to be
        raise _no_target(f"No element of '{name}' is like that.")
    if op == "remove" and target.sub is None and isinstance(elements, list):
        resource[name] = [each for each in elements if not any(each is one for one in chosen)]
        return
    for each in chosen:
        if target.sub is not None:
            _set_field(each, target.sub, None if op == "remove" else value)
        elif isinstance(value, Mapping):
            each.update(value)


def _chosen(elements: Sequence[Any], among: Filter, name: str) -> Sequence[Any]:
    attribute, text = among.equals or ("", "")
    if attribute == "value":
        wanted = text.casefold()
        named = (each for each in elements if any(str(value).casefold() == wanted for value in _values(each)))
        return [each for each in named if among.matches(each)]
    if len(elements) * among.terms > MOST_COMPARISONS:
        raise invalid(
            f"'{name}' has too many elements for this filter: name one by its value, as {name}[value eq \"...\"]."
        )
    return [each for each in elements if among.matches(each)]


def _values(element: Any) -> Sequence[Any]:
    """Return what :func:`values_at` does for ``value``, which most elements of long lists have in that very form."""
    return (element["value"],) if isinstance(element, dict) and "value" in element else values_at(element, "value")


def _in_list(resource: dict[str, Any], name: str, op: str, value: Any) -> None:
    given = list(value) if isinstance(value, list) else [] if value is None else [value]
    held = resource[name]
    if op == "replace":
        resource[name] = given
        return
    named = {str(each) for one in given for each in _values(one)}
    if op == "remove":
        resource[name] = [each for each in held if given and not _is_named(each, named)]
    else:
        there = {str(each) for one in held for each in _values(one)}
        resource[name] = [*held, *(one for one in given if not _is_named(one, there))]


def _is_named(element: Any, named: set[str]) -> bool:
    return any(str(value) in named for value in _values(element))


def _set_field(held: dict[str, Any], name: str, value: Any) -> None:
    key = next((each for each in held if each.lower() == name.lower()), name)
    if value is None:
        held.pop(key, None)
    else:
        held[key] = value


def invalid(reason: str, field: str | None = None) -> Refused:
    """Return the refusal of a request that says what cannot be."""
    return Refused(reason, code="scim.value", fix="See RFC 7643 and 7644.", field=field)


def _bad_path(path: object) -> Refused:
    return Refused(f"'{path}' is no path of an attribute.", code="scim.path", fix="See RFC 7644, section 3.5.2.")


def _no_target(reason: str) -> Refused:
    return Refused(reason, code="scim.target", fix="See RFC 7644, section 3.5.2.")


def fields(resource: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the resource's attributes among ``names`` by these names, however the client writes them."""
    by_lower = {plain_path(str(key)): value for key, value in resource.items()}
    return {name: by_lower[name.lower()] for name in names if name.lower() in by_lower}
