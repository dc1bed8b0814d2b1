"""What somebody who leaves answered for, and connections that work by what they granted, find somebody else in time."""

from keyturn.alarms.conditions.domain import ConditionKind
from keyturn.alarms.conditions.finder import ConditionFinder
from keyturn.alarms.leavers import Leavers
from keyturn.alarms.owners import Owners
from keyturn.kit.actor import Role
from keyturn.ownership.domain import Owned
from tests.features.accounts.people import person
from tests.features.methods.scene import MethodsFixture

LOST, GRANTED = ConditionKind.OWNER_LEFT, ConditionKind.SIGN_IN_OF_LEAVER


def found(scene: MethodsFixture) -> set[tuple[ConditionKind, str]]:
    world = scene.world
    with world.database.read() as tx:
        conditions = ConditionFinder(world.services.providers).of_organization(
            tx, world.actor.org_id, world.clock.now()
        )
    return {(one.kind, one.subject.name) for one in conditions if one.kind in {LOST, GRANTED}}


def test_a_leavers_connections_get_another_owner_and_somebody_who_signs_in(scene: MethodsFixture) -> None:
    world, web = scene.world, scene.web
    org, database = world.actor.org_id, world.database
    leo, amy = (person(database, org, Role.ADMIN, f"{name}@contoso.test") for name in ("leo", "amy"))
    web.actors |= {"leo": leo, "amy": amy}
    web.who = "leo"
    granted = scene.connect("by-oauth")
    plain = web.create("plain")
    leavers, owners = Leavers(database, world.clock), Owners(database, world.clock)
    owner_of = {one["id"]: owners.of(amy, Owned.CONNECTION, one["id"]).email for one in (granted, plain)}
    assert set(owner_of.values()) == {"leo@contoso.test"}
    preview = leavers.of(amy, leo.id or "")
    assert [one.name for one in preview.owned] == ["by-oauth", "plain"]
    assert [one.name for one in preview.signed_in] == ["by-oauth"]
    assert found(scene) == set()

    leavers.disable(amy, leo.id or "")
    assert found(scene) == {(LOST, "by-oauth"), (LOST, "plain"), (GRANTED, "by-oauth")}
    assert owners.of(amy, Owned.CONNECTION, plain["id"]).left

    left = leavers.disable(amy, leo.id or "", amy.id)  # named afterwards
    assert [one.name for one in left.owned] == ["by-oauth", "plain"]
    assert owners.of(amy, Owned.CONNECTION, plain["id"]).email == "amy@contoso.test"
    assert found(scene) == {(GRANTED, "by-oauth")}  # another owner does not sign in

    world.clock.advance(3600)
    query = scene.walk(scene.begin(None, who="amy", connectionId=granted["id"]))
    scene.finish(query, who="amy")
    assert found(scene) == set()

    removed = leavers.delete(amy, leo.id or "")
    assert removed.user.email == "leo@contoso.test"
    assert found(scene) == set()  # nothing was theirs any more
    person(database, org, Role.ADMIN, "eva@contoso.test")  # the last admin stays
    leavers.delete(world.actor, amy.id or "")
    assert found(scene) == {(LOST, "by-oauth"), (LOST, "plain"), (GRANTED, "by-oauth")}  # said of the deleted, too
