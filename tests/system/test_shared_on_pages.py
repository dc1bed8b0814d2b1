"""Pages tell who else holds a credential before a rotation moves them, and ask where something has to be answered for."""

from typing import Any
from urllib.parse import urlencode

from tests.system.estate import AZURE, RunningServer

OURS = {"sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}


def connect(whole: RunningServer, name: str) -> str:
    headers = {"authorization": f"Bearer {whole.token}"}
    body = {"name": name, "method": "client-secret", "credentials": dict(whole.credentials)}
    answer = whole.client.post(AZURE, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["appConnection"]["id"])


def page(whole: RunningServer, path: str) -> str:
    answer = whole.client.get(path, headers=dict(whole.callers["admin"].headers))
    assert answer.status_code == 200
    return answer.text


def send(whole: RunningServer, path: str, **form: Any) -> Any:
    headers = OURS | dict(whole.callers["admin"].headers)
    return whole.client.post(path, content=urlencode(form), headers=headers, follow_redirects=False)


def test_the_connection_and_the_schedule_name_who_is_moved_along(whole: RunningServer) -> None:
    whole.remember()
    try:
        first, second = connect(whole, "shares-first"), connect(whole, "shares-second")
        for path in (f"/app-connections/{second}", f"/app-connections/{second}/schedule"):
            text = page(whole, path)
            assert "This client secret is also used by" in text
            assert f'href="/app-connections/{first}">shares-first</a>' in text
            assert "moved along to each new client secret" in text
    finally:
        whole.put_back()


def test_a_new_connection_that_would_move_others_is_asked_about_first(whole: RunningServer) -> None:
    whole.remember()
    try:
        connect(whole, "shares-first")
        form = {
            "name": "shares-new",
            "method": "client-secret",
            "isAutoRotationEnabled": "true",
            "rotationInterval": "30",
        }
        form |= {"rotateAt": "02:15", "timeZone": "UTC", **whole.credentials}
        path = "/organization/app-connections/new/azure-client-secrets"
        answer = send(whole, path, **form)
        assert answer.status_code == 400
        assert "is also used by" in answer.text
        assert "shares-first" in answer.text
        assert 'name="moveOthersAlong"' in answer.text
        assert send(whole, path, **form, moveOthersAlong="true").status_code == 303
    finally:
        whole.put_back()
