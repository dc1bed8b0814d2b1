"""A connection whose secret is gone, since a backup from before it gave that up was put back, is led to the identity again."""

from datetime import timedelta
from pathlib import Path

import pytest

from keyturn.errors import NeedsAction
from tests.databases import KINDS
from tests.features.methods.test_conversion import ISSUER, SUBJECT, ConversionScene, scene_in

TRUSTED = "keyturn-of-before"


def lose_the_secret(scene: ConversionScene) -> None:
    """As its application is after the ladder: the secret is gone, and that is no matter of replicas any more."""
    scene.world.clock.advance(timedelta(minutes=20).total_seconds())
    for key_id in list(scene.world.keys()):
        scene.world.emulator.admin.remove_secret(scene.world.application.object_id, key_id)


def trust(scene: ConversionScene) -> None:
    """As its application is after the ladder: it trusts the identity."""
    scene.world.emulator.admin.trust_identity(scene.world.application.object_id, ISSUER, SUBJECT, name=TRUSTED)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rotating", [True, False])
def test_it_signs_in_by_the_identity_that_its_application_still_trusts(
    tmp_path: Path, rotating: bool, kind: str
) -> None:
    with scene_in(tmp_path, rotating=rotating, kind=kind) as scene:
        lose_the_secret(scene)
        trust(scene)
        assert not scene.signs_in()
        plan = scene.world.services.conversions.plan(scene.world.actor, scene.connection.id, "aks")
        assert plan.trusted
        scene.begin(hours=1)
        scene.work(timedelta(minutes=5))
        assert (scene.state, scene.signs_in()) == ("watching", True)
        assert scene.stored().refused_at is None
        scene.work(timedelta(hours=3))
        assert (scene.state, scene.trusts(), scene.signs_in()) == ("done", [TRUSTED], True)
        scene.world.rotations.delete(scene.world.actor, scene.connection.id)


def test_where_nothing_trusts_it_either_the_message_says_what_to_type(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        lose_the_secret(scene)
        with pytest.raises(NeedsAction, match="Nor does the application trust the identity of this server") as refused:
            scene.begin()
        command = f"az ad app federated-credential create --id {scene.world.application.app_id} --parameters"
        assert command in str(refused.value.fix)
        assert "client secret" in str(refused.value.fix), "or a new one is entered"
        trust(scene)
        scene.begin(hours=1)
        scene.work(timedelta(hours=3))
        assert scene.state == "done"


def test_one_that_was_only_about_to_be_trusted_in_the_copy_goes_on(tmp_path: Path) -> None:
    with scene_in(tmp_path) as scene:
        scene.begin(hours=1)
        lose_the_secret(scene)
        trust(scene)
        scene.work(timedelta(hours=3))
        assert (scene.state, scene.trusts(), scene.signs_in()) == ("done", [TRUSTED], True)


def test_who_goes_back_to_a_secret_that_is_gone_is_told_so(tmp_path: Path) -> None:
    with scene_in(tmp_path, rotating=False) as scene:
        lose_the_secret(scene)
        trust(scene)
        scene.begin(hours=2)
        scene.work(timedelta(minutes=5))
        scene.back()
        scene.work(timedelta(minutes=5))
        told = scene.newest()
        assert told
        assert (scene.state, (told.reason or {}).get("asked_in_vain")) == ("watching", True)
        assert str((told.reason or {}).get("message")).startswith("It cannot go back: ")
        scene.work(timedelta(hours=3))
        assert (scene.state, scene.signs_in()) == ("done", True)
