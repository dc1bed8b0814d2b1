"""The short way of a read: the same answer as the long way, and never an old one."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from keyturn.changes.counters import Counters
from keyturn.db.unit import Database
from tests.databases import KINDS, database_of_kind
from tests.features.secrets.hot_desk import V3, V4, HotDesk, HotServer, hot_desk


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with database_of_kind(getattr(request, "param", "sqlite"), tmp_path) as opened:
        yield opened


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Iterator[HotDesk]:
    with hot_desk(database, tmp_path) as opened:
        yield opened


on_both = pytest.mark.parametrize("database", KINDS, indirect=True)


_OF_REQUEST = {"x-request-id", "content-length"}


def told(answer: Any) -> tuple[int, bytes, list[tuple[str, str]]]:
    """All of an answer but its request id, in order; how long the content is can be seen from it."""
    content = re.sub(rb'"reqId":"[^"]*"', b"", answer.content)
    return answer.status_code, content, [pair for pair in answer.headers.items() if pair[0] not in _OF_REQUEST]


@on_both
def test_both_ways_give_the_same_answer(desk: HotDesk) -> None:
    for number, name in enumerate(("PLAIN", "TOLD", "QUOTED", "TAGGED", "EMPTY")):
        desk.put(name, ["value", "x", 'a "b" \\ \n é 漢 \u2028', "y", ""][number])
    tag = desk.ask("POST", f"/api/v1/projects/{desk.project_id}/tags", {"slug": "web", "name": "Web", "color": "#fff"})
    desk.put("TAGGED", "z", "PATCH", tagIds=[tag["tag"]["id"]])
    desk.put("TOLD", "w", "PATCH", secretComment="who told", secretMetadata=[{"key": "a", "value": "b"}])
    desk.put("REFERS", "${PLAIN}! ${prod.OVERSEAS} ${NONE}", secretComment="of others")
    desk.put("FAR", "${REFERS} ${FAR.AWAY}")
    desk.put("OVERSEAS", "from prod", environment="prod")
    here = {"workspaceId": desk.project_id, "environment": "dev", "path": "/"}
    desk.ask("POST", "/api/v1/secret-imports", here | {"import": {"environment": "prod", "path": "/"}})
    secret_id = desk.ask("GET", desk.url("PLAIN"))["secret"]["id"]
    member, viewer = desk.sign_in(desk.robot()), desk.sign_in(desk.robot("viewer"))
    hot = [
        *(desk.url(name, root) for name in ("PLAIN", "TOLD", "QUOTED", "TAGGED", "EMPTY") for root in (V3, V4)),
        *(desk.url("PLAIN", viewSecretValue="false"), desk.url("OVERSEAS", V4), f"{V3}/id/{secret_id}"),
        *(desk.url(), desk.url(viewSecretValue="false"), desk.url(tagSlugs="web"), desk.url(include_imports="true")),
        *(
            desk.url(recursive="true"),
            desk.url("PLAIN", version="1"),
            desk.url(root=V4, expandSecretReferences="false"),
        ),
        *(desk.url(root=V4), *(desk.url(name, V4) for name in ("REFERS", "FAR"))),
    ]
    cold = [
        *(desk.url(metadataFilter="key=a"), desk.url("NONE")),
        *(f"{V3}/PLAIN?workspaceId={desk.project_id}&environment=nowhere", desk.url("PLAIN", version="7")),
    ]
    for token in (member, viewer, desk.admin):
        for url in hot:
            etag = desk.warm(desk.one, url, token).headers["etag"]
            others = (f'W/{etag[:-1]}-gzip"', '"other"', "*", "nonsense") if token is member else ()
            for tags in ("", etag, *others):
                is_hot, answer = desk.one.is_hot(url, token, if_none_match=tags)
                reference = desk.other.send("GET", url, token, if_none_match=tags, transfer_encoding="identity")
                assert is_hot, url
                assert told(answer) == told(reference), url
        for url in cold:
            for _ in range(3):
                is_hot, answer = desk.one.is_hot(url, token)
                assert not is_hot, url
            assert told(answer) == told(desk.other.send("GET", url, token, transfer_encoding="identity"))


def revoke(desk: HotDesk, robot: Any, token: str) -> int:
    desk.one.client.post("/api/v1/auth/token/revoke", json={"accessToken": token})
    return 401


def lose_role(desk: HotDesk, robot: Any, token: str) -> int:
    url = f"/api/v2/workspace/{desk.project_id}/identity-memberships/{robot['id']}"
    desk.ask("DELETE", url)
    return 403


def delete_identity(desk: HotDesk, robot: Any, token: str) -> int:
    desk.ask("DELETE", f"/api/v1/identities/{robot['id']}")
    return 401


def distrust_address(desk: HotDesk, robot: Any, token: str) -> int:
    body = {"accessTokenTrustedIps": [{"ipAddress": "198.51.100.0/24"}]}
    desk.ask("PATCH", f"/api/v1/auth/universal-auth/identities/{robot['id']}", body)
    return 403


def rotate(desk: HotDesk, robot: Any, token: str) -> int:
    desk.put("KEY", "value of afterwards", "PATCH")
    return 200


def delete_secret(desk: HotDesk, robot: Any, token: str) -> int:
    desk.ask("DELETE", f"{V3}/KEY", {"workspaceId": desk.project_id, "environment": "dev"})
    return 404


@on_both
@pytest.mark.parametrize("change", [revoke, lose_role, delete_identity, distrust_address, rotate, delete_secret])
def test_what_changes_is_never_answered_here_and_elsewhere_not_after_a_second(
    desk: HotDesk, change: Callable[[HotDesk, Any, str], int]
) -> None:
    desk.put("KEY", "value of before")
    robot = desk.robot()
    token, url = desk.sign_in(robot), desk.url("KEY")
    etag = desk.warm(desk.one, url, token).headers["etag"]
    desk.warm(desk.other, url, token)
    status = change(desk, robot, token)

    def is_new(server: HotServer) -> bool:
        answer = server.send("GET", url, token, if_none_match=etag)
        return bool(answer.status_code == status and "of before" not in answer.text)

    assert is_new(desk.one)
    assert desk.other.is_hot(url, token)[0], "nobody has told it yet"
    desk.pass_time(1.0)  # and nobody looks: the database may be away
    assert is_new(desk.other)
    desk.other.counters.look()
    assert is_new(desk.other)
    assert is_new(desk.one)


def test_a_wait_of_the_short_way_ends_as_one_of_the_long_way_does(desk: HotDesk) -> None:
    desk.put("KEY", "value of before")
    token, url, waits = desk.sign_in(desk.robot()), desk.url("KEY"), desk.url("KEY", wait="60")
    etag = desk.warm(desk.one, url, token).headers["etag"]
    long = desk.one.long
    assert desk.one.is_hot(waits, token)[1].status_code == 200, "nothing to wait for"
    unchanged = [desk.one.begin(waits, token, if_none_match=etag, **more) for more in ({}, {"te": "x"})]
    assert desk.one.long == long
    slow = desk.one.begin(waits, token, if_none_match=etag, transfer_encoding="identity")
    assert desk.one.long == long + 1
    desk.one.timers.ring(up_to=60)
    assert told(unchanged[0].result(30)) == told(unchanged[1].result(30)) == told(slow.result(30))
    assert slow.result().status_code == 304
    changed = [desk.one.begin(waits, token, if_none_match=etag, x_keyturn_instance=f"pod-{n}") for n in range(12)]
    desk.put("OTHER", "of no concern")
    assert not any(each.done() for each in changed)
    desk.put("KEY", "value of afterwards", "PATCH")
    long = desk.one.long
    for _ in range(100):
        desk.one.timers.ring(up_to=1)
        if all(each.done() for each in changed):
            break
        time.sleep(0.02)
    assert {each.result(30).json()["secret"]["secretValue"] for each in changed} == {"value of afterwards"}
    assert desk.one.long == long + 1, "of those who are woken together one goes the long way for all"
    assert desk.one.watch.waiting == 0
    for wrong in ("0", "61", "1&wait=2", "x"):
        answers = [
            server.send("GET", desk.url("KEY", wait=wrong), token, if_none_match=etag)
            for server in (desk.one, desk.other)
        ]
        assert told(answers[0]) == told(answers[1])
        assert answers[0].status_code == (200 if "&" in wrong else 422)


def test_who_is_woken_for_nothing_on_the_short_way_keeps_its_place(
    desk: HotDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put("KEY", "value of before")
    token, url, waits = desk.sign_in(desk.robot()), desk.url("KEY"), desk.url("KEY", wait="60")
    etag = desk.warm(desk.one, url, token).headers["etag"]
    server = desk.one
    monkeypatch.setattr(server.watch, "_most", 1)
    first, claim_of, others = server.begin(waits, token, if_none_match=etag), server.watch.claims.of, []

    def while_it_looks(*claimed: Any) -> Any:
        monkeypatch.setattr(server.watch.claims, "of", claim_of)
        others.append(server.send("GET", waits, token, if_none_match=etag, transfer_encoding="identity"))
        return claim_of(*claimed)

    monkeypatch.setattr(server.watch.claims, "of", while_it_looks)
    long = server.long
    desk.ask("POST", f"/api/v1/projects/{desk.project_id}/tags", {"slug": "web", "name": "Web", "color": "#fff"})
    until = time.monotonic() + 30
    while not others or not server.timers.pending():
        server.timers.ring(up_to=5)
        assert time.monotonic() < until
        time.sleep(0.01)
    assert (others[0].status_code, first.done(), server.long) == (503, False, long + 3)
    server.timers.ring(up_to=60)
    assert (first.result(30).status_code, server.watch.waiting) == (304, 0)


def test_who_has_waited_and_finds_its_news_old_keeps_its_place_on_the_long_way(
    desk: HotDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put("KEY", "value of before")
    token, url, waits = desk.sign_in(desk.robot()), desk.url("KEY"), desk.url("KEY", wait="60")
    etag = desk.warm(desk.one, url, token).headers["etag"]
    server, written, begin = desk.one, Future[None](), desk.one.reads.begin
    held: list[str] = []
    monkeypatch.setattr("keyturn.api.secrets.hot._MADE_WITHIN", 30.0)

    def held_back(actor: Any, who: Any, read: Any, request_id: str | None = None) -> Any:
        if request_id is None:  # of the long way
            return begin(actor, who, read)
        held.append(request_id)
        return written

    monkeypatch.setattr(server.reads, "begin", held_back)
    both = [server.begin(waits, token, if_none_match=etag, x_keyturn_instance=f"pod-{n}") for n in range(2)]
    desk.put("KEY", "value of afterwards", "PATCH")
    until = time.monotonic() + 30
    while not held or not any(each.done() for each in both):
        server.timers.ring(up_to=1)
        assert time.monotonic() < until
        time.sleep(0.01)
    desk.put("KEY", "newest value", "PATCH")
    authenticate, places = server.access.authenticate, []

    def counted(*claimed: Any) -> Any:
        places.append(server.watch.waiting)
        return authenticate(*claimed)

    monkeypatch.setattr(server.access, "authenticate", counted)
    written.set_result(None)
    values = {each.result(30).json()["secret"]["secretValue"] for each in both}
    assert values == {"value of afterwards", "newest value"}
    assert (places, server.watch.waiting) == ([1], 0)


@pytest.mark.parametrize("change", [revoke, lose_role, delete_identity, distrust_address, rotate, delete_secret])
def test_what_changes_ends_a_wait_of_the_short_way(desk: HotDesk, change: Callable[[HotDesk, Any, str], int]) -> None:
    desk.put("KEY", "value of before")
    robot = desk.robot()
    token, url = desk.sign_in(robot), desk.url("KEY")
    etag = desk.warm(desk.one, url, token).headers["etag"]
    before = desk.one.long
    waits = desk.one.begin(desk.url("KEY", wait="60"), token, if_none_match=etag)
    assert (waits.done(), desk.one.long) == (False, before)
    status = change(desk, robot, token)
    desk.pass_time(0.5)
    desk.one.counters.look()
    answer = waits.result(30)
    assert answer.status_code == status
    assert "of before" not in answer.text


def test_a_look_finds_what_another_process_changed(desk: HotDesk) -> None:
    desk.put("KEY", "value of before")
    token, url = desk.sign_in(desk.robot()), desk.url("KEY")
    desk.warm(desk.other, url, token)
    desk.put("KEY", "value of afterwards", "PATCH")
    desk.other.counters.look()
    assert desk.other.send("GET", url, token).json()["secret"]["secretValue"] == "value of afterwards"
    assert desk.warm(desk.other, url, token).json()["secret"]["secretValue"] == "value of afterwards"


def test_what_ends_by_the_clock_ends_without_a_look(desk: HotDesk) -> None:
    desk.put("KEY", "value for a time")
    robot, url = desk.robot("no-access"), desk.url("KEY")
    member = f"/api/v2/workspace/{desk.project_id}/identity-memberships/{robot['id']}"
    start = desk.clock.now().isoformat().replace("+00:00", "Z")
    times = {
        "isTemporary": True,
        "temporaryMode": "relative",
        "temporaryRange": "30s",
        "temporaryAccessStartTime": start,
    }
    desk.ask("PATCH", member, {"roles": [{"role": "member", **times}]})
    token = desk.sign_in(robot)
    desk.warm(desk.one, url, token)
    desk.clock.advance(31)
    hot, answer = desk.one.is_hot(url, token)
    assert (hot, answer.status_code) == (False, 403)
    desk.ask("PATCH", member, {"roles": [{"role": "member"}]})
    desk.warm(desk.one, url, token)
    desk.clock.advance(3000)
    assert desk.one.is_hot(url, token)[0] is False, "a use is written down again"
    desk.warm(desk.one, url, token)
    desk.clock.advance(2592000)
    hot, answer = desk.one.is_hot(url, token)
    assert (hot, answer.status_code) == (False, 403)
    assert answer.json()["code"] == "access.token_expired"


def test_a_token_with_few_uses_is_never_hot_and_ends_in_time(desk: HotDesk) -> None:
    desk.put("KEY", "value for three")
    robot, url = desk.robot(), desk.url("KEY")
    desk.ask("PATCH", f"/api/v1/auth/universal-auth/identities/{robot['id']}", {"accessTokenNumUsesLimit": 3})
    token = desk.sign_in(robot)
    assert [desk.one.is_hot(url, token)[0] for _ in range(3)] == [False] * 3
    assert desk.one.send("GET", url, token).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://elsewhere.example"},
        {"host": "a, b"},
        {"x_keyturn_instance": "x" * 129},
        {"x_keyturn_in_use": "?"},
        {"authorization": "Basic YTpi"},
    ],
)
def test_what_is_not_plain_goes_the_long_way(desk: HotDesk, headers: dict[str, str]) -> None:
    desk.put("KEY", "value at hand")
    token, url = desk.sign_in(desk.robot()), desk.url("KEY")
    desk.warm(desk.one, url, token)
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    answers = [
        server.client.get(url, headers={"authorization": f"Bearer {token}", **given})
        for server in (desk.one, desk.other)
    ]
    assert told(answers[0])[0] >= 400
    assert answers[0].json()["code"] == answers[1].json()["code"]


def test_reads_of_the_short_way_are_in_the_trail_and_in_the_log(desk: HotDesk) -> None:
    desk.put("KEY", "value on record")
    token, url = desk.sign_in(desk.robot()), desk.url("KEY")
    desk.warm(desk.one, url, token)
    before = desk.one.reads.reads
    for _ in range(5):
        assert desk.one.is_hot(url, token, x_keyturn_instance="pod-1")[0]
    assert desk.one.reads.reads == before + 5


def test_the_short_way_needs_what_it_answers_with_to_be_written_down(
    desk: HotDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put("KEY", "canary in the dark")
    token, url = desk.sign_in(desk.robot()), desk.url("KEY")
    desk.warm(desk.one, url, token)

    def broken(*_: object, **_facts: object) -> bool:
        raise OSError("full")

    monkeypatch.setattr("keyturn.delivery.reads.record", broken)
    answer = desk.one.send("GET", url, token, x_keyturn_instance="pod-9")
    assert (answer.status_code, "in the dark" in answer.text) == (503, False)


def test_with_the_real_thread_a_write_is_never_missed_and_others_learn_of_it(
    database: Database, tmp_path: Path
) -> None:
    with hot_desk(database, tmp_path, Counters) as desk:
        desk.put("KEY", "value 0")
        token, url = desk.sign_in(desk.robot()), desk.url("KEY")
        hot = 0
        for number in range(1, 16):
            desk.put("KEY", f"value {number}", "PATCH")
            for _ in range(3):
                is_hot, answer = desk.one.is_hot(url, token)
                assert answer.json()["secret"]["secretValue"] == f"value {number}"
                hot += is_hot
        assert hot > 0
        until = time.monotonic() + 30
        while desk.other.send("GET", url, token).json()["secret"]["secretValue"] != "value 15":
            assert time.monotonic() < until
