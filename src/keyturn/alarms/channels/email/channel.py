"""E-mail, through the mail server of the settings or one of the channel's own: RFC 5321, with TLS as in RFC 3207 and 8314.

The id of the notification is the Message-ID: a mail system that remembers it delivers each message once.
"""

import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from email import policy
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from keyturn.alarms.channels.kind import Config, Undelivered, refused
from keyturn.alarms.notification import Notification
from keyturn.alarms.routing import OWNERS, TO, address_in
from keyturn.kit.connection_causes import describe_cause
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.host_names import ascii_host
from keyturn.kit.secret import Plaintext
from keyturn.providers.pinned import Network, Resolve, system_addresses, why_not_called
from keyturn.settings.model import MailServer

_SECONDS = 15.0
_READY = 220
SECURITIES = ("starttls", "tls", "none")
_WANTED = {"starttls": "STARTTLS, or a login after it", "tls": "a login", "none": "a login"}
_PARSER_ERRORS = (MessageError, LookupError, AttributeError, TypeError, NameError)
"""What the library's parser of addresses raises beside ValueError, of domains such as ``.test``."""
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
NOT_SET = "This server has no mail server in its settings."


@dataclass(frozen=True)
class Email:
    """``server`` is that of the settings, which the operator trusts; ``networks`` may be called besides the public internet.

    ``trust`` makes the context of TLS, with the certificates of the settings.
    """

    server: MailServer | None
    networks: Sequence[Network]
    trust: Callable[[], ssl.SSLContext]
    resolve: Resolve = system_addresses
    seconds: float = 60.0
    """After which a conversation is ended, however it goes: the limit of a socket is for each read alone."""
    key: str = "email"
    title: str = "E-mail"
    secret: str = "Password of the mail server"
    secret_needed: bool = False
    secret_goes_to: frozenset[str] = frozenset({"host", "port", "security", "username"})
    for_programs: bool = False

    def check(self, config: Config, secret: Plaintext | None) -> dict[str, Any]:
        del secret
        host, security = str(config.get("host") or "").strip(), str(config.get("security") or "starttls")
        if security not in SECURITIES:
            raise refused("There is no such security.", "security", f"Choose one of {', '.join(SECURITIES)}.")
        sender = str(config.get("from") or "").strip()
        if not host and self.server is None:
            fix = "Name a mail server here, or ask the operator of this server for KEYTURN_SMTP_HOST."
            raise refused(NOT_SET, "host", fix)
        if (host or sender) and not _can_be_written(sender):
            raise refused("The sender is no e-mail address.", "from", "Write one, such as keyturn@example.com.")
        receivers = [str(each).strip() for each in config.get(TO) or [] if str(each).strip()]
        if any(address_in(each) != each or not _can_be_written(each) for each in receivers):
            raise refused("One of the receivers is no e-mail address.", TO, "Write one to a line.")
        port = int(config.get("port") or _PORTS[security])
        own = {"host": host, "port": port, "security": security, "username": str(config.get("username") or "")}
        return {**(own if host else {}), "from": sender, TO: receivers, OWNERS: bool(config.get(OWNERS, True))}

    def send(self, config: Config, secret: Plaintext | None, notification: Notification) -> str:
        server = self._server(config, secret)
        if not notification.receiver:
            raise Undelivered("There is nobody to send it to: the organization has no administrator with an address.")
        sender = _sender(str(config.get("from") or server.sender))
        try:
            message = mail(notification, sender)
        except ValueError:
            raise Undelivered(f"'{notification.receiver}' is no address that a mail can be sent to.") from None
        try:
            return self._deliver(server, message, own=bool(config.get("host")))
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise Undelivered(_told(error, server)) from None

    def send_text(self, message: EmailMessage) -> None:
        """Hand a message of another kind to the mail server of the settings. Outside transactions. Raises Undelivered."""
        server = self._server({}, None)
        message["From"] = _sender(server.sender)
        try:
            self._deliver(server, message, own=False)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise Undelivered(_told(error, server)) from None

    def _server(self, config: Config, secret: Plaintext | None) -> MailServer:
        if not config.get("host"):
            if self.server is None:
                raise Undelivered(NOT_SET)
            return self.server
        username = str(config.get("username") or "")
        security = str(config.get("security") or "starttls")
        port = int(config.get("port") or _PORTS[security])
        return MailServer(str(config["host"]), port, security, username, secret, str(config.get("from") or ""))

    def _deliver(self, server: MailServer, message: EmailMessage, *, own: bool) -> str:
        context = self.trust() if server.security != "none" else None
        smtp = _Smtp(self._addresses(server, judged=own), server.host, context if server.security == "tls" else None)
        timer = threading.Timer(self.seconds, smtp.cut_off)
        timer.daemon = True
        timer.start()
        try:
            status, greeting = smtp.connect(server.host, server.port)
            if status != _READY:
                raise smtplib.SMTPConnectError(status, greeting)
            if server.security == "starttls":
                smtp.starttls(context=context)
            if server.username and server.password is not None:
                smtp.login(server.username, server.password.reveal())
            smtp.send_message(message)
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()  # it was taken: how they part is of no matter
        except (smtplib.SMTPException, OSError):
            if smtp.is_cut_off:
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
            smtp.close()
        return f"Taken by {server.host}"

    def _addresses(self, server: MailServer, *, judged: bool) -> Sequence[str]:
        """Resolve the host, this once. Raises Undelivered for an address that may not be called."""
        addresses = self.resolve(server.host, server.port)
        reason = why_not_called(server.host, addresses, self.networks, "KEYTURN_ALARM_NETWORKS") if judged else ""
        if reason:
            raise Undelivered(f"{reason}.")
        return addresses


class _Smtp(smtplib.SMTP):
    """Connects to the first address that answers, of those that were judged, and proves the certificate for the host's name."""

    def __init__(self, addresses: Sequence[str], host: str, tls: ssl.SSLContext | None) -> None:
        super().__init__(timeout=_SECONDS)
        self._addresses = addresses
        self._name = host
        self._tls = tls
        self._host = host  # what STARTTLS proves the certificate for
        self._line: socket.socket | None = None
        self.is_cut_off = False

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = self._dial(port, timeout)
        self._line = plain.dup()  # TLS takes the other one over, and shows none while it begins
        if self.is_cut_off:  # before there was a line that could be
            self.cut_off()
        if self._tls is None:
            return plain
        try:
            return self._tls.wrap_socket(plain, server_hostname=self._name)
        except BaseException:
            plain.close()
            raise

    def _dial(self, port: int, timeout: float) -> socket.socket:
        cause: OSError = TimeoutError("it did not answer in time")
        for address in self._addresses:
            if self.is_cut_off:
                break
            try:
                return socket.create_connection((address, port), timeout)
            except OSError as error:
                cause = error
        raise cause

    def cut_off(self) -> None:
        """End the conversation, wherever it is. For another thread."""
        self.is_cut_off = True
        if self._line is not None:
            with suppress(OSError):  # it has ended already
                self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        super().close()
        if self._line is not None:
            self._line.close()


def _can_be_written(address: str) -> bool:
    """Say whether a mail can be written from it: one address, with a name or without, of signs that a header may have."""
    try:
        _parse_sender(address)
    except ValueError:
        return False
    return True


def _parse_sender(text: str) -> Address:
    """Return the one address that a text is, with a name or without. Raises ValueError for any other."""
    header = EmailMessage()
    try:
        header["From"] = text
        (one,) = header["From"].addresses
    except _PARSER_ERRORS:
        raise ValueError("no address") from None
    return Address(one.display_name, addr_spec=parse_address(one.addr_spec).addr_spec)


def parse_address(text: str) -> Address:
    """Return the address that a text is, as each mail server takes it: an international domain as ``xn--...``.

    Raises ValueError for any other text.
    """
    name, _, domain = text.rpartition("@")
    try:
        return Address(addr_spec=f"{name}@{ascii_host(domain)}")
    except _PARSER_ERRORS:
        raise ValueError("no address") from None


def _sender(text: str) -> Address:
    try:
        return _parse_sender(text)
    except ValueError:
        raise Undelivered(f"'{text}' is no address that a mail can be sent from.") from None


def mail(notification: Notification, sender: Address) -> EmailMessage:
    """Return the message. Raises ValueError where the receiver is no address."""
    message = EmailMessage(policy.default.clone(cte_type="7bit"))  # servers of every kind pass it on
    message["From"] = sender
    message["To"] = parse_address(notification.receiver)
    message["Subject"] = notification.title
    message["Date"] = format_datetime(notification.created_at)
    message["Message-ID"] = f"<{notification.id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence notes in return
    message.set_content(notification.text())
    return message


def _told(error: Exception, server: MailServer) -> str:
    """Say why in words. What the server said is told, but never after a login: it may repeat what was sent."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"{server.host} refuses the user name or the password (status {error.smtp_code})."
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return f"{server.host} does not offer what is asked of it ({_WANTED[server.security]}), or not for these addresses."
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return f"{server.host} ended the conversation before it had taken the message."
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        status = next(iter(error.recipients.values()))[0]
        return f"{server.host} refuses the receiver (status {status})."
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{server.host} answered with status {error.smtp_code}."
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate of {server.host} is not trusted: {error.verify_message}."
    if isinstance(error, TimeoutError):
        return f"{server.host} did not answer in time."
    return f"No connection to {server.host} on port {server.port}: {describe_cause(error)}."
