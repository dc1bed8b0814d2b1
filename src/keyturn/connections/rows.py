"""Makes connections from their rows. One that cannot be read is a connection that does not work."""

from collections.abc import Mapping
from typing import Any

from keyturn.connections.domain import Connection
from keyturn.db import unread
from keyturn.kit.moments import FIRST

FIELDS = tuple(Connection.__dataclass_fields__)


def read(row: Mapping[str, Any]) -> Connection:
    """Read a connection. One that cannot be understood is one that does not work, and says why: it never fails a list."""
    values, faults = unread.values(row, FIELDS)
    for name in ("check_result", "facts"):
        if values[name] is not None and not isinstance(values[name], dict):
            faults.append(f"{name} is no object")
            values[name] = None
    if faults:
        sentence = unread.sentence("connection", faults)
        fix = "Restore its row from a backup, or delete the connection and make it anew."
        values["check_result"] = _does_not_work(code="connections.unreadable", message=sentence, fix=fix)
        values |= {name: values[name] or FIRST for name in ("created_at", "updated_at")}
    return Connection(**values)


def _does_not_work(**facts: str) -> dict[str, Any]:
    return {"ok": False, **facts}
