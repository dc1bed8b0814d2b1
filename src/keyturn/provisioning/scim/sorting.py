"""The order of resources in a list: RFC 7644, section 3.4.2.3. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from keyturn.provisioning.scim.filters import comparable, values_at


def in_order(resources: Sequence[Mapping[str, Any]], path: str, *, descending: bool = False) -> list[Any]:
    """Return the resources by the attribute at ``path``, as :func:`plain_path` writes it; of several values the first counts.

    Those that have none come last, and first when ``descending``. Of equal ones the order stays.
    """
    return sorted(resources, key=lambda each: _key(each, path), reverse=descending)


def _key(resource: Mapping[str, Any], path: str) -> tuple[bool, str, Any]:
    values = [comparable(path, value) for value in values_at(resource, path)]
    value = values[0] if values else None
    if value is None or isinstance(value, Mapping):
        return True, "", 0
    return False, type(value).__name__, value
