"""``keyturn secretless``: a connection is led to sign in without a secret from a shell, and back."""

import json
import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from keyturn.approvals.domain import ApprovalSettings
from keyturn.kit.actor import Role
from keyturn.providers.token_sources import TokenSources
from keyturn.rotations.commands import ConnectionChange
from tests.databases import sqlite_database
from tests.docs.command_blocks import command_blocks
from tests.features.accounts.people import person
from tests.features.methods.test_conversion import ISSUER, PUBLIC, SUBJECT, Cluster, ConversionScene
from tests.features.rotations.secret_desk import desk
from tests.features.rotations.test_client_deletions import NO, Operator

BEGIN = ("secretless", "begin", "prod-entra", "--source", "aks")


@pytest.fixture
def operator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Operator, ConversionScene]]:
    cluster = Cluster()
    with (
        sqlite_database(tmp_path) as database,
        desk(database, tmp_path, sources=TokenSources({"aks": cluster})) as web,
    ):
        cluster.world = web.world
        web.world.emulator.admin.trust_issuer(ISSUER, "k1", PUBLIC)
        connection = web.world.connections.by_name(web.world.actor, "prod-entra", None)
        yield Operator(web, capsys, monkeypatch), ConversionScene(web.world, cluster, connection)


def test_what_would_be_done_is_said_and_done_once_confirmed(operator: tuple[Operator, ConversionScene]) -> None:
    typist, scene = operator
    assert "Nobody asked for the connection 'prod-entra'" in typist.types("secretless", "show", "prod-entra")
    assert "Nothing is under way" in typist.types("secretless", "back", "prod-entra", "--dry-run", status=1)
    plan = typist.looks(*BEGIN)
    assert (plan["issuer"], plan["alreadyTrusted"]) == (ISSUER, False)
    told = typist.types(*BEGIN, "--dry-run")
    assert f"is made to trust the issuer {ISSUER}, the subject {SUBJECT}" in told
    assert "programs that sign in with it themselves stop" in told
    assert NO in typist.types(*BEGIN, answer="no", status=1)
    assert scene.state == "none"
    assert "It has begun." in typist.types(*BEGIN, "--watch-hours", "3", answer="yes\n")
    scene.work(timedelta(minutes=62))
    shown = typist.types("secretless", "show", "prod-entra")
    assert "signs in without its secret, and can go back" in shown
    assert "cannot be seen" in shown, "whether somebody else uses it"
    assert json.loads(typist.types("secretless", "show", "prod-entra", "--json"))["state"] == "watching"
    assert "It goes back." in typist.types("secretless", "back", "prod-entra", "--yes")
    scene.work()
    assert "what its application trusts is being removed" in typist.types("secretless", "show", "prod-entra")
    assert "Try again after " in typist.types(*BEGIN, "--yes", status=77)
    scene.work(timedelta(minutes=1))
    assert "it went back" in typist.types("secretless", "show", "prod-entra")
    assert "Nothing is under way" in typist.types("secretless", "back", "prod-entra", "--yes", status=1)
    typist.types(*BEGIN, "--watch-hours", "1", "--yes")
    scene.work(timedelta(hours=2))
    assert "the one of before is removed" in typist.types("secretless", "show", "prod-entra")


def test_what_is_in_the_way_and_what_another_person_approves_is_said(
    operator: tuple[Operator, ConversionScene],
) -> None:
    typist, scene = operator
    told = typist.types(*BEGIN[:-1], "nowhere", "--dry-run", status=77)
    assert "no token source 'nowhere'" in told
    assert told.count("choose another source") == 1, "what to do is said once"
    assert "There is: prod-entra" in typist.types("secretless", "show", "other", status=1)
    assert "--yes" in typist.types(*BEGIN, status=2), "there is no terminal"
    assert "There is no connection" in typist.types(*BEGIN, "--yes", who="viewer", status=1)
    person(scene.world.database, scene.world.actor.org_id, Role.ADMIN, "second@contoso.test")
    services, admin = scene.world.services, typist.web.actors["admin"]
    services.approvals.change_rules(admin, None, ApprovalSettings(required=True))
    assert "another person has to approve it" in typist.types(*BEGIN, "--reason", "Nothing is to leak.", "--yes")
    assert scene.state == "none"


def test_the_command_that_is_told_can_be_typed_whatever_the_name_is(
    operator: tuple[Operator, ConversionScene],
) -> None:
    typist, scene = operator
    change = ConnectionChange(name="prod; it's Entra")
    scene.world.rotations.update(scene.world.actor, scene.connection.id, change)
    told = typist.types("secretless", "begin", "prod; it's Entra", "--source", "aks", "--yes")
    _, _, command = told.strip().partition("See how far it is: keyturn ")
    assert "signs in as before" in typist.types(*shlex.split(command))


def test_the_commands_of_the_guide_do_what_it_says(operator: tuple[Operator, ConversionScene]) -> None:
    typist, scene = operator
    [block] = [each for each in command_blocks("docs/how-to/connect-without-a-secret.md") if "secretless" in each.text]
    for line in block.text.strip().splitlines():
        typist.types(*shlex.split(line, comments=True)[1:])
        scene.work(timedelta(minutes=5))
    assert (scene.state, scene.stored().method) == ("withdrawing", "client-secret")
