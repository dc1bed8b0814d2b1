"""Signing in at Microsoft from the right address, and coming back without a session, again, or late."""

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.system.estate import RunningServer

CALLBACK = "/organization/app-connections/azure/oauth/callback"
NEW = "/organization/app-connections/new/azure-client-secrets"
QUERY = "?code=0.AXk-a-code-of-a-person&state=a-state&session_state=x"


def send(whole: RunningServer, method: str, path: str, form: dict[str, str] | None = None, **headers: str) -> Any:
    who = whole.callers["admin"].headers
    content_type = {"content-type": "application/x-www-form-urlencoded"} if form is not None else {}
    all_headers = {**who, **content_type, **{name.replace("_", "-"): text for name, text in headers.items()}}
    answer = whole.client.request(
        method, path, content=urlencode(form) if form is not None else None, headers=all_headers, follow_redirects=False
    )
    whole.client.cookies.clear()
    return answer


def test_what_microsoft_sent_back_is_not_carried_through_the_sign_in_page(whole: RunningServer) -> None:
    answer = whole.client.get(CALLBACK + QUERY, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/sign-in?next={CALLBACK}"
    list_answer = whole.client.get("/projects?page=2", follow_redirects=False)
    assert list_answer.headers["location"] == "/sign-in?next=/projects%3Fpage%3D2"


def test_whoever_comes_back_without_it_is_told_why(whole: RunningServer) -> None:
    page = send(whole, "GET", CALLBACK)
    assert page.status_code == 400
    assert "You were not signed in to this server at this address" in page.text
    assert "http://localhost:8080" in page.text
    assert "another browser" not in page.text


def oauth_form(whole: RunningServer) -> dict[str, str]:
    return {"name": "by-oauth", "tenantId": whole.things["tenant_id"], "method": "oauth"}


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8080", "https://localhost:8080", "http://localhost:9000"])
def test_a_sign_in_does_not_begin_at_another_address(whole: RunningServer, origin: str) -> None:
    page = send(whole, "POST", NEW, oauth_form(whole), origin=origin)
    assert page.status_code == 400
    assert f"http://localhost:8080{NEW}" in page.text
    assert origin in page.text
    assert 'value="by-oauth"' in page.text, "what was typed is kept"


@pytest.mark.parametrize("headers", [{"origin": "http://localhost:8080"}, {"origin": "null"}, {}])
def test_a_sign_in_begins_at_the_right_address(whole: RunningServer, headers: dict[str, str]) -> None:
    answer = send(whole, "POST", NEW, oauth_form(whole), **headers)
    assert answer.status_code == 303, answer.text[:500]
    assert "/oauth2/v2.0/authorize?" in answer.headers["location"]
    whole.put_back()


def test_the_form_says_so_before(whole: RunningServer) -> None:
    """The browser alone knows its address: it shows the notice when that is another one."""
    page = send(whole, "GET", NEW).text
    assert 'data-site="http://localhost:8080" hidden' in page
    assert f'href="http://localhost:8080{NEW}"' in page
