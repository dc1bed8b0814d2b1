"""One look for all who wait: this process's own writes are known at once, those of others with the next look."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest

from keyturn.changes import store as feed
from keyturn.changes.counters import Counters
from keyturn.changes.domain import Change, ChangeKind
from keyturn.db.engine import open_engine
from keyturn.db.unit import Database
from keyturn.kit.actor import Role
from keyturn.projects.domain import NewProject
from keyturn.projects.service import Projects
from keyturn_simulation.world import make_world
from tests.features.accounts.people import person


@dataclass
class Scene:
    project_id: str
    now: datetime


@pytest.fixture
def scene(database: Database) -> Scene:
    world = make_world(database)
    admin = person(database, world.actor.org_id, Role.ADMIN, "admin@contoso.test")
    project = Projects(database, world.clock, world.ids).create(admin, NewProject(name="Payments", slug="payments"))
    return Scene(project.id, world.clock.now())


@pytest.fixture
def counters(database: Database) -> Iterator[Counters]:
    opened = Counters(database)
    yield opened
    opened.stop()


def write(database: Database, scene: Scene) -> int:
    with database.write() as tx:
        return feed.append(tx, scene.project_id, Change(ChangeKind.SECRET_UPDATED, "s"), scene.now)


def test_a_look_finds_what_other_processes_wrote_and_is_silent_when_nobody_did(
    scene: Scene, counters: Counters, database: Database
) -> None:
    heard: list[int | None] = []
    counters.listen(lambda: heard.append(counters.revision(scene.project_id)))
    assert not counters.confirmed
    counters.ask(scene.project_id)
    counters.look()
    first = counters.revision(scene.project_id)
    assert first is not None
    assert counters.confirmed
    elsewhere = Database(open_engine(database.engine.url))
    try:
        assert write(elsewhere, scene) == first + 1
        counters.look()
        assert heard == [first, first + 1]
        rights = counters.access
        counters.look()
        assert heard[2:] == [first + 1]
        if database.is_sqlite:
            assert counters.access == rights, "without a commit no table is read"
        counters.leave(scene.project_id)
        assert counters.revision(scene.project_id) is None, "nobody asks any more"
    finally:
        elsewhere.close()


def test_a_write_of_this_process_is_known_without_waiting_for_the_next_look(
    scene: Scene, counters: Counters, database: Database
) -> None:
    told = threading.Condition()

    def tell() -> None:
        with told:
            told.notify_all()

    counters._every *= 1000  # no look comes by itself
    counters.listen(tell)
    counters.ask(scene.project_id)
    counters.start()
    with told:
        assert told.wait_for(lambda: counters.revision(scene.project_id) is not None, timeout=30)
    number = write(database, scene)
    with told:
        assert told.wait_for(lambda: counters.revision(scene.project_id) == number, timeout=30)
