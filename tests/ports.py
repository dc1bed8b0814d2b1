"""Ports of this machine that nobody uses, for programs that cannot be asked which one they took."""

import socket


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
