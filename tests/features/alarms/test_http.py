"""Alarms and channels over the API: what is asked, what is refused, and what nobody may see."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from keyturn.api.alarms.routes import alarms_router, channels_router
from keyturn.errors import TokenRefused
from keyturn.kit.actor import Actor, Role
from keyturn.settings.model import Settings
from keyturn.web.server.app import build
from tests.client import Client
from tests.databases import sqlite_database
from tests.features.accounts.people import person
from tests.features.alarms.office import Office
from tests.features.alarms.receivers import SECRET, URL

HOOK = {"name": "ops", "kind": "webhook", "config": {"url": URL}, "secret": SECRET.reveal()}


class Desk:
    """A client of the routes; tokens are names."""

    def __init__(self, office: Office, client: Client) -> None:
        self.office, self.client = office, client

    def ask(self, method: str, path: str, body: object = None, expect: int = 200, who: str = "boss") -> Any:
        headers = {"authorization": f"Bearer {who}"}
        answer = self.client.request(method, f"/api/v1/{path}", json=body, headers=headers)
        assert answer.status_code == expect, answer.text
        assert SECRET.reveal() not in answer.text
        return answer.json()


@contextmanager
def served(office: Office, folder: Path) -> Iterator[Desk]:
    actors = {"boss": office.boss, "vic": person(office.database, office.org_id, Role.NO_ACCESS, "vic@acme.test")}

    def authenticate(token: str, _ip: str) -> Actor:
        if token not in actors:
            raise TokenRefused("token malformed", code="token.malformed")
        return actors[token]

    settings = Settings(data_dir=folder, database_url="sqlite://")
    routes = [alarms_router(office.alarms), channels_router(office.channels)]
    app = build(routes, authenticate=authenticate, settings=settings, clock=office.clock, ids=office.ids)
    with Client(app) as client:
        yield Desk(office, client)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with sqlite_database(tmp_path) as database, served(Office(database), tmp_path) as opened:
        yield opened


def test_an_alarm_from_its_opening_to_its_end(desk: Desk) -> None:
    """GET /api/v1/alarms, GET /api/v1/alarms/{id}, POST .../acknowledge, .../snooze, .../reopen."""
    office = desk.office
    channel = desk.ask("POST", "alarm-channels", HOOK)["channel"]
    assert (channel["hasSecret"], channel["config"], channel["enabled"]) == (True, {"url": URL}, True)
    key = office.happens("prod-entra")
    office.work(rounds=3)
    (alarm,) = desk.ask("GET", "alarms")["alarms"]
    assert (alarm["subject"], alarm["state"], alarm["cause"], alarm["fix"]) == (
        "prod-entra",
        "open",
        "'prod-entra' does not work.",
        "Make it work.",
    )
    (message,) = desk.ask("GET", f"alarms/{alarm['id']}")["messages"]
    assert (message["event"], message["channel"], message["state"]) == ("opened", "ops", "sent")
    assert [attempt["ok"] for attempt in message["attempts"]] == [True]

    one = f"alarms/{alarm['id']}"
    assert desk.ask("GET", "alarms", who="vic")["alarms"] == []
    desk.ask("GET", one, who="vic", expect=404)
    desk.ask("POST", f"{one}/acknowledge", {"reason": "mine"}, who="vic", expect=404)
    desk.ask("POST", f"{one}/acknowledge", {"reason": "  "}, expect=422)
    late = (office.clock.now() + timedelta(days=91)).isoformat()
    assert "90 days" in desk.ask("POST", f"{one}/snooze", {"reason": "later", "until": late}, expect=400)["fix"]
    assert desk.ask("GET", one)["alarm"]["state"] == "open"  # nothing came of these

    shown = desk.ask("POST", f"{one}/acknowledge", {"reason": "I am at it"})["alarm"]
    assert (shown["state"], shown["silence"]["by"]) == ("acknowledged", "boss@acme.test")
    office.passes(timedelta(days=9), timedelta(hours=6))
    assert office.receiver.told() == [("opened", "prod-entra")]
    assert desk.ask("POST", f"{one}/reopen")["alarm"]["state"] == "open"
    office.passes(timedelta(days=8), timedelta(hours=6))
    assert office.receiver.told() == [("opened", "prod-entra"), ("reminder", "prod-entra")]

    del office.conditions[key]
    office.passes(timedelta(minutes=5))
    assert office.receiver.told()[-1] == ("resolved", "prod-entra")
    assert desk.ask("GET", "alarms")["alarms"] == []
    assert [each["state"] for each in desk.ask("GET", "alarms?state=resolved")["alarms"]] == ["resolved"]
    nowhere = desk.ask("GET", "alarms?projectId=11111111-2222-4333-8444-555555555555", expect=404)
    assert nowhere["fix"]
    assert desk.ask("POST", f"{one}/reopen", expect=400)["code"] == "alarms.resolved"


def test_channels_are_set_up_tried_changed_and_removed(desk: Desk) -> None:
    """GET, POST /api/v1/alarm-channels; GET, PUT, DELETE /api/v1/alarm-channels/{id}; POST .../test; GET .../messages."""
    office = desk.office
    one = f"alarm-channels/{desk.ask('POST', 'alarm-channels', HOOK)['channel']['id']}"
    assert desk.ask("POST", f"{one}/test")["ok"] is True
    office.receiver.down = True
    failed = desk.ask("POST", f"{one}/test")
    assert (failed["ok"], "did not answer in time" in failed["attempts"][0]["outcome"]) == (False, True)
    assert [each["event"] for each in desk.ask("GET", f"{one}/messages")["messages"]] == ["test", "test"]
    assert {each["state"] for each in desk.ask("GET", f"{one}/messages")["messages"]} == {"sent", "given-up"}

    for body, status, says in (
        ({**HOOK}, 400, "Choose another name"),
        ({**HOOK, "name": "b", "config": {"url": "http://a.test"}}, 400, "begins with https"),
        ({**HOOK, "name": "b", "config": {}}, 422, "where the webhook leads"),
        ({**HOOK, "name": "b", "secret": "whsec_short"}, 400, "openssl rand"),
        ({**HOOK, "name": "b", "secret": None}, 400, "Give it"),
        ({**HOOK, "name": "b", "timeZone": "Oslo"}, 400, "Europe/Oslo"),
        ({**HOOK, "name": "b", "projectId": office.org_id}, 400, "projectId"),
        ({"name": "b", "kind": "slack", "secret": "hooks.slack.com/x"}, 400, "begins with https"),
        ({"name": "b", "kind": "pigeon"}, 422, "kind"),
    ):
        assert says in str(desk.ask("POST", "alarm-channels", body, expect=status)), body
    desk.ask("GET", "alarm-channels", who="vic", expect=403)
    desk.ask("POST", f"{one}/test", who="vic", expect=403)
    assert [each["name"] for each in desk.ask("GET", "alarm-channels")["channels"]] == ["ops"]

    changed = desk.ask("PUT", one, {"name": "night", "config": {"url": URL}, "digestHour": 6, "enabled": False})
    assert (changed["channel"]["name"], changed["channel"]["hasSecret"]) == ("night", True)
    office.happens("prod-entra")
    office.work(rounds=3)
    assert office.receiver.told() == []  # it is switched off
    desk.ask("DELETE", one)
    desk.ask("GET", one, expect=404)


def test_rules_say_when_somebody_is_told(desk: Desk) -> None:
    """GET and PUT /api/v1/alarm-rules."""
    usual = {"daysBeforeEnd": [60, 30, 14, 7, 3, 1], "reactionDays": 3, "reminderDays": 7}
    assert desk.ask("GET", "alarm-rules")["rules"] == usual
    desk.ask("GET", "alarm-rules", who="vic", expect=403)
    assert "60, 30" in desk.ask("PUT", "alarm-rules", {"daysBeforeEnd": [20]}, expect=400)["fix"]
    mine = {"daysBeforeEnd": [30, 1], "reactionDays": 1, "reminderDays": 30}
    assert desk.ask("PUT", "alarm-rules", mine)["rules"] == mine
    assert desk.ask("GET", "alarm-rules")["rules"] == mine
