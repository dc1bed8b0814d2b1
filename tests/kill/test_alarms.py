"""Every alarm arrives once for its id: two workers, killed all the while, and a receiver that fails half of its requests."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from entra_emulator import Emulator, Request, Response, SystemClock, Wire
from keyturn.alarms.channel_service import ChannelDraft
from keyturn.app.alarms import alarm_services
from keyturn.db.tables import alarm_attempts, alarm_evaluations, alarm_messages, alarms, app_connections
from keyturn.ports.http import HttpRequest, TransportFailed
from tests.features.alarms.ailing import Ailing
from tests.features.alarms.receivers import SECRET, Receiver
from tests.kill import scene
from tests.kill.scene import database, life, printed_seed, until
from tests.kill.zygote import Zygote, zygote
from tests.system.installation import Installation, installation

KILLS = int(os.environ.get("KEYTURN_KILLS", "2"))
"""``make crash`` kills a hundred times."""
PER_LIFE = 3
"""What happens between two kills."""
FASTER = 240
"""How fast time passes for what waits: a minute in a quarter of a second."""
ENDS_IN = timedelta(hours=20)
UNDISTURBED, MOVED = 2.0, timedelta(minutes=10)
"""In the end: so many seconds for work that was claimed, whose claim ends when the moments are brought nearer."""
LONGEST_ANSWER = 0.3
"""Seconds: long enough that senders die while they wait for it."""


class WithReceiver(Emulator):
    """An Entra ID at whose address the receiver of alarms is, too."""

    def __init__(self, seed: int) -> None:
        super().__init__(SystemClock(), seed)
        self.receiver = Receiver(seed=seed, fails=1.0)
        self.wrong: list[str] = []
        self._luck = random.Random(seed)
        self._taking = threading.Lock()

    def handle(self, request: Request) -> Response:
        if not request.url.endswith("/alarms"):
            return super().handle(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self._taking:
            try:
                answer = self.receiver.send(HttpRequest(request.method, request.url, headers, request.body))
            except TransportFailed:
                return Response(204, wire=Wire("reset"))
            except AssertionError as error:
                self.wrong.append(str(error))
                return Response(500)
        return Response(answer.status, delay=self._luck.uniform(0, LONGEST_ANSWER))


@pytest.mark.timeout(1200)
@pytest.mark.alternates("programs and receivers")
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_every_alarm_arrives_once_for_its_id_whoever_is_killed(tmp_path: Path, kind: str) -> None:
    seed = printed_seed()
    luck = random.Random(seed)
    emulator = WithReceiver(seed)
    with ExitStack() as stack:
        url = stack.enter_context(database(kind))
        variables = scene.PACE | {"KEYTURN_ALARM_NETWORKS": "127.0.0.0/8, ::1"}
        place = stack.enter_context(
            installation(tmp_path, database_url=url, make=lambda _seed: emulator, variables=variables)
        )
        told = Told(place, emulator.receiver)
        parent = stack.enter_context(zygote(tmp_path / "logs"))
        began = time.monotonic()
        _kill_while_it_happens(place, told, parent, luck)
        until(told.all_of_it, "all was told", seconds=300, otherwise=told.left)
        assert not emulator.wrong
        told.check()
        print(f"{kind}, {KILLS} kills in {time.monotonic() - began:.0f} s: {told.in_words()}")


def _kill_while_it_happens(place: Installation, told: "Told", parent: Zygote, luck: random.Random) -> None:
    workers = [parent.start(["worker"], place.environ) for _ in range(2)]
    told.happens()
    until(told.any_failed, "the workers tell, and write down that it failed")
    told.half_of_it_fails()
    for _ in range(KILLS):
        lives = life(luck) * 2  # as one of two is killed
        for _ in range(PER_LIFE):
            told.happens()
            told.ends(luck)
            _time_passes(place, lives / PER_LIFE)
        killed = luck.randrange(2)
        parent.kill(workers[killed])
        workers[killed] = parent.start(["worker"], place.environ)


def _time_passes(place: Installation, seconds: float) -> None:
    """Let so many seconds pass here, and many more for what waits for its moment."""
    began = time.monotonic()
    while (before := time.monotonic()) < began + seconds:
        time.sleep(0.1)
        _nearer(place, timedelta(seconds=(time.monotonic() - before) * FASTER), alarm_messages)
    _nearer(place, timedelta(seconds=(time.monotonic() - began) * FASTER), alarm_evaluations)


def _nearer(place: Installation, by: timedelta, *tables: sa.Table) -> None:
    """Bring the moments nearer for which looks and messages wait: also those at which a dead worker's are taken over.

    A look whose moment is brought nearer meanwhile counts as taken over, and writes nothing down. What a worker holds just now
    is left for the next time: waiting for it with others locked could be a deadlock.
    """
    with place.core.database.write() as tx:
        for table in tables:
            for row in tx.rows(sa.select(table).where(table.c.due_at.is_not(None)).with_for_update(skip_locked=True)):
                key = next(iter(table.primary_key))
                nearer = sa.update(table).where(key == row[key.name]).values(due_at=row["due_at"] - by)
                tx.run(nearer)


class Told:
    """What happens in the organization, and what of it the receiver was told."""

    def __init__(self, place: Installation, receiver: Receiver) -> None:
        self._place = place
        self._receiver = receiver
        self._ailing = Ailing(place.core.database, place.core.clock.now(), place.actor.org_id)
        self._open: list[str] = []
        self._over: list[str] = []
        self._undisturbed_until = 0.0
        draft = ChannelDraft("hook", "webhook", {"url": f"{place.running.authority}/alarms"}, SECRET)
        alarm_services(place.core).channels.create(place.actor, draft)

    def happens(self) -> None:
        """A secret is found that ends within the day."""
        with self._place.core.database.write() as tx:
            self._open.append(self._ailing.connection(tx, ends_at=self._place.core.clock.now() + ENDS_IN))

    def ends(self, luck: random.Random) -> None:
        """One of those that somebody was alarmed of is renewed."""
        alarmed = [each for each in self._open if ("opened", each) in self.heard()]
        if alarmed:
            self._open.remove(renewed := luck.choice(alarmed))
            self._over.append(renewed)
            with self._place.core.database.write() as tx:
                tx.run(sa.update(app_connections).where(app_connections.c.id == renewed).values(ends_at=None))

    def heard(self) -> Counter[tuple[str, str]]:
        """How often the receiver was told of each, by event and subject; each id of a message counts once."""
        bodies = list(self._receiver.taken.values())
        return Counter((alarm["event"], alarm["subjectId"]) for body in bodies for alarm in body["data"]["alarms"])

    def due(self) -> Counter[tuple[str, str]]:
        """What it has to be told."""
        return Counter(
            [("opened", each) for each in self._open + self._over] + [("resolved", each) for each in self._over]
        )

    def any_failed(self) -> bool:
        """Say whether an attempt is written down as failed."""
        with self._place.core.database.read() as tx:
            return bool(tx.rows(sa.select(alarm_attempts.c.id).where(alarm_attempts.c.ok.is_(False))))

    def half_of_it_fails(self) -> None:
        """Let the receiver, which has failed always until now, fail half of its requests."""
        self._receiver.fails = 0.5

    def all_of_it(self) -> bool:
        if time.monotonic() > self._undisturbed_until:
            _nearer(self._place, MOVED, alarm_evaluations, alarm_messages)
            self._undisturbed_until = time.monotonic() + UNDISTURBED
        return not self._waiting() and not self.missing()

    def _waiting(self) -> Sequence[Mapping[str, Any]]:
        with self._place.core.database.read() as tx:
            return tx.rows(sa.select(alarm_messages).where(alarm_messages.c.due_at.is_not(None)))

    def missing(self) -> Counter[tuple[str, str]]:
        return self.due() - self.heard()

    def left(self) -> list[object]:
        """What is missing and what waits, for the message of a failure."""
        return [self.missing(), *({**row, "body": None} for row in self._waiting())]

    def check(self) -> None:
        """Each was told once for its id, and all of what the rows say was told."""
        assert self.heard() == self.due()
        first = {message_id for message_id, body in self._receiver.taken.items() if body["data"]["part"] == 1}
        with self._place.core.database.read() as tx:
            sent = {row["id"] for row in tx.rows(sa.select(alarm_messages.c.id))}
            kept = [row["subject_id"] for row in tx.rows(sa.select(alarms.c.subject_id))]
        assert sent == first
        assert sorted(kept) == sorted(self._open + self._over)

    def in_words(self) -> str:
        taken = self._receiver
        told = f"{self.due().total()} alarms in {len(taken.taken)} messages"
        return f"{told}, {len(taken.requests)} requests, {taken.doubles} doubles"
