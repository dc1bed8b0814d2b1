"""What reads of programs say besides values: until when these may be relied on, what was there before, many at once.

``GET /api/v1/delivery/current?...&secretName=`` and ``POST /api/v1/delivery/batch {"secrets": [...]}``.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from keyturn.changes.store import access_revision
from tests.databases import KINDS, database_of_kind, sqlite_database
from tests.features.rotations.secret_desk import RotationClient, desk

DAY = 24 * 3600


@pytest.fixture
def web(tmp_path: Path) -> Iterator[RotationClient]:
    with sqlite_database(tmp_path) as database, desk(database, tmp_path) as opened:
        yield opened
        told = "".join(opened.answers)
        assert not [secret for secret in opened.world.values_ever_issued() if secret in told], "a secret shows"


def get(web: RotationClient, url: str, **headers: str) -> Any:
    sent = {"authorization": "Bearer robot", **{name.replace("_", "-"): text for name, text in headers.items()}}
    query = {"projectId": web.project, "environment": "prod", "secretPath": "/billing"}
    if "delivery" in url:
        query["secretName"] = "AZURE_CLIENT_SECRET"
    return web.client.get(url, params=query, headers=sent)


def usable_for(answer: Any) -> int:
    return int(answer.headers["x-keyturn-usable-for"])


def test_reads_say_until_when_a_credential_may_be_relied_on_and_when_to_come_again(web: RotationClient) -> None:
    rotation = web.create(rotationInterval=30)
    [key_id] = web.keys()
    for url in ("/api/v4/secrets", "/api/v4/secrets/AZURE_CLIENT_SECRET", "/api/v1/delivery/current"):
        answer = get(web, url)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-keyturn-key-id"] == key_id
        until = datetime.fromisoformat(answer.headers["x-keyturn-usable-until"])
        assert abs(usable_for(answer) - (until - web.world.clock.now()).total_seconds()) < 1
        assert usable_for(answer) > 25 * DAY
        assert answer.headers["x-keyturn-refresh-after"] == "300"
        assert "deprecation" not in answer.headers
        web.world.clock.advance(60)
        again = get(web, url, if_none_match=answer.headers["etag"], x_keyturn_refresh_interval="60")
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["x-keyturn-key-id"] == key_id
        assert again.headers["x-keyturn-refresh-after"] == "60"
    hidden = web.client.get(
        "/api/v4/secrets/AZURE_CLIENT_SECRET",
        params={"projectId": web.project, "environment": "prod", "secretPath": "/billing", "viewSecretValue": "false"},
        headers={"authorization": "Bearer robot"},
    )
    assert "x-keyturn-key-id" not in hidden.headers
    assert "x-keyturn-usable-until" not in get(web, "/api/v4/secrets/AZURE_CLIENT_ID").headers
    web.change(rotation, isAutoRotationEnabled=False)


@pytest.mark.parametrize("kind", KINDS)
def test_copies_of_a_promise_are_old_once_its_schedule_is_another_one(kind: str, tmp_path: Path) -> None:
    with database_of_kind(kind, tmp_path) as database, desk(database, tmp_path) as web:

        def access() -> int:
            with database.read() as tx:
                return access_revision(tx)

        rotation = web.create(rotationInterval=30)
        until = get(web, "/api/v4/secrets").headers["x-keyturn-usable-until"]
        for change in ({"rotationInterval": 10}, {"overlap": "1h"}, {"isAutoRotationEnabled": False}):
            before = access()
            web.change(rotation, **change)
            assert access() > before, change
        assert get(web, "/api/v4/secrets").headers["x-keyturn-usable-until"] != until
        before = access()
        web.change(rotation, description="nobody is promised anything else")
        assert access() == before


def test_the_credential_before_comes_along_while_it_may_be_used_and_says_that_it_ends(web: RotationClient) -> None:
    rotation = web.create(rotationInterval=30)
    first = get(web, "/api/v1/delivery/current").json()
    assert first["previous"] is None
    web.days(1)
    web.rotate(rotation)
    answer = get(web, "/api/v1/delivery/current")
    both = answer.json()
    assert both["previous"]["secretValue"] == first["current"]["secretValue"]
    assert both["previous"]["keyId"] == first["current"]["keyId"] != both["current"]["keyId"]
    assert both["refreshAfter"] == 300
    assert answer.headers["x-keyturn-key-id"].split(", ") == sorted(web.keys())
    assert answer.headers["x-keyturn-usable-until"] == both["previous"]["usableUntil"]
    assert int(answer.headers["deprecation"].removeprefix("@")) <= web.world.clock.now().timestamp()
    sunset = parsedate_to_datetime(answer.headers["sunset"])
    assert abs(sunset - datetime.fromisoformat(both["previous"]["usableUntil"])) < timedelta(seconds=1)
    assert "deprecation" not in get(web, "/api/v4/secrets/AZURE_CLIENT_SECRET").headers
    older = web.client.get(
        "/api/v4/secrets/AZURE_CLIENT_SECRET",
        params={"projectId": web.project, "environment": "prod", "secretPath": "/billing", "version": "1"},
        headers={"authorization": "Bearer robot"},
    )
    assert older.headers["deprecation"] == answer.headers["deprecation"]
    web.days(61)
    assert get(web, "/api/v1/delivery/current").json()["current"]["keyId"] not in {
        both["current"]["keyId"],
        both["previous"]["keyId"],
    }


def test_a_batch_answers_each_on_its_own_under_one_tag(web: RotationClient) -> None:
    web.create()
    where = {"projectId": web.project, "environment": "prod", "secretPath": "/billing"}
    wanted = [
        {**where, "secretName": "AZURE_CLIENT_SECRET"},
        {**where, "secretName": "NONE"},
        {**where, "environment": "nowhere", "secretName": "AZURE_CLIENT_ID"},
        {**where, "secretName": "AZURE_CLIENT_ID"},
    ]
    bearer = {"authorization": "Bearer robot"}
    answer = web.client.post("/api/v1/delivery/batch", json={"secrets": wanted}, headers=bearer)
    assert answer.status_code == 200, answer.text
    entries = answer.json()["secrets"]
    assert [entry["status"] for entry in entries] == [200, 404, 404, 200]
    assert entries[0]["secret"]["secretValue"] in web.world.values_ever_issued()
    assert (entries[1]["code"], "secret" in entries[1]) == ("secrets.not_found", False)
    assert entries[3]["secret"]["secretValue"] == web.application.app_id
    assert answer.headers["x-keyturn-key-id"] == ", ".join(web.keys())
    tagged = bearer | {"if-none-match": answer.headers["etag"]}
    same = web.client.post("/api/v1/delivery/batch", json={"secrets": wanted}, headers=tagged)
    assert (same.status_code, same.json()["code"]) == (412, "delivery.unchanged"), "304 is for GET"
    assert {name: same.headers[name] for name in ("etag", "x-keyturn-usable-until")} == {
        name: answer.headers[name] for name in ("etag", "x-keyturn-usable-until")
    }
    assert web.client.post("/api/v1/delivery/batch", json={"secrets": wanted[:3]}, headers=tagged).status_code == 200
    refused = web.client.post(
        "/api/v1/delivery/batch", json={"secrets": wanted}, headers={"authorization": "Bearer nobody"}
    )
    assert {entry["status"] for entry in refused.json()["secrets"]} == {403}
    assert "secretValue" not in refused.text
    for body in ({"secrets": []}, {"secrets": wanted[:1] * 101}, {"secrets": [{"secretName": "X"}]}):
        assert web.client.post("/api/v1/delivery/batch", json=body, headers=bearer).status_code == 422
