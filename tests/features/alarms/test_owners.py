"""Who makes a connection answers for it, until somebody else does, or until they leave."""

from pathlib import Path

from keyturn.alarms.owners import Owners
from keyturn.api.owners.routes import router
from keyturn.errors import TokenRefused
from keyturn.kit.actor import Actor
from keyturn.ownership.domain import Owned
from keyturn.people import store as people
from keyturn.settings.model import Settings
from keyturn.web.server.app import build
from keyturn_simulation.world import make_world
from tests.client import Client
from tests.databases import sqlite_database
from tests.features.connections.desk import desk


def test_an_owner_is_named_and_leaves(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        world = make_world(database)
        with desk(world, tmp_path) as web:
            owned = web.create(who="project-member", projectId=web.project_id)["id"]

            def authenticate(token: str, _ip: str) -> Actor:
                if token not in web.actors:
                    raise TokenRefused("token malformed", code="token.malformed")
                return web.actors[token]

            settings = Settings(data_dir=tmp_path, database_url="sqlite://")
            routes = router(Owners(database, world.clock))
            app = build([routes], authenticate=authenticate, settings=settings, clock=world.clock, ids=world.ids)
            url = f"/api/v1/owners/app-connections/{owned}"
            with Client(app) as client:

                def ask(method: str, body: object = None, who: str = "admin", expect: int = 200) -> dict[str, object]:
                    answer = client.request(method, url, json=body, headers={"authorization": f"Bearer {who}"})
                    assert answer.status_code == expect, answer.text
                    shown: dict[str, object] = answer.json().get("owner") or answer.json()
                    return shown

                mia, stranger = web.actors["member"], web.actors["stranger"]
                assert ask("GET")["userId"] == web.actors["project-member"].id  # who made it
                named = ask("PUT", {"userId": mia.id, "contact": "#payments"})
                assert (named["email"], named["contact"], named["left"]) == ("mia@contoso.test", "#payments", False)

                refused = ask("PUT", {"userId": stranger.id}, expect=400)
                assert "one of its members" in str(refused["fix"])
                ask("PUT", {"userId": None}, who="project-viewer", expect=403)
                ask("GET", who="stranger", expect=404)
                assert ask("GET") == named  # nothing came of these

                with database.write() as tx:
                    assert mia.id
                    people.remove_user(tx, mia.id)
                left = ask("GET")
                assert (left["email"], left["left"]) == ("mia@contoso.test", True)
            web.ask("DELETE", owned)


def test_an_owner_is_named_at_creation(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        world = make_world(database)
        with desk(world, tmp_path) as web:
            stranger, vic = web.actors["stranger"], web.actors["viewer"]
            refused = web.refused(web.body(owner={"userId": stranger.id}), 400)
            assert "one of its members" in refused["fix"]
            owners = Owners(database, world.clock)
            made = web.create(owner={"userId": vic.id, "contact": "#ops"}, who="robot")
            owner = owners.of(world.actor, Owned.CONNECTION, made["id"])
            assert (owner.email, owner.contact) == ("vic@contoso.test", "#ops")
