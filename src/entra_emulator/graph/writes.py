"""What every write to a directory object has in common."""

from __future__ import annotations

from entra_emulator.directory.directory import Holder
from entra_emulator.directory.world import Call
from entra_emulator.graph.errors import concurrent


def check_quiet(call: Call, holder: Holder) -> None:
    """Raises Directory_ConcurrencyViolation while an earlier write to the object is not settled."""
    settings = call.settings
    if call.now >= holder.last_write + settings.conflict_window:
        return
    if settings.conflict_probability >= 1.0 or call.world.rng.random() < settings.conflict_probability:
        raise concurrent(settings.conflict_status)


def committed(call: Call, holder: Holder, key_id: str = "") -> None:
    """Notes that the write took effect."""
    holder.last_write = call.now
    call.entry.committed = True
    call.entry.key_id = key_id
