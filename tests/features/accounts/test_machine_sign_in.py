"""Machines sign in as often as they need: quickly, unlimited while they are right, and past strangers who guess."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.accounts.service import Access
from keyturn.crypto import rewrap
from keyturn.crypto.hashing import Hasher
from keyturn.crypto.keyring import Keyring, KeyringDigests
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.tables import client_secrets, data_keys
from keyturn.db.unit import Database
from keyturn.errors import Forbidden, NotFound, Unauthenticated
from keyturn.identities.domain import NewClientSecret, NewIdentity, UniversalAuthChanges
from keyturn.kit.actor import Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.people.domain import NewUser
from keyturn.projects.domain import GivenRole, NewProject
from keyturn.projects.service import Projects
from keyturn.tokens.domain import Origin
from tests.features.accounts.conftest import GOOD_PASSWORD, HOME, AccessFixture
from tests.features.accounts.people import IDS
from tests.features.accounts.site import Json, SiteFixture, site

LOGIN = "/api/v1/auth/universal-auth/login"
WRONG = Plaintext("a" * 52)
ROOT = RootKey(bytes(32))


class Robot:
    def __init__(self, house: AccessFixture, role: Role = Role.MEMBER) -> None:
        universal = house.access.universal
        self.house = house
        self.id = house.access.identities.create(house.admin, NewIdentity(name="robot", role=role)).id
        self.client_id = universal.attach(house.admin, self.id, UniversalAuthChanges()).client_id
        self.secret, self.kept = universal.create_secret(house.admin, self.id, NewClientSecret())

    def sign_in(self, ip: str = HOME.ip, secret: Plaintext | None = None, access: Access | None = None) -> Plaintext:
        machines = (access or self.house.access).machines
        return machines.login_machine(self.client_id, secret or self.secret, Origin(ip)).token

    def stored(self) -> str:
        with self.house.database.read() as tx:
            return str(tx.rows(sa.select(client_secrets.c.hash))[0]["hash"])

    def store(self, hashed: str) -> None:
        with self.house.database.write() as tx:
            tx.run(sa.update(client_secrets).values(hash=hashed))


@pytest.fixture
def robot(house: AccessFixture) -> Robot:
    return Robot(house)


# --- how a client secret is kept --------------------------------------------------------------------------------------


def test_a_digest_names_its_key_belongs_to_its_row_and_does_not_tell_the_secret(
    house: AccessFixture, robot: Robot
) -> None:
    first = robot.stored()
    form, key, digest = first.split(".")
    assert (form, len(key), len(digest)) == ("d1", 8, 64)
    other = Robot(house)
    robot.store(first)
    with pytest.raises(Unauthenticated):
        other.sign_in(secret=robot.secret)
    assert robot.sign_in()


def test_a_hash_of_an_older_release_is_known_and_becomes_a_digest_when_it_is_used(robot: Robot) -> None:
    old = Hasher(memory_kib=8, passes=1).hash(robot.secret)
    robot.store(old)
    with pytest.raises(Unauthenticated):
        robot.sign_in(secret=Plaintext(robot.secret.reveal()[:4] + "a" * 48))
    assert robot.stored() == old
    robot.sign_in()
    assert robot.stored().startswith("d1.")
    robot.sign_in()


def test_a_change_of_keys_keeps_the_old_key_until_the_secret_was_used(house: AccessFixture, robot: Robot) -> None:
    database, clock = house.database, house.clock
    before = robot.stored()
    clock.advance(7200)
    new_root = GivenRoot(RootKeys(RootKey(bytes(range(32))), ROOT))

    def rotate() -> rewrap.Summary:
        clock.advance(7200)
        return rewrap.rotate(database, new_root, clock, progress=lambda _: None, pause=lambda _: None)

    def retired() -> set[str]:
        with database.read() as tx:
            rows = tx.rows(sa.select(data_keys).where(data_keys.c.retired_at.is_not(None)))
        return {str(row["id"]) for row in rows}

    summary = rotate()
    assert (summary.digests, summary.previous_root_needed) == ({"client_secrets": 1}, False)
    assert before.split(".")[1] not in retired()
    # Only the new root key is left, and the secret still signs in.
    ring = Keyring.open(database, GivenRoot(RootKeys(RootKey(bytes(range(32))))), clock)
    later = Access(database, clock, IDS, Hasher(memory_kib=8, passes=1), digests=KeyringDigests(ring))
    robot.sign_in(access=later)
    assert robot.stored().split(".")[1] == summary.data_key
    assert rotate().digests == {"client_secrets": 1}, "that of the key before"
    assert before.split(".")[1] in retired()


# --- strangers --------------------------------------------------------------------------------------------------------


def test_the_right_secret_passes_a_lock_that_others_caused_and_no_other_does(robot: Robot) -> None:
    for number in range(3):
        with pytest.raises(Unauthenticated, match="Invalid"):
            robot.sign_in(f"2001:db8:0:1::{number}", WRONG)
    with pytest.raises(Unauthenticated, match="locked"):
        robot.sign_in("2001:db8:0:1:ffff::1")
    with pytest.raises(Unauthenticated, match="locked"):
        robot.sign_in(HOME.ip, WRONG)
    assert robot.sign_in(HOME.ip)
    with pytest.raises(Unauthenticated, match="locked"):
        robot.sign_in("2001:db8:0:1::1", WRONG)
    robot.house.clock.advance(301)
    assert robot.sign_in("2001:db8:0:1::1")


def test_failures_from_the_own_network_lock_it_too(robot: Robot) -> None:
    for ip in ("192.0.2.9", HOME.ip, "192.0.2.9"):
        with pytest.raises(Unauthenticated, match="Invalid"):
            robot.sign_in(ip, WRONG)
    for ip in (HOME.ip, f"::ffff:{HOME.ip}", "192.0.2.9"):
        with pytest.raises(Unauthenticated, match="locked"):
            robot.sign_in(ip)
    assert robot.sign_in("192.0.2.10")


def test_old_failures_do_not_count_as_where_a_new_lock_came_from(robot: Robot) -> None:
    with pytest.raises(Unauthenticated):
        robot.sign_in(HOME.ip, WRONG)
    robot.house.clock.advance(60)
    for _ in range(3):
        with pytest.raises(Unauthenticated, match="Invalid"):
            robot.sign_in("192.0.2.9", WRONG)
    assert robot.sign_in(HOME.ip)


# --- over HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture
def served(database: Database, clock: MovableClock, house: AccessFixture, tmp_path: Path) -> Iterator[SiteFixture]:
    with site(database, clock, house.access, tmp_path, per_minute=3, per_identity=20) as server:
        server.token = house.first.token.reveal()
        yield server


def test_only_failures_are_limited_and_correct_sign_ins_far_above(
    served: SiteFixture, robot: Robot, clock: MovableClock
) -> None:
    right: Json = {"clientId": robot.client_id, "clientSecret": robot.secret.reveal()}
    unknown: Json = right | {"clientId": "nobody"}
    for _ in range(10):
        served.ask("POST", LOGIN, right)
    for _ in range(3):
        served.ask("POST", LOGIN, unknown, expect=401)
    assert served.ask("POST", LOGIN, unknown, expect=429)["error"] == "RateLimitExceeded"
    for _ in range(10):
        served.ask("POST", LOGIN, right)
    assert served.ask("POST", LOGIN, right, expect=429)["error"] == "RateLimitExceeded"
    clock.advance(60)
    served.ask("POST", LOGIN, right)


def test_correct_sign_ins_of_people_do_not_count_either(served: SiteFixture) -> None:
    for _ in range(8):
        served.ask("POST", "/api/v1/auth/login", {"email": "ann@acme.test", "password": GOOD_PASSWORD})


def test_client_ids_are_told_to_those_who_manage_identities(
    served: SiteFixture, robot: Robot, house: AccessFixture
) -> None:
    watcher = house.access.users.create(
        house.admin, NewUser(email="vic@acme.test", password=Plaintext(GOOD_PASSWORD), role=Role.VIEWER)
    )
    assert watcher
    viewer = Robot(house, Role.VIEWER).sign_in().reveal()
    answers: list[Any] = [
        served.ask("GET", "/api/v1/identities", token=viewer),
        served.ask("GET", f"/api/v1/identities/{robot.id}", token=viewer),
        served.ask("GET", f"/api/v1/auth/universal-auth/identities/{robot.id}", token=viewer, expect=403),
    ]
    assert robot.client_id not in repr(answers)
    answer = served.ask("GET", f"/api/v1/auth/universal-auth/identities/{robot.id}")
    assert answer["identityUniversalAuth"]["clientId"] == robot.client_id


# --- no access --------------------------------------------------------------------------------------------------------


def test_an_identity_without_access_may_what_projects_grant_and_nothing_else(
    served: SiteFixture, house: AccessFixture
) -> None:
    org = served.ask("GET", "/api/v1/identities/details")["identityDetails"]["organization"]["id"]
    body = {"name": "deployer", "role": "no-access", "organizationId": org}
    identity = served.ask("POST", "/api/v1/identities", body)["identity"]
    assert served.ask("GET", f"/api/v1/identities/{identity['id']}")["identity"]["role"] == "no-access"
    served.ask("PATCH", f"/api/v1/identities/{identity['id']}", {"role": "viewer"})
    served.ask("PATCH", f"/api/v1/identities/{identity['id']}", {"role": "no-access"})
    auth = house.access.universal.attach(house.admin, identity["id"], UniversalAuthChanges())
    secret, _ = house.access.universal.create_secret(house.admin, identity["id"], NewClientSecret())
    token = house.machine_login(auth.client_id, secret).reveal()
    project = served.ask("POST", "/api/v2/workspace", {"projectName": "Payments"})["project"]["id"]
    foreign = f"/api/v1/projects/{project}"
    assert served.ask("GET", "/api/v1/projects", token=token) == {"projects": []}
    for method, path, request_body in (
        ("GET", "/api/v1/users", None),
        ("GET", "/api/v1/identities", None),
        ("POST", "/api/v2/workspace", {"projectName": "Mine"}),
        ("POST", "/api/v1/identities", body | {"name": "child"}),
        ("GET", foreign, None),
    ):
        assert served.ask(method, path, request_body, token=token, expect=403)["error"] == "PermissionDenied", path
    projects = Projects(house.database, house.clock, IDS)
    projects.members.add_identity(house.admin, project, identity["id"], [GivenRole(Role.MEMBER)])
    assert served.ask("GET", foreign, token=token)["project"]["id"] == project
    assert [each["id"] for each in served.ask("GET", "/api/v1/projects", token=token)["projects"]] == [project]
    assert served.ask("GET", "/api/v1/users", token=token, expect=403)


def test_in_a_project_it_permits_nothing_either(served: SiteFixture, house: AccessFixture, robot: Robot) -> None:
    projects = Projects(house.database, house.clock, IDS)
    project = projects.create(house.admin, NewProject(name="Payments"))
    member = projects.members.add_identity(house.admin, project.id, robot.id, [GivenRole(Role.VIEWER)])
    actor = house.whoami(robot.sign_in())
    assert [each.id for each in projects.list(actor)] == [project.id]
    projects.members.change_roles(house.admin, project.id, member.id, [GivenRole(Role.NO_ACCESS)])
    assert projects.list(actor) == []
    with pytest.raises(Forbidden):
        projects.get(actor, project.id)
    user = served.ask("POST", "/api/v1/users", {"email": "x@a.test", "password": GOOD_PASSWORD, "role": "no-access"})
    assert user["user"]["role"] == "no-access"
    with pytest.raises((Forbidden, NotFound)):
        house.access.identities.list(house.whoami(Robot(house, Role.NO_ACCESS).sign_in()))
