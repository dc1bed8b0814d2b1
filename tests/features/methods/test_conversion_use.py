"""Whoever else signs in with the secret of a connection that gives it up puts that off, as far as Entra ID's reports show it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from entra_emulator import Request
from keyturn.alarms.conditions.domain import Condition, ConditionKind
from keyturn.connections.domain import NewConnection
from keyturn.kit.secret import Plaintext
from keyturn.ports.use_reports import ActivityReport, ReportTrouble, SignIn, SignInReport, Unobservable
from keyturn.rotations.conversion.outside_use import newest_use
from tests.databases import KINDS
from tests.features.methods.test_conversion import ConversionScene, scene_in
from tests.features.methods.test_conversion_trouble import conditions

READS_LOGS = ("Application.ReadWrite.OwnedBy", "AuditLog.Read.All")
HOUR = timedelta(hours=1)


@contextmanager
def watched(
    folder: Path, hours: int = 24, kind: str = "sqlite", permissions: tuple[str, ...] = READS_LOGS
) -> Iterator[tuple[ConversionScene, Plaintext]]:
    """Yield a connection that is watched, and the secret that it gives up."""
    with scene_in(folder, kind=kind, permissions=permissions) as scene:
        secret = scene.world.current_secret(scene.connection)
        scene.begin(hours=hours)
        scene.work(timedelta(minutes=5))
        assert scene.state == "watching"
        yield scene, secret


def sign_in(scene: ConversionScene, secret: Plaintext, address: str = "203.0.113.9") -> int:
    """Sign in as the application from somewhere, past this server; return the status."""
    world = scene.world
    form = {
        "grant_type": "client_credentials",
        "client_id": world.application.app_id,
        "client_secret": secret.reveal(),
        "scope": "https://graph.microsoft.com/.default",
    }
    url = f"https://login.microsoftonline.com/{world.tenant_id}/oauth2/v2.0/token"
    return world.emulator.call(Request("POST", url, {}, urlencode(form).encode(), address)).status


def message(scene: ConversionScene) -> str:
    told = scene.newest()
    return str((told.reason or {}).get("message", "")) if told else ""


def alarms(scene: ConversionScene) -> list[Condition]:
    return [one for one in conditions(scene) if one.kind is ConditionKind.OLD_CREDENTIAL_USED]


@pytest.mark.parametrize("kind", KINDS)
def test_the_secret_is_kept_as_long_as_a_program_outside_is_seen_to_use_it(tmp_path: Path, kind: str) -> None:
    with watched(tmp_path, kind=kind) as (scene, secret):
        for _ in range(15):
            assert sign_in(scene, secret) == 200, "it is not taken away from whoever uses it"
            scene.work(2 * HOUR)
        told = scene.newest()
        assert told
        assert (scene.state, told.used_by) == ("watching", "203.0.113.9")
        assert "203.0.113.9 signs in with the client secret of before" in message(scene)
        [alarm] = alarms(scene)
        assert "cannot give its client secret up yet. 203.0.113.9 signs in" in alarm.cause
        last = told.used_at
        assert last
        scene.work(last + timedelta(hours=27) - scene.world.clock.now())
        assert scene.state == "watching"
        scene.work(timedelta(hours=30))
        assert (scene.state, scene.world.keys(), alarms(scene)) == ("done", {}, [])
        assert scene.signs_in()


def test_what_this_server_does_meanwhile_is_no_use_by_somebody_else(tmp_path: Path) -> None:
    """It looks at the application each day: signed in as the connection is."""
    with watched(tmp_path, hours=75) as (scene, _):
        scene.work(timedelta(hours=74))
        assert (scene.state, message(scene)) == ("watching", "")
        scene.work(timedelta(hours=3))
        assert scene.state == "done"


def test_where_use_cannot_be_seen_that_is_told_and_the_watch_ends(tmp_path: Path) -> None:
    with watched(tmp_path, permissions=READS_LOGS[:1]) as (scene, secret):
        sign_in(scene, secret)
        scene.work(2 * HOUR)
        assert message(scene).startswith("Whether somebody else signs in with the client secret cannot be seen: ")
        assert alarms(scene) == []
        scene.work(timedelta(hours=24))
        assert scene.state == "done"


def test_what_another_connection_signs_in_with_is_handed_over_on_time(tmp_path: Path) -> None:
    with scene_in(tmp_path, permissions=READS_LOGS) as scene:
        world, given = scene.world, scene.world.first_secret()
        value = world.current_secret(scene.connection)
        shared = type(given)(given.tenant_id, given.client_id, value)
        other = world.rotations.create(world.actor, NewConnection("other", shared), None)
        scene.begin(hours=3)
        for _ in range(4):
            world.services.stored.sign_in(other)
            scene.work(HOUR)
        assert (scene.state, len(world.keys())) == ("done", 1)


@pytest.mark.parametrize("off", [timedelta(hours=9), timedelta(hours=-9), timedelta(days=3)])
def test_no_wrong_clock_takes_it_away_from_who_uses_it(tmp_path: Path, off: timedelta) -> None:
    """Nor does it lead back: by a wrong clock the platform's token may count as expired, which says nothing about the trust."""
    with watched(tmp_path) as (scene, secret):
        server, told = scene.world.servers[0], scene.newest()
        assert told
        scene.work(timedelta(hours=22))
        assert sign_in(scene, secret) == 200
        scene.work(HOUR)
        server.clock.off = off
        for _ in range(8):
            server.services.conversion_work.advance(told.id)
            scene.world.clock.advance(60)
        server.clock.off = timedelta(0)
        scene.work(timedelta(hours=24))
        assert (sign_in(scene, secret), scene.signs_in()) == (200, True)
        assert scene.state == "watching"


def test_who_uses_it_may_be_gone_back_to(tmp_path: Path) -> None:
    with watched(tmp_path) as (scene, secret):
        sign_in(scene, secret)
        scene.work(2 * HOUR)
        scene.back()
        scene.work(HOUR)
        assert (scene.state, sign_in(scene, secret), alarms(scene)) == ("withdrawn", 200, [])


SINCE = datetime.fromisoformat("2026-11-30T12:00:00+00:00")
BROKEN = ReportTrouble(Unobservable.PROVIDER, "No answer.")


def at(minutes: int, key_id: str = "kept", address: str = "192.0.2.1") -> SignIn:
    return SignIn(SINCE + timedelta(minutes=minutes), key_id, address=address)


@pytest.mark.parametrize(
    ("log", "reported", "expected"),
    [
        ([], {}, (None, None)),
        ([at(-60), at(4)], {"kept": SINCE}, (None, None)),
        ([at(30, key_id="other")], {"other": SINCE + HOUR}, (None, None)),
        ([at(30), at(20, address="192.0.2.2")], {}, (30, "192.0.2.1")),
        ([at(30)], {"kept": SINCE + timedelta(minutes=40)}, (40, None)),
        ([at(900)], {}, (120, "192.0.2.1")),
    ],
)
def test_the_newest_use_after_the_switch_counts(
    log: list[SignIn], reported: dict[str, datetime], expected: tuple[int | None, str | None]
) -> None:
    report = SignInReport(tuple(log), complete=True, requests=1, trouble=BROKEN)
    use = newest_use(report, ActivityReport(reported, 1), "kept", SINCE, SINCE + timedelta(minutes=120))
    minutes, who = expected
    assert (use.at, use.who) == (None if minutes is None else SINCE + timedelta(minutes=minutes), who)
    assert use.trouble == BROKEN, "what one report shows is known, though the other is silent"
