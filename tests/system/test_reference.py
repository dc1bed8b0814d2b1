"""The API reference of the whole application: pages of a size to be read, and examples that can be sent as they are."""

import html
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from keyturn.web.reference.examples import SAMPLE_ID
from tests.system.estate import RunningServer

LARGEST_PAGE = 300_000
"""Bytes of HTML, before they are compressed."""
_URL = "http://keyturn.localhost:8080"


@dataclass(frozen=True)
class Example:
    """A curl command as a shell would take it apart."""

    method: str
    path: str
    headers: dict[str, str]
    body: str | None


def page_paths(whole: RunningServer) -> list[str]:
    return sorted(
        set(re.findall(r'href="(/api/docs/[a-z-]+)"', whole.client.get("/api/docs").text)) - {"/api/docs/json"}
    )


def parsed(command: str, token: str) -> Example:
    for name, value in {"KEYTURN_URL": _URL, "KEYTURN_TOKEN": token}.items():
        command = command.replace(f"${name}", value)
    curl, *words = shlex.split(command.replace("\\\n", " "))
    assert curl == "curl"
    method, url, body, headers = "GET", "", None, {}
    rest = iter(words)
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(rest)
        else:
            url = word
    assert url.startswith(f"{_URL}/"), command
    parts = urlsplit(url)
    return Example(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, headers, body)


def examples(whole: RunningServer) -> Iterator[Example]:
    for path in page_paths(whole):
        for example in re.findall(r"<pre><code>(curl .*?)</code></pre>", whole.client.get(path).text, re.DOTALL):
            yield parsed(html.unescape(example), whole.token)


def test_no_page_is_larger_than_300_kilobytes(whole: RunningServer) -> None:
    sizes = {path: len(whole.client.get(path).content) for path in ["/api/docs", *page_paths(whole)]}
    assert len(sizes) > 10
    assert max(sizes.values()) < LARGEST_PAGE, sizes


def test_every_example_is_a_request_that_this_server_understands(whole: RunningServer) -> None:
    """Samples name nothing that is there, so most are answered "no such thing": but by the route they are meant for."""
    document = whole.client.get("/api/docs/json").json()
    faults, count, secrets = [], 0, set()
    for example in examples(whole):
        secrets |= {example.path} if example.path.startswith("/api/v4/secrets?") else set()
        answer = whole.client.request(example.method, example.path, headers=example.headers, content=example.body)
        whole.put_back()
        count += 1
        if fault := _fault(answer):
            faults.append(f"{example.method} {example.path} {example.body}: {fault}")
    assert count == sum(len(methods) for methods in document["paths"].values())
    assert not faults, "\n".join(faults)
    assert secrets == {f"/api/v4/secrets?environment=dev&secretPath=%2Fbilling&projectId={SAMPLE_ID}"}


def _fault(answer: httpx.Response) -> str | None:
    """Say what shows that the method, the path, the token or the shape of the body is not what the server takes."""
    if answer.request.url.path == "/readyz":
        return None  # no worker lives beside these tests
    no_route = answer.status_code == 404 and answer.json()["message"].startswith("Route ")
    wrong = no_route or answer.status_code in {405, 415, 422} or answer.status_code >= 500
    refused = answer.status_code in {401, 403} and "authorization" in answer.request.headers
    return f"{answer.status_code} {answer.text}" if wrong or refused else None
