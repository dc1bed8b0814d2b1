"""Signals by their names."""

import signal

from keyturn.errors import Misconfigured


def signal_number(name: str) -> int:
    """Return the number of a signal, with or without SIG before its name. Raises Misconfigured."""
    number = getattr(signal, f"SIG{name.upper().removeprefix('SIG')}", None)
    if not isinstance(number, signal.Signals):
        raise Misconfigured(
            f"There is no signal '{name}'.", code="client.signal", fix="Use HUP, USR1, USR2, TERM or another one."
        )
    return number
