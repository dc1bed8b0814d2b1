"""A mail server of the demonstration's own: it takes every mail, for the terminal. RFC 5321, no more than needed."""

import socketserver
import threading
from collections.abc import Callable, Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType

HOST = "127.0.0.1"
_LONGEST_LINE = 1000
_LONGEST_MAIL = 256 * 1024


class MailBox:
    """Serves on a port of this machine as long as it is open. ``show`` is called with each mail, by another thread."""

    def __init__(self, show: Callable[[EmailMessage], None]) -> None:
        class Conversation(_Conversation):
            taken = staticmethod(show)

        self._server = socketserver.ThreadingTCPServer((HOST, 0), Conversation)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def settings(self) -> Mapping[str, str]:
        """Return the settings of a server that sends its mail here."""
        return {
            "KEYTURN_SMTP_HOST": HOST,
            "KEYTURN_SMTP_PORT": str(self.port),
            "KEYTURN_SMTP_SECURITY": "none",
            "KEYTURN_SMTP_FROM": "keyturn@example.com",
        }

    def __enter__(self) -> "MailBox":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def mail_shown(mail: EmailMessage) -> str:
    """Return a mail as the demonstration prints it."""
    lines = [f"An e-mail to {mail['To']}: {mail['Subject']}", *str(mail.get_content()).rstrip().splitlines()]
    return "\n".join(["", *(f"  | {line}" for line in lines)])


class _Conversation(socketserver.StreamRequestHandler):
    taken: Callable[[EmailMessage], None]
    timeout = 30

    def handle(self) -> None:
        self._say("220 demo ESMTP")
        while line := self.rfile.readline(_LONGEST_LINE):
            verb = line.split(maxsplit=1)[0].upper() if line.strip() else b""
            if verb == b"DATA":
                self._say("354 go on")
                if not self._take():
                    return
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 OK")

    def _take(self) -> bool:
        """Take one mail up to the line with a dot alone; False when the sender went away before."""
        lines: list[bytes] = []
        size = 0
        while line := self.rfile.readline(_LONGEST_LINE):
            if line in {b".\r\n", b".\n"}:
                message = message_from_bytes(b"".join(lines), policy=policy.default)
                if isinstance(message, EmailMessage):
                    type(self).taken(message)
                self._say("250 OK")
                return True
            size += len(line)
            if size > _LONGEST_MAIL:
                return False
            lines.append(line.removeprefix(b"."))
        return False

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
