"""Sockets that take connections, bound by us: so port 0 tells its number, and a taken port is an error."""

import socket

from keyturn.errors import Misconfigured


def listen(host: str, port: int, backlog: int = 128) -> socket.socket:
    """Return a socket that takes connections. Raises Misconfigured for an address that is not there, or taken."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, proto)
    except OSError as error:
        fix = "Set HOST to an address of this machine, such as 127.0.0.1, or to 0.0.0.0 for all of them."
        message = f"HOST {host!r} is no address of this machine: {error.strerror}."
        raise Misconfigured(message, code="config.host", fix=fix) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(backlog)
    except OSError as error:
        listening.close()
        fix = "Stop the program that uses the port, or choose another with PORT or KEYTURN_HEALTH_PORT."
        raise Misconfigured(f"Cannot listen on {host}:{port}: {error.strerror}", code="config.port", fix=fix) from error
    return listening
