"""Migrations from scratch make exactly the tables that the code declares, on both databases, and run once."""

import sqlite3
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from keyturn.app.startup import prepare_database
from keyturn.audit.linking import key_of, open_chains
from keyturn.audit.retention import remove_old_events
from keyturn.audit.verification import verify_all
from keyturn.crypto.keyring import Keyring, KeyringSealer
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db import migrate
from keyturn.db.engine import for_writing, open_engine, parse_url
from keyturn.db.tables import metadata
from keyturn.db.unit import Database
from keyturn.errors import Misconfigured
from keyturn.kit.clock import MovableClock
from keyturn.settings.model import Settings
from tests.databases import create_tables
from tests.postgres import fresh_database

KINDS = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))
CLOCK = MovableClock(datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/keyturn.db"
    else:
        with fresh_database() as address:
            yield address


@pytest.fixture
def empty(url: str) -> Iterator[Database]:
    database = Database(open_engine(parse_url(url)))
    yield database
    database.close()


def settings_of(url: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, database_url=url)


def described(database: Database) -> dict[str, Any]:
    """Everything the database says about its tables, in a form that can be compared."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression-based index")
        tables = _tables_of(sa.inspect(database.engine))
    return {"tables": tables, "triggers": triggers_of(database), "of expressions": _indexes_of_expressions(database)}


def _tables_of(inspector: sa.Inspector) -> dict[str, Any]:
    tables = {}
    for name in sorted(set(inspector.get_table_names()) - {migrate.VERSION_TABLE}):
        tables[name] = {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(name)
            ],
            "key": inspector.get_pk_constraint(name),
            "foreign": sorted(str(key) for key in inspector.get_foreign_keys(name)),
            "unique": sorted(str(sorted(key["column_names"])) for key in inspector.get_unique_constraints(name)),
            "indexes": sorted(index_text(index) for index in inspector.get_indexes(name)),
        }
    return tables


def _indexes_of_expressions(database: Database) -> list[str]:
    """Those of SQLite, of which SQLAlchemy does not tell."""
    query = "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql LIKE '%lower(%'"
    if not database.is_sqlite:
        return []
    with database.engine.connect() as connection:
        return sorted(connection.exec_driver_sql(query).scalars())


def index_text(index: Any) -> str:
    options = {name: str(option) for name, option in index.get("dialect_options", {}).items()}
    return f"{index['name']} {index.get('expressions', index['column_names'])} {index['unique']} {options}"


def triggers_of(database: Database) -> list[str]:
    """The triggers, and the functions that they call."""
    query = (
        "SELECT sql FROM sqlite_master WHERE type = 'trigger'"
        if database.is_sqlite
        else "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        " UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
    )
    with database.engine.connect() as connection:
        return sorted(connection.exec_driver_sql(query).scalars())


def test_all_migrations_from_scratch_make_what_the_code_declares(
    request: pytest.FixtureRequest, empty: Database, tmp_path: Path
) -> None:
    assert migrate.upgrade(empty) == migrate.versions()
    migrated = described(empty)
    assert set(migrated["tables"]) == set(metadata.tables)
    if empty.is_sqlite:
        other = f"sqlite:///{tmp_path}/declared.db"
        create_tables(other)
        assert migrated == described(Database(open_engine(parse_url(other))))
        return
    with fresh_database() as other:
        create_tables(other)
        declared = Database(open_engine(parse_url(other)))
        assert migrated == described(declared)
        declared.close()


def test_an_upgrade_is_repeatable(empty: Database) -> None:
    assert migrate.check(empty) is migrate.SchemaState.EMPTY
    migrate.upgrade(empty)
    before = described(empty)
    assert migrate.upgrade(empty) == []
    assert migrate.check(empty) is migrate.SchemaState.UP_TO_DATE
    assert migrate.current(empty) == migrate.newest()
    assert described(empty) == before


def test_two_processes_that_migrate_at_once_do_it_once(empty: Database, url: str) -> None:
    other = Database(open_engine(parse_url(url)))
    done: list[list[str]] = []
    workers = [threading.Thread(target=lambda each=each: done.append(migrate.upgrade(each))) for each in (empty, other)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    other.close()
    assert sorted(done, key=len) == [[], migrate.versions()]


def test_a_database_of_a_newer_version_is_refused(empty: Database, url: str, tmp_path: Path) -> None:
    migrate.upgrade(empty)
    set_version(empty, "9999")
    for attempt in (
        lambda: migrate.check(empty),
        lambda: migrate.upgrade(empty),
        lambda: prepare_database(settings_of(url, tmp_path), empty, CLOCK, print),
    ):
        with pytest.raises(Misconfigured, match="9999") as caught:
            attempt()
        assert caught.value.code == "database.ahead"


def test_tables_without_a_version_are_refused(empty: Database, url: str) -> None:
    create_tables(url)
    with pytest.raises(Misconfigured) as caught:
        migrate.upgrade(empty)
    assert caught.value.code == "database.unversioned"


def test_a_server_sets_up_an_empty_database(empty: Database, url: str, tmp_path: Path) -> None:
    notices: list[str] = []
    prepare_database(settings_of(url, tmp_path), empty, CLOCK, notices.append)
    prepare_database(settings_of(url, tmp_path), empty, CLOCK, notices.append)
    assert migrate.check(empty) is migrate.SchemaState.UP_TO_DATE
    assert [
        notice for notice in notices if "may read the file" not in notice
    ] == []  # the file was made by the test, for everybody


def test_a_copy_is_made_before_the_embedded_database_is_migrated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/keyturn.db"
    database = Database(open_engine(parse_url(url)))
    make_first_version(database)
    notices: list[str] = []
    prepare_database(settings_of(url, tmp_path), database, CLOCK, notices.append)
    database.close()
    [copy] = tmp_path.glob("keyturn.db.before-*")
    assert any(str(copy) in notice for notice in notices)
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(migrate.versions()[0],)]
    assert migrate.check(database) is migrate.SchemaState.UP_TO_DATE


@pytest.mark.postgres
def test_a_server_does_not_migrate_postgresql_by_itself(tmp_path: Path) -> None:
    with fresh_database() as url:
        database = Database(open_engine(parse_url(url)))
        make_first_version(database)
        with pytest.raises(Misconfigured) as caught:
            prepare_database(settings_of(url, tmp_path), database, CLOCK, print)
        assert caught.value.fix == "Run: keyturn migrate"
        assert migrate.upgrade(database) == migrate.versions()[1:]
        database.close()


def test_projects_of_before_know_who_made_them(empty: Database) -> None:
    run_migrations_to(empty, "0006")
    with empty.engine.begin() as connection:
        for statement in (
            (
                "INSERT INTO organizations (id, name, slug, created_at, updated_at)"
                " VALUES ('o', 'o', 'o', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
            ),
            (
                "INSERT INTO projects (id, org_id, name, slug, created_at, updated_at)"
                " VALUES ('p', 'o', 'p', 'p', '2026-01-01 00:00:00', '2026-01-01 00:00:00'),"
                " ('q', 'o', 'q', 'q', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
            ),
            (
                "INSERT INTO audit_events (at, actor_kind, actor_id, event, subject_kind, subject_id, data)"
                " VALUES ('2026-01-01 00:00:00', 'user', 'ann', 'create-project', 'project', 'p', '{}')"
            ),
        ):
            connection.exec_driver_sql(statement)
    migrate.upgrade(empty)
    with empty.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT id, created_by FROM projects ORDER BY id").all()
    assert [tuple(row) for row in rows] == [("p", "ann"), ("q", None)]


def test_who_set_up_machine_identities_of_before_is_read_from_the_trail(empty: Database) -> None:
    run_migrations_to(empty, "0043")
    now = "'2026-01-01 00:00:00'"
    with empty.engine.begin() as connection:
        for statement in (
            f"INSERT INTO organizations (id, name, slug, created_at, updated_at) VALUES ('o', 'o', 'o', {now}, {now})",
            "INSERT INTO users (id, org_id, email, first_name, last_name, password_hash, role, created_at, updated_at) VALUES "
            + ", ".join(
                f"('{each}', 'o', '{each}', '', '', '', 'admin', {now}, {now})" for each in ("ann", "bob", "eve")
            ),
            "INSERT INTO identities (id, org_id, name, role, metadata, created_at, updated_at) VALUES "
            + ", ".join(f"('{each}', 'o', '{each}', 'admin', '[]', {now}, {now})" for each in ("first", "robot")),
            "INSERT INTO audit_events (at, org_id, actor_kind, actor_id, event, subject_kind, subject_id, data) VALUES "
            f"({now}, 'o', 'platform', NULL, 'bootstrap', 'organization', 'o', '{{"
            '"userId": "ann", "identityId": "first"}\'), '
            + ", ".join(
                f"({now}, 'o', '{kind}', '{who}', '{event}', 'identity', '{what}', '{{}}')"
                for kind, who, event, what in (
                    ("user", "bob", "create-identity", "robot"),
                    ("user", "bob", "create-identity-universal-auth-client-secret", "robot"),
                    ("user", "gone", "create-identity-universal-auth-client-secret", "robot"),
                    ("user", "eve", "update-identity", "robot"),
                    ("identity", "first", "login-identity-universal-auth", "first"),
                )
            ),
        ):
            connection.exec_driver_sql(statement)
    migrate.upgrade(empty)
    with empty.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT identity_id, user_id FROM identity_makers ORDER BY 1, 2").all()
    assert [tuple(row) for row in rows] == [("first", "ann"), ("robot", "bob")]


def test_inventories_of_before_are_read_anew_and_filtered_by_the_length_of_lives_at_once(empty: Database) -> None:
    run_migrations_to(empty, "0043")
    now = "'2026-01-01 00:00:00'"
    lives = {
        "90 days": ("'2026-01-01 10:00:00'", "'2026-04-01 10:00:00'", 90),
        "less": ("'2026-01-01 10:00:00.5'", "'2026-04-01 09:59:59.5'", 89),
        "no end": ("'2026-01-01 10:00:00'", "NULL", None),
        "long": ("'0001-01-01 00:00:00'", "'9999-12-31 00:00:00'", 3652058),
    }
    with empty.engine.begin() as connection:
        for statement in (
            f"INSERT INTO organizations (id, name, slug, created_at, updated_at) VALUES ('o', 'o', 'o', {now}, {now})",
            (
                "INSERT INTO app_connections (id, org_id, scope, name, app, method, cloud, tenant_id, client_id, secret,"
                " credentials_hash, created_at, updated_at)"
                f" VALUES ('c', 'o', 'o', 'c', 'azure', 'client-secret', 'global', 't', 'i', '', '', {now}, {now})"
            ),
            (
                "INSERT INTO inventories (id, org_id, cloud, tenant_id, connection_id, created_at, phase, page_size, scan,"
                f" tokens_at, failures) VALUES ('i', 'o', 'global', 't', 'c', {now}, 'rest', 1, 1, {now}, 0)"
            ),
            (
                "INSERT INTO inventory_objects (id, inventory_id, object_id, kind, app_id, name, audience, seen_in, fingerprint)"
                " VALUES ('h', 'i', 'x', 'application', 'a', 'Shop', '', 1, '')"
            ),
            *(
                "INSERT INTO inventory_entries (id, inventory_id, holder_id, object_kind, object_id, app_id, name, audience,"
                " owner_state, starts_at, ends_at, order_at, search) VALUES"
                f" ('{name}', 'i', 'h', 'application', 'x', 'a', 'Shop', '', 'none', {starts}, {ends}, {now}, 'shop {name}')"
                for name, (starts, ends, _) in lives.items()
            ),
        ):
            connection.exec_driver_sql(statement)
    migrate.upgrade(empty)
    with empty.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT id, life_days FROM inventory_entries").all()
        (kept,) = connection.exec_driver_sql("SELECT tokens_at, key_search FROM inventories, inventory_objects").all()
    assert {row[0]: row[1] for row in found} == {name: days for name, (_, _, days) in lives.items()}
    assert kept[0] is None, "the lists are read at the next look"
    assert all(f"shop {name}" in kept[1] for name in lives)


def test_versions_of_before_know_when_they_became_current(empty: Database) -> None:
    run_migrations_to(empty, "0013")
    moment = "'2026-01-01 00:00:00'"
    maker = f"'user', 'ann', {moment}"
    with empty.engine.begin() as connection:
        for statement in (
            f"INSERT INTO organizations (id, name, slug, created_at, updated_at) VALUES ('o', 'o', 'o', {moment}, {moment})",
            (
                "INSERT INTO projects (id, org_id, name, slug, created_at, updated_at, revision)"
                f" VALUES ('p', 'o', 'p', 'p', {moment}, {moment}, 4)"
            ),
            (
                "INSERT INTO environments (id, project_id, name, slug, position, created_at, updated_at)"
                f" VALUES ('e', 'p', 'e', 'e', 1, {moment}, {moment})"
            ),
            (
                "INSERT INTO secret_folders (id, environment_id, path, name, created_at, updated_at)"
                f" VALUES ('f', 'e', '/', 'root', {moment}, {moment})"
            ),
            (
                "INSERT INTO secrets (id, folder_id, name, version, created_at, updated_at)"
                f" VALUES ('s', 'f', 'S', 2, {moment}, {moment}), ('t', 'f', 'T', 1, {moment}, {moment})"
            ),
            (
                "INSERT INTO secret_versions (id, secret_id, number, name, made_by_kind, made_by_name, created_at)"
                f" VALUES ('s1', 's', 1, 'S', {maker}), ('s2', 's', 2, 'S', {maker}), ('t1', 't', 1, 'T', {maker})"
            ),
            (
                "INSERT INTO changes (project_id, revision, at, kind, subject_id, version) VALUES"
                f" ('p', 1, {moment}, 'secret:create', 's', 1), ('p', 2, {moment}, 'secret:create', 't', 1),"
                f" ('p', 3, {moment}, 'folder:update', 'f', NULL), ('p', 4, {moment}, 'secret:update', 's', 2)"
            ),
        ):
            connection.exec_driver_sql(statement)
    migrate.upgrade(empty)
    with empty.engine.connect() as connection:
        versions = connection.exec_driver_sql(
            "SELECT id, revision, has_references FROM secret_versions ORDER BY id"
        ).all()
        secrets = connection.exec_driver_sql(
            "SELECT id, added_revision, removed_revision FROM secrets ORDER BY id"
        ).all()
    assert [tuple(row) for row in versions] == [("s1", 1, True), ("s2", 4, True), ("t1", 2, True)]
    assert [tuple(row) for row in secrets] == [("s", 1, None), ("t", 2, None)]


def test_the_trail_of_before_is_kept_and_can_be_given_an_end(empty: Database) -> None:
    run_migrations_to(empty, "0008")
    with empty.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO audit_events (at, org_id, actor_kind, event, subject_kind, subject_id, data)"
            " VALUES ('2016-01-01 00:00:00', 'o', 'user', 'old', 'thing', 'x', '{}'),"
            " ('2026-02-28 00:00:00', 'o', 'user', 'young', 'thing', 'x', '{}')"
        )
    migrate.upgrade(empty)
    for statement in ("DELETE FROM audit_events", "UPDATE audit_events SET event = 'x'"):
        with pytest.raises(sa.exc.IntegrityError, match="cannot be changed or deleted"), empty.write() as tx:
            tx.connection.exec_driver_sql(statement)
    for _ in range(2):  # the second server finds the chains of the first
        sealer = KeyringSealer(Keyring.open(empty, GivenRoot(RootKeys(RootKey(bytes(range(32))))), CLOCK))
        open_chains(empty, sealer, CLOCK)
        assert [(each.chain, each.events, each.faults) for each in verify_all(empty, key_of(empty))] == [
            ("", 1, []),
            ("o", 2, []),
        ]
    remove_old_events(empty, 365, CLOCK.now(), CLOCK.now(), lambda: False)
    with empty.read() as tx:
        assert [row["event"] for row in tx.rows(sa.text("SELECT event FROM audit_events ORDER BY id"))] == [
            "young",
            "begin-audit-chain",
            "remove-audit-events",
        ]
    assert [(each.events, each.faults) for each in verify_all(empty, key_of(empty))] == [(1, []), (2, [])]
    with empty.engine.begin() as connection:  # as if there had never been chains, so that history could be written anew
        for table in ("audit_links", "audit_chains"):
            where = "" if empty.is_sqlite else f" ON {table}"
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_delete{where}")
            connection.exec_driver_sql(f"DELETE FROM {table}")
        connection.exec_driver_sql("DELETE FROM audit_keys")
    with pytest.raises(Misconfigured, match="The key of the audit trail's hash chains is gone"):
        open_chains(empty, sealer, CLOCK)


def test_foreign_keys_are_enforced_again_after_a_migration(tmp_path: Path) -> None:
    database = Database(open_engine(parse_url(f"sqlite:///{tmp_path}/keyturn.db"), pool_size=1))
    migrate.upgrade(database)
    with database.read() as tx:
        assert tx.connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.close()


def make_first_version(database: Database) -> None:
    """Migrate to the oldest version only."""
    run_migrations_to(database, migrate.versions()[0])


def run_migrations_to(database: Database, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", "keyturn:db/migrations")
    with database.engine.connect() as connection, for_writing(connection).begin():
        config.attributes["connection"] = connection
        command.upgrade(config, version)


def set_version(database: Database, version: str) -> None:
    with database.write() as tx:
        table = sa.table(migrate.VERSION_TABLE, sa.column("version_num"))
        tx.run(sa.update(table).values(version_num=version))
