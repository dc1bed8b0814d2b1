"""The root key in Azure Key Vault: a start, moves from one place to another and back, and what is said when the vault is away.

The local Entra ID serves the vault, and the server signs in to it as it would to the real one.
"""

import itertools
import json
import logging
import re
import socket
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from entra_emulator import ApplicationHandle, Effect, Emulator, Fault, Request, SigningKey, VirtualClock
from entra_emulator.server.server import Running, run_in_thread
from keyturn.app import startup
from keyturn.app.vault_wait import VaultWatch, waiting
from keyturn.cli import checkup
from keyturn.cli.context import CommandContext
from keyturn.cli.main import main
from keyturn.cli.vault_checkup import examine_vault
from keyturn.crypto import rewrap
from keyturn.crypto.keyring import KeyringSealer
from keyturn.crypto.root import generate
from keyturn.crypto.root_choice import Place, RootPlaces
from keyturn.db.tables import audit_events
from keyturn.db.unit import Database
from keyturn.errors import Misconfigured, Retryable, Unavailable
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.settings.reader import read_settings
from tests.emulator.certificates import make_certificate
from tests.features.boot.starting import CLOCK, started
from tests.ports import free_port
from tests.postgres import fresh_database

NUMBERS = itertools.count(1)
EVERYTHING = ("get", "create", "rotate", "update", "delete", "recover", "purge", "wrapKey", "unwrapKey")
PLACE = SealContext("somewhere", "row", "value")


@dataclass
class VaultDesk:
    """A folder for a server, a vault with one key, and what is asked of both."""

    emulator: Emulator
    app: ApplicationHandle
    environ: dict[str, str]
    since: int

    @property
    def name(self) -> str:
        return f"keys/{self.key.rpartition('/')[2]}"

    @property
    def folder(self) -> Path:
        return Path(self.environ["KEYTURN_DATA_DIR"])

    @property
    def key(self) -> str:
        return self.environ["KEYTURN_KEY_VAULT_KEY"]

    def without(self, *prefixes: str) -> dict[str, str]:
        return {name: value for name, value in self.environ.items() if not name.startswith(prefixes)}

    def vault(self, method: str, path: str, body: object = None) -> int:
        token = self.emulator.call(
            Request(
                "POST",
                f"{self.key.partition('/keys/')[0]}/{self.app.tenant_id}/oauth2/v2.0/token",
                {"Content-Type": "application/x-www-form-urlencoded"},
                f"grant_type=client_credentials&client_id={self.app.app_id}&client_secret={self.app.secrets[0].value}"
                "&scope=https://vault.azure.net/.default".encode(),
            )
        ).json()["access_token"]
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}"}
        return self.emulator.call(Request(method, f"/{path}?api-version=7.6", headers, data)).status

    def asked(self, operation: str) -> int:
        return len([one for one in self.emulator.ledger.after(self.since) if one.operation == operation])

    def roots(self) -> set[str]:
        with sqlite3.connect(self.folder / "keyturn.db") as connection:
            return {row[0] for row in connection.execute("SELECT root_key_id FROM data_keys WHERE retired_at IS NULL")}

    def wrapped(self) -> dict[str, str]:
        with sqlite3.connect(self.folder / "keyturn.db") as connection:
            return dict(connection.execute("SELECT id, vault_key_id FROM root_keys ORDER BY created_at").fetchall())

    def rotate(self, to: str, environ: dict[str, str] | None = None) -> int:
        return main(["keys", "rotate", "--to", to], environ or self.environ)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Emulator, ApplicationHandle, Running]]:
    """One vault for the module; each test has a key of its own in it."""
    emulator = Emulator(VirtualClock(CLOCK.now().timestamp()), seed=5, signing_key=SigningKey(1024))
    tenant = emulator.admin.create_tenant("Contoso")
    app = emulator.admin.create_application(tenant, "keyturn")
    emulator.admin.create_vault(tenant, "team")
    with run_in_thread(emulator) as running:
        yield emulator, app, running


@pytest.fixture
def desk(served: tuple[Emulator, ApplicationHandle, Running], tmp_path: Path) -> Iterator[VaultDesk]:
    emulator, app, running = served
    clock = emulator.clock
    assert isinstance(clock, VirtualClock)
    clock.advance(CLOCK.now().timestamp() - clock.now())
    emulator.admin.set_vault_access("team", app.principal_id, *EVERYTHING)
    environ = {
        "KEYTURN_DATA_DIR": str(tmp_path / "data"),
        "KEYTURN_AUTHORITY": running.authority,
        "KEYTURN_GRAPH": running.authority,
        "KEYTURN_CA_FILE": running.ca_file,
        "KEYTURN_KEY_VAULT_KEY": f"{running.authority}/keys/k{next(NUMBERS)}",
        "KEYTURN_KEY_VAULT_TENANT_ID": app.tenant_id,
        "KEYTURN_KEY_VAULT_CLIENT_ID": app.app_id,
        "KEYTURN_KEY_VAULT_CLIENT_SECRET": app.secrets[0].value,
    }
    made = VaultDesk(emulator, app, environ, emulator.ledger.last)
    assert made.vault("POST", f"{made.name}/create", {"kty": "RSA"}) == 200
    yield made
    emulator.faults.clear()


def move(environ: dict[str, str], to: Place) -> None:
    settings = read_settings(environ)
    database = startup.open_database(settings)
    source = startup.root_key_source(settings, lambda _: None, database, CLOCK)
    assert isinstance(source, RootPlaces)
    rewrap.rotate(database, source.target(to), CLOCK, progress=lambda _: None, pause=lambda _: None)
    database.close()


def sealed_by(environ: dict[str, str]) -> str:
    with started(environ, []) as (_, keyring):
        return KeyringSealer(keyring).seal(Plaintext("a value"), PLACE).text


def test_a_start_has_the_vault_wrap_a_new_root_key_and_asks_it_once(
    desk: VaultDesk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    notices: list[str] = []
    with started(desk.environ, notices) as (database, keyring):
        sealer = KeyringSealer(keyring)
        first = sealer.seal(Plaintext("a value"), PLACE)
        assert desk.asked("wrapKey") == 1
        unwrapped = desk.asked("unwrapKey")
        desk.vault("DELETE", desk.name)
        CLOCK.advance(3600)
        keyring.maintain()
        assert sealer.open(first, PLACE) == Plaintext("a value")
        assert sealer.seal(Plaintext("more"), PLACE)
        assert desk.asked("unwrapKey") == unwrapped, "the root key is in memory"
        root = keyring.source.load().current.reveal()
        assert not (desk.folder / "root.key").exists()
        files = b"".join(path.read_bytes() for path in desk.folder.iterdir())
        assert root not in files
        assert root.hex() not in caplog.text + "".join(notices)
        assert database
    with pytest.raises(Misconfigured) as caught:
        sealed_by(desk.environ)
    assert caught.value.code == "vault.key_missing"
    assert "az keyvault key recover --vault-name localhost" in str(caught.value.fix)
    desk.vault("POST", f"deleted{desk.name}/recover")
    with started(desk.environ, []) as (_, keyring):
        assert KeyringSealer(keyring).open(first, PLACE) == Plaintext("a value")
    assert desk.roots() == desk.wrapped().keys()


@pytest.mark.alternates
@pytest.mark.parametrize("way", ["federated", "managed identity", "certificate"])
def test_the_server_signs_in_to_the_vault_in_each_way(desk: VaultDesk, way: str, tmp_path: Path) -> None:
    admin, app = desk.emulator.admin, desk.app
    environ = desk.without("KEYTURN_KEY_VAULT_CLIENT_SECRET")
    if way == "certificate":
        certificate = make_certificate()
        admin.add_certificate(app.object_id, certificate.pem)
        path = tmp_path / "vault.pem"
        path.write_bytes(certificate.pem + certificate.private_pem)
        sealed_by(environ | {"KEYTURN_KEY_VAULT_CERTIFICATE_FILE": str(path)})
    else:
        kind = "variable:THE_TOKEN" if way == "federated" else "managed-identity"
        environ |= {"KEYTURN_TOKEN_SOURCES": f"me={kind}", "KEYTURN_KEY_VAULT_TOKEN_SOURCE": "me"}
        with pytest.raises(Misconfigured) as caught:
            sealed_by(environ)
        assert caught.value.code.startswith("token_source.")
        assert "The root key cannot be unwrapped" in caught.value.message


def test_the_root_key_moves_from_place_to_place_and_back(desk: VaultDesk, capsys: pytest.CaptureFixture[str]) -> None:
    bare = desk.without("KEYTURN_KEY_VAULT")
    first = sealed_by(bare)
    (file_root,) = desk.roots()
    assert desk.rotate("vault", bare) == 2
    assert "no KEYTURN_KEY_VAULT_KEY" in capsys.readouterr().err

    with sqlite3.connect(desk.folder / "keyturn.db") as connection:
        connection.execute(
            "INSERT INTO organizations (id, name, slug, created_at, updated_at)"
            " VALUES ('o', 'Contoso', 'contoso', '2026-01-01', '2026-01-01')"
        )
    notices: list[str] = []
    with started(desk.environ, notices) as (database, keyring):
        assert "keyturn keys rotate --to vault" in notices[-1]
        server = KeyringSealer(keyring)
        assert desk.rotate("vault") == 0
        assert "root.key is not needed any more" in capsys.readouterr().err
        (vault_root,) = desk.roots()
        assert list(desk.wrapped()) == [vault_root] != [file_root]
        CLOCK.advance(31)
        assert server.seal(Plaintext("b"), PLACE).text.split(".")[1] != first.split(".")[1], (
            "the new data key is taken up"
        )
        with database.read() as tx:
            told = [row for row in tx.rows(audit_events.select()) if row["event"] == "change-root-key"]
        assert [row["data"]["place"] for row in told] == ["vault"]
        assert told[0]["data"]["previousRootKeyIds"] == [file_root]

    assert desk.vault("POST", f"{desk.name}/rotate") == 200
    assert desk.rotate("vault") == 0
    versions = list(desk.wrapped().values())
    assert len(set(versions)) == 2
    assert desk.roots() == {list(desk.wrapped())[-1]}
    assert desk.rotate("environment") == 2
    assert "no ENCRYPTION_KEY" in capsys.readouterr().err
    given = desk.environ | {"ENCRYPTION_KEY": generate()}
    assert desk.rotate("environment", given) == 0
    with started(desk.without("KEYTURN_KEY_VAULT") | {"ENCRYPTION_KEY": given["ENCRYPTION_KEY"]}, []) as (_, keyring):
        assert keyring.newest()
    assert desk.rotate("file", given) == 0
    (desk.folder / "root.key.previous").unlink(missing_ok=True)
    assert sealed_by(bare)
    assert desk.roots() != {file_root}, "the old file's key was not taken up again"


@pytest.mark.alternates
@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_move_that_is_killed_leaves_both_places_usable(desk: VaultDesk, after: int) -> None:
    """`after` so many transactions the process ends: the root key is stored, one data key is wrapped anew, the other is."""
    bare = desk.without("KEYTURN_KEY_VAULT")
    with started(bare, []) as (_, keyring):
        sealed = KeyringSealer(keyring).seal(Plaintext("a value"), PLACE)
        keyring.add_key(keyring.source.load().current)
    writes, usual = itertools.count(1), Database.write

    def killed(self: Database) -> object:
        if next(writes) > after:
            raise KeyboardInterrupt
        return usual(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            move(desk.environ, Place.VAULT)
    assert len(desk.roots()) == (2 if after == 2 else 1)
    with started(desk.environ, []) as (_, keyring):
        assert KeyringSealer(keyring).open(sealed, PLACE) == Plaintext("a value")
    move(desk.environ, Place.VAULT)
    assert len(desk.wrapped()) == (2 if after == 3 else 1), "what was cut short is continued"
    (desk.folder / "root.key").unlink()
    with started(desk.environ, []) as (_, keyring):
        assert KeyringSealer(keyring).open(sealed, PLACE) == Plaintext("a value")


def test_running_servers_learn_the_new_root_key_outside_transactions(desk: VaultDesk) -> None:
    sealed_by(desk.without("KEYTURN_KEY_VAULT"))
    with started(desk.environ, []) as (database, keyring), started(desk.environ, []) as (_, other):
        places = other.source
        assert isinstance(places, RootPlaces)
        assert places.vault is not None
        target = places.target(Place.VAULT)
        watch = VaultWatch(keyring, keyring.source.vault) if isinstance(keyring.source, RootPlaces) else None
        new = other.add_key(target.root)
        with database.read(), pytest.raises(Unavailable):
            keyring.key(new)
        assert watch is not None
        watch.look()
        desk.vault("DELETE", desk.name)
        with database.read():
            assert keyring.key(new)


def test_a_vault_that_is_away_is_waited_for_and_probes_say_so(desk: VaultDesk) -> None:
    sealed_by(desk.environ)
    away = Effect(503, "ServiceUnavailable", "away")
    busy = Effect(503, "ServiceUnavailable", "away", retry_after=9.0)
    desk.emulator.admin.configure(desk.app.tenant_id, retry_after="date")
    desk.emulator.faults.add(Fault("unwrapKey", (busy,), times=2))
    seen: list[tuple[int, dict[str, object]]] = []
    pauses: list[float] = []

    def probe(seconds: float) -> None:
        pauses.append(seconds)
        for path in ("healthz", "readyz"):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=60) as answer:
                    seen.append((answer.status, json.load(answer)))
            except urllib.error.HTTPError as error:
                seen.append((error.code, json.load(error)))

    notices: list[str] = []
    settings, port = read_settings(desk.environ), free_port()
    database = startup.open_database(settings)
    with waiting(timedelta(minutes=5), notices.append, probe, "127.0.0.1", port) as wait:
        CLOCK.advance(60)

        def patient(error: object) -> bool:
            CLOCK.advance(10)
            return wait(error)  # type: ignore[arg-type]

        assert startup.open_keyring(settings, database, CLOCK, notices.append, patient).newest()
    database.close()
    assert pauses == [9, 9], "as long as the vault asks, also when it names a date"
    assert seen[0] == (200, {"ok": True})
    assert seen[1][0] == 503
    assert "Key Vault answers with status 503" in str(seen[1][1]["reason"])
    assert len([line for line in notices if "Trying again for 300 s" in line]) == 1
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=60)

    desk.emulator.faults.add(Fault("unwrapKey", (away,)))
    with pytest.raises(Misconfigured, match="Key Vault answers with status 503"):
        sealed_by(desk.environ)


def test_a_probe_that_drips_is_cut_off_while_a_vault_is_waited_for() -> None:
    port, away = free_port(), Retryable("The vault is away.", code="vault.unreachable")

    def drip(_pause: float) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=0.2) as slow, suppress(ConnectionError):
            slow.sendall(b"GET /healthz HTTP/1.1\r\n")
            for _ in range(100):
                slow.sendall(b"x")
                with suppress(TimeoutError):
                    assert slow.recv(1) == b""
                    return
            pytest.fail("it is read without an end")

    with waiting(timedelta(minutes=5), lambda _: None, drip, "127.0.0.1", port) as wait:
        assert wait(away)


def test_doctor_looks_at_the_vault(desk: VaultDesk) -> None:
    def told() -> list[str]:
        settings = read_settings(desk.environ)
        database = startup.open_database(settings)
        found = list(examine_vault(database, settings, CLOCK))
        database.close()
        return [f"{finding.level} {finding.message} {finding.fix}" for finding in found]

    sealed_by(desk.without("KEYTURN_KEY_VAULT"))
    assert "is not wrapped by it" in told()[-1]
    move(desk.environ, Place.VAULT)
    lines = told()
    assert "The newest version wraps the root key in use" in lines[-1]
    [final] = [line for line in lines if "Whoever deletes the key can make that final" in line]
    vault = urlsplit(desk.key).hostname
    assert f"az keyvault update --name {vault} --enable-purge-protection true" in final
    desk.vault("POST", f"{desk.name}/rotate")
    assert "wrapped by an older version" in told()[-1]
    desk.emulator.admin.set_vault_access("team", desk.app.principal_id)
    assert told()[-1].startswith("fail This server may not use")
    context = CommandContext(desk.environ, CLOCK)
    findings = list(checkup.database(context.settings(), context))
    assert [finding.level for finding in findings if finding.subject in {"data keys", "key vault"}] == ["fail", "fail"]
    assert "Give the identity of this server the role" in findings[-2].fix + findings[-1].fix


def test_doctor_goes_on_behind_a_receiver_of_audit_events_when_the_root_key_is_in_the_vault_alone(
    desk: VaultDesk,
) -> None:
    desk.environ["KEYTURN_AUDIT_FILE"] = str(desk.folder / "audit.jsonl")

    def levels() -> dict[str, str]:
        context = CommandContext(desk.environ, CLOCK)
        return {each.subject: each.level for each in checkup.database(context.settings(), context)}

    sealed_by(desk.environ)
    with_vault = levels()
    assert (with_vault["data keys"], with_vault["audit streams"], with_vault["connections"]) == ("ok", "ok", "ok")
    desk.emulator.admin.set_vault_access("team", desk.app.principal_id)
    without = levels()
    assert (without["data keys"], without["connections"]) == ("fail", "ok")
    assert "audit streams" not in without


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"KEYTURN_KEY_VAULT_KEY": ""}, "KEYTURN_KEY_VAULT_KEY is missing"),
        ({"KEYTURN_KEY_VAULT_KEY": "https://v.vault.azure.net/keys/k/0123"}, "names a version of a key"),
        ({"KEYTURN_KEY_VAULT_KEY": "http://v.vault.azure.net/keys/k"}, "does not begin with https://"),
        ({"KEYTURN_KEY_VAULT_KEY": "https://v.vault.azure.net/secrets/k"}, "is not the address of a key"),
        ({"KEYTURN_KEY_VAULT_CLIENT_SECRET": ""}, "needs one way to sign in"),
        ({"KEYTURN_KEY_VAULT_CERTIFICATE": "x"}, "needs one way to sign in"),
        ({"KEYTURN_KEY_VAULT_TENANT_ID": ""}, "KEYTURN_KEY_VAULT_TENANT_ID is missing"),
        (
            {"KEYTURN_KEY_VAULT_CLIENT_SECRET": "", "KEYTURN_KEY_VAULT_TOKEN_SOURCE": "nobody"},
            "names no source of KEYTURN_TOKEN_SOURCES",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused_with_the_fix(change: dict[str, str], words: str, tmp_path: Path) -> None:
    environ = {
        "KEYTURN_DATA_DIR": str(tmp_path),
        "KEYTURN_KEY_VAULT_KEY": "https://v.vault.azure.net/keys/k",
        "KEYTURN_KEY_VAULT_TENANT_ID": "11111111-1111-4111-8111-111111111111",
        "KEYTURN_KEY_VAULT_CLIENT_ID": "11111111-1111-4111-8111-111111111111",
        "KEYTURN_KEY_VAULT_CLIENT_SECRET": "canary",
    }
    with pytest.raises(Misconfigured) as caught:
        read_settings(environ | change)
    assert words in caught.value.message
    assert "canary" not in caught.value.message


@pytest.mark.postgres
def test_postgresql_needs_no_other_root_key_than_that_of_the_vault(desk: VaultDesk) -> None:
    with fresh_database() as url:
        environ = desk.environ | {"DB_CONNECTION_URI": url}
        assert main(["migrate"], environ) == 0
        with started(environ, []) as (_, keyring):
            sealed = KeyringSealer(keyring).seal(Plaintext("a value"), PLACE)
        move(environ, Place.VAULT)
        with started(environ, []) as (_, keyring):
            assert KeyringSealer(keyring).open(sealed, PLACE) == Plaintext("a value")


def test_a_backup_is_restored_where_only_the_vault_has_the_root_key(
    desk: VaultDesk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with started(desk.environ, []) as (_, keyring):
        sealed = KeyringSealer(keyring).seal(Plaintext("a value"), PLACE)
    key, backup = str(tmp_path / "backup.key"), str(tmp_path / "copy.age")
    assert main(["backup", "key", key], desk.environ) == 0
    public = re.findall(r"age1[0-9a-z]+", "".join(capsys.readouterr()))[0]
    assert main(["backup", "create", backup, "--to", public], desk.environ) == 0
    assert main(["backup", "verify", backup, "--key-file", key], desk.environ) == 0
    root = re.findall(r"root key  (\w+),", capsys.readouterr().out)[0]
    elsewhere = desk.environ | {"KEYTURN_DATA_DIR": str(tmp_path / "elsewhere")}
    restored = main(["backup", "restore", backup, "--key-file", key, "--root-key", root], elsewhere)
    assert restored == 0, capsys.readouterr().err
    with started(elsewhere, []) as (_, keyring):
        assert KeyringSealer(keyring).open(sealed, PLACE) == Plaintext("a value")


def test_a_row_that_names_another_vault_sends_no_token_there(desk: VaultDesk) -> None:
    sealed_by(desk.environ)
    with sqlite3.connect(desk.folder / "keyturn.db") as connection:
        connection.execute("UPDATE root_keys SET vault_key_id = replace(vault_key_id, 'localhost', '127.0.0.1')")
    before = desk.asked("unwrapKey")
    with pytest.raises(Misconfigured, match="which KEYTURN_KEY_VAULT_KEY does not name"):
        sealed_by(desk.environ)
    assert desk.asked("unwrapKey") == before


def test_a_backup_for_which_the_vault_alone_speaks_is_restored_only_where_its_root_key_is_named(
    desk: VaultDesk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever knows the public keys of vault and backups can make such a one: here a stranger, whose own the vault wraps, too."""
    assert main(["backup", "key", str(tmp_path / "backup.key")], {}) == 0
    public = capsys.readouterr().out.strip()
    for name in ("ours", "foreign"):
        environ = desk.environ | {"KEYTURN_DATA_DIR": str(tmp_path / name)}
        sealed_by(environ)
        assert main(["backup", "create", str(tmp_path / f"{name}.age"), "--to", public], environ) == 0

    def backup(command: str, name: str, *more: str) -> int:
        capsys.readouterr()
        file, key = str(tmp_path / f"{name}.age"), str(tmp_path / "backup.key")
        return main(["backup", command, file, "--key-file", key, *more], desk.environ)

    assert backup("verify", "foreign", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["genuine"], facts["rootKeyHere"]) == (None, "vault")
    (foreign,) = facts["rootKeys"]
    assert backup("verify", "ours") == 0
    shown = capsys.readouterr().out
    assert "unknown; compare the root key" in shown
    ours = re.findall(r"root key  (\w+),", shown)[0]
    assert backup("restore", "foreign") == 1
    assert f"--root-key {foreign}" in capsys.readouterr().err
    assert backup("restore", "foreign", "--root-key", ours) == 1
    assert f"was made with root key {foreign}, and not with {ours}" in capsys.readouterr().err
    assert backup("verify", "foreign", "--root-key", ours) == 1
    assert backup("restore", "ours") == 1
    assert backup("verify", "ours", "--root-key", ours) == 0
    assert "made by a server with this root key" in capsys.readouterr().out
    assert backup("restore", "ours", "--root-key", ours) == 0
    assert desk.roots() == {ours}
