"""A form that was open for too long leads on to where its user has to go now, instead of to an error page."""

import pytest

from tests.system.estate import RunningServer

OURS = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/setup", "email=eve%40contoso.test&password=vellum-orbit-pickle-97&organization=Second"),
        ("/setup", ""),
        ("/sign-in/code", "code=123456"),
        ("/sign-in/code", ""),
        ("/sign-in/password", "password=vellum-orbit-pickle-97"),
        ("/sign-in/password", ""),
    ],
)
def test_a_form_whose_time_is_over_leads_to_the_sign_in(whole: RunningServer, path: str, form: str) -> None:
    before = whole.rows()
    answer = whole.client.post(path, content=form, headers=OURS, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert whole.rows() == before


def test_a_sign_in_over_the_api_that_needs_a_token_says_so_to_a_browser(whole: RunningServer) -> None:
    root = "/api/v1/app-connections/azure-client-secrets/oauth"
    bodies = {
        "authorize-url": {"tenantId": whole.things["tenant_id"], "name": "by-oauth"},
        "callback": {"state": "unknown", "code": "unknown"},
    }
    for name, body in bodies.items():
        answer = whole.client.post(f"{root}/{name}", json=body, headers=dict(whole.callers["admin"].headers))
        assert (answer.status_code, answer.json()["code"]) == (400, "connections.token_needed")
