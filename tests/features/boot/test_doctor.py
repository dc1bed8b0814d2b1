"""``keyturn doctor`` finds what would go wrong later, says what to do, and changes nothing."""

import socket
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from entra_emulator import Emulator
from keyturn.audit import events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.receivers import FileReceiver
from keyturn.audit.record import record
from keyturn.audit.streams import DueStreams
from keyturn.cli.checkup import CheckupFinding, examine, skew
from keyturn.cli.context import CommandContext
from keyturn.cli.encryption_checkup import judge_connection
from keyturn.crypto.root import generate
from keyturn.db import migrate
from keyturn.errors import Misconfigured
from keyturn.kit.actor import platform
from keyturn.kit.clock import MovableClock
from keyturn.ports.http import HttpRequest, HttpResponse, Transport, TransportFailed
from keyturn.settings.model import Settings
from keyturn.telemetry import store
from keyturn_simulation.emulated import HOST, EmulatedTransport, EmulatorTime
from tests.features.boot.starting import CLOCK, start, started
from tests.postgres import fresh_database


class Answers:
    """A network where every host gives the same answer."""

    def __init__(self, status: int = 200, date: datetime | None = None) -> None:
        self._response = HttpResponse(status, {"date": format_datetime(date)} if date else {})

    def send(self, request: HttpRequest) -> HttpResponse:
        return self._response


class Silence:
    """A network without a way out."""

    def send(self, request: HttpRequest) -> HttpResponse:
        raise TransportFailed("cannot connect: timed out", sent=False)


def examined(environ: dict[str, str], transport: Transport | None = None) -> dict[str, CheckupFinding]:
    network = transport or Answers(date=CLOCK.now())
    return {finding.subject: finding for finding in examine(CommandContext(environ, CLOCK), lambda _: network)}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"KEYTURN_DATA_DIR": str(tmp_path / "data"), "PORT": "0"}


def levels(findings: dict[str, CheckupFinding]) -> set[str]:
    return {finding.level for finding in findings.values()}


def test_before_the_first_start_all_is_well_and_nothing_is_made(environ: dict[str, str]) -> None:
    assert levels(examined(environ)) == {"ok"}
    assert not Path(environ["KEYTURN_DATA_DIR"]).exists()


def test_after_the_first_start_all_is_well(environ: dict[str, str]) -> None:
    start(environ)
    findings = examined(environ)
    assert levels(findings) == {"ok"}
    assert {"tables", "writing", "data keys", "root key", "disk", "sign-in service", "Microsoft Graph", "clock"} <= set(
        findings
    )


def test_a_receiver_that_somebody_wants_to_keep_quiet_in_the_database_is_a_failure(environ: dict[str, str]) -> None:
    file = Path(environ["KEYTURN_DATA_DIR"]) / "audit.jsonl"
    environ |= {"KEYTURN_AUDIT_FILE": str(file)}
    with started(environ, []) as (database, _):
        with database.write() as tx:
            record(tx, platform("org-ada"), events.USER_UNLOCKED, Subject(SubjectKind.USER, "u"), CLOCK.now())
        due = DueStreams(database, CLOCK, [FileReceiver(file)])
        with database.write() as tx:
            assert due.claim(tx, CLOCK.now(), 1)
        due.do("file")
        assert examined(environ)["audit streams"].level == "ok"
        with database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE audit_stream_positions SET position = 999 WHERE chain = 'org-ada'")
        found = examined(environ)["audit streams"]
        assert (found.level, "was changed in the database" in found.message) == ("fail", True)
        due.do("file")
        with database.read() as tx:
            assert store.figures(tx, CLOCK.now(), timedelta(seconds=30))["streams_failing"] == 1


@pytest.mark.parametrize(
    ("host", "sslmode", "encrypted", "level", "said"),
    [
        ("/run/postgresql", "", False, "ok", "on this machine"),
        ("127.0.0.1", "", False, "ok", "on this machine"),
        ("::1", "", False, "ok", "on this machine"),
        ("db.example.com", "", False, "warn", "is not encrypted"),
        ("192.0.2.5", "disable", False, "warn", "is not encrypted"),
        ("db.example.com", "", True, "warn", "nobody checks with whom"),
        ("db.example.com", "require", True, "warn", "nobody checks with whom"),
        ("db.example.com", "verify-full", True, "ok", "its certificate is checked"),
    ],
)
def test_a_connection_to_postgresql_that_others_could_read_is_told_of(
    host: str, sslmode: str, encrypted: bool, level: str, said: str
) -> None:
    found = judge_connection(host, sslmode, encrypted=encrypted)
    assert (found.level, said in found.message) == (level, True)
    assert ("DB_ROOT_CERT" in found.fix) is (level == "warn")


@pytest.mark.postgres
def test_postgresql_is_checked_too(environ: dict[str, str]) -> None:
    with fresh_database() as url:
        environ |= {"DB_CONNECTION_URI": url, "ENCRYPTION_KEY": generate()}
        assert "empty" in examined(environ)["tables"].message
        start(environ)
        findings = examined(environ)
        assert {name for name, finding in findings.items() if finding.level != "ok"} == {"database clock"}
        assert "chrony" in findings["database clock"].fix, "the clock of this test stands in the past"


def test_faults_of_settings_are_all_listed_and_misspelt_ones_warned_of(environ: dict[str, str]) -> None:
    findings = list(examine(CommandContext({**environ, "PORT": "x", "KEYTURN_CLUOD": "y"}, CLOCK), lambda _: Answers()))
    assert [(finding.level, finding.message.split()[0]) for finding in findings] == [
        ("warn", "KEYTURN_CLUOD"),
        ("fail", "PORT"),
    ]


def test_an_exposed_key_file_is_told_with_the_command_that_mends_it(environ: dict[str, str]) -> None:
    start(environ)
    key_file = Path(environ["KEYTURN_DATA_DIR"]) / "root.key"
    key_file.chmod(0o644)
    finding = examined(environ)["root key"]
    assert finding.level == "fail"
    assert finding.fix.startswith(f"Run: chmod 600 {key_file}.")


class Proxy:
    """A network behind a proxy that lets nothing through."""

    def __init__(self, status: int) -> None:
        self._status = status

    def send(self, request: HttpRequest) -> HttpResponse:
        raise TransportFailed("the proxy refused", sent=False, proxy_status=self._status)


def test_each_refusal_of_a_proxy_has_its_own_way_out(environ: dict[str, str]) -> None:
    asks, blocks = (examined(environ, Proxy(status))["Microsoft Graph"].fix for status in (407, 403))
    assert "user:password" in asks
    assert "NO_PROXY" in blocks
    assert "graph.microsoft.com" in blocks


def test_variables_of_others_and_the_modes_of_a_volume_are_warned_of(environ: dict[str, str]) -> None:
    start(environ)
    folder = Path(environ["KEYTURN_DATA_DIR"])
    folder.chmod(0o2770)
    (folder / "root.key").chmod(0o660)
    others = {"DB_PORT": "tcp://10.0.0.5:5432", "KEYTURN_SERVICE_HOST": "10.0.0.5"}
    findings = list(examine(CommandContext({**environ, **others}, CLOCK), lambda _: Answers(date=CLOCK.now())))
    warned = [(finding.subject, finding.message.split()[0]) for finding in findings if finding.level == "warn"]
    assert warned == [("settings", "DB_PORT"), ("root key", "The"), ("data folder", "All")]
    assert not [finding for finding in findings if finding.level == "fail"]


def test_a_wrong_key_is_found(environ: dict[str, str]) -> None:
    start(environ)
    other = {**environ, "ENCRYPTION_KEY": generate()}
    assert examined(other)["data keys"].fix == "Run: keyturn keys rotate --to environment"
    (Path(environ["KEYTURN_DATA_DIR"]) / "root.key").unlink()
    finding = examined(other)["data keys"]
    assert (finding.level, "expects root key" in finding.message) == ("fail", True)


def test_a_lost_key_file_is_found_before_the_server_refuses(environ: dict[str, str]) -> None:
    start(environ)
    (Path(environ["KEYTURN_DATA_DIR"]) / "root.key").unlink()
    assert examined(environ)["data keys"].level == "fail"


def test_an_unfinished_change_of_the_root_key_is_told(environ: dict[str, str]) -> None:
    key = {"ENCRYPTION_KEY": generate(), "ENCRYPTION_KEY_PREVIOUS": generate()}
    assert examined({**environ, **key})["root key"].fix == "Run: keyturn keys rotate"


def test_a_damaged_database_is_found(environ: dict[str, str]) -> None:
    start(environ)
    (Path(environ["KEYTURN_DATA_DIR"]) / "keyturn.db").write_bytes(b"no database " * 1000)
    assert examined(environ)["database"].level == "fail"


def test_a_network_without_a_way_out_is_told(environ: dict[str, str]) -> None:
    findings = examined(environ, Silence())
    assert {name for name, finding in findings.items() if finding.level == "fail"} == {
        "sign-in service",
        "Microsoft Graph",
    }
    assert "login.microsoftonline.com" in findings["sign-in service"].fix


@pytest.mark.parametrize(("status", "level"), [(200, "ok"), (401, "ok"), (404, "warn"), (503, "warn")])
def test_what_the_services_answer(environ: dict[str, str], status: int, level: str) -> None:
    assert examined(environ, Answers(status))["Microsoft Graph"].level == level


@pytest.mark.parametrize(("seconds", "level"), [(0, "ok"), (29, "ok"), (60, "warn"), (-60, "warn"), (600, "fail")])
def test_a_wrong_clock_is_found_by_the_dates_of_the_sign_in_service(
    environ: dict[str, str], seconds: int, level: str
) -> None:
    answers = Answers(date=CLOCK.now() + timedelta(seconds=seconds))
    assert examined(environ, answers)["clock"].level == level


def test_a_clock_says_which_way_it_is_wrong() -> None:
    assert "60 s behind" in skew("clock", timedelta(seconds=60), "x").message
    assert "60 s ahead of" in skew("clock", timedelta(seconds=-60), "x").message


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2026", "\x00"])
def test_a_strange_date_header_is_no_fault(environ: dict[str, str], date: str) -> None:
    class Strange(Answers):
        def send(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse(200, {"date": date})

    assert "clock" not in examined(environ, Strange())


def test_the_oauth_application_needs_both_halves_and_a_site_url(environ: dict[str, str]) -> None:
    prefix = "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS"
    client_id = {f"{prefix}_CLIENT_ID": "11111111-2222-4333-8444-555555555555"}
    both = {**client_id, f"{prefix}_CLIENT_SECRET": "x"}
    assert examined({**environ, **client_id})["oauth"].level == "fail"
    assert "SITE_URL" in examined({**environ, **both})["oauth"].fix
    finding = examined({**environ, **both, "SITE_URL": "https://k.example"})["oauth"]
    assert finding.level == "ok"
    assert "https://k.example/organization/app-connections/azure/oauth/callback" in finding.message


@pytest.mark.parametrize(
    ("url", "level"), [("https://k.example", "ok"), ("http://localhost:8080", "ok"), ("http://k.example", "warn")]
)
def test_plain_http_is_warned_of(environ: dict[str, str], url: str, level: str) -> None:
    assert examined({**environ, "SITE_URL": url})["site"].level == level


def hang_up(other: socket.socket) -> None:
    """Be a program that is no Keyturn: accept, and say nothing."""
    other.accept()[0].close()


def test_a_port_that_another_program_uses_is_told_with_what_to_do(environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = str(other.getsockname()[1])
        talking = threading.Thread(target=hang_up, args=(other,))
        talking.start()
        finding = examined({**environ, "PORT": number})["port"]
        talking.join()
    assert (finding.level, "choose another with PORT" in finding.fix) == ("fail", True)
    assert examined({**environ, "PORT": number})["port"].level == "ok"


def test_a_host_that_is_no_address_of_this_machine_is_found(environ: dict[str, str]) -> None:
    finding = examined({**environ, "HOST": "192.0.2.7"})["port"]
    assert (finding.level, "HOST" in finding.fix) == ("fail", True)


def test_an_unusable_ca_file_is_found(environ: dict[str, str]) -> None:
    def refuse(_settings: Settings) -> Transport:
        raise Misconfigured("the CA file cannot be used", code="config.ca_file")

    findings = list(examine(CommandContext(environ, CLOCK), refuse))
    assert findings[-1] == CheckupFinding("fail", "network", "the CA file cannot be used", "")


def test_the_emulator_passes(environ: dict[str, str]) -> None:
    clock = MovableClock(datetime(2026, 3, 1, tzinfo=UTC))
    transport = EmulatedTransport(Emulator(EmulatorTime(clock), 1))
    custom = {"KEYTURN_AUTHORITY": HOST, "KEYTURN_GRAPH": HOST}
    findings = examined({**environ, **custom}, transport)
    assert (findings["sign-in service"].level, findings["Microsoft Graph"].level) == ("ok", "ok")


def test_an_older_embedded_database_is_a_warning(environ: dict[str, str]) -> None:
    start(environ)
    path = Path(environ["KEYTURN_DATA_DIR"]) / "keyturn.db"
    with closing(sqlite3.connect(path)) as file, file as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (migrate.versions()[0],))
    assert examined(environ)["tables"].level == "warn"
    with closing(sqlite3.connect(path)) as file, file as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert examined(environ)["database"].level == "fail"
