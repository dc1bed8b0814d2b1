"""The emulator: one value in, one value out."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from entra_emulator.admin import snapshot as snapshots
from entra_emulator.admin.admin import Admin
from entra_emulator.admin.demo import Demo, seed_demo
from entra_emulator.admin.http import AdminApi
from entra_emulator.admin.origins import is_foreign
from entra_emulator.admin.rows import KeptRows
from entra_emulator.console.console import Console
from entra_emulator.core.clock import Clock
from entra_emulator.core.outside import Outside
from entra_emulator.core.wire import Request, Response, deliver, json_body
from entra_emulator.directory.directory import new_guid
from entra_emulator.directory.issuers import IssuerError, ask
from entra_emulator.directory.keys import SigningKey
from entra_emulator.directory.replicas import draw
from entra_emulator.directory.world import Call, World
from entra_emulator.faults.faults import FaultPlan
from entra_emulator.faults.ledger import Ledger
from entra_emulator.graph import service as graph
from entra_emulator.server import arm, cors
from entra_emulator.sign_in import managed_identity, portal, sts
from entra_emulator.tokens import federation
from entra_emulator.vault import service as vault

_ROOMS = {
    "v1.0": graph.handle,
    "beta": graph.handle,
    "oidc": graph.handle,
    "api": portal.handle,
    **dict.fromkeys(vault.SEGMENTS, vault.handle),
    **dict.fromkeys(("subscriptions", "metadata", "tenants", "providers"), arm.handle),
}

_FOREIGN = Response(
    403, (("Content-Type", "application/json"),), json_body({"error": "sent by a page of another origin"})
)


class Emulator:
    """Entra ID and Microsoft Graph in memory.

    No threads, no wall time, no I/O but what `outside` does for it (issuers are asked, challenges written): all it knows of
    time is `clock`, all its randomness is one generator started from `seed`, so the same seed and the same calls give the same
    answers (token signatures apart: the key is made anew unless `signing_key` is given). Safe to call from several threads.
    """

    def __init__(
        self, clock: Clock, seed: int = 0, *, signing_key: SigningKey | None = None, outside: Outside | None = None
    ) -> None:
        self._lock = threading.RLock()
        self._world = World(clock, random.Random(seed), signing_key or SigningKey())  # noqa: S311 - a simulation
        self._world.outside = outside
        self._world.identity_header = hashlib.sha256(f"identity header {seed}".encode()).hexdigest()[:32].upper()
        self.admin = Admin(self._world, self._lock, seed, self.handle)
        self._admin_api = AdminApi(self._world, self.admin, lambda uris: self.seed_demo(uris).as_dict())
        self._console = Console(self._world, self._admin_api.handle)

    @property
    def clock(self) -> Clock:
        """The clock it was given."""
        return self._world.clock

    @property
    def identity_header(self) -> str:
        """What callers of App Service's endpoint of managed identities send."""
        return self._world.identity_header

    @property
    def ledger(self) -> Ledger:
        """Every request so far."""
        return self._world.ledger

    @property
    def issuers_asked(self) -> int:
        """How often keys of an outside issuer were fetched, or could not be."""
        return self._world.issuers.changes

    @property
    def faults(self) -> FaultPlan:
        """The scripted faults; add to them at any time."""
        return self._world.faults

    def handle(self, request: Request) -> Response:
        """Answers one request. Never raises for anything in the request; wire faults are named, not acted out."""
        scheme, host, path, query = _parts(request.url)
        segment = path.lstrip("/").partition("/")[0]
        self._ask_issuer(request)
        with self._lock:
            if segment == "_emulator":
                return self._own(request, host or _host(request), path, query)
            preflight = cors.preflight(request, path)
            if preflight is not None:
                return preflight
            base = f"{scheme or 'https'}://{host or _host(request) or 'login.microsoftonline.com'}"
            call = self._open(request, base, path, query)
            if managed_identity.serves(path):
                return self._close(call, managed_identity.handle(call))
            return self._close(call, cors.readable(request, path, _ROOMS.get(segment, sts.handle)(call)))

    def _own(self, request: Request, host: str, path: str, query: str) -> Response:
        """The page and the admin API, for whoever is not sent by a page of another origin."""
        if is_foreign(request, host):
            return _FOREIGN
        if path.rstrip("/") == "/_emulator":
            return self._console.handle(request, dict(parse_qsl(query)))
        return self._admin_api.handle(request, path, dict(parse_qsl(query)))

    def asks_outside(self, request: Request) -> bool:
        """Whether answering this request will wait for an issuer to be called."""
        with self._lock:
            return self._world.outside is not None and federation.issuer_to_ask(self._world, request.body) is not None

    def call(self, request: Request, timeout: float = 30.0) -> Response:
        """Like `handle`, for callers in process: raises ConnectionReset or TimedOut where the wire fails.

        A delayed answer counts against `timeout` (seconds), but nothing waits.
        """
        return deliver(self.handle(request), timeout)

    def seed_demo(self, redirect_uris: tuple[str, ...] = ()) -> Demo:
        """Makes the demo tenant, in which people sign in through these redirect URIs.

        Raises ValueError if it is there already, or for a bad redirect URI.
        """
        with self._lock:
            return seed_demo(self.admin, self.clock.now(), redirect_uris)

    def snapshot(self, demo: Demo | None = None) -> dict[str, Any]:
        """All that is known of the tenants, as JSON knows it: with every secret, without logs and faults."""
        with self._lock:
            return snapshots.take(self._world, self._ahead, demo)

    def kept_rows(self, demo: Demo | None = None) -> KeptRows:
        """To be asked for after a snapshot was kept: what tells `changed_rows` from then on."""
        with self._lock:
            return KeptRows(self._world.directory, snapshots.state_of(self._world, self._ahead, demo))

    def changed_rows(self, kept: KeptRows, demo: Demo | None = None) -> list[list[Any]] | None:
        """What became other since that snapshot and since this was last asked, row by row; None where everything may be."""
        with self._lock:
            return kept.changed(self._world.directory, snapshots.state_of(self._world, self._ahead, demo))

    def restore(
        self, value: Any, log: Sequence[Any] = (), requests: Sequence[Any] = (), answered: int = 0, changes: int = 0
    ) -> snapshots.Snapshot:
        """Begins anew with what `snapshot` gave, and with kept lines of the logs and of the ledger.

        `answered` is the number of the newest request that the value knows of, `changes` how many were put into it since it was
        a snapshot. Raises ValueError for anything else.
        """
        with self._lock:
            kept = snapshots.put(self._world, value)
            undone = snapshots.take_over_ledger(self._world, requests, answered, changes)
            snapshots.take_over_log(self._world, log, undone)
            return kept

    def log_lines(self) -> list[dict[str, Any]]:
        """The logs of sign-ins and changes as lines to keep."""
        with self._lock:
            return snapshots.all_log_lines(self._world)

    def news(self, ledger: Ledger | None, after: int) -> snapshots.News:
        """What is to be kept since that number of that ledger: all, where it is another one than now."""
        with self._lock:
            return snapshots.news(self._world, after if self.ledger is ledger else 0)

    def served(self, sequence: int, started: float, ended: float) -> None:
        """Notes between which real times (POSIX seconds) a request was worked on; unknown numbers are ignored."""
        with self._lock:
            self.ledger.served(sequence, started, ended)

    @property
    def _ahead(self) -> float:
        ahead: float = getattr(self.clock, "ahead", 0.0)
        return ahead

    def _ask_issuer(self, request: Request) -> None:
        """Fetches the keys that this request needs and that are not at hand, without holding up others."""
        outside = self._world.outside
        if outside is None:
            return
        with self._lock:
            due = federation.issuer_to_ask(self._world, request.body)
        if due is None:
            return
        issuer, tenant = due
        outcome: dict[str, RSAPublicKey] | IssuerError
        try:
            outcome = ask(issuer, outside.fetch)
        except IssuerError as error:
            outcome = error
        with self._lock:
            world, settings = self._world, tenant.settings
            kept, first = (draw(bounds, world.rng) for bounds in (settings.issuer_cache, settings.issuer_appear))
            world.issuers.keep(issuer, outcome, world.clock.now(), kept, first)

    def _open(self, request: Request, base: str, path: str, query: str) -> Call:
        now = self._world.clock.now()
        headers = {name.lower(): value for name, value in request.headers.items()}
        entry = self._world.ledger.open(now, request.method, path, request.body)
        entry.user_agent = headers.get("user-agent", "")
        entry.instance = headers.get("x-keyturn-instance", "")
        entry.address = headers.get("x-forwarded-for", request.address).partition(",")[0].strip()[:100]
        entry.correlation_id = headers.get("client-request-id", "")[:100]
        texts = "\n".join((path, query, *(value for name, value in headers.items() if name != "authorization")))
        self._world.ledger.remember(texts.encode("utf-8", "replace"))
        if not sts.is_token_path(path):
            self._world.ledger.remember(request.body)
        call = Call(self._world, request, entry, now, base, path, query, headers)
        call.request_id = entry.request_id = new_guid(self._world.rng)
        return call

    def _close(self, call: Call, response: Response) -> Response:
        entry = call.entry
        entry.status, entry.wire = response.status, response.wire.kind
        delay = response.delay + draw(call.settings.latency, self._world.rng)
        date = ("Date", formatdate(call.local_now, usegmt=True))
        return replace(response, headers=(*response.headers, date), sequence=entry.sequence, delay=delay)


def _host(request: Request) -> str:
    return next((value for name, value in request.headers.items() if name.lower() == "host"), "")


def _parts(url: str) -> tuple[str, str, str, str]:
    """Scheme, host with port, path and query. A target that cannot be read is a path that nobody serves."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", "", "/", ""
    return parts.scheme, parts.netloc, parts.path or "/", parts.query
