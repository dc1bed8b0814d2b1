"""A receiver of webhooks that refuses what it is told to, and a sender that is killed right after it has sent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from standardwebhooks.webhooks import Webhook as Signer

from keyturn.ports.http import HttpRequest, HttpResponse, TransportFailed


class Killed(BaseException):
    """The process ended here."""


@dataclass
class Receiver:
    """Implements ``ports.http.NamedHostTransport``. ``answers`` are statuses, one for each request and then 200 for ever.

    None is no answer; "killed" takes the message, and its sender ends before it knows.
    """

    answers: Iterator[int | str | None] = field(default_factory=lambda: iter(()))
    requests: list[HttpRequest] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    retry_after: str | None = None

    def send(self, request: HttpRequest, *, ca: str = "") -> HttpResponse:
        self.requests.append(request)
        answer = next(self.answers, 200)
        if answer is None:
            raise TransportFailed("hooks.example.com gave no answer: it did not answer in time", sent=True)
        if answer == "killed" or answer == 200:
            self.taken.append(request.headers["webhook-id"])
        if answer == "killed":
            raise Killed
        assert isinstance(answer, int)
        return HttpResponse(answer, {"retry-after": self.retry_after} if self.retry_after else {})

    def bodies(self) -> Sequence[str]:
        return [request.body.decode() for request in self.requests]


def signed_by(request: HttpRequest, secret: str, now: datetime) -> bool:
    """Say whether one of the signatures is made with the secret, as the library of Standard Webhooks computes it."""
    signature = Signer(secret).sign(request.headers["webhook-id"], now, request.body.decode())
    return signature in request.headers["webhook-signature"].split(" ")
