"""The page of the emulator: what it shows, what its forms do, and what it refuses."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest

from entra_emulator import Response
from entra_emulator.core.wire import Request
from tests.emulator.scene import EmulatorFixture

HERE = "https://localhost:8443"


def page(scene: EmulatorFixture, query: str = "") -> str:
    answer = scene.emulator.call(Request("GET", f"{HERE}/_emulator{query}"))
    assert answer.status == 200
    return answer.body.decode()


def send(scene: EmulatorFixture, do: str, origin: str = HERE, **fields: str) -> Response:
    body = urlencode({"do": do, **fields}).encode()
    headers = {"Origin": origin, "Content-Type": "application/x-www-form-urlencoded"}
    return scene.emulator.call(Request("POST", f"{HERE}/_emulator?show=refused", headers, body))


def done(scene: EmulatorFixture, do: str, **fields: str) -> str:
    answer = send(scene, do, **fields)
    assert answer.status == 303, answer.body
    return answer.header("Location") or ""


def test_the_page_shows_what_each_replica_knows_and_never_a_whole_secret(scene: EmulatorFixture) -> None:
    app = scene.application("payroll")
    scene.emulator.admin.add_secret(app.object_id, "short one", value="pa55")
    done(scene, "behaviour", tenant=scene.tenant, behaviour="Three replicas that lag")
    at = done(scene, "secret", application=app.object_id, display_name="next", days="90", value="a value of my own")
    assert at == f"/_emulator?show=refused#app-{app.object_id}"
    shown = page(scene)
    assert "○○○</span> 0 of 3, all in" in shown
    assert "● known to all 3" in shown
    assert "in 90 days" in shown or "in 89 days" in shown
    assert "a v…" in shown  # the hint, as Graph gives it
    values = [item.value for item in scene.emulator.admin.secrets(app.object_id)]
    assert len(values) == 3
    assert not any(value in shown for value in values)
    done(scene, "clock", seconds="60")
    assert "○" not in page(scene)
    done(scene, "remove-secret", application=app.object_id, key_id=app.secrets[0].key_id)
    assert "removed, known to 3 of 3, for" in page(scene)
    assert len(scene.emulator.admin.secrets(app.object_id)) == 2


def test_what_clients_name_stays_text(scene: EmulatorFixture) -> None:
    hostile = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u202e"
    app = scene.application(hostile)
    scene.emulator.admin.add_secret(app.object_id, hostile)
    other = scene.emulator.admin.create_tenant(hostile)
    scene.emulator.call(Request("GET", f"{HERE}/v1.0/{'%3Cscript%3E'}", {"User-Agent": hostile}))
    scene.token(app, "wrong")
    refused = send(scene, "setting", tenant=scene.tenant, name=hostile, value=hostile)
    for text in (
        page(scene),
        page(scene, f"?tenant={other}&q=%22%3E%3Cscript%3E&show=%22%3Cscript%3E"),
        refused.body.decode(),
    ):
        assert text.count("<script>") == 1  # the page's own
        assert "<img" not in text
    assert "&lt;script&gt;" in page(scene)
    policy = scene.emulator.call(Request("GET", f"{HERE}/_emulator/")).header("Content-Security-Policy") or ""
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_faults_are_switched_and_requests_are_shown(scene: EmulatorFixture) -> None:
    app = scene.application("payroll")
    done(scene, "switch", switch="Token endpoint is down")
    assert scene.token(app).status == 503
    shown = page(scene, "?show=refused")
    assert re.search(r'aria-pressed="true">Token endpoint is down', shown)
    assert re.search(r"<bdi>payroll</bdi></td>\s*<td><span class=\"pill bad\">503", shown)
    (on,) = scene.emulator.faults.pending()
    done(scene, "remove-fault", id=on.id)
    assert scene.token(app).status == 200
    done(scene, "fault", operation="token", effect="429, Retry-After 5", when="before", times="2")
    assert "<code>token</code> 429 before the work, 2 times" in page(scene)
    assert [scene.token(app).status for _ in range(3)] == [429, 429, 200]


def test_tenants_and_applications_are_made_and_disabled(scene: EmulatorFixture) -> None:
    where = done(scene, "tenant", name="Fabrikam & Sons")
    tenant = re.findall(r"tenant=([0-9a-f-]{36})", where)[0]
    done(scene, "application", tenant=tenant, name="made", permissions="Application.Read.All", owns_itself="on")
    shown = page(scene, f"?tenant={tenant}")
    assert "<bdi>made</bdi>" in shown
    assert "Fabrikam &amp; Sons" in shown
    assert "<bdi>made</bdi>" not in page(scene, f"?tenant={tenant}&q=other")
    (application,) = re.findall(r'id="app-([0-9a-f-]{36})"', shown)
    done(scene, "disable", application=application, disabled="yes")
    assert scene.emulator.admin.application(application).disabled
    done(scene, "setting", tenant=tenant, name="graph_budget", value='{"limit": 5, "seconds": 1}')
    assert done(scene, "demo").startswith("/_emulator?tenant=de300000-")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"do": "nonsense"}, "no such form"),
        ({"do": "clock", "seconds": "-1"}, "only moves forwards"),
        ({"do": "clock", "seconds": "inf"}, "seconds is a number"),
        ({"do": "setting", "name": "replicas", "value": "0"}, "at least 1"),
        ({"do": "setting", "name": "replicas", "value": "{"}, "the value is JSON"),
        ({"do": "fault", "operation": "addPassword", "effect": "x", "times": "1"}, "effect is one of"),
        ({"do": "application", "name": ""}, "name is text"),
        ({"do": "secret", "application": "../clock", "days": "1"}, "no application"),
        ({f"f{number}": "" for number in range(60)}, "cannot be read"),
    ],
)
def test_a_form_that_does_not_fit_is_refused_with_the_reason(
    scene: EmulatorFixture, fields: dict[str, str], reason: str
) -> None:
    before = scene.clock.now()
    answer = send(scene, **({"do": "x", "tenant": scene.tenant} | fields))
    assert answer.status == 400
    if fields.get("do") == "clock":  # the form is open, with what was typed
        assert "<details open><summary>By another time" in answer.body.decode()
        assert f'name="seconds" value="{fields["seconds"]}"' in answer.body.decode()
    (alert,) = re.findall(r'role="alert">(.*?)</section>', answer.body.decode())
    assert reason in alert
    assert scene.clock.now() == before
    assert scene.emulator.faults.pending() == []


def test_a_page_of_another_origin_changes_nothing(scene: EmulatorFixture) -> None:
    for origin in ("https://evil.example", "null", "http://[", "https://localhost:1"):
        assert send(scene, "clock", origin=origin, seconds="60").status == 403
    body = Request("POST", f"{HERE}/_emulator/clock", {"origin": "https://evil.example"}, b'{"advance": 60}')
    before = scene.clock.now()
    assert scene.emulator.call(body).status == 403
    assert scene.clock.now() == before
    assert scene.emulator.call(Request("DELETE", f"{HERE}/_emulator", {"Origin": HERE})).status == 405
