"""What ends within hours, ends while the server is off, or is taken away at Entra ID: all of it is told in time."""

from datetime import timedelta
from pathlib import Path

from keyturn.connections.domain import NewConnection
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.methods.client_secret import ClientSecret
from keyturn_simulation.world import OWNED, START, World, make_world
from tests.databases import sqlite_database
from tests.features.alarms.test_ninety_days import Life

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ON = START + 6.5 * DAY


def connected(world: World, name: str, lives: timedelta) -> str:
    """Connect an application by a secret that lives so long and that nothing rotates; return its object id."""
    admin = world.emulator.admin
    application = admin.create_application(world.tenant_id, name, permissions=(OWNED,), owns_itself=True, secrets=0)
    world.applications[application.app_id] = application
    secret = admin.add_secret(application.object_id, end=(world.clock.now() + lives).timestamp())
    credentials = ClientSecret(world.tenant_id, application.app_id, Plaintext(secret.value), secret.key_id)
    world.rotations.create(world.actor, NewConnection(name, credentials), None)
    return application.object_id


def test_what_ends_soon_or_is_taken_away_is_told(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        world = make_world(database, start=START)
        connected(world, "brief", 2 * HOUR)
        connected(world, "off", 5 * DAY)
        disabled = connected(world, "disabled", 700 * DAY)
        life = Life(world, tmp_path)
        life.receiver.fails = 0

        def passes(until_days: float) -> None:
            world.run_until(START + until_days * DAY)
            life.work()

        passes(0.005)
        assert life.first("opened", "credential-ends", "brief") < START + HOUR
        for days in (0.2, 1, 2):
            passes(days)
        assert life.first("ended", "credential-ends", "brief") < START + 6 * HOUR
        world.emulator.admin.set_disabled(disabled, disabled=True)
        for days in (2.8, 3.2, 3.4):
            passes(days)
        assert life.first("opened", "connection-refused", "disabled") < START + 3.3 * DAY
        assert life.first("opened", "credential-ends", "off") < START + 4 * DAY

        world.clock.move_to(ON)  # nobody works from 3.5 days on
        passes(6.6)
        assert life.first("ended", "credential-ends", "off") < ON + 4 * HOUR
        told = {(kind, subject) for _, _, kind, subject in life.told()}
        assert told <= {
            *(("credential-ends", "brief"), ("connection-refused", "brief")),
            *(("credential-ends", "off"), ("connection-refused", "off"), ("connection-refused", "disabled")),
            *(("connection-unchecked", name) for name in ("brief", "off", "disabled")),
        }


def test_a_provider_that_stays_away_is_told_while_and_until_it_is_back(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        world = make_world(database, start=START)
        connected(world, "lonely", 700 * DAY)
        life = Life(world, tmp_path)
        life.receiver.fails = 0
        world.run_until(START + 2 * DAY)
        life.work()
        assert life.told() == []
        world.emulator.faults.fail_next("token", when="before", calls=10_000)
        for hours in range(50, 122, 4):
            world.run_until(START + hours * HOUR)
            life.work()
        opened = life.first("opened", "connection-unchecked", "lonely")
        # It is looked at within a day, hourly then, and told by the daily message once that has lasted for half a day.
        assert START + 2.5 * DAY < opened < START + 4.6 * DAY
        world.emulator.faults.clear()
        for hours in (124, 128, 170):
            world.run_until(START + hours * HOUR)
            life.work()
        assert life.first("resolved", "connection-unchecked", "lonely") > opened
