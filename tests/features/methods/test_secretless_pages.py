"""The pages on which a connection gives its secret up, goes back to it, and takes one again when the identity is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from entra_emulator import Effect, Fault
from keyturn.approvals.domain import ApprovalSettings
from keyturn.approvals.outcome import outcome_of
from keyturn.connections.domain import NewConnection
from keyturn.kit.actor import Role
from keyturn.providers.azure.methods.federated import Federated
from keyturn.providers.token_sources import TokenSources
from tests.databases import sqlite_database
from tests.features.accounts.people import person
from tests.features.methods.test_conversion import ISSUER, PUBLIC, Cluster, ConversionScene
from tests.features.methods.test_conversion_use import sign_in
from tests.features.rotations.applications import WRITE_ALL, make_applications
from tests.features.rotations.page_desk import PageClient, page_desk


@contextmanager
def desk(folder: Path, **of_world: Any) -> Iterator[tuple[ConversionScene, PageClient, str]]:
    """Yield the connection, a browser, and the path of the connection's page."""
    with sqlite_database(folder) as database:
        cluster = Cluster()
        applications = make_applications(database, sources=TokenSources({"aks": cluster}), **of_world)
        cluster.world = applications.world
        cluster.world.emulator.admin.trust_issuer(ISSUER, "k1", PUBLIC)
        scene = ConversionScene(applications.world, cluster, applications.signer)
        scene.world.settle()
        with page_desk(applications, folder) as browser:
            yield scene, browser, f"/app-connections/{scene.connection.id}"


def test_it_is_checked_begun_watched_and_taken_back(tmp_path: Path) -> None:
    with desk(tmp_path) as (scene, browser, path):
        form = {"tokenSource": "aks", "watchHours": "2"}
        assert "Everything is ready" in browser.sent(f"{path}/secretless/plan", {**form})
        assert "no token source 'nowhere'" in browser.refused(f"{path}/secretless/plan", tokenSource="nowhere")
        assert "1 hour to 14 days" in browser.refused(f"{path}/secretless", **(form | {"watchHours": "x"}))
        browser.done(f"{path}/secretless", **form)
        assert "On its way to sign in without a secret" in browser.page(path)
        scene.work(timedelta(minutes=5))
        assert "you can go back" in browser.page(f"{path}/secretless")
        browser.done(f"{path}/secretless/back")
        conversion = scene.newest()
        assert conversion
        scene.world.services.conversion_work.advance(conversion.id)
        page = browser.page(path)
        assert "It went back to its secret" in page
        assert "On its way" not in page
        scene.work(timedelta(minutes=20))
        page = browser.page(f"{path}/secretless")
        assert "It went back" in page
        assert "Make It Secretless" in page, "it may begin again"


def test_who_still_uses_the_secret_stands_on_the_page(tmp_path: Path) -> None:
    with desk(tmp_path, permissions=(*WRITE_ALL, "AuditLog.Read.All")) as (scene, browser, path):
        secret = scene.world.current_secret(scene.connection)
        scene.begin()
        scene.work(timedelta(minutes=15))
        assert sign_in(scene, secret, "203.0.113.9") == 200
        scene.work(timedelta(hours=1))
        page = browser.page(f"{path}/secretless")
        assert "Used by others" in page
        assert page.count("203.0.113.9") == 2, "who, and what that means"


def test_what_cannot_be_removed_is_left_there_where_somebody_says_so(tmp_path: Path) -> None:
    with desk(tmp_path) as (scene, browser, path):
        scene.begin()
        scene.work(timedelta(hours=1))
        remove = "deleteFederatedIdentityCredential"
        scene.world.emulator.faults.add(Fault(remove, (Effect(403),), when="before", times=None))
        browser.done(f"{path}/secretless/back")
        scene.work(timedelta(hours=1))
        assert "Leave it there" in browser.page(f"{path}/secretless")
        browser.done(f"{path}/secretless/back", leave="yes")
        page = browser.page(f"{path}/secretless")
        assert "It went back" in page
        assert "Leave it there" not in page


def test_one_whose_identity_is_lost_takes_a_secret_again_with_all_that_is_rotated_through_it(tmp_path: Path) -> None:
    with desk(tmp_path) as (scene, browser, path):
        world = scene.world
        scene.begin(hours=1)
        scene.work(timedelta(hours=3))
        assert (scene.state, world.keys()) == ("done", {})
        assert "enter <a" in browser.page(f"{path}/credentials")
        listed = f"az ad app federated-credential list --id {world.application.app_id}"
        assert listed in browser.page(path), "who deletes the connection is told what stays"
        scene.cluster.broken = True
        made = world.emulator.admin.add_secret(world.application.object_id, "by hand")
        form = {"tenantId": world.tenant_id, "clientId": world.application.app_id, "method": "client-secret"}
        page = browser.page(f"{path}/credentials?method=client-secret")
        assert 'name="clientSecret"' in page
        assert 'name="tokenSource"' not in page
        assert 'name="method" value="client-secret"' in browser.refused(
            f"{path}/credentials", **form, clientSecret="wrong" * 8
        )
        browser.done(f"{path}/credentials", **form, clientSecret=made.value)
        assert (scene.stored().method, scene.signs_in()) == ("client-secret", True)
        assert 'name="tokenSource"' in browser.page(f"{path}/secretless"), "and may give it up again"


def test_where_two_persons_are_needed_the_way_back_is_approved(tmp_path: Path) -> None:
    with desk(tmp_path) as (scene, browser, path):
        world, services = scene.world, scene.world.services
        scene.begin(hours=1)
        scene.work(timedelta(hours=3))
        first = person(world.database, world.actor.org_id, Role.ADMIN, "first@contoso.test")
        second = person(world.database, world.actor.org_id, Role.ADMIN, "second@contoso.test")
        services.approvals.change_rules(first, None, ApprovalSettings(required=True))
        made = world.emulator.admin.add_secret(world.application.object_id, "by hand")
        browser.who = first
        form = {"tenantId": world.tenant_id, "clientId": world.application.app_id, "method": "client-secret"}
        browser.done(f"{path}/credentials", **form, clientSecret=made.value, approval_reason="The cluster is gone.")
        assert scene.stored().method == "federated"
        [request] = services.approvals.list(second)
        assert "by another method" in " ".join(outcome_of(request))
        services.approved_changes.approve(second, request.id)
        assert (scene.stored().method, scene.signs_in()) == ("client-secret", True)


def test_a_connection_without_a_secret_says_that_nothing_is_left_to_do(tmp_path: Path) -> None:
    with desk(tmp_path) as (scene, browser, path):
        scene.begin(hours=1)
        scene.work(timedelta(hours=3))
        world = scene.world
        given = Federated(world.tenant_id, world.application.app_id, "aks")
        other = world.rotations.create(world.actor, NewConnection("other", given), None)
        page = browser.page(f"/app-connections/{other.id}/secretless")
        assert "It signs in without a secret already" in page
        assert "Make It Secretless" not in page + browser.page(f"{path}/secretless")
