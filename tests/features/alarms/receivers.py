"""Receivers of alarms that keep what they took, and refuse or lose as much as a test says."""

import base64
import hashlib
import hmac
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse, TransportFailed

URL = "https://hooks.example.test/keyturn"
KEY = b"0123456789abcdef0123456789abcdef"
SECRET = Plaintext("whsec_" + base64.b64encode(KEY).decode())


@dataclass
class Receiver:
    """A receiver over HTTPS. ``fails`` is the share of requests that do not succeed, half of which it took all the same.

    ``taken`` holds the bodies by id, each once: it knows doubles by their id, as Standard Webhooks say.
    """

    seed: int = 1
    fails: float = 0.0
    down: bool = False
    requests: list[HttpRequest] = field(default_factory=list)
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)
    times: dict[str, datetime] = field(default_factory=dict)
    """When each was taken first, as its sender says."""
    doubles: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def send(self, request: HttpRequest, *, ca: str = "") -> HttpResponse:
        self.requests.append(request)
        if self.down:
            raise TransportFailed("hooks.example.test gave no answer: it did not answer in time", sent=True)
        failing, lost = self._random.random() < self.fails, self._random.random() < 0.5
        if failing and not lost:
            return HttpResponse(503, {}, b"busy")
        self._take(request)
        if failing:
            raise TransportFailed("hooks.example.test gave no answer: it did not answer in time", sent=True)
        return HttpResponse(204)

    def _take(self, request: HttpRequest) -> None:
        message_id = request.headers.get("webhook-id") or f"request-{len(self.requests)}"
        if "webhook-signature" in request.headers:
            assert verified(request), "the signature is wrong"
        body = json.loads(request.body)
        if message_id in self.taken:
            self.doubles += 1
            data = [self.taken[message_id].get("data"), body.get("data")]
            assert data[0] == data[1], "the same id says something else"
        stamp = int(request.headers.get("webhook-timestamp", "0"))
        self.times.setdefault(message_id, datetime.fromtimestamp(stamp, UTC))
        self.taken.setdefault(message_id, body)

    def told(self, kind: str = "keyturn.alarm") -> list[tuple[str, str]]:
        """What was told, each once: the event and the subject, in the order in which it came."""
        return [
            (alarm["event"], alarm["subject"])
            for body in self.taken.values()
            if body["type"] == kind
            for alarm in body["data"]["alarms"]
        ]


def verified(request: HttpRequest) -> bool:
    """Say whether the signature is right, computed as the specification says and not by the code under test."""
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in request.headers["webhook-signature"].split(" ")
