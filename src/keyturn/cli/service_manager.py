"""Telling systemd, where it started this process with ``Type=notify``, that it is ready."""

import contextlib
import socket

from keyturn.cli.context import CommandContext


def tell_ready(around: CommandContext) -> None:
    """Say that what the unit promises is there now. Does nothing where nobody asked for it, and is safe to repeat.

    https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
    """
    address = around.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.sendto(b"READY=1", address.replace("@", "\0", 1) if address.startswith("@") else address)
