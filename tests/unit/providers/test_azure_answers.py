"""Reading refusals from the wire, however they are written."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from keyturn.kit.retry_after import retry_after
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpResponse
from keyturn.providers.azure.responses import graph_answer, quote_words, token_answer

REQUEST = "9d4d5b3c-0000-4000-8000-00000000beef"
NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("60", 60),
        ("0", 0),
        (" 7 ", 7),
        ("2.128", 2.128),
        ("Mon, 23 Nov 2026 06:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 05:59:30 GMT", 0),
        ("99999999999", 3600),
        ("Mon, 23 Nov 2099 06:00:30 GMT", 3600),
    ],
)
def test_every_written_form_of_retry_after_is_understood(header: str, seconds: float) -> None:
    assert retry_after({"retry-after": header}, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("date", "seconds"), [("Sat, 24 Oct 2026 06:00:00 GMT", 30), ("nonsense", 0)])
def test_a_date_is_read_by_the_clock_that_wrote_it(date: str, seconds: float) -> None:
    headers = {"retry-after": "Sat, 24 Oct 2026 06:00:30 GMT", "date": date}
    assert retry_after(headers, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("header", ["", "soon", "-5", "nan", "inf", "1e9", "12 monkeys", "\x00", "9" * 400])
def test_a_retry_after_without_sense_is_no_advice(header: str) -> None:
    assert retry_after({"retry-after": header}, NOW) is None


def test_a_missing_retry_after_is_no_advice() -> None:
    assert retry_after({}, NOW) is None


@pytest.mark.parametrize("gap", ["\r\n", " "])
def test_a_sign_in_error_gives_its_number_first_and_its_trace_id(gap: str) -> None:
    body = {
        "error": "invalid_client",
        "error_description": f"AADSTS7000215: Invalid client secret provided.{gap}Trace ID: 5d1e Correlation ID: 77aa",
        "error_codes": [7000215],
        "trace_id": REQUEST,
    }
    answer = token_answer(HttpResponse(401, {}, json.dumps(body).encode()), NOW)
    assert answer.codes == ("7000215", "invalid_client")
    assert answer.request_id == REQUEST
    assert answer.text == "AADSTS7000215: Invalid client secret provided."


def test_the_number_is_read_from_the_text_when_the_list_is_missing() -> None:
    body = {"error": "invalid_client", "error_description": "AADSTS7000222: expired"}
    assert token_answer(HttpResponse(401, {}, json.dumps(body).encode()), NOW).codes == ("7000222", "invalid_client")


def test_plain_text_throttling_is_read_by_status_and_header() -> None:
    answer = token_answer(HttpResponse(429, {"retry-after": "60"}, b"Too Many Requests"), NOW)
    assert (answer.status, answer.codes, answer.retry_after) == (429, (), timedelta(seconds=60))


def test_a_graph_error_gives_its_code_and_request_id() -> None:
    body = {"error": {"code": "Authorization_RequestDenied", "message": "No.", "innerError": {"request-id": REQUEST}}}
    answer = graph_answer(HttpResponse(403, {}, json.dumps(body).encode()), NOW)
    assert (answer.codes, answer.text, answer.request_id) == (("Authorization_RequestDenied",), "No.", REQUEST)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"error": []}',
        b'{"error": {"code": 5, "message": {}, "innerError": 7}}',
        b'{"error_codes": {"a": 1}, "error_description": 3, "error": null, "trace_id": []}',
        b'{"error": {"code": "x y\\n<script>"}}',
    ],
)
def test_bodies_without_sense_are_read_as_nothing_said(body: bytes) -> None:
    for read in (token_answer, graph_answer):
        answer = read(HttpResponse(400, {"request-id": "a b\n"}, body), NOW)
        assert answer.codes == ()
        assert answer.request_id is None


def test_quoted_words_are_one_short_line_without_secrets_or_tokens() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
    text = quote_words(f"bad value abc8Q~secret\r\nfor {token} {'x' * 900}", [Plaintext("abc8Q~secret"), Plaintext("")])
    assert text.startswith("bad value *** for *** x")
    assert len(text) == 300
