"""HTTP to one server: bounded in time and size, no redirects, and no word of what was sent in any error."""

import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from keyturn import __version__
from keyturn.client.domain import Outage
from keyturn.errors import Misconfigured
from keyturn.kit import proxies
from keyturn.kit.connection_causes import cause_of, describe_cause
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.deadlines import DeadlinePassed, NoHostName, ends_within, obey_deadlines

if TYPE_CHECKING:
    import httpx2

LARGEST = 64 * 1024 * 1024
"""Of an answer, in bytes: a hundred thousand secrets of a usual length are a third of it."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """Safe to share between threads. The client library is loaded by the first request: a start from a cache does without."""

    def __init__(self, url: str, ca_file: Path | None = None, seconds: float = 30.0) -> None:
        """``seconds`` is how long one request may take as a whole. Raises Misconfigured for an unreadable CA file."""
        self._url = url
        self._seconds = seconds
        self._ca = _certificates(ca_file) if ca_file else None
        self._opened: httpx2.Client | None = None
        self._opening = threading.Lock()

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """Send once. ``path`` may be a whole address, ``seconds`` take the place of the usual ones.

        Raises Outage when no whole answer came in time.
        """
        import httpx2  # noqa: PLC0415

        url = path if "://" in path else self._url + path
        try:
            whole = url + (f"?{urlencode(query)}" if query else "")
            return self._exchange(method, whole, body, headers or {}, seconds or self._seconds)
        except httpx2.ConnectError as error:
            raise _unreached(self._url, cause_of(error)) from None
        except NoHostName:
            reason = f"{self._url} cannot be reached: it has no name of a host"
        except (DeadlinePassed, httpx2.TimeoutException):
            reason = f"{self._url} did not answer in time"
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            # The texts of these may quote what was sent, so only the kind of the failure is passed on.
            reason = f"{self._url} gave no answer ({type(error).__name__})"
        raise Outage(reason)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    def _exchange(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> Answer:
        import httpx2  # noqa: PLC0415

        typed = {"content-type": "application/json"} if body is not None else {}
        timeout = httpx2.Timeout(seconds, connect=min(seconds, self._seconds))
        with (
            ends_within(seconds),
            self._client().stream(method, url, content=body, headers={**typed, **headers}, timeout=timeout) as response,
        ):
            content = bytearray()
            for piece in response.iter_bytes():
                content += piece
                if len(content) > LARGEST:
                    raise Outage(f"{self._url} answered with more than {LARGEST} bytes")
            lower = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, lower, bytes(content))

    def _client(self) -> "httpx2.Client":
        with self._opening:
            if self._opened is None:
                import httpx2  # noqa: PLC0415

                context = httpx2.create_ssl_context()
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                if self._ca is not None:
                    context.load_verify_locations(cadata=self._ca)
                try:
                    self._opened = httpx2.Client(
                        verify=context,
                        limits=httpx2.Limits(max_connections=None),  # many folders may wait for changes at once
                        follow_redirects=False,
                        headers={"user-agent": f"keyturn/{__version__}", "accept": "application/json"},
                    )
                except (ImportError, ValueError, httpx2.InvalidURL):
                    raise Outage(proxies.UNUSABLE) from None
                obey_deadlines(self._opened)
            return self._opened


def _unreached(url: str, cause: Exception) -> Outage:
    message = f"{url} cannot be reached: {describe_cause(cause)}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Outage(
            message, fix="Set KEYTURN_SERVER_CA_FILE to a file with the certificate of the authority that made it."
        )
    return Outage(message)


def _certificates(path: Path) -> str:
    try:
        text = path.read_bytes().decode("ascii", "ignore")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"The CA file {path} cannot be used: {error}",
            code="client.ca_file",
            fix="Give a file with one or more certificates in PEM form.",
        ) from None
    return text
