"""What a server does hourly, broken off at any instant: by its death or by an error of one task. Nothing is harmed, and the
next round does the rest."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from keyturn.app.maintenance import HourlyTasks
from keyturn.approvals.store import KEPT as KEPT_REQUESTS
from keyturn.connections.domain import Connection
from keyturn.crypto.keyring import LIFE, Keyring
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.tables import (
    app_connections,
    approval_requests,
    audit_events,
    credentials,
    data_keys,
    deletions,
    oauth_flows,
    observed_keys,
)
from keyturn.db.unit import Database
from keyturn.ports.provider import Tenant
from keyturn.settings.model import RetentionSettings
from keyturn_simulation.crashes import Fuse, Killed, MortalDatabase
from keyturn_simulation.invariants import check_no_plaintext, check_quiet
from keyturn_simulation.world import ROOT_KEY, World, make_world

pytestmark = pytest.mark.alternates

DAY = timedelta(days=1)
KEPT = RetentionSettings(audit_days=3, step_days=1, run_days=1, gone_key_days=1)
MOST_INSTANTS = 60
EVERY_TASK = {"approvals", "data-keys", "sign-ins", "audit-retention", "history-retention", "deletions", "fingerprints"}


class DiskFull(Fuse):
    """The database fails at the instant chosen, and goes on after that."""

    def point(self, moment: str) -> None:
        try:
            super().point(moment)
        except Killed:
            raise sa.exc.OperationalError("COMMIT", None, OSError("the disk is full")) from None


class Scene:
    """A rotation that has left something for every task."""

    def __init__(self, database: Database) -> None:
        self.world: World = make_world(database)
        self.connection: Connection = self.world.connect(days=2)
        self.world.settle()
        self._names = 0

    def soil(self) -> None:
        """Let days pass in which much becomes old; afterwards every task has something to do."""
        world = self.world
        world.clock.advance(5 * DAY.total_seconds())  # nobody was there
        world.settle()
        self._names += 1
        world.change(self.connection, name=f"name {self._names}")
        with world.database.write() as tx:
            tx.run(sa.update(data_keys).values(created_at=world.clock.now() - LIFE - DAY))
            tx.run(sa.update(app_connections).values(fingerprint=None, fingerprint_version=0))
            tx.run(sa.update(credentials).values(fingerprint=None))
            long_ago = world.clock.now() - 60 * DAY
            tx.run(
                sa.insert(oauth_flows).values(
                    id=world.ids.new(),
                    digest=world.ids.secret(),
                    binding="-",
                    actor_kind="user",
                    actor_id="-",
                    org_id=world.actor.org_id,
                    expires_at=long_ago,
                    created_at=long_ago,
                )
            )
            tx.run(
                sa.insert(deletions).values(
                    id=world.ids.new(),
                    org_id=world.actor.org_id,
                    kind="folder",
                    subject_id=world.ids.new(),
                    project_id=world.ids.new(),
                    name="old",
                    made_by_kind="user",
                    made_by_name="-",
                    deleted_at=long_ago,
                )
            )
            tx.run(
                sa.insert(approval_requests).values(
                    id=world.ids.new(),
                    org_id=world.actor.org_id,
                    kind="leaked",
                    subject_id=world.ids.new(),
                    subject_name="old",
                    action="rotate",
                    scope={},
                    parameters={},
                    seen="-",
                    reason="-",
                    state="approved",
                    asked_by_kind="user",
                    asked_by_id="-",
                    asked_by_name="-",
                    asked_at=world.clock.now() - KEPT_REQUESTS - DAY,
                    expires_at=long_ago,
                )
            )
        assert self.undone() == EVERY_TASK

    def round(self, fuse: Fuse) -> None:
        """All tasks of one server, which has just heard from Entra; it dies or fails as the fuse says."""
        world, database = self.world, MortalDatabase(self.world.database, fuse)
        server = world.server("mortal", database, world.network("mortal"))
        supplied = world.first_secret(world.emulator.admin.create_application(world.tenant_id, "Another", secrets=1))
        server.context.providers.method_of(supplied).sign_in(Tenant("global", world.tenant_id), supplied)
        keyring = Keyring.open(database, GivenRoot(RootKeys(RootKey(ROOT_KEY))), world.clock)
        confirmed_at = server.context.providers.clock_confirmed_at
        providers, grants = server.context.providers, server.services.grants
        hourly = HourlyTasks(keyring, database, world.sealer, providers, world.clock, grants, confirmed_at, KEPT)
        for task in hourly.tasks():
            with fuse.arm(task.name):
                assert not task.act(), "nothing is left"

    def undone(self) -> set[str]:
        """The tasks that have something to do, as their traces show."""
        old = self.world.clock.now() - 4.5 * DAY
        runs = list(self.world.history.runs(self.world.actor, self.connection.id, 100, None))
        with self.world.database.read() as tx:

            def exists(query: sa.Select[tuple[int]]) -> bool:
                return bool(tx.rows(query.limit(1)))

            probe = sa.select(sa.literal(1).label("one"))
            tasks = {
                "approvals": exists(probe.select_from(approval_requests)),
                "data-keys": not exists(probe.where(data_keys.c.created_at > old)),
                "sign-ins": exists(probe.select_from(oauth_flows)),
                "audit-retention": exists(probe.where(audit_events.c.at < old, audit_events.c.org_id.is_not(None))),
                "history-retention": any(run.created_at < old for run, _ in runs)
                or exists(probe.where(observed_keys.c.gone_at < old)),
                "deletions": exists(probe.select_from(deletions)),
                "fingerprints": exists(probe.where(app_connections.c.fingerprint.is_(None))),
            }
        return {name for name, there in tasks.items() if there}

    def unharmed(self) -> None:
        """All that is done is done, once, and what is in use works."""
        world = self.world
        assert not self.undone()
        assert world.signs_in(world.current_secret(self.connection))
        removals = world.events("remove-audit-events")
        assert len({event["data"]["upToId"] for event in removals}) == len(removals), "each is told once"
        check_quiet(world)
        check_no_plaintext(world)


@pytest.fixture
def scene(database: Database) -> Scene:
    return Scene(database)


def until_it_survives(scene: Scene, broken_off: Callable[[Fuse], object], fuse_of: Callable[[int], Fuse]) -> set[str]:
    """Break a round off at its first instant, another at its second and so on; return the tasks within which that was."""
    hit = set()
    for instant in range(MOST_INSTANTS):
        scene.soil()
        fuse = fuse_of(instant)
        broken_off(fuse)
        if len(fuse.points) <= instant:
            scene.unharmed()
            return hit
        hit.add(fuse.points[instant].step)
        scene.round(Fuse())
        scene.unharmed()
    raise AssertionError("a round has no end")


def test_a_server_that_dies_within_any_task_harms_nothing_and_the_next_one_does_the_rest(scene: Scene) -> None:
    def die(fuse: Fuse) -> None:
        try:
            scene.round(fuse)
        except Killed:
            assert scene.world.signs_in(scene.world.current_secret(scene.connection))

    assert until_it_survives(scene, die, Fuse) == EVERY_TASK


def test_a_task_that_fails_at_any_instant_harms_nothing_and_keeps_no_other_from_its_work(scene: Scene) -> None:
    def fail(fuse: Fuse) -> None:
        scene.round(fuse)
        failed = {point.step for at, point in enumerate(fuse.points) if at == fuse.kill_at}
        assert scene.undone() <= failed

    assert until_it_survives(scene, fail, DiskFull) == EVERY_TASK
