"""The first start, the next one, and the starts that must be refused."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn.app import startup
from keyturn.crypto.keyring import KeyringSealer
from keyturn.crypto.root import generate
from keyturn.db.tables import data_keys
from keyturn.errors import Misconfigured
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.settings.reader import read_settings
from tests.features.boot.starting import start, started
from tests.postgres import fresh_database

PLACE = SealContext("app_connections", "1", "secret")


@pytest.fixture
def embedded(tmp_path: Path) -> dict[str, str]:
    return {"KEYTURN_DATA_DIR": str(tmp_path / "data")}


def test_the_first_start_makes_everything_private_and_tells_once_to_back_up(embedded: dict[str, str]) -> None:
    folder = Path(embedded["KEYTURN_DATA_DIR"])
    [notice] = start(embedded)
    assert "root.key" in notice
    assert "Back it up" in notice
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "keyturn.db": 0o600,
        "root.key": 0o600,
    }
    assert start(embedded) == []


def test_values_survive_a_restart(embedded: dict[str, str]) -> None:
    with started(embedded, []) as (_, ring):
        sealed = KeyringSealer(ring).seal(Plaintext("s3cret"), PLACE)
    with started(embedded, []) as (_, ring):
        assert KeyringSealer(ring).open(sealed, PLACE) == Plaintext("s3cret")


def test_a_lost_key_file_is_not_replaced(embedded: dict[str, str]) -> None:
    start(embedded)
    key_file = Path(embedded["KEYTURN_DATA_DIR"]) / "root.key"
    key_file.unlink()
    with pytest.raises(Misconfigured, match="missing"):
        start(embedded)
    assert not key_file.exists()


def test_another_key_is_refused_by_id(embedded: dict[str, str]) -> None:
    start(embedded)
    other = {**embedded, "ENCRYPTION_KEY": generate()}
    assert "keyturn keys rotate --to environment" in start(other)[-1], "the key file is there, and is the right one"
    (Path(embedded["KEYTURN_DATA_DIR"]) / "root.key").unlink()
    with pytest.raises(Misconfigured, match="expects root key"):
        start(other)


def test_a_key_file_of_another_installation_is_refused(embedded: dict[str, str], tmp_path: Path) -> None:
    start(embedded)
    start({"KEYTURN_DATA_DIR": str(tmp_path / "other")})
    (tmp_path / "other" / "root.key").replace(tmp_path / "data" / "root.key")
    with pytest.raises(Misconfigured, match=r"root\.key is the wrong key"):
        start(embedded)


def test_a_key_from_the_environment_needs_no_file(embedded: dict[str, str]) -> None:
    environ = {**embedded, "ENCRYPTION_KEY": generate()}
    assert start(environ) == []
    assert start(environ) == []
    assert not (Path(embedded["KEYTURN_DATA_DIR"]) / "root.key").exists()


def test_a_previous_key_that_equals_the_present_one_is_no_change(embedded: dict[str, str]) -> None:
    key = generate()
    source = startup.given_root(
        read_settings({**embedded, "ENCRYPTION_KEY": key, "ENCRYPTION_KEY_PREVIOUS": key.upper()}), print
    )
    assert source.load().previous is None


def test_a_previous_key_alone_is_refused(embedded: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="without ENCRYPTION_KEY"):
        start({**embedded, "ENCRYPTION_KEY_PREVIOUS": generate()})


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="file/data") as caught:
        start({"KEYTURN_DATA_DIR": str(tmp_path / "file" / "data")})
    assert caught.value.code == "database.unwritable"


@pytest.mark.postgres
def test_postgresql_without_a_key_is_refused_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with fresh_database() as url, pytest.raises(Misconfigured) as caught:
        start({"KEYTURN_DATA_DIR": str(tmp_path), "DB_CONNECTION_URI": url})
    assert "openssl rand -hex 32" in caught.value.diagnostics()
    assert not (tmp_path / "root.key").exists()


@pytest.mark.postgres
def test_two_servers_share_postgresql(tmp_path: Path) -> None:
    with fresh_database() as url:
        environ = {"KEYTURN_DATA_DIR": str(tmp_path), "DB_CONNECTION_URI": url, "ENCRYPTION_KEY": generate()}
        with started(environ, []) as (_, keyring), started(environ, []) as (database, other):
            sealed = KeyringSealer(keyring).seal(Plaintext("s3cret"), PLACE)
            assert KeyringSealer(other).open(sealed, PLACE) == Plaintext("s3cret")
            with database.read() as tx:
                assert len(tx.rows(sa.select(data_keys))) == 1


def test_a_database_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        start(
            {
                "KEYTURN_DATA_DIR": str(tmp_path),
                "DB_CONNECTION_URI": "postgresql://u:canary7@127.0.0.1:1/x",
                "ENCRYPTION_KEY": generate(),
            }
        )
    assert caught.value.code == "database.unreachable"
    assert "canary7" not in caught.value.diagnostics()
