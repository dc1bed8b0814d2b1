"""The table of errors: every row does what it says, and every text is complete."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import keyturn.providers.azure as package
from keyturn.errors import NeedsAction, NotYet, Permanent, RefusalReason, Retryable, SignInAgain, Unanswered, Upstream
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpResponse, TransportFailed
from keyturn.providers.azure.error_mapping import ErrorContext, no_answer, refusal, unreadable
from keyturn.providers.azure.error_row import ErrorKind, ErrorRow, ErrorSource
from keyturn.providers.azure.errors import TABLE
from keyturn.providers.azure.responses import Answer, graph_answer, token_answer

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
REQUEST = "9d4d5b3c-0000-4000-8000-00000000beef"
POLICY = "11111111-2222-4333-8444-555555555555"
SUBJECT = ErrorContext(
    "tenant-id",
    "https://portal.test/app",
    "https://login.test",
    "https://graph.test",
    "app-id",
    "own-id",
    "object-id",
    "sp-id",
)
CLASSES = {
    ErrorKind.AGAIN: Retryable,
    ErrorKind.NOT_YET: NotYet,
    ErrorKind.ACTION: NeedsAction,
    ErrorKind.SIGN_IN_AGAIN: SignInAgain,
    ErrorKind.NEVER: Permanent,
}


def answer_for(row: ErrorRow) -> Answer:
    """A response as Microsoft would send it for this row, read back from its bytes."""
    text = f"Something {row.contains[0]} with policy '{POLICY}'."
    code = row.provider_code or ""
    if row.source is ErrorSource.GRAPH:
        body: dict[str, object] = {"error": {"code": code, "message": text}} if code else {}
        response = HttpResponse(row.status or 400, {"request-id": REQUEST}, json.dumps(body).encode())
        return graph_answer(response, NOW)
    body = {"error": code, "error_description": text, "trace_id": REQUEST}
    if code.isdigit():
        body = {**body, "error": "invalid_client", "error_codes": [int(code)]}
    return token_answer(HttpResponse(row.status or 401, {}, json.dumps(body).encode()), NOW)


def name_of(row: ErrorRow) -> str:
    return f"{row.source.name}-{row.provider_code}-{row.status}-{row.code}"


@pytest.mark.parametrize("row", TABLE, ids=name_of)
def test_every_row_is_found_and_raises_its_kind_with_cause_fix_and_request_id(row: ErrorRow) -> None:
    error = refusal(row.source, answer_for(row), SUBJECT, [])
    assert type(error) is CLASSES[row.kind]
    assert error.code == row.code
    assert error.request_id == REQUEST
    assert (error.reason, error.field) == (row.reason, row.field)
    assert error.fix
    assert not re.search(r"\{\w+\}|None", error.diagnostics()), "a name that was not filled in"


@pytest.mark.parametrize("spreading", [True, False])
def test_what_was_refused_and_at_which_field_is_not_lost_once_replication_explains_it_no_more(spreading: bool) -> None:
    row = next(row for row in TABLE if row.code == "azure.secret_invalid")
    error = refusal(row.source, answer_for(row), SUBJECT, [])
    assert isinstance(error, NotYet)
    final = error.judged(spreading=spreading)
    assert type(final) is (Retryable if spreading else NeedsAction)
    assert final.refuses_credential
    assert (final.reason, final.field) == (RefusalReason.CREDENTIAL_UNKNOWN, "clientSecret")
    assert (final.code, final.fix, final.request_id) == (row.code, error.fix, REQUEST)


@pytest.mark.parametrize("row", [row for row in TABLE if row.kind is ErrorKind.ACTION], ids=name_of)
def test_whoever_has_to_act_is_told_where_or_what_to_type(row: ErrorRow) -> None:
    error = refusal(row.source, answer_for(row), SUBJECT, [])
    where = r"`az |`policy=\$\(az |[Pp]ortal|Entra ID >|Overview|cloud|Delete"
    if row.source in {
        ErrorSource.CONSENT,
        ErrorSource.PEOPLE,
    }:  # mostly it is the person at the screen who has to do something
        where += r"|[Cc]onnect again|[Ss]ign in|administrator"
    assert re.search(where, error.fix or "")


@pytest.mark.parametrize("row", [row for row in TABLE if row.kind is ErrorKind.NOT_YET], ids=name_of)
def test_what_replication_explains_also_tells_the_user_who_typed_it_wrong(row: ErrorRow) -> None:
    error = refusal(row.source, answer_for(row), SUBJECT, [])
    assert "Otherwise" in (error.fix or "")


def test_a_policy_is_named() -> None:
    rows = [row for row in TABLE if row.code in {"azure.lifetime_policy", "azure.type_policy"}]
    assert [POLICY in refusal(row.source, answer_for(row), SUBJECT, []).message for row in rows] == [True, True]


def test_a_missing_permission_names_the_least_privilege_and_the_commands() -> None:
    error = refusal(ErrorSource.GRAPH, Answer(403, ("Authorization_RequestDenied",), "", None, None), SUBJECT, [])
    assert "Application.ReadWrite.OwnedBy" in (error.fix or "")
    assert "az ad app owner add --id app-id --owner-object-id sp-id" in (error.fix or "")
    assert "az ad app permission admin-consent" in (error.fix or "")


@pytest.mark.parametrize("status", [200, 204, 301, 408, 409, 500, 502, 503, 504, 599])
def test_a_write_that_may_have_happened_is_unanswered(status: int) -> None:
    answer = Answer(status, (), "", REQUEST, timedelta(seconds=3))
    error = refusal(ErrorSource.GRAPH, answer, SUBJECT, [], writing=True)
    assert isinstance(error, Unanswered)
    assert error.retry_after == timedelta(seconds=3)
    assert "not known whether" in error.message


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 415, 422, 424, 429])
def test_a_write_that_was_refused_is_never_unanswered(status: int) -> None:
    error = refusal(ErrorSource.GRAPH, Answer(status, (), "", None, None), SUBJECT, [], writing=True)
    assert not isinstance(error, Unanswered)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 407])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html; charset=utf-8", b"<html>blocked by policy</html>"),
        ("text/plain", b"Forbidden"),
        ("application/json", b""),
    ],
)
def test_what_a_proxy_says_is_no_answer_of_microsoft(status: int, kind: str, body: bytes) -> None:
    page = HttpResponse(status, {"content-type": kind}, body)
    answers = {ErrorSource.SIGN_IN: token_answer(page, NOW), ErrorSource.GRAPH: graph_answer(page, NOW)}
    for source, answer in answers.items():
        error = refusal(source, answer, SUBJECT, [])
        assert (type(error), error.code) == (Retryable, "azure.unreadable_answer")
        assert f"something else answered, such as a proxy that blocks it (status {status})." in error.message
    # Some filter what comes back: the change may have been made.
    assert isinstance(refusal(ErrorSource.GRAPH, answers[ErrorSource.GRAPH], SUBJECT, [], writing=True), Unanswered)


@pytest.mark.parametrize("status", [409, 503])
def test_a_concurrent_change_may_be_read_again_but_its_write_is_in_doubt(status: int) -> None:
    answer = Answer(status, ("Directory_ConcurrencyViolation",), "", None, None)
    read, write = (refusal(ErrorSource.GRAPH, answer, SUBJECT, [], writing=writing) for writing in (False, True))
    assert (type(read), read.code) == (Retryable, "azure.concurrent_change")
    assert (type(write), write.code) == (Unanswered, "azure.concurrent_change")


@pytest.mark.parametrize(
    ("source", "status", "kind"),
    [
        (ErrorSource.SIGN_IN, 400, NeedsAction),
        (ErrorSource.SIGN_IN, 404, NeedsAction),
        (ErrorSource.SIGN_IN, 302, Retryable),
        (ErrorSource.SIGN_IN, 599, Retryable),
        (ErrorSource.GRAPH, 400, Permanent),
        (ErrorSource.GRAPH, 302, Retryable),
        (ErrorSource.GRAPH, 599, Retryable),
    ],
)
def test_an_unknown_refusal_is_judged_by_the_class_of_its_status(
    source: ErrorSource, status: int, kind: type[Upstream]
) -> None:
    assert type(refusal(source, Answer(status, ("Unheard_Of",), "", None, None), SUBJECT, [])) is kind


def test_an_unknown_refusal_quotes_microsoft_without_the_secret() -> None:
    answer = Answer(400, ("123456",), "AADSTS123456: your secret abc8Q~xyz is funny", None, None)
    error = refusal(ErrorSource.SIGN_IN, answer, SUBJECT, [Plaintext("abc8Q~xyz")])
    assert "your secret *** is funny" in error.message
    assert str(error.fix).endswith("Codes are explained at https://login.test/error?code=123456")
    assert "abc8Q~xyz" not in error.diagnostics()


@pytest.mark.parametrize(("sent", "writing", "kind"), [(False, True, Retryable), (False, False, Retryable)])
def test_a_request_that_was_never_sent_is_simply_repeatable(sent: bool, writing: bool, kind: type[Upstream]) -> None:
    error = no_answer(ErrorSource.GRAPH, TransportFailed("cannot connect", sent=sent), writing=writing)
    assert (type(error), error.code) == (kind, "azure.unreachable")


def test_a_request_without_an_answer_is_in_doubt_only_for_writes() -> None:
    failure = TransportFailed("read timeout", sent=True)
    assert type(no_answer(ErrorSource.GRAPH, failure)) is Retryable
    assert type(no_answer(ErrorSource.GRAPH, failure, writing=True)) is Unanswered
    assert type(unreadable(ErrorSource.GRAPH, None)) is Retryable
    assert type(unreadable(ErrorSource.GRAPH, None, writing=True)) is Unanswered


def test_the_readme_lists_every_code() -> None:
    folder = Path(package.__path__[0])
    readme = (folder / "README.md").read_text()
    codes = set(re.findall(r'"(azure\.[a-z_]+)"', "".join(path.read_text() for path in folder.glob("*.py"))))
    assert len(codes) > 40
    assert sorted(code for code in codes if f"`{code}`" not in readme) == []
