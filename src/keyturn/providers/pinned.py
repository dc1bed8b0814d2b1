"""HTTPS to hosts that users name: a name is resolved once, its addresses are judged, and one of them is connected to.

Whoever may set up a machine identity can name a host. Without this, this server could be made to call its own
neighbours: the metadata service of a cloud, a database, another pod.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from keyturn import __version__
from keyturn.kit.connection_causes import describe_cause
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.http import HttpRequest, HttpResponse, TransportFailed
from keyturn.providers.transport import nothing_held, read_certificates, trust

RESPONSE_LIMIT = 512 * 1024
"""The largest response body, in bytes: a hundred keys of an issuer are a tenth of it."""
_PIECE = 64 * 1024
_RESOLVING = 4
_NAT64 = ip_network("64:ff9b::/96")
_NOT_PUBLIC = tuple(
    ip_network(each)
    for each in (
        "168.63.129.16/32",  # Azure answers every virtual machine here: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
        "192.0.0.0/24",  # here other clouds do: https://www.iana.org/assignments/iana-ipv4-special-registry
        "192.88.99.0/24",
        "::/96",  # stands for an IPv4 address, as do the next two: https://www.iana.org/assignments/iana-ipv6-special-registry
        "::ffff:0:0:0/96",
        "64:ff9b:1::/48",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)
"""What no address of the public internet is in, although versions of Python take some of it for that."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]


def system_addresses(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a host. Raises OSError."""
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in infos))


def may_be_called(address: str, networks: Sequence[Network]) -> bool:
    """Say whether an address is one of the public internet, or in a network that the operator lists."""
    candidate = _innermost(ip_address(address.partition("%")[0]))
    if any(candidate.version == network.version and candidate in network for network in networks):
        return True
    if not candidate.is_global or candidate.is_multicast:
        return False
    return not any(candidate.version == network.version and candidate in network for network in _NOT_PUBLIC)


def why_not_called(host: str, addresses: Sequence[str], networks: Sequence[Network], setting: str) -> str:
    """Say why a host with these addresses may not be called; empty where it may. One that may not is enough."""
    if not addresses:
        return f"{host} has no address"
    refused = [address for address in addresses if not may_be_called(address, networks)]
    if not refused:
        return ""
    where = f"of the public internet and in no network of {setting}"
    try:
        ip_address(host)
    except ValueError:
        return f"{host} has the address {', '.join(refused)}, which is not one {where}"
    return f"{host} is no address {where}"


def _innermost(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, where it stands for one."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = IPv4Address(address.packed[-4:])
    return inner or address


class PinnedTransport:
    """The real ``ports.http.NamedHostTransport``. Safe to share between threads.

    ``networks`` may be called besides the public internet; ``setting`` is the name of the setting with them. ``guard`` is called
    before every request, and may raise.
    ``ca_file`` is trusted in addition to the machine's trust store. Proxies are not used: behind one nobody could judge
    the address.
    """

    def __init__(
        self,
        *,
        networks: Sequence[Network] = (),
        setting: str = "KEYTURN_IDENTITY_NETWORKS",
        ca_file: Path | None = None,
        guard: Callable[[], None] = nothing_held,
        resolve: Resolve = system_addresses,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._networks = networks
        self._setting = setting
        self._guard = guard
        self._resolve = resolve
        self._monotonic = monotonic
        self._ca = read_certificates(ca_file) if ca_file else None
        self._usual: ssl.SSLContext | None = None
        self._resolving = ThreadPoolExecutor(_RESOLVING, thread_name_prefix="resolve")

    def send(self, request: HttpRequest, *, ca: str = "") -> HttpResponse:
        """Send once. Raises TransportFailed for an address that may not be called, and when no whole response came in time."""
        self._guard()
        deadline = self._monotonic() + request.timeout.total_seconds()
        target = _target(request.url)
        host = target.host
        try:
            secure = self._connect(target, deadline, ca)
        except (OSError, ValueError) as error:
            failure = TransportFailed(f"cannot connect to {host}: {describe_cause(error)}", sent=False)
        else:
            try:
                return self._exchange(secure, request, target, deadline)
            except TransportFailed as error:
                failure = TransportFailed(str(error), sent=True)
            except (OSError, http.client.HTTPException, ValueError) as error:
                cause = "it did not answer in time" if self._monotonic() >= deadline else describe_cause(error)
                failure = TransportFailed(f"{host} gave no answer: {cause}", sent=True)
        # Raised outside the handlers: a traceback into the client would lead to headers and bodies.
        raise failure

    def _connect(self, target: "_Target", deadline: float, ca: str) -> ssl.SSLSocket:
        """Return a connection to an address that may be called. Raises TransportFailed, OSError, ValueError."""
        context = self._trust(ca)
        plain = self._dial(target.host, target.port, deadline)
        try:
            secure = context.wrap_socket(plain, server_hostname=target.host, do_handshake_on_connect=False)
        except BaseException:
            plain.close()
            raise
        try:
            with self._cut_off(secure, deadline):
                secure.do_handshake()
        except BaseException:
            secure.close()
            raise
        return secure

    def _dial(self, host: str, port: int, deadline: float) -> socket.socket:
        cause: OSError = TimeoutError("it did not answer in time")
        for address in self._addresses(host, port, deadline):
            remaining = deadline - self._monotonic()
            if remaining <= 0:
                break
            try:
                return socket.create_connection((address, port), timeout=remaining)
            except OSError as error:
                cause = error
        raise cause

    def _addresses(self, host: str, port: int, deadline: float) -> Sequence[str]:
        """Resolve the host, this once. One address that may not be called is enough to refuse it whole."""
        try:
            lookup = self._resolving.submit(self._resolve, host, port)
            addresses = lookup.result(timeout=max(0.0, deadline - self._monotonic()))
        except StillWaiting:
            raise TransportFailed(f"the name {host} was not resolved in time", sent=False) from None
        except UnicodeError:
            raise TransportFailed(f"{host} is no name of a host", sent=False) from None
        if reason := why_not_called(host, addresses, self._networks, self._setting):
            raise TransportFailed(reason, sent=False)
        return addresses

    def _trust(self, ca: str) -> ssl.SSLContext:
        if ca:
            context = ssl.create_default_context(cadata=ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            return context
        if self._usual is None:
            self._usual = trust(self._ca)
        return self._usual

    def _exchange(
        self, secure: ssl.SSLSocket, request: HttpRequest, target: "_Target", deadline: float
    ) -> HttpResponse:
        host = target.host
        connection = http.client.HTTPConnection(host, target.port)
        connection.sock = secure
        try:
            with self._cut_off(secure, deadline):
                connection.request(request.method, target.path, request.body or None, _headers(request, target))
                response = connection.getresponse()
                headers = {name.lower(): value for name, value in response.getheaders()}
                if request.status_only and self._monotonic() < deadline:
                    return HttpResponse(response.status, headers)
                if headers.get("content-encoding", "identity").strip().lower() != "identity":
                    raise TransportFailed(
                        f"{host} answered with compressed content, which was not asked for", sent=True
                    )
                body = _body(response, host)
            # An answer that was cut off, here or on the way, looks like a whole one to the parser.
            if response.length or self._monotonic() >= deadline:
                raise http.client.IncompleteRead(body)
            return HttpResponse(response.status, headers, body)
        finally:
            connection.close()

    @contextmanager
    def _cut_off(self, secure: ssl.SSLSocket, deadline: float) -> Iterator[None]:
        """End the connection at the deadline, whatever is being waited for: limits of a socket are for each read alone."""
        seconds = max(0.0, deadline - self._monotonic())
        secure.settimeout(seconds + 1)
        # Of the plain socket: the one of TLS would forget its state while another thread reads.
        timer = threading.Timer(seconds, _end, [secure])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _end(secure: ssl.SSLSocket) -> None:
    try:
        socket.socket.shutdown(secure, socket.SHUT_RDWR)
    except OSError:
        return  # it has ended already


@dataclass(frozen=True)
class _Target:
    """``authority`` is host and port as the address writes them; ``path`` has the query with it."""

    host: str
    port: int
    authority: str
    path: str


def _target(url: str) -> _Target:
    """Take an address apart. Raises TransportFailed unless it is a plain https address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        raise TransportFailed("the address cannot be read", sent=False) from None
    if parts.scheme != "https" or not host.isascii() or not host or "@" in parts.netloc:
        raise TransportFailed("the address does not begin with https:// and the name of a host", sent=False)
    if not url.isascii() or not url.isprintable() or " " in url:
        raise TransportFailed("the address holds blanks or other letters", sent=False)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Target(host, port, parts.netloc, path)


def _headers(request: HttpRequest, target: _Target) -> dict[str, str]:
    own = {
        "host": target.authority,
        "user-agent": f"keyturn/{__version__}",
        "accept-encoding": "identity",
        "connection": "close",
    }
    return {**own, **request.headers}


def _body(response: http.client.HTTPResponse, host: str) -> bytes:
    body = bytearray()
    while piece := response.read(_PIECE):
        body += piece
        if len(body) > RESPONSE_LIMIT:
            raise TransportFailed(f"{host} answered with more than {RESPONSE_LIMIT} bytes", sent=True)
    return bytes(body)
