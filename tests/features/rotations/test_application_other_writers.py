"""Another tool that makes secrets of the same application is named: before a rotation is made, and when it does it later."""

from datetime import timedelta
from pathlib import Path

from tests.databases import sqlite_database
from tests.features.rotations.applications import make_applications
from tests.features.rotations.page_desk import page_desk

ALL = "/api/v2/secret-rotations/azure-client-secret"


def test_another_writer_is_named_in_the_plan_and_as_drift(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        scene = make_applications(database, signer_rotates=False)
        admin, application = scene.world.emulator.admin, scene.application
        root = admin.add_secret(application.object_id, "vault-5a9e5ad3-3a1f-4a5e-9a49-2a4f5b2c9d10")
        with page_desk(scene, tmp_path) as web:
            body = {
                "name": "shop",
                "projectId": scene.project_id,
                "connectionId": scene.signer.id,
                "environment": "prod",
                "secretPath": "/",
                "rotationInterval": 30,
                "parameters": {"objectId": application.object_id, "clientId": application.app_id},
                "secretsMapping": {"clientId": "AZURE_CLIENT_ID", "clientSecret": "AZURE_CLIENT_SECRET"},
            }
            (planned,) = web.json("POST", f"{ALL}/plan", body)["plan"]["secrets"]
            assert planned["probablyMadeBy"] == "HashiCorp Vault (`rotate-root`)"
            view = scene.create()
            path = f"/secret-rotations/{view.secret_rotation.id}"
            plan = web.page(f"{path}/plan")
            assert "was probably made by HashiCorp Vault" in plan
            assert "removes all other secrets of the application when it rotates" in plan
            assert plan.count("probably made by") == 1  # the one made here is not taken for another's
            scene.run_for(timedelta(days=2))
            assert "Probably made by" not in web.page(path)

            admin.add_secret(application.object_id, "Managed by Terraform")
            admin.remove_secret(application.object_id, root.key_id)
            scene.run_for(timedelta(days=3))
            events = [event["data"] for event in scene.world.events("credentials-drifted")]
            drift = {event["kind"]: event["probablyMadeBy"] for event in events}
            assert drift == {"appeared": "Terraform", "vanished": "HashiCorp Vault (`rotate-root`)"}
            page = web.page(path)
            assert "Probably made by Terraform" in page
            assert page.count("Probably made by") == 2
