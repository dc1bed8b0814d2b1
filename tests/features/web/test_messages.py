"""What goes out is well formed, whatever a handler puts into it; a stream ends when nobody listens."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest

from keyturn.web.cookies import Cookie
from keyturn.web.messages import EventStream, Response, headers_by_name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("location", f"/x{end}set-cookie: a=b") for end in ("\r\n", "\n", "\r", "\x00", "\x0b", "\x7f")),
        *((name, "x") for name in ("", "a b", "a:b", "a\r\nb", "ä")),
        ("location", "/\u20ac"),
    ],
)
def test_a_header_that_is_no_single_line_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"one line|latin-1"):
        Response(headers={name: value}).head()


def test_a_cookie_cannot_begin_another_one() -> None:
    (line,) = (
        value for name, value in Response(cookies=(Cookie("a", "b; Path=/x\r\nc=d"),)).head() if b"cookie" in name
    )
    assert line == b"a=b%3B%20Path%3D%2Fx%0D%0Ac%3Dd; Path=/; HttpOnly; SameSite=lax"
    with pytest.raises(ValueError, match="one line"):
        Response(cookies=(Cookie("a\r\nb", "c"),)).head()


def test_each_cookie_has_a_line_of_its_own() -> None:
    cookies = (Cookie("a", "1", timedelta(days=1), secure=True), Cookie("b", "", timedelta(0)))
    lines = [value for name, value in Response(cookies=cookies).head() if name == b"set-cookie"]
    assert lines == [
        b"a=1; Path=/; HttpOnly; SameSite=lax; Max-Age=86400; Secure",
        b"b=; Path=/; HttpOnly; SameSite=lax; Max-Age=0",
    ]


def test_an_answer_says_what_it_is_and_how_long() -> None:
    text = dict(Response("ä".encode(), media_type="text/html").head())
    assert text == {b"content-type": b"text/html; charset=utf-8", b"content-length": b"2"}
    assert Response(status=204).head() == []


def test_names_of_headers_have_no_case_and_several_lines_are_one_list() -> None:
    assert headers_by_name([(b"Accept", b"a"), (b"accept", b"b"), (b"X", b"\xe4")]) == {"accept": "a, b", "x": "ä"}


def test_a_stream_sends_its_events_and_ends() -> None:
    closed: list[str] = []
    messages = asyncio.run(_streamed(_events(closed, 2), leaves_after=None))
    assert [message["body"] for message in messages] == [b"0", b"1", b""]
    assert [message["more_body"] for message in messages] == [True, True, False]
    assert closed == ["closed"]


def test_a_stream_ends_when_nobody_listens_any_more() -> None:
    closed: list[str] = []
    messages = asyncio.run(_streamed(_events(closed, None), leaves_after=3))
    assert len(messages) >= 3
    assert all(message["more_body"] for message in messages)
    assert closed == ["closed"]


def test_a_fault_in_a_stream_is_not_taken_for_its_end() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"0"
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        asyncio.run(_streamed(broken(), leaves_after=None))


async def _events(closed: list[str], count: int | None) -> AsyncGenerator[bytes, None]:
    number = 0
    try:
        while count is None or number < count:
            yield str(number).encode()
            number += 1
            await asyncio.sleep(0)
    finally:
        closed.append("closed")


async def _streamed(events: AsyncGenerator[bytes, None], leaves_after: int | None) -> list[Any]:
    messages: list[Any] = []
    gone = asyncio.Event()

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)
        if len(messages) == leaves_after:
            gone.set()

    async with asyncio.timeout(20):
        await EventStream(events).send_body(receive, send)
    return messages
