"""How reads of programs are written down: the first of a minute before its answer, the others counted and written together."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.db.unit import Database, Tx
from keyturn.delivery import instances, reads
from keyturn.delivery.domain import Read
from tests.databases import KINDS, database_of_kind
from tests.features.secrets.desk import V3, SecretsClient


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with database_of_kind(getattr(request, "param", "sqlite"), tmp_path) as opened:
        yield opened


def read(web: SecretsClient, name: str, *, who: str = "robot", **headers: str) -> Any:
    dashed = {f"x-keyturn-{key.replace('_', '-')}": text for key, text in headers.items()}
    return web.send("GET", f"{V3}/{name}", **web.at(), who=who, headers=dashed)


@pytest.mark.parametrize("database", KINDS, indirect=True)
def test_repeats_of_a_minute_are_one_event_with_their_number(web: SecretsClient) -> None:
    web.put("KEY", "value that is read often")
    for _ in range(4):
        read(web, "KEY", instance="pod-1")
    read(web, "KEY", instance="pod-2")
    assert [(each["instance"], each.get("repeats")) for each in web.trail("get-secret")] == [
        ("pod-1", None),
        ("pod-2", None),
    ]
    web.reads.close()
    assert [(each["instance"], each["repeats"]) for each in web.trail("get-secret")[2:]] == [("pod-1", 3)]
    web.world.clock.advance(60)
    read(web, "KEY", instance="pod-1")
    web.reads.close()
    assert len(web.trail("get-secret")) == 4


def test_what_another_process_has_written_is_a_repeat_here(web: SecretsClient) -> None:
    web.put("KEY", "value of two processes")
    read(web, "KEY")
    web.secrets.reader._audit = other = reads.GroupedReadAudit(web.world.database, web.world.clock, web.world.ids)
    read(web, "KEY")
    other.close()
    assert [each.get("repeats") for each in web.trail("get-secret")] == [None, 1]


def test_many_first_reads_share_transactions(web: SecretsClient) -> None:
    web.put("KEY", "value for a crowd")
    groups: list[int] = []
    everybody_waits = threading.Event()

    def note(_tx: Tx, noted: Sequence[Read]) -> None:
        groups.append(len(noted))
        everybody_waits.wait(20)

    web.reads._note = note
    threads = [threading.Thread(target=read, args=(web, "KEY"), kwargs={"instance": f"pod-{n}"}) for n in range(20)]
    for thread in threads:
        thread.start()
    while web.reads.reads < len(threads):
        threading.Event().wait(0.01)
    everybody_waits.set()
    for thread in threads:
        thread.join()
    assert (sum(groups), len(groups)) == (20, 2)
    assert len(web.trail("get-secret")) == 20


def test_an_unchanged_answer_is_no_event_and_tells_what_is_in_use(web: SecretsClient) -> None:
    noted: list[Read] = []
    web.reads._note = lambda _tx, group: noted.extend(group)
    web.put("KEY", "value that stays")
    etag = read(web, "KEY", instance="pod-1").headers["etag"]
    for in_use in ("", "", "key-1, key-2"):
        answer = web.send(
            "GET",
            f"{V3}/KEY",
            **web.at(),
            who="robot",
            headers={
                "if-none-match": etag,
                "x-keyturn-instance": "pod-1",
                "x-keyturn-in-use": in_use,
                "x-keyturn-refresh-interval": "300",
            },
        )
        assert answer.status_code == 304
    web.reads.close()
    assert len(web.trail("get-secret")) == 1
    assert [(each.instance, each.in_use, each.unchanged) for each in noted] == [
        ("pod-1", (), False),
        ("pod-1", ("key-1", "key-2"), True),
    ]
    assert noted[1].refresh_interval == 300
    assert web.reads.unchanged_answers == 3


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"instance": "x" * 129}, "delivery.instance"),
        ({"instance": "a\x7fb"}, "delivery.instance"),
        ({"refresh_interval": "soon"}, "delivery.refresh_interval"),
        ({"refresh_interval": "0"}, "delivery.refresh_interval"),
        ({"in_use": "k!"}, "delivery.in_use"),
        ({"in_use": ",".join(f"k{n}" for n in range(21))}, "delivery.in_use"),
    ],
)
def test_a_program_that_says_nonsense_about_itself_is_told_what_to_send(
    web: SecretsClient, headers: dict[str, str], code: str
) -> None:
    web.put("KEY", "value not handed out")
    answer = read(web, "KEY", **headers)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert "Send X-Keyturn-" in answer.json()["fix"]
    assert web.trail("get-secret") == []


def test_instances_beyond_a_thousand_are_counted_as_others(web: SecretsClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "MOST_OF_ONE", 3)
    web.put("KEY", "value for many pods")
    for number in range(5):
        read(web, "KEY", instance=f"pod-{number}")
    web.reads.close()
    assert [(each["instance"], each.get("repeats")) for each in web.trail("get-secret")] == [
        *((f"pod-{number}", None) for number in range(3)),
        ("others", None),
        ("others", 1),
    ]
    web.world.clock.advance(3600)
    read(web, "KEY", instance="pod-4")
    assert web.trail("get-secret")[-1]["instance"] == "pod-4"


def test_counts_outlast_a_database_that_is_away_and_reads_are_refused(
    web: SecretsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.put("KEY", "value before the outage")
    web.put("OTHER", "value during the outage")
    for _ in range(3):
        read(web, "KEY")

    def broken(*_: object, **_facts: object) -> bool:
        raise sa.exc.OperationalError("INSERT", {}, OSError("gone"))

    with monkeypatch.context() as patched:
        patched.setattr(reads, "record", broken)
        refused = read(web, "OTHER")
        assert (refused.status_code, refused.json()["code"]) == (503, "delivery.audit")
        assert "outage" not in refused.text
        web.reads.close()
    web.reads.close()
    assert [each.get("repeats") for each in web.trail("get-secret")] == [None, 2]
    assert read(web, "OTHER").status_code == 200
