"""Streams of changes: what is told to whom, in which order, from where on, and how they end."""

import json
import threading

import pytest
import sqlalchemy as sa

from keyturn.authz.permissions import Grants
from keyturn.authz.vocabulary import rules_of
from keyturn.changes.domain import Change, ChangeKind
from keyturn.db.tables import changes, project_member_roles
from keyturn.delivery.event_views import Interest, visible_change
from keyturn.kit.secret import Plaintext
from keyturn.secrets.domain import Address, NewSecret, SecretType
from keyturn.secrets.folders import FolderChange
from keyturn.tokens.domain import Origin
from tests.features.delivery.conftest import EVENTS, Waiting

SUBSCRIBE = "/api/v1/events/subscribe/project-events"
ALL = (Interest(),)
CREATED, DELETED, MOVED = ChangeKind.SECRET_CREATED, ChangeKind.SECRET_DELETED, ChangeKind.FOLDER_UPDATED


def of_billing(environment: str = "dev") -> Grants:
    """May describe what is in /billing and below, in one environment."""
    conditions = {"environment": environment, "secretPath": {"$glob": "/billing/**"}}
    return Grants((rules_of([{"subject": "secrets", "action": ["describeSecret"], "conditions": conditions}]),))


def secret(kind: ChangeKind, path: str, environment: str = "dev", owner: str | None = None) -> Change:
    return Change(kind, "id", environment, path, "NAME", 1, owner)


def moved(before: str, after: str) -> Change:
    return Change(MOVED, "id", "dev", after, after[1:], previous_path=before, previous_name=before[1:])


@pytest.mark.parametrize(
    ("change", "interests", "told"),
    [
        (secret(CREATED, "/billing"), ALL, "/billing"),
        (secret(CREATED, "/billing/eu"), ALL, "/billing/eu"),
        (secret(DELETED, "/billing"), ALL, "/billing"),
        (secret(CREATED, "/"), ALL, None),
        (secret(DELETED, "/payroll"), ALL, None),
        (secret(CREATED, "/billings"), ALL, None),
        (secret(CREATED, "/billing", "prod"), ALL, None),
        (secret(CREATED, "/billing", owner="me"), ALL, "/billing"),
        (secret(CREATED, "/billing", owner="somebody else"), ALL, None),
        (secret(DELETED, "/billing", owner="somebody else"), ALL, None),
        (secret(CREATED, "/billing/eu"), (Interest("dev", "/billing"),), None),
        (secret(CREATED, "/billing/eu"), (Interest("dev", "/billing", recursive=True),), "/billing/eu"),
        (secret(CREATED, "/billing/eu"), (Interest("prod"), Interest("dev", "/billing/eu")), "/billing/eu"),
        (secret(CREATED, "/billing"), (Interest(kinds=frozenset({DELETED})),), None),
        (moved("/billing", "/payroll"), ALL, "gone: /billing"),
        (moved("/payroll", "/billing"), ALL, "/billing"),
        (moved("/billing/a", "/billing/b"), ALL, "/billing/a -> /billing/b"),
        (moved("/payroll", "/wages"), ALL, None),
        (moved("/billing", "/billing/old"), (Interest("dev", "/billing/eu"),), "/billing -> /billing/old"),
        (Change(ChangeKind.TAG_CREATED, "id", name="red"), ALL, None),
        (Change(ChangeKind.ENVIRONMENT_DELETED, "id", "dev"), ALL, "None"),
    ],
)
def test_one_is_told_what_one_may_know_and_no_more(
    change: Change, interests: tuple[Interest, ...], told: str | None
) -> None:
    seen = visible_change(change, of_billing(), "org", "project", "me", interests)
    if seen is None:
        assert told is None
        return
    said = f"{seen.previous_path} -> {seen.path}" if seen.previous_path else f"{seen.path}"
    assert told == (f"gone: {said}" if seen.kind is ChangeKind.FOLDER_DELETED else said)
    assert "payroll" not in f"{seen}"


def test_a_stream_tells_names_and_reasons_in_order_and_never_a_value(place_on_both: Waiting) -> None:
    place = place_on_both
    stream = place.stream()
    assert stream.status == 200
    assert stream.headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert stream.headers[b"x-accel-buffering"] == b"no"
    begun = int(stream.events[0]["id"])
    places = [threading.Thread(target=place.put, args=(f"NAME_{n}", "value-canary")) for n in range(8)]
    for each in places:
        each.start()
    told = [stream.change() for _ in range(8)]
    for each in places:
        each.join()
    assert {each["name"] for each in told} == {f"NAME_{n}" for n in range(8)}
    numbers = [int(event["id"]) for event in stream.events[1:]]
    assert numbers == sorted(set(numbers))
    assert numbers[0] > begun
    assert told[0] == {
        "kind": "secret:create", "environment": "dev", "path": "/", "name": told[0]["name"], "version": 1
    }  # fmt: skip
    assert "value-canary" not in json.dumps(stream.events)
    place.timers.ring(up_to=15)
    assert stream.next() == {"event": "heartbeat", "id": str(numbers[-1]), "data": "{}"}
    stream.leave()
    assert place.watch.waiting == 0
    again = place.stream(headers={"last-event-id": str(numbers[2])})
    assert [json.loads(event["data"])["name"] for _ in range(5) if (event := again.next())] == [
        each["name"] for each in told[3:]
    ]
    again.leave()


@pytest.mark.parametrize("last", ["x", "-1", "9" * 40, "99999", "0", "\u00b2", "1 OR 1=1"])
def test_a_last_event_that_the_feed_does_not_have_begins_anew_with_one_reset(place: Waiting, last: str) -> None:
    place.put("FIRST")
    place.put("SECOND")
    with place.world.database.write() as tx:
        oldest = sa.select(sa.func.max(changes.c.revision))
        tx.run(sa.delete(changes).where(changes.c.revision < oldest.scalar_subquery()))
    stream = place.stream(headers={"last-event-id": last.encode()})
    assert (stream.events[0]["event"], stream.events[0]["id"]) == ("reset", str(place.revision()))
    place.put("THIRD")
    assert stream.change()["name"] == "THIRD"
    stream.leave()


def test_a_stream_ends_with_its_token_and_tells_nothing_after_a_right_is_gone(place: Waiting) -> None:
    token = place.token("robot")
    stream = place.stream(token=token)
    with place.world.database.write() as tx:
        tx.run(sa.delete(project_member_roles))
    place.put("AFTERWARDS")
    ended = stream.next()
    assert ended is not None
    assert (ended["event"], json.loads(ended["data"])["code"]) == ("end", "access.forbidden")
    assert stream.next() is None
    other = place.stream(token=place.token("admin"))
    token = place.token("admin")
    revoked = place.stream(token=token)
    place.tokens.revoke(Plaintext(token), Origin("192.0.2.1"))
    place.put("LATER")
    told = [event for event in iter(revoked.next, None) if event["event"] != "end"]
    assert told == []
    assert other.change()["name"] == "LATER"
    other.leave()


def test_renames_and_deletions_are_told(place: Waiting) -> None:
    place.put("OLD")
    admin, where = place.actors["admin"], Address(place.project_id, None, "dev", "/")
    folder = place.folders.create(admin, where, "billing", None).folder
    stream = place.stream()
    place.folders.update(admin, folder.id, FolderChange("invoices", None))
    renamed = stream.change()
    assert (renamed["kind"], renamed["previousPath"], renamed["path"]) == ("folder:update", "/billing", "/invoices")
    place.secrets.create(admin, where, NewSecret("OLD", Plaintext("mine"), SecretType.PERSONAL))
    place.secrets.delete(admin, where, "OLD", SecretType.SHARED)
    deleted = stream.change()
    assert (deleted["kind"], deleted["name"]) == ("secret:delete", "OLD"), "nothing of the admin's own value"
    stream.leave()


def test_existing_clients_subscribe_as_they_know_it(place: Waiting) -> None:
    conditions = {"environmentSlug": "dev", "secretPath": "/**"}
    register = [{"event": "secret:create", "conditions": conditions}]
    stream = place.stream("POST", SUBSCRIBE, json={"projectId": place.project_id, "register": register})
    assert list(stream.events[0]) == [""], "a comment: these clients take each event for a change"
    place.put("FIRST")
    told = stream.change()
    payload = [{"environment": "dev", "secretPath": "/", "secretKey": "FIRST"}]
    assert told == {"projectType": "secret-manager", "data": {"eventType": "secret:create", "payload": payload}}
    stream.leave()
    wrong = {"projectId": place.project_id, "register": [{"event": "secret:read"}]}
    bearer = {"authorization": f"Bearer {place.bearers['member'].reveal()}"}
    assert place.client.post(SUBSCRIBE, json=wrong, headers=bearer).status_code == 422
    elsewhere = {"projectId": "nothing"}
    assert place.client.post(SUBSCRIBE, json=elsewhere, headers=bearer).status_code == 404


def test_the_head_of_a_stream_ends(place: Waiting) -> None:
    bearer = {"authorization": f"Bearer {place.bearers['member'].reveal()}"}
    head = place.client.head(EVENTS, params={"projectId": place.project_id}, headers=bearer)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")
    place.until(lambda: place.watch.waiting == 0)
