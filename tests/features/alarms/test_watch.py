"""Threads of their own evaluate and deliver: one channel that hangs holds up neither the look nor the other channels."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from keyturn.alarms.channel_service import ChannelDraft
from keyturn.alarms.watch import AlarmWatch
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse
from tests.databases import sqlite_database
from tests.features.alarms.office import Office
from tests.features.alarms.receivers import Receiver


class HangingChat(Receiver):
    """A receiver whose chat does not answer until it is let go."""

    let_go = threading.Event()

    def send(self, request: HttpRequest, *, ca: str = "") -> HttpResponse:
        if "chat" in request.url:
            self.let_go.wait(20)
        return super().send(request, ca=ca)


def test_a_channel_that_hangs_holds_up_nothing_else(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        receiver = HangingChat()
        office = Office(database, receiver)
        office.channels.create(office.boss, ChannelDraft("a", "slack", {}, Plaintext("https://chat.example.test/x")))
        office.webhook("b")
        for number in range(5):
            office.happens(f"app-{number}")
        watch = AlarmWatch(database, office.clock, office.process())
        watch.start()
        try:
            until(lambda: len(receiver.told()) == 5, office)
            assert len(receiver.requests) == 1, "the chat has not answered yet"
            office.conditions.clear()
            office.clock.advance(60)
            until(lambda: len(receiver.told()) == 10, office)
            receiver.let_go.set()
            until(lambda: len(receiver.requests) == 4, office)
        finally:
            receiver.let_go.set()
            watch.stop(timedelta(seconds=5))


def until(reached: Callable[[], bool], office: Office) -> None:
    ends = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < ends
        office.clock.advance(2)  # by which what was busy is due again
        time.sleep(0.02)
