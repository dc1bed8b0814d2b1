"""A secret in a request is a Plaintext from the parser on: no representation, log line or fault of it shows the value."""

import io
import re
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import structlog

from keyturn.app.monitoring import probes
from keyturn.errors import Invalid
from keyturn.kit.secret import Plaintext
from keyturn.web.pages import PageRoute
from keyturn.web.reference.openapi import operations_of
from keyturn.web.routes import Operation
from keyturn.web.schema.issues import Issue
from keyturn.web.schema.validate import checker, parse
from keyturn.web.schema.wire import ApiModel, encode, inside
from keyturn.web.server import logs
from tests.client import Client
from tests.log_state import kept_log_state
from tests.system.estate import RunningServer

CANARY = "canaryCANARY" * 4
BAD = (f"{CANARY}\x00", CANARY * 6000, [CANARY], {"clientSecret": [CANARY]}, {"privateKey": CANARY, CANARY: "\x00"})
"""What a secret is not: a NUL, too long, no text, and what is wrong inside an object."""

SECRET_NAME = re.compile(r"(token|secret|password|passphrase|code|privateKey)$", re.IGNORECASE)
NO_SECRETS = {
    ("FinishSignIn", "error_subcode"): "Microsoft's word for why a sign-in failed",
    ("CallbackQuery", "error_subcode"): "Microsoft's word for why a sign-in failed",
    ("SecretsMapping", "clientSecret"): "the name of the secret that holds it",
}


def request_types(whole: RunningServer) -> list[Any]:
    """Every structure that a body, a query or a form of the application is parsed into, those inside it as well."""
    kinds: set[Any] = set()
    for each in whole.application.endpoints:
        if isinstance(each, Operation | PageRoute):
            for part in ("data", "query", "form"):
                list(inside(each.signature.kinds.get(part), kinds))
    return sorted(kinds, key=lambda kind: (kind.__module__, kind.__qualname__))


def hints_of(kind: Any, kind_of_field: type) -> dict[str, Any]:
    """The annotations of the fields that hold the type, by name."""
    hints = typing.get_type_hints(kind, include_extras=True)
    own: set[Any] = set()
    return {
        each.name: hints[each.name]
        for each in msgspec.structs.fields(kind)
        if kind_of_field in inside(hints[each.name], own) and not own
    }


def canary_for(hint: Any) -> Plaintext:
    """A valid secret of the field, as the parser makes it."""
    for raw in (CANARY, {"clientSecret": CANARY}):
        issues: list[Issue] = []
        value = checker(hint)(raw, (), issues)
        if not issues:
            assert isinstance(value, Plaintext)
            assert CANARY in value.reveal()
            return value
    raise AssertionError(f"no canary fits {hint}")


def with_canaries(whole: RunningServer) -> list[tuple[Any, list[str]]]:
    """An instance of each type with secrets, all of them given, and the wire names of those."""
    values = []
    for kind in request_types(whole):
        secrets = hints_of(kind, Plaintext)
        if secrets:
            arguments = dict.fromkeys(kind.__struct_fields__) | {
                name: canary_for(hint) for name, hint in secrets.items()
            }
            names = {each.name: each.encode_name for each in msgspec.structs.fields(kind)}
            values.append((kind(**arguments), [names[name] for name in secrets]))
    return values


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with kept_log_state():
        logs.configure("DEBUG", "json", stream)
        yield stream


def test_no_representation_log_line_or_answer_shows_a_secret(whole: RunningServer, out: io.StringIO) -> None:
    values = with_canaries(whole)
    names = {type(value).__name__ for value, _ in values}
    assert {"PersonLogin", "ClientSecretCredentials", "UpdateAppConnection", "ConnectionForm", "CallbackQuery"} <= names
    for value, _ in values:
        assert "Plaintext(***)" in repr(value)
        assert CANARY not in f"{value!r} {value} {msgspec.structs.asdict(value)}"
        structlog.get_logger().error("request", request=value, text=repr(value))
        with pytest.raises(TypeError, match="an answer holds no Plaintext"):
            encode(value)
    assert type(values[-1][0]).__name__ in out.getvalue()
    assert CANARY not in out.getvalue()


@pytest.mark.parametrize("bad", BAD, ids=["nul", "long", "list", "object", "key"])
def test_no_fault_of_a_secret_repeats_it(whole: RunningServer, bad: object) -> None:
    for value, names in with_canaries(whole):
        for name in names:
            assert CANARY not in faults(type(value), {name: bad}), f"{type(value).__name__}.{name}"


def faults(kind: type[Any], raw: dict[str, object]) -> str:
    """All that is said about a request, less the paths, which name the keys that a client chose."""
    tag = kind.__struct_config__
    try:
        parse(kind, raw | ({tag.tag_field: tag.tag} if tag.tag_field else {}))
    except Invalid as error:
        return f"{error} {error!r} {[issue | {'path': []} for issue in error.issues]}"
    return ""


def test_no_route_answers_or_logs_a_secret_that_was_sent(whole: RunningServer, out: io.StringIO) -> None:
    secrets = {type(value): names for value, names in with_canaries(whole)}
    count = 0
    for each in operations_of(whole.application.endpoints):
        kinds: set[Any] = set()
        list(inside(each.signature.kinds.get("data"), kinds))
        body = {name: CANARY for kind in kinds for name in secrets.get(kind, ())}
        if not body:
            continue
        path = re.sub(r"\{[^}]*\}", "0d9b5a52-8d0e-4d53-9a7e-1f0c6f3c1a10", each.path)
        for tried in (body, {"method": "client-secret", "credentials": body}):
            headers = {"authorization": f"Bearer {whole.token}"}
            answer = whole.client.request(each.method, path, json=tried, headers=headers)
            assert 400 <= answer.status_code < 500, f"{each.method} {each.path}: {answer.text}"
            assert CANARY not in answer.text, f"{each.method} {each.path}"
            count += 1
    assert count > 10
    assert CANARY not in out.getvalue()


# --- names ------------------------------------------------------------------------------------------------------------


def texts_named_like_secrets(kinds: list[Any]) -> set[tuple[str, str]]:
    return {
        (kind.__name__, each.encode_name)
        for kind in kinds
        for each in msgspec.structs.fields(kind)
        if each.name in hints_of(kind, str)
        and SECRET_NAME.search(each.encode_name.replace("private_key", "privateKey"))
    }


def test_a_text_that_is_named_like_a_secret_is_a_plaintext(whole: RunningServer) -> None:
    assert texts_named_like_secrets(request_types(whole)) == NO_SECRETS.keys(), (
        "make the field a Plaintext, or say in NO_SECRETS why it is none"
    )


class Planted(ApiModel):
    api_token: str | None = None
    private_key: str = ""
    name: str = ""
    password: Plaintext = Plaintext("")


def test_a_planted_text_is_found() -> None:
    assert texts_named_like_secrets([Planted]) == {("Planted", "apiToken"), ("Planted", "privateKey")}


def test_a_scrape_tells_no_secret_no_name_and_no_address(whole: RunningServer) -> None:
    whole.client.get("/overview", headers={"user-agent": CANARY})
    whole.client.get(f"/{CANARY}?secret={CANARY}")
    with Client(probes(whole.core)) as monitoring:
        text = monitoring.get("/metrics").text
    assert 'keyturn_connections{state="accepted"}' in text
    assert CANARY not in text
    assert "testclient" not in text
    assert not [
        each for each in whole.secrets | whole.common if f'"{each}"' in text or (len(each) > 8 and each in text)
    ]
