"""Where everybody needs a second factor, nothing answers the session of somebody who has none, besides what sets it up."""

from urllib.parse import urlencode

from keyturn.app.web import open_access
from keyturn.kit.actor import platform
from tests.system.estate import RunningServer
from tests.system.routes import Place
from tests.system.test_permissions_of_routes import routes_of, rule_of


def test_no_page_and_no_json_route_answers_before_it_is_set_up(whole: RunningServer) -> None:
    viewer = whole.callers["viewer"]
    organization = whole.client.get("/api/v1/users/me", headers=viewer.headers).json()["user"]["orgId"]
    assert whole.client.get("/settings", headers=viewer.headers).status_code == 200
    open_access(whole.core).second_factor_policy.change(platform(organization), required=True)
    answers, asked = [], 0
    for method, path, page in routes_of(whole.application):
        classified = rule_of(method, path)
        assert classified is not None
        if classified[1].place in {Place.PUBLIC, Place.PROVISIONING}:
            continue
        names = whole.things | {hole: whole.things[thing] for hole, thing in classified[1].fill.items()}
        headers = dict(viewer.headers)
        if page and method == "POST":
            headers["content-type"] = "application/x-www-form-urlencoded"
        content = urlencode({}) if page else None
        answer = whole.client.request(
            method, path.format(**names), content=content, headers=headers, follow_redirects=False
        )
        whole.client.cookies.clear()
        asked += 1
        if page and (answer.status_code, answer.headers.get("location", "")[:8]) == (303, "/sign-in"):
            continue
        if not page and answer.status_code == 401 and answer.json()["code"] == "access.second_factor_needed":
            continue
        answers.append(f"{method} {path}: {answer.status_code} {answer.text[:100]}")
    whole.put_back()
    assert asked > 300
    assert answers == []
    assert whole.client.get("/settings", headers=viewer.headers).status_code == 200
