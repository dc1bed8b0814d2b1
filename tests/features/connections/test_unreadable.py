"""A stored value that cannot be read is the error of one object, which says so: lists, pages and all others go on."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.db.tables import app_connections, credentials, rotations, runs
from keyturn.db.types import Moment
from tests import unreadable
from tests.features.connections.desk import ALL, WEEKLY, ApiClient, Json
from tests.simulation.seeds import share


def two(web: ApiClient) -> tuple[Json, Json]:
    """One that will be damaged, and one beside it; both have rotated once."""
    app = web.world.emulator.admin.create_application(
        web.world.tenant_id, "Other", permissions=("Application.ReadWrite.OwnedBy",), owns_itself=True, secrets=1
    )
    web.world.applications[app.app_id] = app
    connection = web.create_rotating("damaged")
    other = web.create_rotating("beside", credentials=web.credentials(app))
    web.world.settle()
    return connection, other


def damage(web: ApiClient, table: sa.Table, where: sa.ColumnElement[bool], **values: Any) -> None:
    with web.world.database.write() as tx:
        assert tx.run(sa.update(table).where(where).values(**values))


def write_text(web: ApiClient, statement: str, **values: Any) -> None:
    """Write past the types, as a hand or a defect would."""
    with web.world.database.write() as tx:
        assert tx.connection.execute(sa.text(statement), values).rowcount


def all_can_be_read(web: ApiClient, connection: Json, other: Json) -> Json:
    """Everything that shows either of them is answered; the other one is as it was. Returns the damaged one."""
    for path in (ALL, ""):
        by_name = {entry["name"]: entry for entry in web.ask("GET", path)["appConnections"]}
        assert set(by_name) >= {"damaged", "beside"}
        assert by_name["beside"]["rotation"]["rotationStatus"] == "success"
    for each in (connection, other):
        web.ask("GET", f"{each['id']}/credentials")
        web.ask("GET", f"{each['id']}/rotation-runs")
    return web.get(connection)


@pytest.mark.parametrize("zone", share(["Mars/Base", "", "../etc", "posix/Nowhere"], 2))
def test_a_time_zone_that_does_not_exist_here_fails_its_rotation_aloud(web: ApiClient, zone: str) -> None:
    connection, other = two(web)
    damage(web, rotations, rotations.c.connection_id == connection["id"], time_zone=zone)
    view = all_can_be_read(web, connection, other)["rotation"]
    assert view["rotationStatus"] == "failed"
    assert repr(zone) in view["lastRotationMessage"]
    assert "rotateAt.timeZone" in view["lastRotationMessage"]

    web.world.run_until(web.world.clock.now() + timedelta(days=9))
    failed = web.ask("GET", f"{connection['id']}/rotation-runs")["rotationRuns"][0]
    assert (failed["state"], failed["failure"]["code"]) == ("failed", "rotation.schedule_unreadable")
    assert len(web.ask("GET", f"{other['id']}/rotation-runs")["rotationRuns"]) == 2, "the others rotate"

    web.change(connection, rotation={"rotateAt": {"time": "02:15", "timeZone": "Europe/Oslo"}})
    web.world.run_until(web.world.clock.now() + timedelta(hours=8))
    assert web.get(connection)["rotation"]["rotationStatus"] == "success"


@pytest.mark.parametrize("year", ["9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+00:00"])
@pytest.mark.parametrize(
    "column", share(["next_run_at", "sweep_at", "last_rotated_at", "last_attempt_at", "wake_at"], 3)
)
def test_moments_at_the_ends_of_the_calendar(web: ApiClient, column: str, year: str) -> None:
    from datetime import datetime  # noqa: PLC0415

    connection, other = two(web)
    damage(web, rotations, rotations.c.connection_id == connection["id"], **{column: datetime.fromisoformat(year)})
    all_can_be_read(web, connection, other)
    web.world.run_until(web.world.clock.now() + timedelta(days=9))
    assert all_can_be_read(web, connection, other)["rotation"]["rotationStatus"] == "success"


@pytest.mark.parametrize(
    "anchor",
    share([{"at": "9999-12-31T23:59:59+00:00", "scheduled": True}, {"at": "0001-01-01T00:00:00+14:00", "scheduled": False},
           {"when": "today"}, ["x"], "soon", 7, {"at": None, "scheduled": None}], 3),
)  # fmt: skip
def test_an_anchor_that_makes_no_sense_is_replaced_by_the_last_rotation(shape: ApiClient, anchor: Any) -> None:
    connection, other = two(shape)
    damage(shape, rotations, rotations.c.connection_id == connection["id"], anchor=anchor)
    all_can_be_read(shape, connection, other)
    shape.change(connection, rotation=WEEKLY | {"rotationInterval": 8})
    shape.world.run_until(shape.world.clock.now() + timedelta(days=10))
    assert all_can_be_read(shape, connection, other)["rotation"]["rotationStatus"] == "success"
    assert len(shape.ask("GET", f"{connection['id']}/rotation-runs")["rotationRuns"]) <= 3


def test_a_state_that_nobody_knows_stops_that_rotation_aloud_and_nothing_is_removed(web: ApiClient) -> None:
    connection, other = two(web)
    with web.world.database.read() as tx:
        [row] = tx.rows(sa.select(rotations.c.id).where(rotations.c.connection_id == connection["id"]))
    mine = sa.and_(credentials.c.rotation_id == row["id"], credentials.c.state == "current")
    damage(web, credentials, mine, state="xyzzy")
    before = web.world.keys()
    all_can_be_read(web, connection, other)
    web.ask("POST", f"{connection['id']}/rotate-credentials", {})
    web.world.run_until(web.world.clock.now() + timedelta(minutes=30))
    view = all_can_be_read(web, connection, other)["rotation"]
    assert view["rotationStatus"] == "failed"
    assert "'xyzzy'" in view["lastRotationMessage"]
    assert web.world.keys() == before
    assert web.ask("GET", f"{connection['id']}/rotation-runs")["rotationRuns"][0]["state"] == "failed"
    journal = web.ask("GET", f"{connection['id']}/credentials")["credentials"]
    assert "unreadable" in {credential["state"] for credential in journal}

    damage(web, credentials, credentials.c.state == "xyzzy", state="current")
    web.world.run_until(web.world.clock.now() + timedelta(days=9))
    assert web.get(connection)["rotation"]["rotationStatus"] == "success", "put right, it goes on by itself"


def test_a_secret_that_does_not_open_is_told_by_the_rotation(web: ApiClient) -> None:
    connection, other = two(web)
    with web.world.database.read() as tx:
        [row] = tx.rows(sa.select(rotations.c.id).where(rotations.c.connection_id == connection["id"]))
    write_text(
        web, "UPDATE credentials SET value = 'k1.gone.AAAA' WHERE rotation_id = :r AND state = 'current'", r=row["id"]
    )
    web.ask("POST", f"{connection['id']}/rotate-credentials", {})
    web.world.run_until(web.world.clock.now() + timedelta(minutes=5))
    view = all_can_be_read(web, connection, other)["rotation"]
    assert view["rotationStatus"] == "failed"
    assert "credentials.value" in view["lastRotationMessage"]


@pytest.mark.parametrize(
    "text",
    share(
        [{"requested_by": {"x": 1}}, {"failure": ["?"]}, {"failure": {"more": 1}}, {"reason": "moon"}, {"state": "?"}],
        2,
    ),
)
def test_a_run_with_members_and_words_that_nobody_knows(shape: ApiClient, text: Json) -> None:
    connection, other = two(shape)
    damage(shape, runs, runs.c.id == runs.c.id, **text)
    for path in (ALL, ""):
        shape.ask("GET", path)
    shape.ask("GET", f"{connection['id']}/rotation-runs")
    shape.world.run_until(shape.world.clock.now() + timedelta(days=9))
    assert all_can_be_read(shape, connection, other)["rotation"]["rotationStatus"] == "success"


@pytest.mark.parametrize(
    "values", [{"method": "carrier-pigeon"}, {"facts": [1]}, {"check_result": "bad"}, {"check_result": {"more": [1]}}]
)
def test_a_connection_that_cannot_be_read_is_listed_with_what_is_wrong(web: ApiClient, values: Json) -> None:
    connection, other = two(web)
    damage(web, app_connections, app_connections.c.id == connection["id"], **values)
    view = all_can_be_read(web, connection, other)
    if values != {"check_result": {"more": [1]}}:
        assert view["lastCheck"]["code"] == "connections.unreadable"


def test_text_that_is_no_date_and_no_document_in_sqlite(shape: ApiClient) -> None:
    connection, other = two(shape)
    write_text(
        shape,
        "UPDATE app_connections SET check_result = '{oops', checked_at = 'noon' WHERE id = :c",
        c=connection["id"],
    )
    write_text(
        shape, "UPDATE rotations SET anchor = '{', last_rotated_at = 'x' WHERE connection_id = :c", c=connection["id"]
    )
    write_text(shape, "UPDATE runs SET requested_by = '{', started_at = 'soon'")
    write_text(shape, "UPDATE credentials SET issued_at = 'x' WHERE state = 'revoked'")
    view = all_can_be_read(shape, connection, other)
    assert "'noon'" in view["lastCheck"]["message"]
    assert "'x'" in view["rotation"]["lastRotationMessage"]


def of_one(connection: Json) -> dict[str, str]:
    """Which rows of each table are of this connection."""
    mine = f"SELECT id FROM rotations WHERE connection_id = '{connection['id']}'"
    of_rotation = f"rotation_id IN ({mine})"
    conditions = dict.fromkeys(("credentials", "runs", "run_steps", "observed_keys"), of_rotation)
    leases = f"object_id IN (SELECT object_id FROM rotations WHERE connection_id = '{connection['id']}')"
    return conditions | {
        "rotations": f"id IN ({mine})",
        "app_connections": f"id = '{connection['id']}'",
        "leases": leases,
    }


def test_no_moment_of_any_table_fails_a_list_or_another_connection(web: ApiClient) -> None:
    connection, other = two(web)
    database = web.world.database
    tried = set()
    for table, where in of_one(connection).items():
        columns = unreadable.columns_of(Moment, table)
        for done in unreadable.each_moment(database, columns, where):
            try:
                all_can_be_read(web, connection, other)
            except AssertionError as error:
                raise AssertionError(f"with {done}") from error
            tried.add(done.partition(" = ")[0])
    assert len(tried) > 30


@pytest.mark.alternates
@pytest.mark.parametrize("where", ["rotations", "leases", "runs"])
def test_no_moment_stops_a_rotation_without_a_word(web: ApiClient, where: str) -> None:
    """A week later it has rotated, or says that its row cannot be read; the others have rotated.

    Half of the columns in each run.
    """
    connection, other = two(web)
    database = web.world.database
    runs_before = len(web.ask("GET", f"{other['id']}/rotation-runs")["rotationRuns"])
    of_made = 1
    for _, column in share(unreadable.columns_of(Moment, where), 2):
        for text in unreadable.moments(database)[:2]:
            assert unreadable.write(database, where, column, text, of_one(connection)[where])
            web.world.run_until(web.world.clock.now() + timedelta(days=8))
            view = all_can_be_read(web, connection, other)["rotation"]
            runs_before += 1
            assert len(web.ask("GET", f"{other['id']}/rotation-runs?limit=100")["rotationRuns"]) >= runs_before
            count = len(web.ask("GET", f"{connection['id']}/rotation-runs?limit=100")["rotationRuns"])
            assert count > of_made or "cannot be read" in view["lastRotationMessage"], f"{column} = {text!r}"
            of_made = count
            if view["rotationStatus"] == "failed":
                web.change(connection, rotation=WEEKLY)
                web.world.settle()
