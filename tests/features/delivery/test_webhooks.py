"""Webhooks: each change is told at least once and under one id, to addresses that may be called, by the rights of one member."""

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.api.webhooks.routes import ROOT
from keyturn.db.tables import project_member_roles
from keyturn.db.unit import Database
from keyturn.delivery import webhook_store
from keyturn.delivery.webhook_due import DueWebhooks, remove_old_messages
from keyturn.delivery.webhook_sender import WebhookSender
from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, TransportFailed
from keyturn.providers.pinned import PinnedTransport
from keyturn.secrets.domain import Address, NewSecret, SecretType
from tests.features.accounts.people import join, person
from tests.features.delivery.conftest import Waiting, waiting_on
from tests.features.delivery.receiver import Killed, Receiver, signed_by

URL = "https://hooks.example.com/keyturn?key=of-the-receiver"


class Hooks:
    """The routes of webhooks of one project, and the work that they make, done when the test says so."""

    def __init__(self, place: Waiting) -> None:
        self.place = place
        self.receiver = Receiver()
        world = place.world
        self.sender = WebhookSender(world.database, world.sealer, world.clock, world.ids, self.receiver)
        self.due = DueWebhooks(self.sender)

    def ask(self, method: str, path: str = "", expect: int = 200, who: str = "admin", **body: Any) -> Any:
        bearer = {"authorization": f"Bearer {self.place.bearers[who].reveal()}"}
        query = {"projectId": self.place.project_id} if method == "GET" and not path else None
        answer = self.place.client.request(method, f"{ROOT}{path}", json=body or None, params=query, headers=bearer)
        assert answer.status_code == expect, answer.text
        return answer.json()

    def make(self, who: str = "admin", **more: Any) -> tuple[str, str]:
        made = self.ask("POST", who=who, projectId=self.place.project_id, webhookUrl=URL, **more)
        return made["webhook"]["id"], made["webhookSecretKey"]

    def work(self) -> int:
        """Do what is due, as the finder and the engine would; return how many pieces there were."""
        database, now = self.place.world.database, self.place.now
        with database.read() as tx:
            if not self.due.is_due(tx, now):
                return 0
        with database.write() as tx:
            claimed = self.due.claim(tx, now, 10)
        for work in claimed:
            self.due.do(work.id)
        return len(claimed)

    def until_quiet(self, step: timedelta = timedelta(minutes=1), most: int = 5000) -> None:
        """Let time pass, working whenever something is due, until the journal has nothing that waits."""
        for _ in range(most):
            self.work()
            with self.place.world.database.read() as tx:
                waiting = [webhook_store.next_due(tx, each["id"]) for each in self.ask("GET")["webhooks"]]
            if not any(waiting):
                return
            self.place.world.clock.advance(step.total_seconds())
        raise AssertionError("something waits for ever")

    def told(self) -> list[Any]:
        return [json.loads(body) for body in self.receiver.bodies()]


@pytest.fixture
def hooks(place: Waiting) -> Hooks:
    return Hooks(place)


@pytest.fixture
def hooks_on_both(database: Database, tmp_path: Path) -> Iterator[Hooks]:
    with waiting_on(database, tmp_path) as place:
        yield Hooks(place)


def test_each_change_is_told_at_least_once_and_under_one_id_by_senders_that_are_killed(hooks_on_both: Hooks) -> None:
    hooks, place = hooks_on_both, hooks_on_both.place
    webhook_id, secret = hooks.make()
    hooks.receiver.answers = iter([500, "killed", None, "killed", 429, 503, "killed", 500])
    for number in range(6):
        place.put(f"NAME_{number}", "value-canary")
    for _ in range(60):
        try:
            hooks.work()
        except Killed:
            with place.world.database.write() as tx:  # what the engine does for work of a dead process
                hooks.due.wake(tx, [f"webhook:{webhook_id}"], place.now)
        place.world.clock.advance(60)
    names = {each["data"]["name"] for each in hooks.told() if each["type"] == "secret:create"}
    assert names == {f"NAME_{number}" for number in range(6)}
    assert len(set(hooks.receiver.taken)) == 6, "one id for each change, however often it was sent"
    assert len(hooks.receiver.taken) == 6 + 3, "those of which the sender did not learn that they were taken came twice"
    ids_of_names: dict[str, set[str]] = {}
    for request in hooks.receiver.requests:
        ids_of_names.setdefault(json.loads(request.body)["data"]["name"], set()).add(request.headers["webhook-id"])
    assert all(len(each) == 1 for each in ids_of_names.values())
    assert "value-canary" not in "".join(hooks.receiver.bodies())
    messages = hooks.ask("GET", f"/{webhook_id}/messages")["messages"]
    assert [each["state"] for each in messages] == ["delivered"] * 6
    reasons = {attempt["reason"] for each in messages for attempt in each["attempts"] if attempt["reason"]}
    assert "It answered 503." in reasons
    assert any("did not answer in time" in reason for reason in reasons)
    shown = hooks.ask("GET", f"/{webhook_id}")
    assert shown["webhook"]["lastStatus"] == "success"
    assert secret not in json.dumps([shown, messages])


def test_messages_are_signed_and_a_rotated_secret_signs_for_a_day_longer(hooks: Hooks) -> None:
    webhook_id, secret = hooks.make()
    hooks.place.put("FIRST")
    hooks.work()
    assert signed_by(hooks.receiver.requests[-1], secret, hooks.place.now)
    second = hooks.ask("POST", f"/{webhook_id}/rotate-secret")["webhookSecretKey"]
    hooks.place.put("SECOND")
    hooks.work()
    assert all(signed_by(hooks.receiver.requests[-1], each, hooks.place.now) for each in (secret, second))
    hooks.place.world.clock.advance(86_401)
    hooks.place.put("THIRD")
    hooks.work()
    assert signed_by(hooks.receiver.requests[-1], second, hooks.place.now)
    assert not signed_by(hooks.receiver.requests[-1], secret, hooks.place.now)


def test_a_webhook_tells_what_its_owner_may_know_now_and_nothing_of_others(hooks: Hooks) -> None:
    place = hooks.place
    robot = place.actors["robot"].id
    hooks.make(identityId=robot, environment="dev", secretPath="/**")
    place.put("SEEN")
    place.secrets.create(place.actors["admin"], Address(place.project_id, None, "dev", "/"), own_value("SEEN"))
    hooks.work()
    assert [each["data"]["name"] for each in hooks.told()] == ["SEEN"], "and nothing of the admin's own value"
    hooks.receiver.answers = iter([500])
    place.put("WAITED")
    hooks.work()
    with place.world.database.write() as tx:
        tx.run(sa.delete(project_member_roles))
    place.put("UNSEEN")
    hooks.until_quiet()
    told = [each["data"].get("name") for each in hooks.told()]
    assert told == ["SEEN", "WAITED"], "the first try was before the right was gone, and no other came"


def own_value(name: str) -> Any:
    return NewSecret(name, Plaintext("mine"), SecretType.PERSONAL)


def test_kinds_environment_and_path_limit_what_is_told(hooks: Hooks) -> None:
    place = hooks.place
    admin, where = place.actors["admin"], Address(place.project_id, None, "dev", "/")
    place.folders.create(admin, where, "billing", None)
    hooks.make(secretPath="/billing/**", events=["secret:delete", "secret:create"], environment="dev")
    place.put("ELSEWHERE")
    place.put("HERE", path="/billing")
    place.secrets.delete(admin, Address(place.project_id, None, "dev", "/billing"), "HERE", SecretType.SHARED)
    hooks.work()
    assert [(each["type"], each["data"]["path"]) for each in hooks.told()] == [
        ("secret:create", "/billing"),
        ("secret:delete", "/billing"),
    ]


def test_a_receiver_that_takes_nothing_for_days_is_left_alone_and_says_why(hooks: Hooks) -> None:
    webhook_id, _ = hooks.make()
    hooks.receiver.answers = cycle([302])
    hooks.place.put("FIRST")
    hooks.until_quiet(timedelta(minutes=20))
    shown = hooks.ask("GET", f"/{webhook_id}")["webhook"]
    assert (
        shown["isDisabled"] is True or hooks.ask("GET", f"/{webhook_id}/messages")["messages"][0]["state"] == "failed"
    )
    assert "redirects are not followed" in shown["lastRunErrorMessage"]
    assert 10 < len(hooks.receiver.requests) < 30, "with growing pauses"
    hooks.place.world.clock.advance(86_400 * 3)
    hooks.place.put("SECOND")
    hooks.work()
    off = hooks.ask("GET", f"/{webhook_id}")["webhook"]
    assert off["isDisabled"] is True
    assert "3 days" in off["disabledReason"]
    hooks.place.put("MISSED")
    assert hooks.work() == 0
    hooks.ask("POST", f"/{webhook_id}/test", expect=400)
    hooks.receiver.answers = iter(())
    hooks.ask("PATCH", f"/{webhook_id}", isDisabled=False)
    hooks.place.put("AGAIN")
    hooks.work()
    assert hooks.told()[-1]["data"]["name"] == "AGAIN"


def test_a_test_and_a_replay_are_messages_of_the_journal_which_is_not_kept_for_ever(hooks: Hooks) -> None:
    webhook_id, _ = hooks.make()
    sent = hooks.ask("POST", f"/{webhook_id}/test")["message"]
    hooks.work()
    assert hooks.told() == [json.loads(sent["body"])]
    hooks.ask("POST", f"/{webhook_id}/messages/{sent['id']}/replay")
    hooks.work()
    assert hooks.receiver.taken == [sent["id"]] * 2
    hooks.ask("POST", f"/{webhook_id}/messages/nothing/replay", expect=404)
    hooks.place.world.clock.advance(86_400 * 31)
    assert remove_old_messages(hooks.place.world.database, 30, hooks.place.now, lambda: False) is False
    assert hooks.ask("GET", f"/{webhook_id}/messages")["messages"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"webhookUrl": "http://hooks.example.com"}, "webhooks.address"),
        ({"webhookUrl": "https://user:pass@hooks.example.com"}, "webhooks.address"),
        ({"webhookUrl": "file:///etc/passwd"}, "webhooks.address"),
        ({"webhookUrl": "https://hooks.example.com:99999/"}, "webhooks.address"),
        ({"webhookSecretKey": "whsec_c2hvcnQ="}, "webhooks.secret"),
        ({"webhookSecretKey": "no secret"}, "webhooks.secret"),
        ({"secretPath": "/a**"}, "roles.glob"),
        ({"secretPath": "billing/**"}, "webhooks.path"),
        ({"environment": "prdo"}, "webhooks.environment"),
        ({"projectId": ""}, "secrets.no_project"),
        ({"caCert": "-----BEGIN"}, "webhooks.ca"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_do(hooks: Hooks, body: dict[str, str], code: str) -> None:
    given = {"projectId": hooks.place.project_id, "webhookUrl": URL} | body
    refused = hooks.ask("POST", expect=400, **given)
    assert refused["code"] == code
    assert hooks.ask("GET")["webhooks"] == []
    assert "pass@" not in json.dumps(refused)


def test_webhooks_are_for_those_who_edit_the_project_and_each_changes_their_own(hooks: Hooks) -> None:
    place = hooks.place
    hooks.ask("POST", expect=403, who="member", projectId=place.project_id, webhookUrl=URL)
    hooks.ask("GET", expect=403, who="member")
    webhook_id, _ = hooks.make()
    steward = person(place.world.database, place.actors["admin"].org_id, Role.NO_ACCESS, "steward@contoso.test")
    join(place.world.database, steward, place.project_id, Role.ADMIN)
    place.actors["steward"] = steward
    place.bearers["steward"] = Plaintext(place.token("steward", ttl=0))
    refused = hooks.ask("PATCH", f"/{webhook_id}", expect=403, who="steward", webhookUrl="https://evil.example.com")
    assert refused["code"] == "webhooks.of_other"
    hooks.ask("POST", f"/{webhook_id}/rotate-secret", expect=403, who="steward")
    robot = place.actors["robot"].id
    given = {"projectId": place.project_id, "webhookUrl": URL, "identityId": robot}
    assert hooks.ask("POST", expect=403, who="steward", **given)["code"] == "webhooks.acts_for_other"
    hooks.ask("PATCH", f"/{webhook_id}", who="steward", isDisabled=True)
    own, _ = hooks.make(who="steward")
    hooks.ask("DELETE", f"/{own}")
    hooks.ask("GET", f"/{own}", expect=404)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.7",
        "169.254.169.254",
        "168.63.129.16",
        "::1",
        "fe80::1",
        "::ffff:10.0.0.7",
        "64:ff9b::a00:7",
    ],
)
def test_addresses_that_are_not_of_the_public_internet_are_not_called(address: str) -> None:
    transport = PinnedTransport(
        setting="KEYTURN_WEBHOOK_NETWORKS", resolve=lambda _host, _port: ["93.184.215.14", address]
    )
    with pytest.raises(TransportFailed, match="KEYTURN_WEBHOOK_NETWORKS") as refused:
        transport.send(HttpRequest("POST", "https://rebinding.example.com/"))
    assert not refused.value.sent
