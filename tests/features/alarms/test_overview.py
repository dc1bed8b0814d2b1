"""What needs somebody is found among all that does not, and shown to those who may see it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event

from keyturn.alarms.conditions.domain import ConditionKind
from keyturn.alarms.conditions.finder import ConditionFinder
from keyturn.alarms.conditions.service import Conditions
from keyturn.api.overview.routes import router
from keyturn.db.unit import Database
from keyturn.errors import TokenRefused
from keyturn.kit.actor import Actor, Role
from keyturn.settings.model import Settings
from keyturn.web.server.app import build
from keyturn_simulation.world import World, make_world
from tests.client import Client
from tests.databases import sqlite_database
from tests.features.accounts.people import join, organization, person
from tests.features.alarms.ailing import Ailing

Json = dict[str, Any]
OF_THE_SERVER = {"no-worker", "data-key-overdue", "backup-overdue", "audit-stream-failing"}
OF_CHANNELS = {"channel-failing", "nobody-told"}
OF_USES = {
    *(ConditionKind.OLD_CREDENTIAL_USED, ConditionKind.REMOVAL_BLOCKS_ROTATION),
    *(ConditionKind.INVENTORY_STALE, ConditionKind.TENANT_CREDENTIAL_ENDS, ConditionKind.REMOVED_CREDENTIAL_USED),
    *(ConditionKind.SSO_CERTIFICATE_ENDS, ConditionKind.SSO_CERTIFICATE_UNUSABLE),
    *(ConditionKind.FREEZE_OVERRIDDEN, ConditionKind.APPROVAL_WAITS, ConditionKind.APPROVAL_BYPASSED),
    ConditionKind.CONVERSION_WITHDRAWN,
}
"""Found where programs read secrets, where tenants are read, and where changes are held back: in the tests of these."""
NOT_OF_A_PROJECT = {"identity-locked", "identity-secret-ends", "provisioning-token-ends"} | OF_THE_SERVER | OF_CHANNELS


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    texts: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        texts.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield texts
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def test_each_kind_is_found_with_a_fixed_number_of_statements(database: Database) -> None:
    world = make_world(database)
    finder, now = ConditionFinder(world.services.providers), world.clock.now()
    ailing = Ailing(database, now)
    with database.write() as tx:
        for _ in range(3):
            ailing.connection(tx)
            ailing.rotating(tx)
    with database.read() as tx, counted(database) as before:
        kinds = [one.kind for one in finder.of_organization(tx, ailing.org_id, now)]
    assert kinds == [ConditionKind.NO_WORKER, ConditionKind.NOBODY_TOLD], "all the rest is well"

    for _ in range(2):
        ailing.all_of_it()
        with database.read() as tx, counted(database) as after:
            found = finder.of_organization(tx, ailing.org_id, now)
        assert {one.kind for one in found} == set(ConditionKind) - OF_USES
        assert len({one.key for one in found}) == len(found)
        assert len(after) <= len(before) + 7, "those who load what was found"
    appeared = [one for one in found if one.kind is ConditionKind.CREDENTIAL_APPEARED]
    assert all("by hand" in one.cause for one in appeared), "what was there from the beginning is no news"
    with database.read() as tx:
        elsewhere = {one.kind for one in finder.of_organization(tx, world.actor.org_id, now)}
    assert elsewhere == OF_THE_SERVER | {"nobody-told"}


def test_everybody_sees_what_they_may_see(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        world = make_world(database)
        ailing = Ailing(database, world.clock.now())
        ailing.all_of_it()
        actors = {
            "admin": person(database, ailing.org_id, Role.ADMIN, "admin@acme.test"),
            "reader": person(database, ailing.org_id, Role.NO_ACCESS, "reader@acme.test"),
            "nobody": person(database, ailing.org_id, Role.NO_ACCESS, "nobody@acme.test"),
            "member": person(database, ailing.org_id, Role.MEMBER, "member@acme.test"),
            "stranger": person(database, organization(database, "other"), Role.ADMIN, "sam@other.test"),
        }
        join(database, actors["reader"], ailing.project_id, Role.VIEWER)
        with served(world, tmp_path, actors) as client:

            def ask(who: str, expect: int = 200, **query: object) -> Json:
                answer = client.get("/api/v1/overview", params=query, headers={"authorization": f"Bearer {who}"})
                assert answer.status_code == expect, answer.text
                shown: Json = answer.json()
                return shown

            def kinds(who: str, **query: object) -> set[str]:
                return {one["kind"] for one in ask(who, **query)["conditions"]}

            every = {kind.value for kind in ConditionKind} - OF_USES
            assert kinds("admin") == every
            assert kinds("reader") == kinds("reader", projectId=ailing.project_id) == every - NOT_OF_A_PROJECT
            assert kinds("nobody") == set()
            assert kinds("member") == {"identity-locked", "identity-secret-ends"}
            assert kinds("stranger") == OF_THE_SERVER | {"nobody-told"}
            ask("stranger", expect=404, projectId=ailing.project_id)
            ask("nobody", expect=403, projectId=ailing.project_id)

            overview = ask("admin", limit=1)
            assert overview["needsAction"]
            assert len(overview["conditions"]) == 1 < sum(overview["counts"].values())
            assert overview["conditions"][0]["severity"] == "critical"
            assert overview["connections"]["untried"] == 0
            assert overview["connections"]["since"] < "2026-02-28"
            assert ask("nobody")["connections"] == {"count": 0, "untried": 0, "since": None}
            assert not ask("nobody")["needsAction"]


@contextmanager
def served(world: World, folder: Path, actors: dict[str, Actor]) -> Iterator[Client]:
    def authenticate(token: str, _ip: str) -> Actor:
        if token not in actors:
            raise TokenRefused("token malformed", code="token.malformed")
        return actors[token]

    conditions = Conditions(world.database, world.clock, ConditionFinder(world.services.providers))
    settings = Settings(data_dir=folder, database_url="sqlite://")
    app = build([router(conditions)], authenticate=authenticate, settings=settings, clock=world.clock, ids=world.ids)
    with Client(app) as client:
        yield client
