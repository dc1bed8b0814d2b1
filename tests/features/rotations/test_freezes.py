"""Freeze windows and weekdays as rotations meet them: put off, done before, and never the reason for the end of a secret."""

import json
import shlex
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from keyturn.cli.main import main
from keyturn.connections.domain import Connection
from keyturn.credentials.domain import State
from keyturn.db.engine import open_engine, parse_url
from keyturn.db.unit import Database
from keyturn.errors import Refused
from keyturn.kit.actor import Role
from keyturn.projects.domain import GivenRole
from keyturn.projects.members import Members
from keyturn.projects.role_domain import NewRole
from keyturn.projects.roles import Roles
from keyturn.rotations.commands import ScheduleChange
from keyturn.rotations.domain import Reason
from keyturn.rotations.freezes.domain import FreezeWindow
from keyturn.rotations.freezes.service import NewFreeze
from keyturn.rotations.history import preview_runs
from keyturn.secrets.domain import Address
from keyturn.secrets.mapped import SecretNames
from keyturn_simulation.world import ROOT_KEY, World, make_world
from tests.databases import sqlite_database
from tests.docs.command_blocks import command_blocks
from tests.features.accounts.people import machine
from tests.features.rotations.applications import Applications, make_applications
from tests.features.rotations.secret_desk import desk

DAY = timedelta(days=1)


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


def freeze(world: World, first: date, days: int) -> FreezeWindow:
    new = NewFreeze("Year end", "Nobody is here.", first, first + timedelta(days - 1), "UTC")
    return world.services.freezes.create(world.actor, new).window


def due(world: World, connection: Connection) -> date:
    at = world.rotation(connection).next_run_at
    assert at is not None
    return at.date()


def test_a_scheduled_run_waits_for_the_end_of_a_freeze_and_comes_back_when_that_is_removed(world: World) -> None:
    connection = world.connect()
    world.settle()
    slot = due(world, connection)
    window = freeze(world, slot - DAY, 5)
    assert due(world, connection) == slot + 4 * DAY
    world.services.freezes.delete(world.actor, window.id)
    assert due(world, connection) == slot
    window = freeze(world, slot - DAY, 5)
    generation = world.rotation(connection).generation
    world.run_until(world.clock.now() + (slot + 3 * DAY - world.clock.now().date()))
    assert world.rotation(connection).generation == generation, "nothing was rotated in the freeze"
    assert window.id

    with pytest.raises(Refused, match="Year end") as refused:
        world.rotations.rotate_now(world.actor, connection.id)
    assert refused.value.code == "rotation.frozen"
    assert "freezeReason" in str(refused.value.fix)
    world.rotations.rotate_now(world.actor, connection.id, freeze_reason="The vendor revokes it tonight.")
    world.settle()
    assert world.events("rotation-run-requested")[-1]["data"]["freezeReason"] == "The vendor revokes it tonight."
    world.rotations.rotate_now(world.actor, connection.id, leaked=True)
    world.settle()
    assert world.rotation(connection).generation == generation + 2


def test_a_freeze_longer_than_the_life_of_a_secret_gives_way_before_its_end(world: World) -> None:
    connection = world.connect()
    world.settle()
    today = world.clock.now().date()
    freeze(world, today, 92)
    generation, planned = world.rotation(connection).generation, world.rotation(connection).next_run_at
    for _ in range(90):
        world.run_until(world.clock.now() + DAY)
        assert world.signs_in(world.current_secret(connection))
    newest = next(world.runs(connection))
    assert (newest.reason, newest.generation) == (Reason.EXPIRY, generation + 1), "once, and no more than is needed"
    assert planned
    assert newest.created_at - planned < timedelta(minutes=1), "when that was planned, at its time of day"


def test_a_server_that_was_down_on_the_day_waits_for_a_permitted_one(world: World) -> None:
    connection = world.connect()
    world.settle()
    slot = due(world, connection)
    world.change(connection, schedule=ScheduleChange(weekdays=frozenset({slot.weekday()})))
    generation = world.rotation(connection).generation
    world.clock.move_to(world.clock.now() + (slot + 2 * DAY - world.clock.now().date()))
    world.run_until(world.clock.now() + DAY)
    assert world.rotation(connection).generation == generation
    assert due(world, connection) == slot + 7 * DAY
    other = NewFreeze("Sale", "", slot + 100 * DAY, slot + 101 * DAY, "UTC")
    assert world.services.freezes.create(world.actor, other).moved == [], "what waits already is where it was"
    assert due(world, connection) == slot + 7 * DAY
    world.run_until(world.clock.now() + 6 * DAY)
    assert world.rotation(connection).generation == generation + 1


def test_a_schedule_that_asks_for_a_run_at_once_within_a_freeze_waits_and_says_so(world: World) -> None:
    connection = world.connect()
    world.settle()
    world.run_until(world.clock.now() + 20 * DAY)
    today, generation = world.clock.now().date(), world.rotation(connection).generation
    freeze(world, today, 5)
    history = world.services.history.of(world.actor, connection.id)
    assert history.rotation
    often = replace(history.rotation.schedule, interval_days=10)
    (shown,) = preview_runs(history, often, world.clock.now(), 1)
    assert shown.at.date() == today + 5 * DAY
    assert shown.note.startswith("moved from ")
    world.change(connection, schedule=ScheduleChange(interval_days=10))
    assert world.rotation(connection).next_run_at == shown.at
    world.run_until(world.clock.now() + 4 * DAY)
    assert world.rotation(connection).generation == generation
    world.run_until(world.clock.now() + 2 * DAY)
    assert world.rotation(connection).generation == generation + 1


@pytest.fixture
def scene(database: Database) -> Applications:
    return make_applications(database)


def test_a_removal_that_was_promised_waits_for_the_end_of_a_freeze(scene: Applications) -> None:
    world, view = scene.world, scene.create(overlap="2d")
    scene.rotate(view)
    tomorrow = world.clock.now().date() + DAY
    window = NewFreeze("Sale", "", tomorrow, tomorrow + 9 * DAY, "UTC", project_id=scene.project_id)
    world.services.freezes.create(scene.actor, window)
    (previous,) = [row.id for row in world.journal() if row.state is State.RETIRING]
    world.run_until(world.clock.now() + 9 * DAY)
    assert previous in [row.id for row in world.journal() if row.state is State.RETIRING], "long after the two days"
    world.run_until(world.clock.now() + 2 * DAY)
    assert previous in [row.id for row in world.journal() if row.state is State.REVOKED]


def test_the_operator_sees_which_runs_a_freeze_moves_before_and_when_it_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {"KEYTURN_DATA_DIR": str(tmp_path), "ENCRYPTION_KEY": ROOT_KEY.hex()}
    assert main(["migrate"], environ) == 0
    database = Database(open_engine(parse_url(f"sqlite:///{tmp_path / 'keyturn.db'}")))
    world = make_world(database)
    connection = world.connect("billing")
    world.settle()
    slot = due(world, connection)

    def run(*arguments: str, expect: int = 0) -> str:
        capsys.readouterr()
        assert main(["freezes", *arguments], environ, world.clock) == expect
        printed = capsys.readouterr()
        return printed.out + printed.err

    days = ("--name", "Sale", "--from", str(slot), "--to", str(slot + 2 * DAY), "--time-zone", "UTC")
    told = run("create", *days, "--dry-run")
    assert f"billing: {slot} " in told
    assert f"-> {slot + 3 * DAY} " in told
    assert "Nothing was written" in told
    assert due(world, connection) == slot
    assert run() == "There are no freeze windows.\n"

    made = json.loads(run("create", *days, "--json"))
    freeze_id = made["freezeWindow"]["id"]
    assert [(run["name"], run["at"][:10]) for run in made["movedRuns"]] == [("billing", str(slot + 3 * DAY))]
    assert due(world, connection) == slot + 3 * DAY
    (event,) = world.events("create-freeze-window")
    assert (event["actor_kind"], event["data"]["name"]) == ("platform", "Sale")
    assert "1 run moves." in run("change", freeze_id, "--to", str(slot))
    assert f"Sale: {slot} to {slot} UTC" in run("show", freeze_id)
    assert due(world, connection) == slot + DAY
    assert f"-> {slot} " in run("delete", freeze_id, "--dry-run")
    assert f"id {freeze_id}" in run()
    run("delete", freeze_id)
    assert due(world, connection) == slot

    for wrong, words in (
        (("--to", "2026-02-30"), "--to: There is no such day."),
        (("--to", str(slot - DAY)), "before its first day"),
        (("--time-zone", "Mars"), "--time-zone: "),
        (("--project", "nowhere"), "There is no project 'nowhere'"),
        (("--organization", "nobody"), "Give --organization with one of: "),
    ):
        assert words in run("create", *days, *wrong, expect=1), wrong
    assert "List them with their ids" in run("delete", freeze_id, expect=1)
    assert run() == "There are no freeze windows.\n"
    for block in command_blocks("docs/how-to/freeze-changes.md"):
        for line in block.text.strip().splitlines():
            run(*shlex.split(line)[2:])
    assert "Year end" in run()
    database.close()


def test_the_runs_that_a_freeze_moves_are_told_as_lists_tell_of_their_rotations(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        scene = make_applications(database, signer_rotates=False)
        world = scene.world
        home = Address(scene.project_id, None, "prod", "/")
        for name in ("web", "test"):
            scene.secrets.folders.create(scene.actor, home, name, None)
        views = [
            scene.create(),
            scene.create(name="a page", path="/web", names=SecretNames("WEB_ID", "WEB_SECRET")),
            scene.create(scene.other_application("Test"), name="test", path="/test"),
        ]
        assert views[0].rotation.id == views[1].rotation.id != views[2].rotation.id
        moments = [at for view in views if (at := view.rotation.next_run_at)]
        window = NewFreeze("Sale", "", min(moments).date(), max(moments).date(), "UTC", project_id=scene.project_id)

        def told(slug: str, *rules: dict[str, object]) -> list[str]:
            robot = machine(database, scene.actor.org_id, Role.NO_ACCESS)
            edits = {"subject": "workspace", "action": ["edit"]}
            role = NewRole(slug, slug, permissions=(edits, *({"subject": "secret-rotation"} | one for one in rules)))
            Roles(database, world.clock, world.ids).create(scene.actor, scene.project_id, role)
            members = Members(database, world.clock, world.ids)
            members.add_identity(scene.actor, scene.project_id, robot.id or "", [GivenRole(slug)])
            return [run.name for run in world.services.freezes.create(robot, window, dry_run=True).moved]

        read, prod = {"action": "read"}, {"conditions": {"environment": "prod"}}
        web = {"conditions": {"environment": "prod", "secretPath": "/web"}}
        assert told("all", read) == ["a page", "test"]
        assert told("not-prod", read, read | prod | {"inverted": True}) == []
        assert told("not-web", read, read | web | {"inverted": True}) == ["shop", "test"]
        assert told("web", read | web) == ["a page"], "by the name that they know"
        assert told("none") == []


def test_a_dry_run_over_http_names_the_runs_that_the_caller_may_see_and_writes_nothing(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database, desk(database, tmp_path) as web:
        rotation, url = web.create(), "/api/v1/freeze-windows"
        before = web.get(rotation)["nextRotationAt"]
        body = {"name": "Sale", "from": before[:10], "to": before[:10], "projectId": web.project}
        told = web.ask("POST", url, body, dryRun="true")
        (run,) = told["movedRuns"]
        assert (run["before"], told["movedRunCount"]) == (before, 1)
        assert run["at"][:10] == str(date.fromisoformat(before[:10]) + DAY)
        assert web.ask("GET", url, projectId=web.project)["freezeWindows"] == []
        assert web.get(rotation)["nextRotationAt"] == before
        assert web.ask("POST", url, body)["movedRuns"] == [run]
        assert web.get(rotation)["nextRotationAt"] == run["at"]
        web.ask("POST", url, body, who="viewer", expect=403, dryRun="true")
