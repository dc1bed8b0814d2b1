"""After a connection is deleted, whoever could see it sees what becomes of its credentials in Entra ID."""

from datetime import timedelta

import pytest

from entra_emulator import Effect, Fault
from keyturn.rotations.store import policies
from tests.features.connections.desk import NOBODY, ApiClient, Json

REMOVALS = "removals"


def deleted(web: ApiClient, *, who: str = "admin", **changes: object) -> None:
    connection = web.create_rotating("leaving", who=who, **changes)
    web.world.settle()
    web.ask("DELETE", connection["id"], who=who, revokeCredentials="true")


def removal(web: ApiClient, *, who: str | None = None, **query: str) -> Json:
    [entry] = web.ask("GET", REMOVALS, who=who, **query)["removals"]
    assert web.ask("GET", f"{REMOVALS}/{entry['id']}", who=who)["removal"] == entry
    view: Json = entry
    return view


def test_a_removal_is_watched_from_the_deletion_to_its_end(web: ApiClient) -> None:
    assert web.ask("GET", REMOVALS) == {"removals": []}
    deleted(web)
    begun = removal(web)
    assert (begun["connectionName"], begun["projectId"], begun["isDone"]) == ("leaving", None, False)
    stages = {credential["displayName"].split()[0]: credential["stage"] for credential in begun["credentials"]}
    assert stages == {"keyturn": "waiting", "secret": "removed"}

    web.world.settle()
    assert web.ask("GET", REMOVALS) == {"removals": []}, "what is done is not under way"
    done = web.ask("GET", f"{REMOVALS}/{begun['id']}")["removal"]
    assert done["isDone"] is True
    assert {credential["stage"] for credential in done["credentials"]} == {"removed"}
    assert all(credential["removedAt"] for credential in done["credentials"])


def test_a_refused_removal_says_why_what_to_do_and_when_it_is_tried_again(web: ApiClient) -> None:
    connection = web.create_rotating("leaving")
    web.world.settle()
    web.world.emulator.faults.add(
        Fault(
            "removePassword",
            (Effect(403, "Authorization_RequestDenied", "Insufficient privileges."),),
            "before",
            times=None,
        )
    )
    web.ask("DELETE", connection["id"], revokeCredentials="true")
    web.world.run_until(web.world.clock.now() + timedelta(minutes=5))
    [refused] = [each for each in removal(web)["credentials"] if each["stage"] != "removed"]
    assert refused["stage"] == "refused"
    assert refused["tries"] >= 1
    assert refused["nextAt"] > web.world.clock.now().isoformat()
    assert "permission" in refused["message"]
    assert "Application.ReadWrite.OwnedBy" in refused["message"], "the way out is told"


def test_what_is_kept_is_no_removal(web: ApiClient) -> None:
    connection = web.create_rotating("leaving")
    web.world.settle()
    web.ask("DELETE", connection["id"], revokeCredentials="false")
    assert web.ask("GET", REMOVALS) == {"removals": []}


@pytest.mark.parametrize("who", ["viewer", "project-viewer", "stranger"])
def test_only_who_could_read_the_connection_sees_its_removal(web: ApiClient, who: str) -> None:
    deleted(web, projectId=web.project_id)
    view = removal(web)
    assert removal(web, projectId=web.project_id) == view
    if who == "project-viewer":
        assert removal(web, who=who) == view
        return
    assert web.ask("GET", REMOVALS, who=who) == {"removals": []}
    web.ask("GET", f"{REMOVALS}/{view['id']}", who=who, expect=404 if who == "stranger" else 403)
    web.ask("GET", REMOVALS, who=who, projectId=web.project_id, expect=404 if who == "stranger" else 403)


def test_a_rotation_that_goes_on_is_no_removal(web: ApiClient) -> None:
    connection = web.create_rotating("staying")
    web.world.settle()
    assert web.ask("GET", REMOVALS) == {"removals": []}
    with web.world.database.read() as tx:
        rotation = policies.of_connection(tx, connection["id"])
    assert rotation is not None
    for unknown in (rotation.id, NOBODY):
        web.ask("GET", f"{REMOVALS}/{unknown}", expect=404)
