"""A mail server that takes mail after STARTTLS and a login only, and keeps it, each Message-ID once."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

PASSWORD = "correct horse battery"


class MailBox:
    """``mails`` are what was taken, by Message-ID. ``busy`` answers with 451 instead, so often."""

    def __init__(self) -> None:
        self.mails: dict[str, tuple[list[str], EmailMessage]] = {}
        self.busy = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.busy:
            self.busy -= 1
            return "451 try again later"
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails[str(message["Message-ID"])] = (list(envelope.rcpt_tos), message)
        return "250 OK"


@contextmanager
def mail_server(box: MailBox, certificate: Path, key: Path) -> Iterator[int]:
    """Serve on a port of this machine, which is yielded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        right = (data.login, data.password) == (b"keyturn", PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    class OnAnyPort(Controller):
        def _trigger_server(self) -> None:
            assert self.server is not None
            self.port = self.server.sockets[0].getsockname()[1]
            super()._trigger_server()

    controller = OnAnyPort(
        box,
        hostname="127.0.0.1",
        port=0,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
    )
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()
