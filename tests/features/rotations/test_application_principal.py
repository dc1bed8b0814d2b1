"""An application that nobody could sign in as is refused before the first write; where that is not seen, the plan says so."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from entra_emulator import HANG, Effect, Fault
from keyturn.api.rotations import plan_views
from keyturn.errors import Refused, RunFailed
from keyturn.pages.rotations import plans
from keyturn.ports.http import HttpRequest
from keyturn_simulation.emulated import HOST
from keyturn_simulation.world import OWNED
from tests.databases import rows_by_table, sqlite_database
from tests.features.rotations.applications import NAMES, WRITE_ALL, Applications, make_applications


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Applications]:
    with sqlite_database(tmp_path) as database:
        yield make_applications(database, signer_rotates=False, permissions=getattr(request, "param", WRITE_ALL))


def remove_principal(scene: Applications) -> None:
    ask_graph(scene, "DELETE", f"servicePrincipals/{scene.application.principal_id}")


def ask_graph(scene: Applications, method: str, path: str, body: object = None) -> None:
    """Write the application or its service principal, as its owner does with the connection's permissions."""
    _, token = scene.world.services.stored.sign_in(scene.signer)
    headers = {"authorization": f"Bearer {token.value.reveal()}", "content-type": "application/json"}
    url = f"{HOST}/v1.0/{path}"
    content = b"" if body is None else json.dumps(body).encode()
    assert scene.world.network("portal").send(HttpRequest(method, url, headers, content)).status == 204
    scene.world.clock.advance(600)  # every replica knows


def writes(scene: Applications) -> int:
    return sum(entry.operation == "addPassword" for entry in scene.world.emulator.ledger)


def test_a_missing_service_principal_is_found_before_the_first_write(scene: Applications) -> None:
    assert not scene.world.services.secret_plans.of_new(scene.actor, scene.new()).principal_unseen
    remove_principal(scene)
    with scene.world.database.read() as tx:
        before = rows_by_table(tx)
    for ask in (scene.world.services.secret_plans.of_new, scene.use_cases.create):
        with pytest.raises(Refused) as refused:
            ask(scene.actor, scene.new())
        assert refused.value.code == "rotation.no_service_principal"
        assert f"az ad sp create --id {scene.application.app_id}" in str(refused.value.fix)
    with scene.world.database.read() as tx:
        assert rows_by_table(tx) == before
    assert writes(scene) == 0


def test_a_disabled_service_principal_is_found_before_the_first_write(scene: Applications) -> None:
    ask_graph(scene, "PATCH", f"servicePrincipals/{scene.application.principal_id}", {"accountEnabled": False})
    for ask in (scene.world.services.secret_plans.of_new, scene.use_cases.create):
        with pytest.raises(Refused) as refused:
            ask(scene.actor, scene.new())
        assert refused.value.code == "rotation.service_principal_disabled"
        fix = f"az ad sp update --id {scene.application.app_id} --set accountEnabled=true"
        assert fix in str(refused.value.fix)
    assert writes(scene) == 0


@pytest.mark.parametrize("scene", [WRITE_ALL, (OWNED,)], indirect=True)
def test_an_application_that_was_deactivated_is_found_before_the_first_write_of_each_run(scene: Applications) -> None:
    world, admin = scene.world, scene.world.emulator.admin
    scene.application = scene.other_application("Owned", owners=(world.application.principal_id,))
    view = scene.create()
    made = writes(scene)
    admin.set_disabled(scene.application.object_id, disabled=True)
    activate = (
        f"/v1.0/applications(appId='{scene.application.app_id}')\" --headers Content-Type=application/json --body"
    )
    with pytest.raises(Refused) as refused:
        world.services.secret_plans.of(scene.actor, view.secret_rotation.id)
    assert activate in str(refused.value.fix)
    with pytest.raises(RunFailed, match="is disabled in tenant"):
        scene.rotate(view)
    world.run_until(world.clock.now() + timedelta(hours=3))
    failed = scene.use_cases.get(scene.actor, view.secret_rotation.id).rotation
    assert failed.status == "failed"
    assert activate in str(failed.last_message)
    assert writes(scene) == made, "nothing was asked for"
    ask_graph(
        scene, "PATCH", f"applications(appId='{scene.application.app_id}')", {"isDisabled": False}
    )  # what it says
    scene.rotate(view)
    assert writes(scene) == made + 1


@pytest.mark.parametrize("scene", [(OWNED,)], indirect=True)
def test_who_sees_only_what_it_owns_is_told_that_it_was_not_seen(scene: Applications) -> None:
    scene.application = scene.other_application("Owned", owners=(scene.world.application.principal_id,))
    plan = scene.world.services.secret_plans.of_new(scene.actor, scene.new())
    assert plan_views.answer(plan).plan.is_service_principal_unseen
    (warning,) = plans.of_new(plan, NAMES, "prod", "").warnings
    assert f"az ad sp create --id {scene.application.app_id}" in warning
    scene.create()
    assert scene.works(scene.read())


@pytest.mark.parametrize(
    "effect", [Effect(429, "TooManyRequests", retry_after=600), Effect(400, "Request_BadRequest"), HANG]
)
def test_no_run_waits_or_fails_because_the_service_principal_cannot_be_read(
    scene: Applications, effect: Effect
) -> None:
    view = scene.create()
    made = writes(scene)
    scene.world.emulator.faults.add(Fault("getServicePrincipal", (effect,), when="before", times=None))
    scene.rotate(view)
    assert writes(scene) == made + 1
    assert any(entry.operation == "getServicePrincipal" for entry in scene.world.emulator.ledger)
