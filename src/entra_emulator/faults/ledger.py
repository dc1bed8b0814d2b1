"""Every request and its effect: what a test of a client's behaviour is decided by."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus


@dataclass(slots=True)
class Entry:
    """One request. `application` is an object id, `caller` an app id; empty text means "none" or "unknown".

    `auth_key_id` is the key that authenticated: at the token endpoint the one that was just accepted, at Graph the
    one that obtained the token. `wire` is what the caller's connection did. `started` and `ended` are real POSIX
    seconds, set only by the server. `grant` is the grant type of a token request, `user` the object id of the person
    who signed in or on whose behalf the caller acts.

    `outcome` is what a sign-in came to, whatever its caller was told: "0", or the code of the refusal; empty where the
    request was none. With it come `resource` (the app id of what the token is for), `credential_type` (as Graph names it),
    `presented_key_id` (the credential, accepted or not, where it is known) and `token_id` (the claim `uti`).
    """

    sequence: int
    at: float
    method: str
    path: str
    operation: str
    tenant: str = ""
    application: str = ""
    caller: str = ""
    auth_key_id: str = ""
    status: int = 0
    error: str = ""
    committed: bool = False
    key_id: str = ""
    wire: str = "normal"
    user_agent: str = ""
    instance: str = ""
    body_sha256: str = ""
    started: float = 0.0
    ended: float = 0.0
    grant: str = ""
    user: str = ""
    address: str = ""
    request_id: str = ""
    correlation_id: str = ""
    outcome: str = ""
    resource: str = ""
    credential_type: str = ""
    presented_key_id: str = ""
    token_id: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The entry as plain values."""
        return asdict(self)

    def as_line(self) -> dict[str, Any]:
        """What is kept of it: neither the real times of the server, nor what is as in an entry that was just begun."""
        return {name: getattr(self, name) for name, begun in _BEGUN.items() if getattr(self, name) != begun}


_REAL_TIMES = frozenset({"started", "ended"})
_BEGUN = {item.name: item.default for item in fields(Entry) if item.name not in _REAL_TIMES}


class Ledger:
    """All requests in order. Holds no secret: of a body only the first 16 hex digits of its SHA-256.

    Safe to read from any thread while calls are answered. Keeps the last `limit` entries and the last `text_limit`
    bytes of received text; `dropped` counts what was let go.
    """

    def __init__(self, limit: int = 200_000, text_limit: int = 32_000_000) -> None:
        self._entries: deque[Entry] = deque(maxlen=limit)
        self._texts: dict[bytes, None] = {}
        self._text_limit = text_limit
        self._text_size = 0
        self._next = 1
        self._lock = threading.RLock()
        self.dropped = 0
        self.texts_dropped = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        with self._lock:
            return iter(list(self._entries))

    def open(self, at: float, method: str, path: str, body: bytes) -> Entry:
        """Begins the entry of a request that has just arrived."""
        digest = hashlib.sha256(body).hexdigest()[:16] if body else ""
        with self._lock:
            entry = Entry(self._next, at, method, path, "unknown", body_sha256=digest)
            self._next += 1
            if len(self._entries) == self._entries.maxlen:
                self.dropped += 1
            self._entries.append(entry)
        return entry

    def take_over(self, entries: Iterable[Entry], last: int) -> None:
        """Begins with the requests that another ledger held, of which `last` was the newest, or is the newest of these.

        Those before a gap in the numbers are let go.
        """
        with self._lock:
            for entry in entries:
                if self._entries and entry.sequence != self._entries[-1].sequence + 1:
                    self._entries.clear()
                self._entries.append(entry)
            newest = self._entries[-1].sequence if self._entries else 0
            if newest < last:
                self._entries.clear()
            self._next = max(newest, last) + 1
            self.dropped = self.last - len(self._entries)

    def get(self, sequence: int) -> Entry | None:
        """The entry of that number, if it is still held."""
        with self._lock:
            index = sequence - self._entries[0].sequence if self._entries else -1
            return self._entries[index] if 0 <= index < len(self._entries) else None

    @property
    def last(self) -> int:
        """The number of the newest entry; 0 before the first."""
        return self._next - 1

    def after(self, sequence: int) -> list[Entry]:
        """The entries that are held with a greater number, oldest first; quick where there are few."""
        with self._lock:
            first = self._entries[0].sequence if self._entries else 0
            return list(islice(self._entries, max(0, sequence + 1 - first), None))

    def served(self, sequence: int, started: float, ended: float) -> None:
        """Notes the real times between which the server worked on that request."""
        entry = self.get(sequence)
        if entry is not None:
            entry.started, entry.ended = started, ended

    def query(self, *, since: int = 0, limit: int | None = None, **conditions: Any) -> list[Entry]:
        """Entries after number `since` whose fields equal all of `conditions`, oldest first, at most `limit`.

        Raises AttributeError for a field that entries do not have.
        """
        entries = []
        for entry in self:
            if entry.sequence > since and all(getattr(entry, name) == value for name, value in conditions.items()):
                entries.append(entry)
                if limit is not None and len(entries) >= limit:
                    break
        return entries

    def remember(self, text: bytes) -> None:
        """Keeps received text for `saw_plaintext`. Equal texts are kept once."""
        with self._lock:
            if not text or text in self._texts:
                return
            self._texts[text] = None
            self._text_size += len(text)
            while self._text_size > self._text_limit and len(self._texts) > 1:
                oldest = next(iter(self._texts))
                del self._texts[oldest]
                self._text_size -= len(oldest)
                self.texts_dropped += 1

    def saw_plaintext(self, text: str) -> bool:
        """Whether this value was received in some URL, header or body, other than in a token request's own field for it.

        Looks for the value as it is and in its URL, JSON and base64 forms. Raises ValueError for an empty value.
        """
        if not text:
            raise ValueError("an empty value is in every text")
        raw = text.encode()
        forms = {raw, quote(text, safe="").encode(), quote_plus(text).encode(), json.dumps(text)[1:-1].encode()}
        forms |= {base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"=")}
        with self._lock:
            remembered_texts = list(self._texts)
        return any(form in item for item in remembered_texts for form in forms)


_SECRET_FIELDS = frozenset({"client_secret", "refresh_token", "code", "code_verifier"})


def without_secrets(form: bytes) -> bytes:
    """A token request's form without the fields in which secrets belong. Raises ValueError for too many fields."""
    if not any(name.encode() in form for name in _SECRET_FIELDS):
        return form
    pairs = parse_qsl(form.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=100)
    return "&".join(f"{name}={value}" for name, value in pairs if name not in _SECRET_FIELDS).encode()
