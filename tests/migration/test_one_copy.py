"""The migration after which a value is sealed once, over a database with rows of the version before."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.connections import older_rows, sealed
from keyturn.connections.domain import Connection, NewConnection
from keyturn.credentials.domain import State
from keyturn.db import access_triggers, migrate
from keyturn.db.columns import at_or_first, key, ref, text
from keyturn.db.engine import open_engine, parse_url
from keyturn.db.tables import app_connections, credentials, metadata
from keyturn.db.unit import Database
from keyturn.errors import KeyturnError
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.methods.certificate import CertificateFiles
from keyturn.providers.azure.methods.client_secret import ClientSecret
from keyturn.rotations.commands import ConnectionChange, ScheduleChange
from keyturn_simulation.crashes import Fuse, Killed, MortalDatabase
from keyturn_simulation.invariants import check_quiet
from keyturn_simulation.world import OWNED, World, make_world
from tests.features.connections.desk import desk
from tests.features.methods.certificates import Pair, pair, rsa_key
from tests.features.methods.scene import WRITE_ALL, MethodsFixture, set_up
from tests.migration.test_migrations import described, run_migrations_to
from tests.older_rows import write_as_before
from tests.postgres import fresh_database

pytestmark = pytest.mark.alternates

BEFORE = "0011"
LATER_TABLES = (
    *("group_roles", "people_external_identities", "used_sign_ins"),
    "root_keys",
    "backup_folders",
    *("audit_chains", "audit_links", "audit_keys", "audit_streams", "audit_stream_positions"),
    "conversions",
    *("identity_makers", "password_links"),
    *("scim_group_members", "scim_groups", "scim_tokens"),
    *("inventory_uses", "inventory_entries", "inventory_objects", "inventories", "inventory_connections"),
    *("webhook_attempts", "webhook_deliveries", "webhooks"),
    "access_revisions",
    "alarm_attempts",
    "alarm_notices",
    "alarm_messages",
    "alarm_channels",
    "alarm_rules",
    "alarm_evaluations",
    "alarms",
    "owners",
    "credential_uses",
    *("observed_uses", "use_reports"),
    "approval_requests",
    "approval_settings",
    "freeze_windows",
    "deleted_values",
    "deleted_rows",
    "deletions",
    "project_member_roles",
    "project_members",
    "project_roles",
    "mapped_secrets",
    "secret_rotations",
    "application_claims",
    "connection_applications",
)
DAILY = ScheduleChange(1, 2, 15, "UTC")
POINTING = {"rotates", "along", "joined", "paused", "by-certificate"}
OWN = {"plain", "plain-certificate", "by-oauth", "kept"}


@dataclass
class Old:
    """A database as the last released version left it, and what its connections signed in with."""

    world: World
    values: dict[str, str | None]
    typed: ClientSecret

    def connection(self, name: str) -> Connection:
        return self.world.connections.by_name(self.world.actor, name, None)

    def told(self, name: str) -> str | None:
        return told(self.world, self.connection(name))


def told(world: World, connection: Connection) -> str | None:
    given = world.stored_credentials(connection)
    if given is None:
        return None
    return given.secret.reveal() if isinstance(given, ClientSecret) else given.signing.private_key.reveal()


@pytest.fixture
def old(database: Database, tmp_path: Path) -> Iterator[Old]:
    with old_world(database, tmp_path) as made:
        yield made


@contextmanager
def old_world(database: Database, folder: Path) -> Iterator[Old]:
    world = make_world(database)
    wire, app = set_up(world)
    world.emulator.admin.consent(app.object_id, WRITE_ALL)
    ada = world.emulator.admin.create_user(world.tenant_id, "Ada", roles=("Application Administrator",))
    with desk(world, folder, oauth_client_id=app.app_id) as web:
        MethodsFixture(web, wire, app, ada, ada, ada).connect("by-oauth")
    fill(world)
    everybody = world.all_connections()
    values = {connection.name: told(world, connection) for connection in everybody}
    for connection in everybody:
        write_as_before(world, connection.id, bound=connection.name != "plain")
    typed = world.first_secret(world.applications[world.connections.by_name(world.actor, "plain", None).client_id])
    make_unreadable(world)
    to_version_before(database)
    yield Old(world, values, typed)


def fill(world: World) -> None:
    """Connections of each kind: see POINTING and OWN for what becomes of them. One is damaged."""
    world.connect("along", rotate=False)
    world.connect("rotates")
    world.settle()
    current = world.current_secret(world.connections.by_name(world.actor, "rotates", None))
    world.connect("joined", rotate=False, secret=current, key_id=None)
    world.change(world.connect("paused", application(world, "Paused")), enabled=False)
    kept = application(world, "Kept")
    gone = world.connect("goes", kept)
    world.settle()
    left = world.current_secret(gone)
    world.rotations.delete(world.actor, gone.id, revoke=False)
    world.settle()
    world.connect("kept", kept, rotate=False, secret=left, key_id=None)
    by_certificate(world, "by-certificate", pair(), DAILY)
    by_certificate(world, "plain-certificate", pair(rsa_key(1)), None)
    world.settle()
    world.connect("plain", application(world, "Plain"), rotate=False)
    world.connect("damaged", application(world, "Damaged"), rotate=False)


def application(world: World, name: str) -> Any:
    made = world.emulator.admin.create_application(
        world.tenant_id, name, permissions=(OWNED,), owns_itself=True, secrets=1
    )
    world.applications[made.app_id] = made
    return made


def by_certificate(world: World, name: str, of: Pair, schedule: ScheduleChange | None) -> None:
    app = application(world, name)
    world.emulator.admin.add_certificate(app.object_id, of.pem.encode())
    given = CertificateFiles(world.tenant_id, app.app_id, of.pem, Plaintext(of.key_pem))
    world.rotations.create(world.actor, NewConnection(name, given), schedule)


def make_unreadable(world: World) -> None:
    elsewhere = world.connections.by_name(world.actor, "plain", None).secret
    with world.database.write() as tx:
        tx.run(sa.update(app_connections).where(app_connections.c.name == "damaged").values(secret=elsewhere))


_LATER_INDEXES = (
    *(
        "app_connections_client",
        "app_connections_refused",
        "app_connections_ends",
        "app_connections_checked",
        "app_connections_secret_ends",
        "rotations_app",
        "rotations_failed",
    ),
    *(
        "rotations_next_run",
        "credentials_current",
        "credentials_replaced",
        "observed_keys_foreign",
        "credentials_revoked",
    ),
)
_WITHOUT_HISTORY = (
    *(f"ALTER TABLE changes DROP COLUMN {name}" for name in ("reason", "previous_name", "previous_path")),
    "DROP INDEX uq_secrets_shared",
    "DROP INDEX uq_secrets_personal",
    "DROP INDEX ix_secrets_removed_revision",
    "ALTER TABLE secrets DROP COLUMN added_revision",
    "ALTER TABLE secrets DROP COLUMN removed_revision",
    "ALTER TABLE secret_versions DROP COLUMN has_references",
    "ALTER TABLE secret_versions DROP COLUMN revision",
    "CREATE UNIQUE INDEX uq_secrets_shared ON secrets (folder_id, name) WHERE owner_id IS NULL",
    "CREATE UNIQUE INDEX uq_secrets_personal ON secrets (folder_id, name, owner_id) WHERE owner_id IS NOT NULL",
)
_WITHOUT_LATER_COLUMNS = (
    "DROP INDEX ix_credentials_waiting",
    "ALTER TABLE credentials DROP COLUMN wait_ends_at",
    "ALTER TABLE credentials DROP COLUMN grace_ends_at",
    "ALTER TABLE rotations DROP COLUMN slots",
    "ALTER TABLE runs DROP COLUMN requested_at",
    "ALTER TABLE projects DROP COLUMN version_limit",
    "DROP INDEX ix_oauth_tokens_signed_in_by",
    "ALTER TABLE oauth_tokens DROP COLUMN signed_in_by",
    "ALTER TABLE oauth_tokens DROP COLUMN signed_in_email",
    "ALTER TABLE users DROP COLUMN disabled_at",
    "ALTER TABLE users DROP COLUMN last_signed_in_at",
    "ALTER TABLE organizations DROP COLUMN second_factor_required",
    "ALTER TABLE rotations DROP COLUMN weekdays",
    "ALTER TABLE rotations DROP COLUMN moved_days",
    "ALTER TABLE sessions DROP COLUMN method",
)
"""What later migrations bring."""


def to_version_before(database: Database) -> None:
    """Take away what the migration and those after it bring."""
    with database.engine.begin() as connection:
        for statement in (
            *_without_access_triggers(postgres=not database.is_sqlite),
            *(f"DROP TABLE {name}" for name in LATER_TABLES),
            *(f"DROP INDEX ix_{name}" for name in _LATER_INDEXES),
            "ALTER TABLE app_connections DROP COLUMN rotates_owned",
            "ALTER TABLE app_connections DROP COLUMN secret_ends_at",
            "ALTER TABLE app_connections DROP COLUMN unreached_since",
            "DROP INDEX ix_app_connections_credential_id",
            "DROP INDEX ix_app_connections_salt_inside",
            "ALTER TABLE app_connections DROP COLUMN credential_id",
            "ALTER TABLE app_connections DROP COLUMN salt",
            "CREATE INDEX ix_processes_seen_at ON processes (seen_at)",
            *_WITHOUT_HISTORY,
            *_WITHOUT_LATER_COLUMNS,
            f"CREATE TABLE {migrate.VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
            f"INSERT INTO {migrate.VERSION_TABLE} VALUES ('{BEFORE}')",
        ):
            connection.exec_driver_sql(statement)
        _members_before().create(connection)


_LATER_FUNCTIONS = ("keyturn_move_access", "keyturn_move_access_of_published", "keyturn_refuse_audit_link_delete")


def _without_access_triggers(*, postgres: bool) -> list[str]:
    if postgres:
        return [f"DROP FUNCTION {name} CASCADE" for name in _LATER_FUNCTIONS]
    return [f"DROP TRIGGER {statement.split()[2]}" for statement in access_triggers.sqlite()]


def _members_before() -> sa.Table:
    """Members of projects had one role each, in a column of their own."""
    earlier = sa.MetaData(naming_convention=metadata.naming_convention)
    for name in ("organizations", "projects", "identities", "users"):
        metadata.tables[name].to_metadata(earlier)
    return sa.Table(
        "project_members",
        earlier,
        key(),
        ref("project_id", "projects", cascade=True),
        sa.Column("identity_id", sa.String(36), sa.ForeignKey("identities.id", ondelete="CASCADE"), index=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE"), index=True),
        text("role"),
        at_or_first("created_at", null=False),
        at_or_first("updated_at", null=False),
        sa.UniqueConstraint("project_id", "identity_id"),
        sa.UniqueConstraint("project_id", "user_id"),
    )


def complete(old: Old) -> list[str]:
    reports: list[str] = []

    def report(table: str, row: str, error: KeyturnError) -> None:
        reports.append(f"{table} {row} {error.code}")

    older_rows.complete(
        old.world.database, old.world.sealer, old.world.services.providers, old.world.clock.now(), report
    )
    return reports


def rows(database: Database) -> dict[str, dict[str, Any]]:
    with database.read() as tx:
        return {row["name"]: dict(row) for row in tx.rows(sa.select(app_connections))}


def pointed_states(database: Database) -> dict[str, str]:
    query = sa.select(app_connections.c.name, credentials.c.state).join(
        credentials, credentials.c.id == app_connections.c.credential_id
    )
    with database.read() as tx:
        return {row["name"]: row["state"] for row in tx.rows(query)}


def test_the_version_before_is_what_its_migrations_make(old: Old, tmp_path: Path) -> None:
    database = old.world.database
    if database.is_sqlite:
        other = Database(open_engine(parse_url(f"sqlite:///{tmp_path}/other.db")))
        run_migrations_to(other, BEFORE)
        assert described(database) == described(other)
        other.close()
        return
    with fresh_database() as url:
        other = Database(open_engine(parse_url(url)))
        run_migrations_to(other, BEFORE)
        assert described(database) == described(other)
        other.close()


def test_everybody_signs_in_as_before_and_no_value_is_kept_twice(old: Old) -> None:
    world = old.world
    assert migrate.upgrade(world.database) == [version for version in migrate.versions() if version > BEFORE]
    before = rows(world.database)
    damaged = before["damaged"]

    assert complete(old)[-1] == f"app_connections {damaged['id']} crypto.value_refused"

    after = rows(world.database)
    assert after["damaged"] == damaged, "what cannot be read is left as it is"
    assert pointed_states(world.database) == dict.fromkeys(POINTING, State.CURRENT.value)
    for name in POINTING | OWN:
        content = sealed.content_of(world.sealer, old.connection(name))
        assert content.target == old.connection(name).target
        assert content.salt is None
        assert (content.value is None) == (name in POINTING or name == "by-oauth")
        assert content.credential_id == after[name]["credential_id"]
        assert old.told(name) == old.values[name]
        assert after[name]["secret_version"] == before[name]["secret_version"]
        assert world.services.tests.run(world.actor, after[name]["id"]).checks[0].ok, name


def test_before_any_row_was_renewed_everybody_signs_in(old: Old) -> None:
    """A server that has just migrated serves requests before its first upkeep is done."""
    world = old.world
    migrate.upgrade(world.database)
    for name in POINTING | OWN:
        assert old.told(name) == old.values[name]
        assert world.services.tests.run(world.actor, old.connection(name).id).checks[0].ok, name
    assert is_known_again(old)


def test_what_a_user_sent_before_is_known_again(old: Old) -> None:
    migrate.upgrade(old.world.database)
    complete(old)
    assert is_known_again(old)


def is_known_again(old: Old) -> bool:
    """Whether it changes nothing to send what the user sent before."""
    plain = old.connection("plain")
    old.world.change(plain, credentials=old.typed)
    return old.connection("plain").secret_version == plain.secret_version


def test_old_connections_go_on_rotating_and_move_together(old: Old) -> None:
    world = old.world
    migrate.upgrade(world.database)
    world.rotations.delete(world.actor, old.connection("damaged").id)
    world.rotations.rotate_now(world.actor, old.connection("rotates").id)
    world.rotations.rotate_now(world.actor, old.connection("by-certificate").id)
    world.settle()
    shared = {old.told(name) for name in ("rotates", "along", "joined")}
    assert len(shared) == 1
    assert shared != {old.values["rotates"]}
    assert old.told("by-certificate") != old.values["by-certificate"]
    assert old.told("kept") == old.values["kept"]
    assert pointed_states(world.database) == dict.fromkeys(POINTING, State.CURRENT.value)
    world.rotations.update(world.actor, old.connection("paused").id, ConnectionChange(enabled=True))
    world.settle()
    assert world.services.tests.run(world.actor, old.connection("paused").id).ok
    world.rotations.delete(world.actor, old.connection("by-oauth").id)  # of which the judge knows nothing
    check_quiet(world)


def test_renewal_is_repeatable_and_finds_nothing_the_second_time(old: Old) -> None:
    world = old.world
    migrate.upgrade(world.database)
    complete(old)
    before = rows(world.database)
    assert older_rows.renew_all(world.database, world.sealer, world.services.providers) == 0
    assert rows(world.database) == before


def test_renewal_that_was_cut_short_at_any_moment_is_continued(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    world = old.world
    migrate.upgrade(world.database)
    monkeypatch.setattr(older_rows, "BATCH", 2)
    with world.database.write() as tx:
        tx.run(sa.delete(app_connections).where(app_connections.c.name == "damaged"))
    deaths = 0
    while True:
        fuse = Fuse(deaths % 2)  # right before or right after the first commit of each life
        mortal = MortalDatabase(world.database, fuse)
        try:
            with fuse.arm("renewal"):
                older_rows.renew_all(mortal, world.sealer, world.services.providers)
        except Killed:
            deaths += 1
            for name in POINTING | OWN:
                assert old.told(name) == old.values[name]
        else:
            break
        assert deaths < 20
    assert deaths >= len(POINTING | OWN)
    assert pointed_states(world.database) == dict.fromkeys(POINTING, State.CURRENT.value)


def test_a_migration_that_was_cut_short_leaves_the_version_before_and_is_repeated(old: Old) -> None:
    database = old.world.database
    before, done = described(database), 0

    def dies(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal done
        if "app_connections" in statement and statement.startswith(("ALTER", "CREATE")):
            done += 1
            if done == fatal:
                raise KeyboardInterrupt

    for fatal in (1, 2, 3, 4):  # noqa: B007 - read where it dies
        done = 0
        sa.event.listen(database.engine, "after_cursor_execute", dies)
        with pytest.raises(KeyboardInterrupt):
            migrate.upgrade(database)
        sa.event.remove(database.engine, "after_cursor_execute", dies)
        assert migrate.current(database) == BEFORE
        assert described(database) == before
    migrate.upgrade(database)
    assert migrate.check(database) is migrate.SchemaState.UP_TO_DATE
    complete(old)
    assert old.told("rotates") == old.values["rotates"]
