"""Programs say which secret they use, and the previous one goes exactly when nobody needs it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from keyturn.alarms.conditions.domain import ConditionKind
from keyturn.alarms.conditions.finder import ConditionFinder
from keyturn.db.unit import Database
from keyturn.kit.actor import Role
from keyturn.rotations.secret_rotations import consumers as secret_consumers
from tests.features.accounts.people import person
from tests.features.rotations.secret_desk import Json, RotationClient, desk

FIVE = 300
WAITS = "until-consumers-switched:7d"
IN_USE = "/api/v1/delivery/in-use"


@pytest.fixture
def web(database: Database, tmp_path: Path) -> Iterator[RotationClient]:
    with desk(database, tmp_path) as opened:
        yield opened


def read(web: RotationClient, pod: str = "", *, every: int = 0, using: str = "", who: str = "robot") -> Json:
    """Read the folder as a program does, and say what the headers say."""
    said = {"X-Keyturn-Instance": pod, "X-Keyturn-Refresh-Interval": str(every or ""), "X-Keyturn-In-Use": using}
    query = {"workspaceId": web.project, "environment": "prod", "secretPath": "/billing"}
    return web.ask("GET", "/api/v3/secrets/raw", who=who, sends={k: v for k, v in said.items() if v}, **query)


def key_ids(web: RotationClient, rotation: Json) -> list[str]:
    """Those that work, the newest first."""
    rows = web.ask("GET", f"{rotation['id']}/credentials")["credentials"]
    return [row["keyId"] for row in rows if row["state"] in {"current", "retiring"}]


def alive(web: RotationClient) -> set[str]:
    """The key ids that the application has at Entra."""
    return set(web.keys())


def consumers(web: RotationClient, rotation: Json, who: str = "admin") -> dict[str, Json]:
    shown = web.ask("GET", f"{rotation['id']}/consumers", who=who)
    return {each["keyId"]: each for each in shown["secrets"]}


def standings(secret: Json) -> dict[str | None, str]:
    return {each["instance"]: each["status"] for each in secret["consumers"]}


def acknowledge(web: RotationClient, *keys: str, expect: int = 204, who: str = "robot", **more: object) -> Json:
    where = {"projectId": web.project, "environment": "prod", "secretPath": "/billing"}
    body = where | {"keyIds": list(keys), "instance": "pod-1", "refreshInterval": FIVE} | more
    return web.ask("POST", IN_USE, body, who=who, expect=expect)


def test_the_previous_secret_goes_as_soon_as_the_last_program_uses_the_new_one(web: RotationClient) -> None:
    rotation = web.create(overlap=WAITS)
    (old,) = key_ids(web, rotation)
    for pod in ("pod-1", "pod-2"):
        read(web, pod, every=FIVE)
    assert standings(consumers(web, rotation)[old]) == {"pod-1": "holds", "pod-2": "holds"}
    web.rotate(rotation)
    new, _ = key_ids(web, rotation)
    for _ in range(6):  # they read the new one, and go on using the old one
        for pod in ("pod-1", "pod-2"):
            read(web, pod, every=FIVE, using=old)
        web.days(FIVE / 86400)
    waiting = consumers(web, rotation)[old]
    assert (waiting["holding"], waiting["waitsForConsumers"], old in alive(web)) == (2, True, True)
    (shown,) = [each for each in waiting["consumers"] if each["instance"] == "pod-1"]
    assert shown["name"]
    assert shown["address"]
    assert shown["lastAcknowledgedAt"] < shown["countsUntil"]
    assert shown["refreshInterval"] == FIVE
    acknowledge(web, new)
    web.days(1 / 1440)
    assert old in alive(web), "pod-2 still signs in with it"
    assert standings(consumers(web, rotation)[old]) == {"pod-1": "switched", "pod-2": "holds"}
    read(web, "pod-2", every=FIVE, using=new)
    web.days(3 / 1440)
    assert alive(web) == {new}, "gone within minutes, not with the daily look"
    assert web.signs_in(web.values()["AZURE_CLIENT_SECRET"])


def test_a_pod_that_died_blocks_for_two_intervals_and_a_job_until_the_next_rotation(web: RotationClient) -> None:
    rotation = web.create(overlap="until-consumers-switched")
    (old,) = key_ids(web, rotation)
    read(web, "pod-1", every=FIVE)
    web.rotate(rotation)
    web.days(5 / 1440)
    assert old in alive(web)
    web.days(9 / 1440)
    assert old not in alive(web), "it announced to come every five minutes and did not"
    read(web)  # a job without a name, which reads once
    (held,) = key_ids(web, rotation)
    read(web, "pod-2", every=FIVE)
    web.rotate(rotation)
    shown = consumers(web, rotation)[held]
    next_run = datetime.fromisoformat(web.get(rotation)["nextRotationAt"])
    assert datetime.fromisoformat(shown["removedAt"]) >= next_run - timedelta(minutes=1)
    web.days(20)
    assert held in alive(web), "nobody knows whether the job still uses it"
    web.days(11)
    assert held not in alive(web)


def test_a_leak_waits_for_nobody_and_says_before_who_stops(web: RotationClient) -> None:
    rotation = web.create(overlap="until-consumers-switched:7d")
    (old,) = key_ids(web, rotation)
    read(web, "pod-1", every=FIVE)
    now = web.world.clock.now()
    tokens = web.ask("GET", f"{rotation['id']}/consumers")["accessTokens"]
    lives = [(datetime.fromisoformat(tokens[name]) - now) for name in ("earliest", "latest", "latestWithCae")]
    assert lives == [timedelta(minutes=60), timedelta(minutes=90), timedelta(hours=28)]
    web.rotate(rotation, reason="leaked")
    web.days(3 / 1440)
    assert old not in alive(web)
    read(web, "pod-1", every=FIVE, using=old)
    with web.world.database.read() as tx:
        ended = secret_consumers.in_use_and_ending(tx, web.world.actor.org_id, web.world.clock.now())
        finder = ConditionFinder(web.world.services.providers)
        conditions = finder.of_organization(tx, web.world.actor.org_id, web.world.clock.now())
    assert [(each.credential.key_id, each.dead) for each in ended] == [(old, True)], "it is used although it is gone"
    (used,) = (one for one in conditions if one.kind is ConditionKind.OLD_CREDENTIAL_USED)
    assert used.path == f"/secret-rotations/{rotation['id']}"
    assert (
        f"1 program still uses the previous client secret of 'Billing' ({web.application.app_id}), Key ID {old}"
        in used.cause
    )


def test_who_uses_what_is_told_to_who_may_see_them(web: RotationClient) -> None:
    web.actors["auditor"] = person(web.world.database, web.world.actor.org_id, Role.ADMIN, "ada@contoso.test")
    rotation = web.create()
    read(web, "pod-1", every=FIVE)
    read(web, who="auditor")
    (key,) = key_ids(web, rotation)
    assert {each["name"] for each in consumers(web, rotation)[key]["consumers"]} >= {"ada@contoso.test"}
    seen = {each["kind"]: each for each in consumers(web, rotation, who="viewer")[key]["consumers"]}
    assert seen["identity"]["name"]
    assert [seen["user"][name] for name in ("id", "name", "instance", "address")] == [None] * 4, "no member"
    web.ask("GET", f"{rotation['id']}/consumers", who="nobody", expect=403)


def test_only_keys_of_the_folder_are_acknowledged_and_all_of_them_or_none(web: RotationClient) -> None:
    rotation = web.create()
    (key,) = key_ids(web, rotation)
    for changes, status, words in (
        ({"keyIds": [key, "no-such-key"]}, 400, "no-such-key"),
        ({"secretPath": "/"}, 400, key),
        ({"environment": "nowhere"}, 404, "environment"),
        ({"keyIds": []}, 422, "keyIds"),
        ({"refreshInterval": 0}, 422, "refreshInterval"),
        ({"instance": "x" * 129}, 422, "instance"),
    ):
        answer = acknowledge(web, key, expect=status, **changes)
        assert words in str(answer), changes
    acknowledge(web, key, expect=404, who="stranger")
    assert consumers(web, rotation)[key]["total"] == 0
    acknowledge(web, key)
    assert standings(consumers(web, rotation)[key]) == {"pod-1": "holds"}


def test_what_consumers_hold_is_removed_by_hand_only_by_who_knows_of_them(web: RotationClient) -> None:
    rotation = web.create()
    made = web.world.emulator.admin.add_secret(web.application.object_id, "by hand")
    handed = {"keyId": made.key_id, "clientSecret": made.value}
    web.ask("POST", f"{rotation['id']}/hand-over", handed)
    web.ask("GET", f"{rotation['id']}/generated-credentials")
    refused = web.refused({"keyId": made.key_id}, url=f"{rotation['id']}/release")
    assert "admin@contoso.test" in refused["message"]
    assert made.key_id in alive(web)
    web.ask("POST", f"{rotation['id']}/release", {"keyId": made.key_id, "confirmed": True})
    web.days(3 / 1440)
    assert made.key_id not in alive(web)
