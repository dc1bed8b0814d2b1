"""Waiting for changes: told at once where server and network allow it, else looked for; nothing old is used."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from keyturn.client import server as server_module
from keyturn.client.domain import Expired, Outage
from keyturn.client.watching import Watch
from keyturn.errors import KeyturnError
from tests.features.client.conftest import Machine

KEY = "11111111-1111-4111-8111-111111111111"
NEXT = "22222222-2222-4222-8222-222222222222"


def until(holds: Callable[[], object]) -> None:
    over = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < over
        time.sleep(0.005)


def test_a_change_is_known_at_once_where_the_server_waits_with_its_answer(machine: Machine) -> None:
    machine.server.knows_waiting, machine.server.headers = True, {"x-keyturn-refresh-after": "60"}
    woken = threading.Event()
    watch = Watch(machine.reader(interval=50), woken.set)
    try:
        first = watch.first(10)
        assert not isinstance(first, KeyturnError | None)
        until(lambda: len(machine.server.waited) == 2)
        woken.clear()
        changed_at = time.monotonic()
        machine.server.secrets["API_KEY"] = "two"
        assert woken.wait(30)
        assert time.monotonic() - changed_at < 30, "and not after the interval"
        news = watch.take()
        assert not isinstance(news, KeyturnError | None)
        assert news.secret_set.values["API_KEY"].reveal() == "two"
        assert machine.server.waited[0] == 0, "the first look does not wait"
        assert 40 < machine.server.waited[1] <= 50, "less than what proxies allow"
    finally:
        watch.stop()
        machine.server.secrets["API_KEY"] = "three"  # ends the wait that is under way
    assert machine.told == []


def test_a_server_that_does_not_wait_is_asked_as_often_as_was_said(machine: Machine) -> None:
    reader = machine.reader(interval=1)
    for _ in range(3):
        reader.read(wait=True)
        assert reader.wait() == 1
    reader = machine.reader(interval=60)
    for _ in range(4):
        assert reader.read(wait=True).stale is None
        assert reader.wait() == 60
    machine.server.headers = {"x-keyturn-refresh-after": "300"}
    reader.read()
    assert reader.wait() == 60, "it was not told the interval"
    announced = machine.reader(interval=60, instance="host/1")
    announced.read()
    assert announced.wait() == 300, "a server that has much to do says so"
    machine.server.secrets["API_KEY"] = "two"
    reader.read(wait=True)
    assert reader.wait() == 2, "more may change at this moment"


def test_a_wait_that_is_cut_again_and_again_ends_in_looking_now_and_then(machine: Machine) -> None:
    machine.server.knows_waiting = True
    reader = machine.reader(interval=60)
    reader.read(wait=True)
    machine.server.trouble = "cuts"
    for _ in range(3):
        assert reader.read(wait=True).stale is None
        assert reader.wait() <= 2
        assert reader.read(wait=True).stale is None, "looked once without waiting: the server is well"
    assert reader.wait() == 60
    before = list(machine.server.waited)
    machine.pass_time(minutes=50)
    reader.read(wait=True)
    assert machine.server.waited == [*before, 0]
    machine.server.trouble, machine.server.knows_waiting = "", False
    machine.pass_time(minutes=11)
    reader.read(wait=True)
    assert machine.server.waited[-1] > 0, "whoever cut may be gone"
    assert machine.told == [], "nobody has to do anything"


def test_an_answer_that_is_held_back_is_given_up(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_LATE", 0.1)
    machine.server.knows_waiting = True
    reader = machine.reader(interval=1, monotonic=time.monotonic)
    reader.read(wait=True)
    machine.server.let_go.clear()
    machine.server.trouble = "silent"
    assert reader.read(wait=True).stale is None
    machine.server.let_go.set()
    machine.server.trouble = ""
    machine.server.secrets["API_KEY"] = "two"
    assert reader.read(wait=True).secret_set.values["API_KEY"].reveal() == "two"
    assert machine.server.waited.count(0) == 2, "at first, and now"


def test_a_refusal_is_not_asked_about_again_and_again(machine: Machine) -> None:
    machine.server.knows_waiting, machine.server.headers = True, {"x-keyturn-refresh-after": "60"}
    reader = machine.reader(interval=60)
    reader.read(wait=True)
    assert reader.wait() == 0
    for trouble in ("refused", "gone"):
        machine.server.trouble = trouble
        with pytest.raises(KeyturnError):
            reader.read(wait=True)
        assert reader.wait() == 60


def test_who_reads_is_named_and_who_uses_is_told_once_it_does(machine: Machine) -> None:
    machine.server.knows_waiting, machine.server.headers = True, {"x-keyturn-key-id": f"{KEY}, {NEXT}"}
    reader = machine.reader(interval=30, instance="host/1")
    secret_set = reader.read().secret_set
    assert secret_set.key_ids == (KEY, NEXT)
    assert machine.server.readers[-1] == {"x-keyturn-instance": "host/1", "x-keyturn-refresh-interval": "30"}
    reader.use(secret_set)
    until(lambda: machine.server.in_use)
    assert machine.server.in_use == [
        {
            "projectSlug": "payments",
            "environment": "dev",
            "secretPath": "/",
            "instance": "host/1",
            "refreshInterval": 30,
            "keyIds": [KEY, NEXT],
        }
    ]
    reader.read()
    assert machine.server.readers[-1]["x-keyturn-in-use"] == f"{KEY}, {NEXT}"
    once = machine.reader(instance="host/2", announced=False)
    once.read()
    assert machine.server.readers[-1] == {"x-keyturn-instance": "host/2"}, "who reads once never counts as gone"


def test_nothing_is_used_longer_than_the_server_promised(machine: Machine) -> None:
    machine.server.headers = {"x-keyturn-usable-for": "7200", "x-keyturn-key-id": KEY}
    reader = machine.reader()
    reader.read()
    machine.server.trouble = "500"
    machine.pass_time(minutes=119)
    assert reader.read().stale is not None
    assert machine.reader().copy() is not None
    machine.pass_time(minutes=2)
    for each in (reader, machine.reader()):
        assert each.copy() is None
        with pytest.raises(Expired) as ended:
            each.read()
        assert (ended.value.code, ended.value.exit_status) == ("client.expired", 75)
    machine.server.trouble = ""
    machine.server.headers = {"x-keyturn-key-id": KEY}
    assert reader.read().secret_set.usable_until is None, "nothing is planned any more, and the values are the same"
    machine.server.trouble = "500"
    machine.pass_time(hours=20)
    assert machine.reader().copy() is not None, "that was written down, too"


@pytest.mark.parametrize("leap", [timedelta(days=-3), timedelta(days=3)])
def test_a_clock_that_leaps_changes_nothing_for_who_runs(machine: Machine, leap: timedelta) -> None:
    machine.server.headers = {"x-keyturn-usable-for": "7200"}
    reader = machine.reader()
    reader.read()
    machine.server.trouble = "500"
    machine.now += leap
    machine.seconds += 3600
    assert reader.read().stale is not None
    machine.seconds += 3601
    with pytest.raises(Expired):
        reader.read()
    machine.server.trouble = ""
    assert reader.read().stale is None


def test_a_warning_that_a_secret_ends_is_passed_on_once(machine: Machine) -> None:
    reader = machine.reader()
    reader.read()
    machine.server.headers = {"deprecation": "@1796083200", "sunset": "Tue, 01 Dec 2026 00:00:00 GMT"}
    for _ in range(3):
        reader.read()
    (told,) = machine.told
    assert "a secret in payments, environment dev, / is about to end. It ends at Tue, 01 Dec 2026 00:00:00 GMT" in told


def test_headers_that_cannot_be_understood_count_as_none(machine: Machine) -> None:
    machine.server.headers = {
        "x-keyturn-usable-for": "soon",
        "x-keyturn-refresh-after": "nan",
        "x-keyturn-key-id": " , ",
    }
    reader = machine.reader(instance="host/1")
    secret_set = reader.read().secret_set
    assert (secret_set.usable_until, secret_set.key_ids, reader.wait()) == (None, (), 60)
    machine.server.headers = {"x-keyturn-usable-for": "-5", "x-keyturn-refresh-after": "1e300"}
    reader.read()
    assert reader.wait() == 86_400
    machine.server.trouble = "500"
    with pytest.raises(Outage):
        reader.read()
