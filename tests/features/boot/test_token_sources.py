"""Token sources: what an operator names, and what ``keyturn doctor`` says of each."""

from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest

from keyturn.cli.context import CommandContext
from keyturn.cli.source_checkup import examine_sources
from keyturn.errors import Misconfigured, NeedsAction, Retryable, Upstream
from keyturn.kit.clock import MovableClock
from keyturn.ports.http import HttpRequest, HttpResponse
from keyturn.providers.azure.managed_identity import ManagedIdentity
from keyturn.providers.token_sources import TokenFile
from keyturn.settings.model import TokenSourceSetting
from keyturn.settings.reader import read_settings

AUDIENCE = "api://AzureADTokenExchange"


class Wire:
    """The Internet and the machine: it answers as told, and remembers the headers."""

    def __init__(self, status: int = 200, body: str = "") -> None:
        self.answer, self.seen = HttpResponse(status, {}, body.encode()), list[HttpRequest]()

    def send(self, request: HttpRequest) -> HttpResponse:
        self.seen.append(request)
        return self.answer


def token(ends: int, audience: str = AUDIENCE) -> str:
    claims = {"iss": "https://ci.example", "sub": "repo:acme/shop", "aud": audience, "exp": ends}
    return jwt.encode(claims, "a key that nobody checks here, of 32 bytes", algorithm="HS256")


def test_sources_are_named_in_one_variable() -> None:
    text = "aks=file:/var/run/secrets/token, ci=github vm=managed-identity,\n"
    text += "vm2=managed-identity:11111111-2222-4333-8444-555555555555"
    settings = read_settings({"HOME": "/home/x", "KEYTURN_TOKEN_SOURCES": text})
    assert settings.token_sources == (
        TokenSourceSetting("aks", "file", "/var/run/secrets/token"),
        TokenSourceSetting("ci", "github"),
        TokenSourceSetting("vm", "managed-identity"),
        TokenSourceSetting("vm2", "managed-identity", "11111111-2222-4333-8444-555555555555"),
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("aks=file:relative/path", "wrong argument"),
        ("aks=file:", "wrong argument"),
        ("aks", "none of: file, variable"),
        ("aks=http://169.254.169.254/", "none of: file, variable"),
        ("AKS=github", "lower-case letters"),
        ("../x=github", "lower-case letters"),
        ("a=github a=managed-identity", "twice"),
        ("vm=managed-identity:mine", "wrong argument"),
        ("x=variable:A-B", "wrong argument"),
    ],
)
def test_a_source_that_makes_no_sense_stops_the_start(text: str, fault: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_settings({"HOME": "/home/x", "KEYTURN_TOKEN_SOURCES": text})
    [detail] = caught.value.details
    assert detail["variable"] == "KEYTURN_TOKEN_SOURCES"
    assert fault in str(detail["fault"])


def test_the_doctor_says_what_each_source_presents_and_never_the_token(tmp_path: Path) -> None:
    clock = MovableClock(datetime(2026, 11, 30, tzinfo=UTC))
    now = int(clock.now().timestamp())
    tokens = {
        "good": token(now + 600),
        "old": token(now - 1),
        "other": token(now + 600, "https://kubernetes.default.svc"),
    }
    for name, text in tokens.items():
        (tmp_path / name).write_text(text)
    sources = " ".join(f"{name}=file:{tmp_path}/{name}" for name in (*tokens, "missing"))
    environ = {
        "HOME": str(tmp_path),
        "KEYTURN_TOKEN_SOURCES": f"{sources} ci=github env=variable:MY_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_URL": "https://actions.example/token?api-version=2",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "the-bearer",
    }
    wire = Wire(body=f'{{"value": "{tokens["good"]}"}}')
    around = CommandContext(environ, clock)
    found = {each.message.split()[0].rstrip(":"): each for each in examine_sources(around, wire, wire)}
    levels = {name: each.level for name, each in found.items()}
    assert [levels.get(name) for name in ("good", "old", "other", "ci")] == ["ok", "fail", "warn", "ok"]
    assert "repo:acme/shop" in found["good"].message
    assert 'az ad app federated-credential create --id "$CLIENT_ID" --parameters \'' in found["good"].fix
    assert AUDIENCE in found["other"].fix
    failures = [each for each in found.values() if each.level == "fail"]
    assert any(f"missing (file:{tmp_path}/missing)" in each.message for each in failures)
    assert any("MY_TOKEN" in each.message for each in failures)
    told = " ".join(f"{each.message} {each.fix}" for each in found.values())
    assert not [text for text in tokens.values() if text in told]
    [asked] = wire.seen
    assert asked.url == "https://actions.example/token?api-version=2&audience=api%3A%2F%2FAzureADTokenExchange"
    assert asked.headers["authorization"] == "Bearer the-bearer"
    assert not list(examine_sources(CommandContext({**environ, "PORT": "x"}, clock), wire, wire))


def test_a_file_that_the_kubelet_renews_is_read_as_it_is_now(tmp_path: Path) -> None:
    """A projected volume: the file is a link into a folder that is put in the place of the one before by a rename."""
    source, file = TokenFile("aks", tmp_path / "token"), tmp_path / "token"
    file.symlink_to("..data/token")
    for number in range(3):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "token").write_text(token(number))
        (tmp_path / "..next").symlink_to(f"..{number}")
        (tmp_path / "..next").rename(tmp_path / "..data")
        assert source.token(AUDIENCE).reveal() == token(number)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"a.b", b"a.b.", b"a.b.c.d", b"a.b c.d", b"\xef\xbb\xbfa.b.c", None]
)
def test_what_is_no_token_is_not_sent(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "token"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with pytest.raises(NeedsAction) as caught:
        TokenFile("aks", file).token(AUDIENCE)
    assert caught.value.code == ("token_source.file_unreadable" if content is None else "token_source.not_a_token")
    assert str(tmp_path) not in caught.value.diagnostics()


@pytest.mark.parametrize(
    ("status", "kind"), [(404, Retryable), (410, Retryable), (429, Retryable), (500, Retryable), (400, NeedsAction)]
)
def test_a_metadata_service_that_is_being_updated_is_asked_again(status: int, kind: type[Upstream]) -> None:
    machine = Wire(status, '{"error": "invalid_request", "error_description": "Identity not found"}')
    with pytest.raises(Upstream) as caught:
        ManagedIdentity("vm", None, machine).token(AUDIENCE)
    assert type(caught.value) is kind
