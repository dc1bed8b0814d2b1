"""Makes connections from their rows. One that cannot be read is a connection that does not work."""

from collections.abc import Mapping
from typing import Any

from keyturn.connections.domain import Connection, Method
from keyturn.db import unread
from keyturn.kit.moments import FIRST

FIELDS = tuple(name for name in Connection.__dataclass_fields__ if name != "method")
"""The columns whose values are taken as they are."""
_USUAL = Method.CLIENT_SECRET
"""The most common method."""


def read(row: Mapping[str, Any]) -> Connection:
    """Read a connection. One that cannot be understood is one that does not work, and says why: it never fails a list."""
    values, faults = unread.values(row, FIELDS)
    method = unread.word(row, "method", _USUAL, faults)
    for name in ("check_result", "facts"):
        if values[name] is not None and not isinstance(values[name], dict):
            faults.append(f"{name} is no object")
            values[name] = None
    if faults:
        sentence = unread.sentence("connection", faults)
        fix = "Restore its row from a backup, or delete the connection and make it anew."
        values["check_result"] = _does_not_work(code="connections.unreadable", message=sentence, fix=fix)
        values |= {name: values[name] or FIRST for name in ("created_at", "updated_at")}
    return Connection(method=method, **values)


def _does_not_work(**facts: str) -> dict[str, Any]:
    return {"ok": False, **facts}


def method_of(stored: str) -> Method:
    """Return the method of this name; the most common one for a name that no method has."""
    return unread.word({"method": stored}, "method", _USUAL, [])
