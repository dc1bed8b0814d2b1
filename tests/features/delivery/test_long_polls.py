"""A request with ``wait`` is answered when something is new, and ends with its token, its right and its time."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.db.tables import identities, project_member_roles
from keyturn.delivery.claims import Claim, Standing
from keyturn.errors import KeyturnError
from keyturn.kit.secret import Plaintext
from keyturn.secrets.domain import Address
from keyturn.tokens.domain import Origin
from tests.databases import sqlite_database
from tests.features.delivery.conftest import LIST, PATIENCE, Waiting, waiting_on


def test_a_waiting_list_and_a_waiting_secret_are_answered_by_the_write_that_concerns_them(
    place_on_both: Waiting,
) -> None:
    place = place_on_both
    place.put("FIRST")
    tag = place.get(LIST).headers["etag"]
    of_one = place.get(f"{LIST}/FIRST").headers["etag"]
    listed = place.begin(LIST, etag=tag, wait=60)
    single = place.begin(f"{LIST}/FIRST", etag=of_one, wait=60)
    place.put("SECOND")
    place.woken(listed)
    assert [each["secretKey"] for each in listed.result(PATIENCE).json()["secrets"]] == ["FIRST", "SECOND"]
    place.woken(None)
    assert not single.done(), "the other one is the same as before"
    place.timers.ring(up_to=60)
    over = single.result(PATIENCE)
    assert (over.status_code, over.headers["etag"]) == (304, of_one)
    assert place.watch.waiting == 0


def test_an_answer_that_is_new_already_does_not_wait(place: Waiting) -> None:
    place.put("FIRST")
    assert place.get(LIST, wait=60).status_code == 200
    assert place.get(LIST, wait=60, etag='"other"').status_code == 200
    for wrong in ("0", "61", "soon"):
        assert place.get(LIST, wait=wrong, etag='"other"').status_code == 422
    assert place.get(f"{LIST}/NONE", wait=60, etag='"other"').status_code == 404


def token_revoked(place: Waiting, token: str) -> None:
    place.tokens.revoke(Plaintext(token), Origin("192.0.2.1"))


def membership_ended(place: Waiting, token: str) -> None:
    with place.world.database.write() as tx:
        tx.run(sa.delete(project_member_roles))


def owner_removed(place: Waiting, token: str) -> None:
    with place.world.database.write() as tx:
        tx.run(sa.delete(identities).where(identities.c.id == place.actors["robot"].id))


@pytest.mark.parametrize(
    ("end", "status"),
    [(token_revoked, 401), (membership_ended, 403), (owner_removed, 401)],
)
def test_a_wait_ends_with_its_token_its_right_and_its_owner(
    place: Waiting, end: Callable[[Waiting, str], None], status: int
) -> None:
    place.put("FIRST")
    token = place.token("robot")
    waits = place.begin(LIST, token=token, etag=place.get(LIST, token=token).headers["etag"], wait=60)
    end(place, token)
    assert waits.result(PATIENCE).status_code == status, waits.result().text


def test_a_wait_does_not_outlive_its_token(place: Waiting) -> None:
    place.put("FIRST")
    token = place.token("robot", ttl=20)
    waits = place.begin(LIST, token=token, etag=place.get(LIST, token=token).headers["etag"], wait=60)
    place.until(lambda: place.timers.pending() == [20.0])  # before the minute is over
    place.world.clock.advance(21)
    place.timers.ring(up_to=20)
    assert waits.result(PATIENCE).status_code == 403


def test_too_many_who_wait_are_told_to_come_again(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, waiting_on(database, tmp_path, most=1) as place:
        place.put("FIRST")
        tag = place.get(LIST).headers["etag"]
        two = [place.send(LIST, etag=tag, wait=60) for _ in range(2)]
        place.until(lambda: any(each.done() for each in two))
        refused, waits = sorted(two, key=lambda each: not each.done())
        assert (refused.result().status_code, refused.result().headers["retry-after"]) == (503, "5")
        assert refused.result().json()["code"] == "delivery.too_many_waiters"
        assert place.get(LIST, etag=tag).status_code == 304, "without waiting everybody is served"
        place.until(lambda: bool(place.timers.pending()))
        place.timers.ring(up_to=60)
        assert waits.result(PATIENCE).status_code == 304


def test_a_server_that_stops_lets_go_those_who_wait(place: Waiting) -> None:
    place.put("FIRST")
    tag = place.get(LIST).headers["etag"]
    waits, stream = place.begin(LIST, etag=tag, wait=60), place.stream()
    place.watch.release()
    assert waits.result(PATIENCE).status_code == 304
    assert stream.next() is None
    assert place.begin(LIST, etag=tag, wait=60).result(PATIENCE).status_code == 304, "nor is kept who comes meanwhile"


def test_a_look_that_fails_loses_nothing(place: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    place.put("FIRST")
    waits = place.begin(LIST, etag=place.get(LIST).headers["etag"], wait=60)
    look_again, failed = place.watch.claims.look_again, threading.Event()

    def fails_once(claims: Sequence[Claim]) -> list[tuple[Claim, Standing | KeyturnError]]:
        if not failed.is_set():
            failed.set()
            raise OSError("the database is away for a moment")
        return look_again(claims)

    monkeypatch.setattr(place.watch.claims, "look_again", fails_once)
    with place.world.database.write() as tx:  # rights move
        tx.run(sa.delete(project_member_roles).where(project_member_roles.c.role == "viewer"))
    assert failed.wait(PATIENCE)
    place.put("SECOND")
    place.woken(waits)
    assert waits.result(PATIENCE).status_code == 200


def test_who_is_woken_for_nothing_keeps_its_place_among_those_who_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite_database(tmp_path) as database, waiting_on(database, tmp_path, most=1) as place:
        place.put("FIRST")
        tag = place.get(LIST).headers["etag"]
        waits = place.begin(LIST, etag=tag, wait=60)
        claim_of, others = place.watch.claims.of, []

        def while_it_looks(*claimed: Any) -> Claim:
            if not others:
                others.append(None)
                others.append(place.get(LIST, etag=tag, wait=60))
            return claim_of(*claimed)

        monkeypatch.setattr(place.watch.claims, "of", while_it_looks)
        place.folders.create(place.actors["admin"], Address(place.project_id, None, "dev", "/"), "billing", None)
        place.woken(None)
        place.until(lambda: len(others) == 2 and bool(place.timers.pending()))
        assert others[1].status_code == 503
        assert not waits.done()
        place.timers.ring(up_to=60)
        assert (waits.result(PATIENCE).status_code, place.watch.waiting) == (304, 0)
