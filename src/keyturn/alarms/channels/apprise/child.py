"""The process in which apprise sends: one order on standard input, one answer on standard output, and its end.

apprise resolves names, follows redirects and opens connections by itself, and a judgement of an address beforehand would be
worth nothing: the name may lead elsewhere a moment later. So what is judged here is the connection itself. A hook of the
interpreter (PEP 578) sees the address of each connection that anything in this process opens, in the moment when it is opened;
it cannot be taken away again, which is why this is a process of its own.
"""

import json
import logging
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema

from keyturn.providers.pinned import Network, may_be_called

_CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_SETTING = "KEYTURN_ALARM_NETWORKS"


class Watcher:
    """Refuses connections to addresses that may not be called: ``refused``. ``statuses`` are what receivers answered."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks
        self.refused: list[str] = []
        self.statuses: list[int] = []

    def watch(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The hook: raises PermissionError, which callers take for a connection that failed."""
        if event not in _CONNECTS:
            return
        connection, address = arguments[0], arguments[-1]
        host = str(address[0]) if isinstance(address, tuple) and address else ""
        if connection.family not in {socket.AF_INET, socket.AF_INET6} or not self._allowed(host):
            self.refused.append(host or "of this machine")
            raise PermissionError("this address may not be called")

    def _allowed(self, host: str) -> bool:
        try:
            return may_be_called(host, self._networks)
        except ValueError:  # a name: whoever resolves it only now escapes the judgement
            return False


def _restrict_requests(watcher: Watcher, authorities: str) -> None:
    """Let ``requests`` speak HTTPS only, follow nobody elsewhere, and trust the machine's authorities and these."""

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
            context = ssl.create_default_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if authorities:
                context.load_verify_locations(cadata=authorities)
            super().init_poolmanager(*arguments, **more, ssl_context=context)

        def send(self, request: requests.PreparedRequest, *arguments: Any, **more: Any) -> requests.Response:
            response = super().send(request, *arguments, **more)
            watcher.statuses.append(response.status_code)
            return response

    adapter = Adapter()

    def https_alone(_session: requests.Session, url: str) -> HTTPAdapter:
        if not url.lower().startswith("https://"):
            raise InvalidSchema("only https is spoken")
        return adapter

    requests.Session.get_adapter = https_alone  # type: ignore[method-assign,assignment]
    requests.Session.get_redirect_target = lambda _session, _response: None  # type: ignore[method-assign,assignment]


def answer(order: Mapping[str, Any], watcher: Watcher) -> dict[str, Any]:
    """Read the address, and with a ``body`` send it: ``{"ok": bool, "message": str}``, which never repeats the address."""
    from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType, OverflowMode  # noqa: PLC0415 - after the hook

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    asset = AppriseAsset(async_mode=False, http_redirects=False, secure_logging=True)
    try:
        service = Apprise.instantiate(order["address"], asset=asset, suppress_exceptions=False)
    except (TypeError, ValueError, AttributeError, KeyError):
        service = None  # what these say may repeat the address
    if service is None:
        return {
            "ok": False,
            "message": "The address is not complete: something of it is missing, or is not of its kind.",
        }
    if not service.verify_certificate or not service.secure or getattr(service, "secure_mode", "") == "insecure":
        return {"ok": False, "message": "The address asks for a connection that is not encrypted, or not proven."}
    if "body" not in order:
        return {"ok": True, "message": ""}
    sent = service.notify(
        body=order["body"],
        title=order["title"],
        notify_type=NotifyType.WARNING,
        body_format=NotifyFormat.TEXT,
        overflow=OverflowMode.TRUNCATE,  # a service refuses what is longer than it takes; the title says how many there are
    )
    return {"ok": True, "message": "Taken"} if sent else {"ok": False, "message": _why(watcher)}


def _why(watcher: Watcher) -> str:
    if watcher.refused:
        return (
            f"The receiver has the address {watcher.refused[0]}, which is not one of the public internet and in no network of"
            f" {_SETTING}."
        )
    if watcher.statuses:
        return f"Answered with status {watcher.statuses[-1]}."
    return "No answer: the receiver could not be reached, or its certificate is not trusted."


def main() -> None:
    order = json.load(sys.stdin)
    watcher = Watcher([ip_network(each) for each in order["networks"]])
    _restrict_requests(watcher, order["authorities"])
    sys.addaudithook(watcher.watch)
    json.dump(answer(order, watcher), sys.stdout)


if __name__ == "__main__":
    main()
