"""What the agent delivered and whom it told, on the disk. No value, and nothing that a value could be guessed from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, field
from datetime import datetime
from pathlib import Path
from typing import Any

from keyturn.client.files import write_file
from keyturn.kit.dataclasses import dataclass


@dataclass(frozen=True)
class SetState:
    """Of one set of files: keyed digests of what was delivered last and of what its program was told of, and when.

    ``read_at`` is as of when the files are; until ``usable_until`` what is in them is promised to work. ``key_ids`` are those of
    the credentials of Entra ID in them, ``versions`` those of the secrets by name.
    """

    delivered: str | None = None
    told: str | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    usable_until: datetime | None = None
    key_ids: tuple[str, ...] = ()
    versions: Mapping[str, int] = field(default_factory=dict)
    trouble: str = ""


class StateFile:
    """The states by the names of their sets. A file that cannot be read counts as none: programs may be told once more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._states: dict[str, SetState] = _read(path)

    def get(self, name: str) -> SetState:
        return self._states.get(name, SetState())

    def all(self) -> Mapping[str, SetState]:
        return self._states

    def put(self, name: str, state: SetState) -> None:
        """Write down the state of a set. Raises OSError; it is known to this process all the same."""
        self._states[name] = state
        content = {each: _packed(known) for each, known in self._states.items()}
        write_file(self._path, json.dumps(content, indent=1).encode(), mode=0o600)


def _packed(state: SetState) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(state).items()}


def _read(path: Path) -> dict[str, SetState]:
    try:
        content = json.loads(path.read_bytes())
        return {str(name): _unpacked(values) for name, values in content.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return {}


def _unpacked(values: Mapping[str, Any]) -> SetState:
    moments = {
        name: datetime.fromisoformat(values[name]) if values.get(name) else None
        for name in ("delivered_at", "read_at", "usable_until")
    }
    return SetState(
        values["delivered"],
        values["told"],
        **moments,
        key_ids=tuple(map(str, values.get("key_ids", ()))),
        versions={str(name): int(version) for name, version in values.get("versions", {}).items()},
        trouble=str(values["trouble"]),
    )
