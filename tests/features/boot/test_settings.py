"""Settings: what is understood, what is refused, and that no secret ever shows."""

import base64
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.errors import Misconfigured
from keyturn.kit.secret import Plaintext
from keyturn.settings.model import (
    AuditStreamSettings,
    BackupSettings,
    KeyVaultSettings,
    MailServer,
    Pace,
    Quotas,
    RetentionSettings,
    Settings,
    SingleSignOn,
)
from keyturn.settings.reader import read_settings
from keyturn.settings.table import SETTINGS, unknown_variables

HOME = {"HOME": "/home/someone"}
CANARY = "canary-7f3a9c"
ROOT = Path(__file__).parents[3]


def read(**environ: str) -> Settings:
    return read_settings({**HOME, **environ})


def faults(environ: Mapping[str, str]) -> dict[str, str]:
    with pytest.raises(Misconfigured) as caught:
        read_settings({**HOME, **environ})
    return {str(fault["variable"]): str(fault["fault"]) for fault in caught.value.details}


def test_nothing_needs_to_be_set() -> None:
    settings = read()
    assert settings.data_dir == Path("/home/someone/.local/share/keyturn")
    assert settings.database_url == "sqlite:////home/someone/.local/share/keyturn/keyturn.db"
    assert settings.embedded
    assert (settings.host, settings.port, settings.pace) == ("127.0.0.1", 8080, Pace())
    assert settings.key_file == settings.data_dir / "root.key"


def test_the_data_folder_follows_xdg() -> None:
    assert read(XDG_DATA_HOME="/data").data_dir == Path("/data/keyturn")
    assert read(XDG_DATA_HOME="relative").data_dir == Path("/home/someone/.local/share/keyturn")
    assert read(XDG_DATA_HOME="/data", KEYTURN_DATA_DIR="/own").data_dir == Path("/own")


def test_without_a_home_the_data_folder_must_be_given() -> None:
    with pytest.raises(Misconfigured, match="KEYTURN_DATA_DIR"):
        read_settings({})
    assert read_settings({"KEYTURN_DATA_DIR": "/own"}).data_dir == Path("/own")


def test_an_empty_variable_counts_as_not_given() -> None:
    assert read(PORT="", SITE_URL=" ", ENCRYPTION_KEY="", KEYTURN_CLOUD="") == read()


def test_overrides_win_and_are_checked_alike() -> None:
    assert read_settings({**HOME, "PORT": "1"}, {"PORT": "9000"}).port == 9000
    with pytest.raises(Misconfigured, match="PORT"):
        read_settings(HOME, {"PORT": "x"})


@pytest.mark.parametrize(
    ("given_url", "expected"),
    [
        ("https://keyturn.example.com/", "https://keyturn.example.com"),
        ("HTTPS://Keyturn.Example.com:443", "https://keyturn.example.com"),
        ("http://localhost:8080///", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://10.0.0.1:80", "http://10.0.0.1"),
        ("https://Tools.example.com/Keyturn/", "https://tools.example.com/Keyturn"),
        ("https://tools.example.com:8443/a/b-c_1", "https://tools.example.com:8443/a/b-c_1"),
        ("https://Bücher.example:8443/x", "https://xn--bcher-kva.example:8443/x"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("https://鍵。example", "https://xn--5y4a.example"),
    ],
)
def test_the_site_url_becomes_an_origin_with_a_path_where_the_host_is_shared(given_url: str, expected: str) -> None:
    assert read(SITE_URL=given_url).site_url == expected


def test_hosts_in_other_settings_may_be_international_too() -> None:
    settings = read(
        CORS_ALLOWED_ORIGINS='["https://bücher.example"]',
        HOST="bücher.example",
        KEYTURN_AUDIT_WEBHOOK="https://bücher.example/siem?a=ü",
        KEYTURN_AUDIT_WEBHOOK_SECRET="whsec_" + "A" * 44,
        KEYTURN_AUDIT_SYSLOG="tls://bücher.example:6514",
    )
    assert settings.audit_streams.webhook == "https://xn--bcher-kva.example/siem?a=ü"
    assert settings.audit_streams.syslog == ("tls", "xn--bcher-kva.example", 6514)
    assert settings.cors_allowed_origins == ("https://xn--bcher-kva.example",)
    assert settings.host == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "keyturn.example.com",
            "ftp://x",
            "https://",
            *("https://x/a//b", "https://x/../y", "https://x/a/./b", "https://x/%41", "https://x/a;b", "https://x/a.b"),
            "https://x?q=1",
            "https://x#f",
            "https://u:p@x",
        ),
        *("javascript:alert(1)", "https://x:99999", "https://x:port", "https://a b", "https://x\r\ny", "https://[::1"),
        *(
            "https://ex\u0430mple.com",
            "https://a\u200bb.example",
            "https://\u0301x.example",
            f"https://{'ü' * 70}.example",
            f"https://{'u' * 64}.example",
            "https://a..example",
            "https://.example",
        ),
    ],
)
def test_what_is_no_origin_is_refused_as_site_url(text: str) -> None:
    assert set(faults({"SITE_URL": text})) == {"SITE_URL"}


@pytest.mark.parametrize("text", ["keyturn.example.com", "'https://keyturn.example.com'", "keyturn.example.com/tools"])
def test_a_public_address_without_its_scheme_is_told_so(text: str) -> None:
    assert "does not begin with http:// or https://" in faults({"SITE_URL": text})["SITE_URL"]


@pytest.mark.parametrize("text", ["0x50", "80.0", "-1", "65536", "1e3", "٨٠", "8080;", "9" * 400, "None"])
def test_hostile_ports_are_refused(text: str) -> None:
    assert set(faults({"PORT": text})) == {"PORT"}


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e99", "2s", "", "0"])
def test_hostile_durations_are_refused(text: str) -> None:
    if text:
        assert "KEYTURN_CALL_TIMEOUT" in faults({"KEYTURN_CALL_TIMEOUT": text})


def test_the_pace_can_be_set() -> None:
    pace = read(KEYTURN_PROOF_SPACING="0.5", KEYTURN_PROOF_COUNT="5", KEYTURN_DEAD_AFTER="30").pace
    assert pace == Pace(proof_spacing=timedelta(seconds=0.5), proof_count=5, dead_after=timedelta(seconds=30))


def test_values_that_contradict_each_other_are_refused() -> None:
    assert set(faults({"KEYTURN_HEARTBEAT": "10", "KEYTURN_LEASE": "5", "KEYTURN_PROOF_DEADLINE": "1"})) == {
        "KEYTURN_DEAD_AFTER",
        "KEYTURN_LEASE",
        "KEYTURN_PROOF_DEADLINE",
    }


def test_all_faults_are_reported_together_without_their_values() -> None:
    bad = {"PORT": CANARY, "KEYTURN_CLOUD": CANARY, "SITE_URL": CANARY, "DB_CONNECTION_URI": CANARY}
    assert set(faults(bad)) == set(bad)
    with pytest.raises(Misconfigured) as caught:
        read(**bad)
    assert caught.value.message.startswith("4 settings are wrong")
    assert CANARY not in repr(caught.value.__dict__) + str(caught.value)


def test_the_database_may_be_given_in_parts() -> None:
    settings = read(DB_HOST="db.example.com", DB_NAME="keys", DB_USER="kt", DB_PASSWORD="p:/@%s ß")
    assert settings.database_url == "postgresql+psycopg://kt:p%3A%2F%40%25s %C3%9F@db.example.com:5432/keys"
    assert not settings.embedded
    assert set(faults({"DB_HOST": "db.example.com"})) == {"DB_NAME, DB_USER"}
    with_both = read(DB_CONNECTION_URI="postgres://u@h/x", DB_HOST="a", DB_NAME="b", DB_USER="c")
    assert with_both.database_url == "postgresql+psycopg://u@h/x", "the whole address wins"


@pytest.mark.parametrize(
    "text",
    [
        f"mysql://u:{CANARY}@h/x",
        f"postgresql://u:{CANARY}@h:12x/db",
        f"postgresql://u:{CANARY}@h",
        f"postgresql://u:{CANARY}/@x:y@h/x",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_unusable_database_addresses_are_refused_without_their_password(text: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        read(DB_CONNECTION_URI=text)
    report = f"{caught.value.__dict__} {caught.value} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert CANARY not in report
    assert "DB_CONNECTION_URI" in report


def test_certificates_of_the_database_are_checked() -> None:
    url = {"DB_CONNECTION_URI": "postgresql://u@h/x"}
    pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert read(**url, DB_ROOT_CERT=base64.b64encode(pem.encode()).decode()).database_ca == pem
    assert read(**url, DB_ROOT_CERT=pem).database_ca == pem
    for bad in ("/etc/ca.pem", base64.b64encode(b"\xff\x00").decode(), base64.b64encode(b"nothing").decode()):
        assert set(faults({**url, "DB_ROOT_CERT": bad})) == {"DB_ROOT_CERT"}


def test_the_older_spelling_of_the_oauth_application_counts_when_the_newer_is_empty() -> None:
    old = {
        "INF_APP_CONNECTION_AZURE_CLIENT_ID": "11111111-2222-4333-8444-555555555555",
        "INF_APP_CONNECTION_AZURE_CLIENT_SECRET": "old",
    }
    settings = read(**old, INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_SECRET="")
    assert settings.oauth_client_id == "11111111-2222-4333-8444-555555555555"
    assert settings.oauth_client_secret == Plaintext("old")
    newer = read(**old, INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_SECRET="new")
    assert newer.oauth_client_secret == Plaintext("new")


@pytest.mark.parametrize("dress", ['"{}"', "'{}'\n", "\ufeff{}\r\n", "\u201c{}\u201d", " {}\u200b"])
def test_the_oauth_application_is_understood_as_files_of_variables_and_clipboards_hand_it_over(dress: str) -> None:
    client_id, secret = "11111111-2222-4333-8444-555555555555", "aB38Q~" + "x" * 34
    settings = read(
        INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_ID=dress.format(client_id.upper()),
        INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_SECRET=dress.format(secret),
    )
    assert (settings.oauth_client_id, settings.oauth_client_secret) == (client_id, Plaintext(secret))


def test_both_names_of_the_root_key_are_understood_but_not_at_once() -> None:
    assert read(ENCRYPTION_KEY="a").encryption_key == Plaintext("a")
    assert read(ROOT_ENCRYPTION_KEY="b").encryption_key == Plaintext("b")
    assert set(faults({"ENCRYPTION_KEY": "a", "ROOT_ENCRYPTION_KEY": "b"})) == {"ENCRYPTION_KEY, ROOT_ENCRYPTION_KEY"}


def test_a_custom_cloud_needs_both_addresses_over_https() -> None:
    assert set(faults({"KEYTURN_AUTHORITY": "https://x"})) == {"KEYTURN_AUTHORITY, KEYTURN_GRAPH"}
    assert "KEYTURN_GRAPH" in faults({"KEYTURN_AUTHORITY": "https://x", "KEYTURN_GRAPH": "http://y"})
    override = read(KEYTURN_AUTHORITY="https://localhost:1/", KEYTURN_GRAPH="https://localhost:2").cloud_override
    assert override is not None
    assert (override.authority, override.graph) == ("https://localhost:1", "https://localhost:2")


def test_allowed_origins_are_a_json_array() -> None:
    assert read(CORS_ALLOWED_ORIGINS='["https://a.example/", "http://b"]').cors_allowed_origins == (
        "https://a.example",
        "http://b",
    )
    for bad in ("*", '["*"]', "https://a", "{}", "[1]", "[" * 100_000, json.dumps(["https://a/b"])):
        assert set(faults({"CORS_ALLOWED_ORIGINS": bad})) == {"CORS_ALLOWED_ORIGINS"}


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("the key\n")
    assert read(ENCRYPTION_KEY_FILE=str(file)).encryption_key == Plaintext("the key")
    assert set(faults({"ENCRYPTION_KEY_FILE": str(file), "ENCRYPTION_KEY": "x"})) == {"ENCRYPTION_KEY"}
    file.write_bytes(b"\xff\xfe\x00")
    assert set(faults({"ENCRYPTION_KEY_FILE": str(file)})) == {"ENCRYPTION_KEY_FILE"}


@pytest.mark.parametrize("path", ["/nowhere/at/all", "/", "nul\x00byte", CANARY])
def test_a_file_of_a_secret_that_cannot_be_read_is_named_by_its_variable_only(path: str) -> None:
    errors = faults({"ENCRYPTION_KEY_FILE": path})
    assert set(errors) == {"ENCRYPTION_KEY_FILE"}
    assert CANARY not in str(errors)


def test_no_secret_shows_in_the_settings() -> None:
    settings = read(
        DB_CONNECTION_URI=f"postgresql://u:{CANARY}@h/x",
        ENCRYPTION_KEY=CANARY,
        ENCRYPTION_KEY_PREVIOUS=CANARY,
        INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_SECRET=CANARY,
        AUTH_SECRET=CANARY,
    )
    assert CANARY not in repr(settings) + str(settings) + f"{settings}"


@given(st.sampled_from([setting.name for setting in SETTINGS]), st.text(st.characters(codec=None), max_size=60))
def test_no_text_in_any_variable_crashes_the_reader_or_shows_in_its_fault(name: str, text: str) -> None:
    value = f"{text}{CANARY}"
    try:
        settings = read(**{name: value})
    except Misconfigured as error:
        report = f"{error.__dict__} {error}"
    else:
        report = repr(settings) if next(setting for setting in SETTINGS if setting.name == name).secret else ""
    assert CANARY not in report


@pytest.mark.parametrize("value", ["~nobody.of.this.name/x", "x" * 300, "a\x00b"])
@pytest.mark.parametrize("name", ["KEYTURN_DATA_DIR", "KEYTURN_AUDIT_FILE", "KEYTURN_SSO_CERTIFICATE_FILE"])
def test_what_is_no_path_is_a_fault_of_its_variable(name: str, value: str) -> None:
    assert "path" in faults({name: value})[name]


def test_bytes_that_are_no_text_are_refused_in_a_secret() -> None:
    assert (
        faults({"DB_PASSWORD": "p\udcff", "DB_HOST": "h", "DB_NAME": "n", "DB_USER": "u"})["DB_PASSWORD"]
        == "is not UTF-8"
    )


def test_misspelt_variables_are_found() -> None:
    assert unknown_variables(
        {"KEYTURN_CONCURENCY": "1", "KEYTURN_CLOUD": "global", "KEYTURN_DEBUG": "1", "X": "1"}
    ) == ["KEYTURN_CONCURENCY"]


@pytest.mark.parametrize("name", ["PORT", "DB_PORT", "KEYTURN_CONCURRENCY", "KEYTURN_HEALTH_PORT", "SITE_URL"])
@pytest.mark.parametrize("value", ["tcp://10.0.0.5:5432", "udp://10.0.0.5:53", "sctp://[fd00::1]:80"])
def test_a_service_of_kubernetes_never_stops_a_start(name: str, value: str) -> None:
    settings = read(**{name: value})
    assert [warning.split()[0] for warning in settings.warnings] == [name]
    assert "Kubernetes" in settings.warnings[0]
    assert replace(settings, warnings=()) == read()
    with pytest.raises(Misconfigured):
        read_settings(HOME, {"PORT": value})


@pytest.mark.parametrize("host", ["x86_64-conda-linux-gnu", "arm64-apple-darwin20.0.0", "aarch64-conda-linux-gnu"])
def test_the_host_of_conda_is_no_address(host: str) -> None:
    settings = read(HOST=host)
    assert (settings.host, len(settings.warnings)) == ("127.0.0.1", 1)
    assert read(HOST="my-linux.example.com").host == "my-linux.example.com"
    assert read_settings(HOME, {"HOST": host}).host == host, "what the command was told is meant"


def test_people_are_signed_in_by_one_of_secret_source_and_certificate_whose_file_is_read_later(tmp_path: Path) -> None:
    file = tmp_path / "sso.pfx"
    file.write_bytes(b"\x30\x82\xff\x00 no text")
    guid = "11111111-2222-4333-8444-555555555555"
    given = {"SITE_URL": "https://k.example", "KEYTURN_SSO_TENANT_ID": guid, "KEYTURN_SSO_CLIENT_ID": guid}
    by_file = given | {"KEYTURN_SSO_CERTIFICATE_FILE": str(file), "KEYTURN_SSO_CERTIFICATE_PASSPHRASE": "pass"}
    sso = read(**by_file).sso
    assert sso is not None
    assert sso.certificate == file
    assert "pass" not in repr(sso)
    for more, fault in (
        ({"KEYTURN_SSO_CERTIFICATE": "-----BEGIN"}, "KEYTURN_SSO_CERTIFICATE is given twice"),
        ({"KEYTURN_SSO_CLIENT_SECRET": "s"}, "exclude each other"),
        ({"KEYTURN_SSO_CERTIFICATE_FILE": str(tmp_path / "none")}, "No such file or directory"),
        ({"KEYTURN_SSO_CERTIFICATE_FILE": ""}, "are all missing"),
        ({"KEYTURN_SSO_CERTIFICATE_FILE": "", "KEYTURN_SSO_CLIENT_SECRET": "s"}, "given without a certificate"),
    ):
        with pytest.raises(Misconfigured, match=fault):
            read(**by_file | more)


def test_variables_of_a_database_that_is_not_used_are_named_and_not_judged() -> None:
    other = {"DB_PORT": "x", "DB_NAME": "shop", "DB_PASSWORD_FILE": "/nowhere", "DB_ROOT_CERT": "x"}
    settings = read(**other)
    assert settings.embedded
    assert settings.warnings == (
        "DB_PORT, DB_NAME, DB_PASSWORD, DB_ROOT_CERT are not used: DB_HOST is not given, so the embedded database is used.",
    )
    beside = read(DB_CONNECTION_URI="postgres://u@h/x", DB_PORT="tcp://10.0.0.5:5432", DB_HOST="a b")
    assert beside.database_url == "postgresql+psycopg://u@h/x"
    assert [warning.split()[0] for warning in beside.warnings] == ["DB_PORT", "DB_HOST"]
    used = read(DB_HOST="h", DB_NAME="n", DB_USER="u", DB_PORT="tcp://10.0.0.5:1")
    assert used.database_url == "postgresql+psycopg://u@h:5432/n"


def test_the_variables_of_a_service_named_keyturn_are_not_taken_for_misspelt_ones() -> None:
    port = {"KEYTURN_PORT": "tcp://10.0.0.5:8080", "KEYTURN_PORT_8080_TCP": "tcp://10.0.0.5:8080"}
    parts = {"KEYTURN_PORT_8080_TCP_ADDR": "10.0.0.5", "KEYTURN_PORT_8080_TCP_PROTO": "tcp"}
    service = {"KEYTURN_SERVICE_HOST": "10.0.0.5", "KEYTURN_SERVICE_PORT": "8080", "KEYTURN_SERVICE_PORT_HTTP": "8080"}
    assert unknown_variables({**port, **parts, **service, "KEYTURN_WEB_PORT": "8080"}) == ["KEYTURN_WEB_PORT"]


def test_every_setting_has_a_variable() -> None:
    covered = {setting.field for setting in SETTINGS}
    assert {f"pace.{field.name}" for field in fields(Pace)} <= covered
    assert {f"quotas.{field.name}" for field in fields(Quotas)} <= covered
    assert {f"retention.{field.name}" for field in fields(RetentionSettings)} <= covered
    assert {f"mail.{field.name}" for field in fields(MailServer)} <= covered
    assert {f"sso.{field.name}" for field in fields(SingleSignOn)} <= covered
    assert {f"backup.{field.name}" for field in fields(BackupSettings)} <= covered
    assert {f"vault.{field.name}" for field in fields(KeyVaultSettings)} <= covered
    assert {f"audit_streams.{field.name}" for field in fields(AuditStreamSettings)} <= covered
    parts = {
        "audit_streams",
        "key_vault",
        "pace",
        "quotas",
        "retention",
        "mail",
        "backup",
        "sso",
        "cloud_override",
        "warnings",
    }
    assert {field.name for field in fields(Settings)} - parts <= covered


def test_every_default_and_example_in_the_table_is_understood() -> None:
    for setting in SETTINGS:
        default = setting.default_text()
        if default and " " not in default and default != "none":
            assert setting.parse(default) == setting.parse(default)
        if setting.name not in {"KEYTURN_CA_FILE", "DB_ROOT_CERT"}:
            setting.parse(setting.example)


def test_how_long_records_are_kept_is_set_in_days() -> None:
    assert read().retention == RetentionSettings(audit_days=0, step_days=400, run_days=0, gone_key_days=400)
    days_by_name = {"AUDIT": "365", "STEP": "0", "RUN": "730", "GONE_KEY": "7", "CHANGE": "30"}
    retention = read(**{f"KEYTURN_{name}_RETENTION_DAYS": days for name, days in days_by_name.items()}).retention
    assert retention == RetentionSettings(audit_days=365, step_days=0, run_days=730, gone_key_days=7, change_days=30)
    assert read(KEYTURN_SECRET_VERSIONS="20").retention.secret_versions == 20


@pytest.mark.parametrize("days", ["-1", "1", "6", "36501", "1.5", "for ever"])
def test_a_retention_that_is_most_likely_a_slip_is_refused(days: str) -> None:
    assert list(faults({"KEYTURN_AUDIT_RETENTION_DAYS": days})) == ["KEYTURN_AUDIT_RETENTION_DAYS"]


def test_a_mail_server_needs_a_sender(tmp_path: Path) -> None:
    given = {"KEYTURN_DATA_DIR": str(tmp_path), "KEYTURN_SMTP_HOST": "smtp.example.com"}
    with pytest.raises(Misconfigured, match="KEYTURN_SMTP_FROM is missing beside the other KEYTURN_SMTP_ variables"):
        read_settings(given)
    given |= {"KEYTURN_SMTP_FROM": "keyturn@example.com"}
    assert read_settings(given).mail == MailServer("smtp.example.com", 587, "starttls", sender="keyturn@example.com")
    login = {"KEYTURN_SMTP_USERNAME": "keyturn", "KEYTURN_SMTP_PASSWORD": "hunter2"}
    mail = read_settings(given | login).mail
    assert (mail.username, mail.password) == ("keyturn", Plaintext("hunter2")) if mail else False
    for name, value in login.items():
        half = faults(given | {name: value})
        assert half == {"KEYTURN_SMTP_USERNAME, KEYTURN_SMTP_PASSWORD": "go together, but only one is given"}
