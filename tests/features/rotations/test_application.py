"""A process dies anywhere while an application's secret is rotated: readers never notice, and nothing is left over.

And a whole story on PostgreSQL, with a connection of each sign-in method that signs in for it.
"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from keyturn.connections.domain import NewConnection
from keyturn.credentials.domain import State
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.managed_identity import ManagedIdentity
from keyturn.providers.azure.methods.certificate import CertificateFiles
from keyturn.providers.azure.methods.federated import Federated
from keyturn.providers.token_sources import TokenSources
from keyturn.rotations.commands import ScheduleChange
from keyturn.rotations.work.workflow import Rotator
from keyturn_simulation.crashes import Fuse, Killed, MortalDatabase, MortalTransport, Point, end_leases_of
from keyturn_simulation.emulated import EmulatedTransport
from tests.databases import postgres_database, sqlite_database
from tests.features.connections.desk import desk
from tests.features.methods.certificates import pair
from tests.features.methods.scene import MethodsFixture, set_up
from tests.features.rotations.applications import DAYS, NAMES, WRITE_ALL, Applications, make_applications

CREATION = "-"
DEADLY = {CREATION, "issue", "publish"}
"""Where a secret may be lost or half published, and the request itself; the matrix of crashes has all steps."""


def play(folder: Path, kill_at: int | None) -> list[Point]:
    """Two generations, with a death at this instant; then all must be as if nobody had died. Returns what passed."""
    with sqlite_database(folder) as database:
        scene = make_applications(database, signer_rotates=False)
        world, fuse = scene.world, Fuse(kill_at)
        world.watcher = fuse.watch
        mortal = world.server("mortal", MortalDatabase(database, fuse), MortalTransport(world.network("mortal"), fuse))
        start = world.clock.now()
        try:
            with fuse.arm(CREATION):
                scene.create(server=mortal)
                scene.run_until(start + timedelta(days=DAYS + 2), mortal)
        except Killed:
            end_leases_of(database, mortal.name, world.clock.now)
            scene.check_agreement()
        view = scene.create()  # a request that was cut off is sent again
        first = scene.read()
        if view.rotation.generation == 1:
            scene.run_until(start + timedelta(days=DAYS + 3))
            assert scene.works(first)
        assert scene.use_cases.get(scene.actor, view.secret_rotation.id).rotation.generation == 2
        scene.check_agreement()
        assert scene.works(scene.read())
        scene.run_for(timedelta(days=1))
        assert scene.keys() == scene.live()
        assert len(scene.live()) == 2
        return fuse.points


def test_a_death_where_a_secret_may_be_lost_or_half_published_changes_nothing(tmp_path: Path) -> None:
    """One of each kind of instant of these steps: before and after each request and each commit."""
    folder = tmp_path / "whole"
    folder.mkdir()
    instants: dict[Point, int] = {}
    for index, point in enumerate(play(folder, None)):
        if point.step in DEADLY:
            instants.setdefault(point, index)
    assert {point.step for point in instants} == DEADLY
    for index in instants.values():
        folder = tmp_path / str(index)
        folder.mkdir()
        play(folder, index)


def tell_story(scene: Applications) -> None:
    """Create, rotate in time, and delete: what was read works as long as it was said to."""
    view, values = scene.create(), [scene.read()]
    assert (view.rotation.status, view.active_index, view.last_was_manual) == ("success", 0, True)
    assert scene.read(NAMES.client_id).reveal() == scene.application.app_id
    for _ in range(3):
        scene.run_for(timedelta(days=DAYS + 1))
        values.append(scene.read())
        scene.check_agreement()
        assert all(scene.works(value) for value in values[-2:]), "what was read works until the next rotation"
        assert not any(scene.works(older) for older in values[:-2])
    assert len({value.reveal() for value in values}) == 4
    assert scene.keys() == scene.live()
    deleted = scene.use_cases.delete(scene.actor, view.secret_rotation.id, delete_secrets=True, revoke=True)
    assert deleted.stays_valid == []
    scene.world.settle()
    assert (scene.keys(), scene.names()) == (set(), [])
    assert {row.state for row in scene.journal()} == {State.REVOKED}


@pytest.mark.postgres
def test_a_client_secret_that_rotates_itself_signs_in_on_postgresql() -> None:
    with postgres_database() as database:
        tell_story(make_applications(database))


def test_a_certificate_that_rotates_itself_signs_in(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        scene = make_applications(database, signer_rotates=False)
        of = pair()
        application = scene.other_application("By certificate", permissions=WRITE_ALL)
        scene.world.emulator.admin.add_certificate(application.object_id, of.pem.encode())
        given = CertificateFiles(scene.world.tenant_id, application.app_id, of.pem, Plaintext(of.key_pem))
        scene.signer = scene.world.rotations.create(
            scene.actor, NewConnection("by-certificate", given), ScheduleChange(7, 3, 0)
        )
        tell_story(scene)
        assert scene.world.rotation(scene.signer).generation > 3


def test_a_person_signs_in_by_oauth(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        scene = make_applications(database, signer_rotates=False)
        world = scene.world
        wire, app = set_up(world)
        world.emulator.admin.consent(app.object_id, "Application.ReadWrite.All")
        ada = world.emulator.admin.create_user(world.tenant_id, "Ada", roles=("Application Administrator",))
        with desk(world, tmp_path, oauth_client_id=app.app_id) as web:
            MethodsFixture(web, wire, app, ada, ada, ada).connect("by-oauth")
        scene.signer = world.connections.by_name(scene.actor, "by-oauth", None)
        server = world.servers[0]
        context = replace(server.context, providers=world.services.providers, targets=world.services.targets)
        world.servers[0] = replace(server, context=context, rotator=Rotator(context))
        tell_story(scene)


def test_an_identity_of_the_server_signs_in_without_any_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://machine.test")
    with sqlite_database(tmp_path) as database:
        scene = make_applications(database, signer_rotates=False)
        world = scene.world
        sources = TokenSources({"vm": ManagedIdentity("vm", None, EmulatedTransport(world.emulator))})
        set_up(world, sources=sources)
        application = scene.other_application("By identity", permissions=WRITE_ALL)
        identity = world.emulator.admin.create_managed_identity(world.tenant_id, "own", system=True)
        issuer = f"https://login.microsoftonline.com/{world.tenant_id}/v2.0"
        world.emulator.admin.trust_identity(application.object_id, issuer, identity.principal_id)
        given = Federated(world.tenant_id, application.app_id, "vm")
        scene.signer = world.services.rotations.create(scene.actor, NewConnection("by-identity", given), None)
        server = world.servers[0]
        context = replace(server.context, providers=world.services.providers, targets=world.services.targets)
        world.servers[0] = replace(server, context=context, rotator=Rotator(context))
        tell_story(scene)
