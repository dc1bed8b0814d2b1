"""A connection by client secret or certificate is made to sign in without any secret, watched, and may go back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keyturn.approvals.domain import ApprovalNeeded, ApprovalSettings
from keyturn.connections.domain import Connection, NewConnection
from keyturn.errors import Forbidden, NeedsAction, NotFound, Refused
from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.methods.certificate import CertificateFiles
from keyturn.providers.token_sources import TokenSources
from keyturn.rotations.commands import ConnectionChange, ScheduleChange
from keyturn.rotations.conversion.domain import Conversion, ConversionState
from keyturn.rotations.conversion.due import DueConversions
from keyturn.rotations.store import conversions as store
from keyturn_simulation.crashes import Fuse, Killed, MortalDatabase, MortalTransport, Point, end_leases_of
from keyturn_simulation.world import Server, World, make_world
from tests.databases import KINDS, database_of_kind
from tests.features.accounts.people import person
from tests.features.methods.certificates import pair, rsa_key

ISSUER, SUBJECT = "https://cluster.example/", "system:serviceaccount:keyturn:server"
KEY, PUBLIC = rsa_key(2), rsa_key(2).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DAYS = 30


@dataclass
class Cluster:
    """A token source that a test can break."""

    world: World | None = None
    broken: bool = False
    claims: dict[str, Any] = field(default_factory=dict)

    def token(self, audience: str) -> Plaintext:
        if self.broken or self.world is None:
            raise NeedsAction("The file cannot be read.", code="token_source.file_unreadable")
        now = int(self.world.clock.now().timestamp())
        told = {"iss": ISSUER, "sub": SUBJECT, "aud": audience, "iat": now, "exp": now + 600} | self.claims
        return Plaintext(jwt.encode(told, KEY, algorithm="RS256", headers={"kid": "k1"}))


@dataclass
class ConversionScene:
    world: World
    cluster: Cluster
    connection: Connection

    def begin(self, server: Server | None = None, hours: int = 24) -> Conversion:
        use_cases = server.services.conversions if server else self.world.services.conversions
        return use_cases.begin(self.world.actor, self.connection.id, "aks", timedelta(hours=hours))[1]

    def back(self) -> None:
        self.world.services.conversions.go_back(self.world.actor, self.connection.id)

    def newest(self) -> Conversion | None:
        return self.world.services.conversions.newest(self.world.actor, self.connection.id)

    @property
    def state(self) -> str:
        conversion = self.newest()
        return conversion.state.value if conversion else "none"

    def stored(self) -> Connection:
        return self.world.connections.get(self.world.actor, self.connection.id)

    def trusts(self) -> list[str]:
        application = self.world.emulator.admin.application(self.world.application.object_id)
        return [item.name for item in application.federated_held()]

    def work(self, until: timedelta = timedelta(0), server: Server | None = None) -> None:
        """Do what comes due of everything, until nothing is due for so long."""
        end = self.world.clock.now() + until
        source = DueConversions((server or self.world.servers[0]).services.conversion_work.advance)
        while True:
            with self.world.database.write() as tx:
                works = source.claim(tx, self.world.clock.now(), 10)
            for work in works:
                source.do(work.id)
            self.world.work(server)
            with self.world.database.read() as tx:
                conversion = store.newest(tx, self.connection.id)
            moments = [self.world.next_wake(), conversion.wake_at if conversion else None]
            following = min((moment for moment in moments if moment), default=None)
            if works and (following is None or following > self.world.clock.now()):
                continue
            if following is None or following > end:
                self.world.clock.move_to(max(end, self.world.clock.now()))
                return
            self.world.clock.move_to(max(following, self.world.clock.now()))

    def signs_in(self) -> bool:
        try:
            self.world.services.stored.sign_in(self.stored())
        except Exception:  # noqa: BLE001 - any refusal is a no
            return False
        return True


@contextmanager
def scene_in(
    folder: Path, *, rotating: bool = True, certificate: bool = False, kind: str = "sqlite", **of_world: Any
) -> Iterator[ConversionScene]:
    with database_of_kind(kind, folder) as database:
        cluster = Cluster()
        world = make_world(
            database, sources=TokenSources({"aks": cluster}), secrets=0 if certificate else 1, **of_world
        )
        cluster.world = world
        world.emulator.admin.trust_issuer(ISSUER, "k1", PUBLIC)
        schedule = ScheduleChange(DAYS, 3, 0) if rotating else None
        if certificate:
            of = pair()
            world.emulator.admin.add_certificate(world.application.object_id, of.pem.encode())
            given: Any = CertificateFiles(world.tenant_id, world.application.app_id, of.pem, Plaintext(of.key_pem))
        else:
            given = world.first_secret()
        connection = world.rotations.create(world.actor, NewConnection("prod-entra", given), schedule)
        scene = ConversionScene(world, cluster, connection)
        world.settle()
        yield scene


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rotating", "certificate"), [(True, False), (False, True)])
def test_it_is_proven_switched_watched_and_then_the_secret_is_removed(
    tmp_path: Path, rotating: bool, certificate: bool, kind: str
) -> None:
    with scene_in(tmp_path, rotating=rotating, certificate=certificate, kind=kind) as scene:
        world, kept = scene.world, len(scene.world.keys())
        plan = world.services.conversions.plan(world.actor, scene.connection.id, "aks")
        assert (plan.trust.issuer, plan.trust.subject, plan.trusted, plan.trusts) == (ISSUER, SUBJECT, False, 0)
        assert "az ad app federated-credential create" in plan.command
        assert scene.state == "none"

        conversion = scene.begin()
        assert scene.stored().method == conversion.method_before
        with pytest.raises(Refused, match="being made to sign in without a secret"):
            world.rotations.rotate_now(world.actor, scene.connection.id)
        with pytest.raises(Refused, match="being made to sign in without a secret"):
            world.rotations.update(
                world.actor, scene.connection.id, ConnectionChange(enabled=True, schedule=ScheduleChange(7, 1, 0))
            )
        with pytest.raises(Refused, match="being made to sign in without a secret"):
            world.rotations.delete(world.actor, scene.connection.id)
        scene.work(timedelta(minutes=5))
        assert (scene.state, scene.stored().method) == ("watching", "federated")
        assert scene.trusts() == [conversion.name]
        assert len(world.keys()) == kept, "the secret of before is kept while the connection is watched"
        assert scene.signs_in()

        scene.work(timedelta(days=2))
        assert scene.state == "done"
        assert world.keys() == {}
        if certificate:
            assert world.emulator.admin.application(world.application.object_id).keys_held() == []
        assert scene.signs_in()
        named = [event["event"] for event in world.events()]
        for name in ("begin", "publish", "finish"):
            assert named.count(f"{name}-app-connection-conversion") == 1
        with pytest.raises(NotFound):
            scene.back()
        again = world.rotations.delete(world.actor, scene.connection.id)
        assert again[1] == []


def test_somebody_goes_back_while_it_is_watched(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        before = scene.stored()
        scene.begin()
        scene.work(timedelta(minutes=5))
        assert scene.state == "watching"
        scene.back()
        scene.work(timedelta(minutes=5))
        assert (scene.state, scene.trusts()) == ("withdrawing", []), "what was written last may show yet"
        scene.work(timedelta(minutes=15))
        assert (scene.state, scene.trusts()) == ("withdrawn", [])
        after = scene.stored()
        assert (after.method, after.credentials_hash) == (before.method, before.credentials_hash)
        assert scene.signs_in()
        generation = scene.world.rotation(after).generation
        scene.world.run_until(scene.world.clock.now() + timedelta(days=DAYS + 1))
        assert scene.world.rotation(after).generation == generation + 1, "it rotates again"
        [event] = scene.world.events("withdraw-app-connection-conversion")
        assert event["data"]["asked"] is True


def test_it_goes_back_by_itself_when_the_identity_stops_working(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        scene.begin()
        scene.work(timedelta(minutes=5))
        scene.cluster.broken = True
        scene.work(timedelta(minutes=56))
        assert scene.state == "watching", "one refusal is a doubt, no end"
        scene.work(timedelta(minutes=25))
        conversion = scene.newest()
        assert conversion
        assert (conversion.state, scene.stored().method) == (ConversionState.WITHDRAWN, "client-secret")
        assert (conversion.reason or {}).get("code") == "token_source.file_unreadable"
        assert scene.signs_in()
        assert scene.trusts() == []


def test_what_cannot_be_proven_changes_nothing(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        scene.begin()
        scene.cluster.claims = {"sub": "somebody else"}
        scene.work(timedelta(hours=2))
        assert (scene.state, scene.stored().method, scene.trusts()) == ("withdrawn", "client-secret", [])
        assert scene.signs_in()
        scene.cluster.claims = {}
        scene.begin(hours=2)
        scene.work(timedelta(hours=3))
        assert scene.state == "done"


def test_who_shares_the_secret_keeps_it(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world = scene.world
        given = world.first_secret()
        value = world.current_secret(scene.connection)
        world.rotations.create(
            world.actor, NewConnection("other", type(given)(given.tenant_id, given.client_id, value)), None
        )
        assert world.services.conversions.plan(world.actor, scene.connection.id, "aks").shared_with == 1
        scene.begin(hours=2)
        scene.work(timedelta(hours=3))
        assert scene.state == "done"
        assert len(world.keys()) == 1, "the other connection signs in with it, and rotates it from now on"
        [event] = world.events("finish-app-connection-conversion")
        assert event["data"]["heldBy"] == 1
        other = world.connections.by_name(world.actor, "other", None)
        generation = world.rotation(other).generation
        world.run_until(world.clock.now() + timedelta(days=DAYS + 1))
        assert world.rotation(other).generation == generation + 1


def test_what_is_in_the_way_is_said_before_anything_is_done(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world = scene.world
        admin = world.emulator.admin
        for number in range(20):
            admin.trust_identity(world.application.object_id, ISSUER, f"s{number}", name=f"n{number}")
        with pytest.raises(NeedsAction, match="can trust no more than 20"):
            scene.begin()
        with pytest.raises(NeedsAction, match="no token source 'nowhere'"):
            world.services.conversions.plan(world.actor, scene.connection.id, "nowhere")
        with pytest.raises(Refused, match="watched for 1 hour to 14 days"):
            scene.begin(hours=1000)
        admin.application(world.application.object_id).federated.pop()
        admin.trust_identity(world.application.object_id, ISSUER, SUBJECT, name="by-hand")
        scene.begin()
        scene.work(timedelta(minutes=5))
        scene.back()
        scene.work(timedelta(minutes=20))
        assert scene.state == "withdrawn"
        assert "by-hand" in scene.trusts(), "what somebody else made is never removed"
        assert world.events("begin-app-connection-conversion")


def test_where_two_persons_are_needed_it_is_asked_for_and_the_other_one_begins_it(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        world, services = scene.world, scene.world.services
        colleague = person(world.database, world.actor.org_id, Role.ADMIN, "second@contoso.test")
        first = person(world.database, world.actor.org_id, Role.ADMIN, "first@contoso.test")
        services.approvals.change_rules(first, None, ApprovalSettings(required=True))
        with pytest.raises(ApprovalNeeded, match="sign in without a secret needs the approval") as needed:
            services.conversions.begin(first, scene.connection.id, "aks", timedelta(hours=2))
        assert scene.state == "none"
        request = services.approvals.submit(first, needed.value.change, "Nothing is to be left that leaks.")
        with pytest.raises(Forbidden):
            services.approved_changes.approve(first, request.id)
        [current] = services.approved_changes.preview(colleague, request).credentials
        assert current.removed_at == world.clock.now() + timedelta(hours=2)
        services.approved_changes.approve(colleague, request.id)
        scene.work(timedelta(minutes=5))
        assert scene.state == "watching"
        scene.work(timedelta(hours=4))
        assert (scene.state, world.keys()) == ("done", {})


# --- a death at each instant ------------------------------------------------------------------------------------------


def play(folder: Path, kill_at: int | None, *, back: bool) -> list[Point]:
    """From the beginning to the end, with a death at this instant; then all must be as if nobody had died."""
    with scene_in(folder) as scene:
        world, fuse = scene.world, Fuse(kill_at)
        mortal = world.server(
            "mortal", MortalDatabase(world.database, fuse), MortalTransport(world.network("mortal"), fuse)
        )
        try:
            with fuse.arm("conversion"):
                scene.begin(mortal, hours=1)
                scene.work(timedelta(minutes=5), mortal)
                if back:
                    mortal.services.conversions.go_back(world.actor, scene.connection.id)
                scene.work(timedelta(hours=3), mortal)
        except Killed:
            end_leases_of(world.database, mortal.name, world.clock.now)
            assert scene.signs_in(), "at each instant the connection signs in"
        if scene.state == "none":
            scene.begin(hours=1)
        scene.work(timedelta(minutes=10))
        if back and scene.state == "watching":
            scene.back()
        scene.work(timedelta(hours=4))
        assert scene.signs_in()
        conversion = scene.newest()
        assert conversion
        if back:
            assert (scene.state, scene.trusts(), scene.stored().method) == ("withdrawn", [], "client-secret")
            assert len(world.keys()) == 1
            assert world.rotation(scene.connection).enabled
        else:
            assert (scene.state, scene.trusts(), scene.stored().method) == ("done", [conversion.name], "federated")
            assert world.keys() == {}
        ends = {"publish": 1, "finish": 0 if back else 1, "withdraw": 1 if back else 0}
        for name, count in ends.items():
            assert len(world.events(f"{name}-app-connection-conversion")) == count
        return fuse.points


CASES = 24


@pytest.mark.alternates
@pytest.mark.parametrize(("first", "back"), [(first, back) for first in range(CASES) for back in (False, True)])
def test_a_death_at_any_instant_changes_nothing(tmp_path: Path, first: int, back: bool) -> None:
    """Each case has a few of the instants; together they are all."""
    folder = tmp_path / "whole"
    folder.mkdir()
    points = play(folder, None, back=back)
    assert len(points) > CASES
    for index in range(first, len(points), CASES):
        folder = tmp_path / str(index)
        folder.mkdir()
        play(folder, index, back=back)
