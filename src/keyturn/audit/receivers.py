"""What audit events are sent to: a file, a syslog server, a webhook. Each takes some events, or raises :class:`NotTaken`."""

import json
import os
import socket
import ssl
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from standardwebhooks.webhooks import Webhook as Signer

from keyturn.audit.domain import ChainedEvent
from keyturn.audit.export import records
from keyturn.kit.clock import iso
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, Transport, TransportFailed

TIMEOUT = timedelta(seconds=10)
_PRIORITY = 13 * 8 + 6
"""Facility 13 (log audit), severity 6 (informational)."""
_DATAGRAM = 60_000


class NotTaken(Exception):
    """The receiver did not take the events; the text says why, and holds no secret."""


class Receiver(Protocol):
    """Where all audit events go. ``id`` is what its progress is kept under."""

    id: str

    def send(self, events: Sequence[ChainedEvent], now: datetime) -> None:
        """Hand over events of one chain, in their order. Raises NotTaken, whereupon they are sent again, all of them."""


def lines(events: Sequence[ChainedEvent]) -> list[str]:
    """Return each event as JSON, ASCII only, with its organization and its place in the chain."""
    shown = records([each.event for each in events], {})
    return [
        json.dumps({**record, "organizationId": each.org_id, "position": each.position, "hash": each.hash})
        for each, record in zip(events, shown, strict=True)
    ]


class FileReceiver:
    """Appends to a file, which is on the disk before the events count as taken."""

    id = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, events: Sequence[ChainedEvent], now: datetime) -> None:
        content = "".join(f"{line}\n" for line in lines(events)).encode()
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                while content:
                    content = content[os.write(file, content) :]
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise NotTaken(f"The file cannot be written: {error.strerror}.") from error


class SyslogReceiver:
    """RFC 5424; over TCP (RFC 6587) and TLS (RFC 5425) with octet counting, over UDP (RFC 5426) one message in each datagram.

    Syslog answers nothing: what was handed to the network counts as taken.
    """

    id = "syslog"

    def __init__(self, how: str, host: str, port: int, ca_file: Path | None = None) -> None:
        self._how = how
        self._address = (host, port)
        self._ca_file = ca_file

    def send(self, events: Sequence[ChainedEvent], now: datetime) -> None:
        messages = [self._message(each, line) for each, line in zip(events, lines(events), strict=True)]
        try:
            if self._how == "udp":
                self._datagrams(messages)
            else:
                self._stream(b"".join(b"%d %s" % (len(message), message) for message in messages))
        except OSError as error:  # that of TLS, too
            raise NotTaken(f"The syslog server cannot be reached: {error.strerror or type(error).__name__}.") from error

    def _message(self, each: ChainedEvent, line: str) -> bytes:
        host = socket.gethostname() or "-"
        return f"<{_PRIORITY}>1 {iso(each.event.at)} {host} keyturn - {each.event.name[:32]} - {line}".encode()

    def _datagrams(self, messages: Sequence[bytes]) -> None:
        family, kind, proto, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
        with closing(socket.socket(family, kind, proto)) as open_socket:
            for message in messages:
                open_socket.sendto(message[:_DATAGRAM], address)

    def _stream(self, content: bytes) -> None:
        seconds = TIMEOUT.total_seconds()
        with closing(socket.create_connection(self._address, timeout=seconds)) as plain:
            if self._how == "tcp":
                _deliver(plain, content)
                return
            context = ssl.create_default_context(cafile=str(self._ca_file) if self._ca_file else None)
            with context.wrap_socket(plain, server_hostname=self._address[0]) as secured:
                _deliver(secured, content)


def _deliver(connection: socket.socket, content: bytes) -> None:
    connection.sendall(content)
    if not isinstance(connection, ssl.SSLSocket):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(1)
        with suppress(TimeoutError):
            connection.recv(1)  # returns when the server has read all of it and closed; a reset is an error


class WebhookReceiver:
    """Posts some events together, signed as Standard Webhooks says; an answer of 2xx takes them."""

    id = "webhook"

    def __init__(self, url: str, secret: Plaintext, transport: Transport) -> None:
        self._url = url
        self._secret = secret
        self._transport = transport

    def send(self, events: Sequence[ChainedEvent], now: datetime) -> None:
        body = (
            f'{{"type": "audit.events", "timestamp": "{iso(now)}", "data": {{"events": [{", ".join(lines(events))}]}}}}'
        )
        message = f"audit_{events[0].org_id or 'server'}_{events[0].position}_{events[-1].position}"
        headers = {
            "content-type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Signer(self._secret.reveal()).sign(message, now, body),
        }
        try:
            request = HttpRequest("POST", self._url, headers, body.encode(), TIMEOUT, status_only=True)
            answer = self._transport.send(request)
        except TransportFailed as error:
            raise NotTaken(f"No answer: {error}.") from error
        if not 200 <= answer.status < 300:
            raise NotTaken(f"The receiver answered {answer.status}.")
