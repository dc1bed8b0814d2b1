"""Reads made for programs: a credential together with the one before it, and many secrets in one request."""

import hashlib
import json
from collections.abc import Sequence

import msgspec

from keyturn.api.delivery.read_schemas import (
    BatchEntryAnswer,
    BatchEntryWanted,
    BatchReadAnswer,
    CurrentAnswer,
    CurrentQuery,
    DeliveredSecret,
    ReadBatch,
)
from keyturn.api.secrets.promises import Promises
from keyturn.api.secrets.views import Tagged, consumer_of, secret_view
from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso_or_none
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Digests
from keyturn.secrets import vanished
from keyturn.secrets.domain import Reading, Secret, SecretType
from keyturn.secrets.read_audit import Consumer
from keyturn.secrets.reading import Found, SecretReader
from keyturn.web.error_responses import body_of, json_response
from keyturn.web.messages import Response
from keyturn.web.routes import Caller, Routes, get, group, post
from keyturn.web.schema.wire import encode

_PLAIN = Reading()
_Outcome = Found | KeyturnError


def router(reader: SecretReader, digests: Digests, promises: Promises, clock: Clock) -> Routes:
    """Return the routes."""
    tagged = Tagged(digests)

    @get("/api/v1/delivery/current", answer=CurrentAnswer)
    def read_current(actor: Actor, caller: Caller, query: CurrentQuery) -> Response:
        """Show a secret with the credential that it held before, while that may still be used.

        Both come with their key ids at Entra ID and until when they may be relied on. References are not expanded, and imports
        are not looked into. The tag does not count ``usableUntil`` and ``refreshAfter``, which change by themselves.
        """
        who, address = consumer_of(caller), query.address()
        found = reader.find(actor, address, query.secret_name, _PLAIN, SecretType.SHARED)
        before = reader.find_before(actor, found)
        promise_before = promises.of(before) if before else None
        if promise_before is not None and (promise_before.usable_until or clock.now()) <= clock.now():
            before = None
        seen = [found, before] if before else [found]

        def make() -> Response:
            shown = [_delivered(reader.open(actor, each, who), each, promises) for each in seen]
            pause = promises.refresh_after(promises.of(found), who.refresh_interval, clock.now())
            return Response(encode(CurrentAnswer(shown[0], shown[1] if before else None, pause)))

        response = tagged.answer(caller, _fingerprint(seen), make, lambda: _unchanged(reader, actor, seen, who))
        response.headers.update(promises.headers(promises.of(*seen), who.refresh_interval))
        return response

    @post("/api/v1/delivery/batch", answer=BatchReadAnswer, also={412: "All of it is as the tag says"})
    def read_batch(actor: Actor, caller: Caller, data: ReadBatch) -> Response:
        """Show up to 100 secrets at once, of any folders and projects: each with its own status.

        One that cannot be read does not hide the others. The answer has one tag; with it in ``If-None-Match`` the answer is 412
        with the same headers while all of it is the same. References are not expanded, and imports are not looked into.
        """
        who, outcomes = consumer_of(caller), [_found(reader, actor, wanted) for wanted in data.secrets]
        seen = [each for each in outcomes if isinstance(each, Found)]

        def make() -> Response:
            return Response(encode(BatchReadAnswer([_entry(reader, actor, each, who) for each in outcomes])))

        response = tagged.answer(caller, _fingerprint(outcomes), make, lambda: _unchanged(reader, actor, seen, who))
        response.headers.update(promises.headers(promises.of(*seen), who.refresh_interval))
        return _as_before(caller, response) if response.status == 304 else response

    return group("Delivery", read_current, read_batch)


def _as_before(caller: Caller, unchanged: Response) -> Response:
    """Return what says so to a POST: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2 keeps 304 for GET and HEAD."""
    body = body_of(412, "PreconditionFailed", "All of it is as before.", caller.request_id, code="delivery.unchanged")
    return json_response(body, 412, unchanged.headers)


def _found(reader: SecretReader, actor: Actor, wanted: BatchEntryWanted) -> _Outcome:
    """Look for one secret. Only a refusal is an outcome of its own: trouble of this server is that of the whole answer."""
    try:
        return reader.find(actor, wanted.address(), wanted.secret_name, _PLAIN, SecretType.SHARED)
    except KeyturnError as error:
        if error.status >= 500 and error.code != vanished.CODE:
            raise
        return error


def _entry(reader: SecretReader, actor: Actor, outcome: _Outcome, who: Consumer) -> BatchEntryAnswer:
    if isinstance(outcome, KeyturnError):
        return BatchEntryAnswer(
            outcome.status, error=outcome.error, message=outcome.message, code=outcome.code, fix=outcome.fix
        )
    return BatchEntryAnswer(200, secret_view(reader.open(actor, outcome, who)))


def _delivered(secret: Secret, found: Found, promises: Promises) -> DeliveredSecret:
    promise = promises.of(found)
    key_id = promise.key_ids[0] if promise.key_ids else None
    shown = msgspec.structs.asdict(secret_view(secret))
    return DeliveredSecret(**shown, key_id=key_id, usable_until=iso_or_none(promise.usable_until))


def _unchanged(reader: SecretReader, actor: Actor, seen: Sequence[Found], who: Consumer) -> None:
    for each in seen:
        reader.unchanged(actor, each, who)


def _fingerprint(outcomes: Sequence[_Outcome]) -> str:
    parts = [
        each.fingerprint if isinstance(each, Found) else [each.status, each.code, each.message] for each in outcomes
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
