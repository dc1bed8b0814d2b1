"""HTTP over pooled connections: one attempt, no redirects, no cookies, bounded in time and size."""

import ssl
import threading
import time
from collections.abc import Callable, Iterable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import TYPE_CHECKING

from keyturn import __version__
from keyturn.errors import Misconfigured
from keyturn.kit import proxies
from keyturn.kit.connection_causes import cause_of, describe_cause
from keyturn.kit.deadlines import DeadlinePassed, NoHostName, ends_within, obey_deadlines
from keyturn.ports.http import HttpRequest, HttpResponse, ResponseTooLarge, TransportFailed

if TYPE_CHECKING:
    import httpx2

RESPONSE_LIMIT = 8 * 1024 * 1024
"""The largest response body, in bytes after decompression."""


def nothing_held() -> None:
    """The guard of a process without a database."""


class HttpTransport:
    """The real ``ports.Transport``. Safe to share between threads.

    ``guard`` is called before every request and raises when the calling thread holds a database transaction. Proxies
    are taken from the usual environment variables. ``ca_file`` is trusted in addition to the machine's trust store.
    The client is loaded by the first request: a tenth of a second that a start does without.
    """

    def __init__(
        self,
        *,
        ca_file: Path | None = None,
        guard: Callable[[], None] = nothing_held,
        monotonic: Callable[[], float] = time.monotonic,
        name: str | None = None,
        direct: bool = False,
    ) -> None:
        """``name`` tells this process from others in the provider's logs; ``direct`` leaves proxies out.

        Raises Misconfigured for an unreadable CA file.
        """
        self._guard = guard
        self._monotonic = monotonic
        self._name = name
        self._direct = direct
        # Read once: the file may be replaced or gone by the first request.
        self._ca = read_certificates(ca_file) if ca_file else None
        self._opening = threading.Lock()
        self._opened: httpx2.Client | None = None

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send once. Raises TransportFailed when no whole response came in time or it is larger than the limit.

        The time is for all of it, but for asking the system for the addresses of the host.
        """
        import httpx2  # noqa: PLC0415

        self._guard()
        try:
            return self._exchange(request)
        except TransportFailed as error:
            failure = type(error)(str(error), sent=error.sent)
        except DeadlinePassed:
            failure = TransportFailed("the response did not end in time", sent=True)
        except httpx2.ProxyError as error:
            failure = _refused_by_proxy(str(error))
        except httpx2.ConnectError as error:
            failure = TransportFailed(f"cannot connect: {describe_cause(cause_of(error))}", sent=False)
        except NoHostName:
            failure = TransportFailed("cannot connect: the address has no name of a host", sent=False)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            # The texts of these may quote header values, so only the kind of the failure is passed on.
            failure = TransportFailed(_words(type(error).__name__), sent=not _stayed_here(error))
        # Raised anew and outside the handlers: a traceback into the client would lead to headers and bodies.
        raise failure

    def close(self) -> None:
        """Close all connections. Safe to repeat."""
        with self._opening:
            if self._opened is not None:
                self._opened.close()

    def _client(self) -> "httpx2.Client":
        with self._opening:
            if self._opened is None:
                self._opened = _open(self._name, self._ca, direct=self._direct)
            return self._opened

    def _exchange(self, request: HttpRequest) -> HttpResponse:
        seconds = request.timeout.total_seconds()
        with (
            ends_within(seconds, self._monotonic),
            self._client().stream(
                request.method,
                request.url,
                headers=dict(request.headers),
                content=request.body or None,
                timeout=seconds,
            ) as response,
        ):
            body = b"" if request.status_only else _read(response.iter_bytes())
            headers = {name.lower(): value for name, value in response.headers.items()}
            return HttpResponse(response.status_code, headers, body)


def _read(pieces: Iterable[bytes]) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > RESPONSE_LIMIT:
            raise ResponseTooLarge(f"the response is larger than {RESPONSE_LIMIT} bytes", sent=True)
    return bytes(body)


def _open(name: str | None, ca: str | None, *, direct: bool) -> "httpx2.Client":
    import httpx2  # noqa: PLC0415

    context = trust(ca)
    try:
        client = httpx2.Client(
            verify=context,
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=32, keepalive_expiry=30.0),
            follow_redirects=False,
            trust_env=not direct,
            # Entra's cookies pin a client to one replica, which would make a proof of replication worthless.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={
                "user-agent": f"keyturn/{__version__}" + (f" ({name})" if name else ""),
                "accept-encoding": "gzip",
            },
        )
    except (ImportError, ValueError, httpx2.InvalidURL):
        raise TransportFailed(proxies.UNUSABLE, sent=False) from None
    obey_deadlines(client)
    return client


def trust(ca: str | None) -> ssl.SSLContext:
    """Return what tells whom to trust: the machine's trust store, and these certificates in PEM form besides."""
    import httpx2  # noqa: PLC0415

    context = httpx2.create_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is not None:
        context.load_verify_locations(cadata=ca)
    return context


def read_certificates(ca_file: Path) -> str:
    """Return the text of a file with certificates in PEM form. Raises Misconfigured when it holds none."""
    try:
        # Only comments between the certificates can hold other letters.
        text = ca_file.read_bytes().decode("ascii", "ignore")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"the CA file {ca_file} cannot be used: {error}",
            code="config.ca_file",
            fix="Give a file with one or more certificates in PEM form.",
        ) from None
    return text


def _stayed_here(error: Exception) -> bool:
    """Only these say for certain that no byte of the request left this machine. Everything else may have arrived."""
    import httpx2  # noqa: PLC0415

    certain = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.PoolTimeout,
        httpx2.ProxyError,
        httpx2.UnsupportedProtocol,
        httpx2.InvalidURL,
    )
    return isinstance(error, certain)


def _refused_by_proxy(answer: str) -> TransportFailed:
    """Tell what the proxy of HTTPS_PROXY answered; its text begins with the status, and the rest is not passed on."""
    number = answer[:3]
    status = int(number) if number.isascii() and number.isdigit() else None
    reasons = {
        407: "the proxy asks for a user name and a password (407), or those in HTTPS_PROXY are wrong",
        403: "the proxy does not permit this address (403)",
    }
    text = "the proxy failed" if status is None else f"the proxy refused with status {status}"
    return TransportFailed(reasons.get(status or 0, text), sent=False, proxy_status=status)


def _words(name: str) -> str:
    """``ReadTimeout`` -> ``read timeout``."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
