"""Connecting without a secret: the application trusts an identity of the server, whose token is exchanged at each sign-in."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.providers.azure.assertions import list_command
from keyturn_simulation.world import OWNED
from tests.features.connections.desk import WEEKLY, Json
from tests.features.methods.certificates import rsa_key
from tests.features.methods.scene import MethodsFixture

ISSUER, SUBJECT, AUDIENCE = (
    "https://cluster.example/",
    "system:serviceaccount:keyturn:server",
    "api://AzureADTokenExchange",
)
KEY = rsa_key(2)


@dataclass
class FederatedFixture:
    """``app`` trusts the service account of the server, whose token the cluster keeps in ``folder``."""

    scene: MethodsFixture
    app: ApplicationHandle
    folder: Path

    def renew(self, file: str = "aks", **claims: Any) -> str:
        """Do as the kubelet: put a fresh token in the place of the file."""
        now = int(self.scene.world.clock.now().timestamp())
        told = {"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "iat": now, "exp": now + 3600} | claims
        token = jwt.encode(told, KEY, algorithm="RS256", headers={"kid": "k1"})
        (self.folder / file).write_text(f"{token}\n")
        self.scene.web.secret_texts.add(token)
        return token

    def trust(self, issuer: str, subject: str) -> None:
        """Do what the command says that a refusal gives."""
        self.scene.admin.trust_identity(self.app.object_id, issuer, subject)

    def body(self, source: str = "aks", **changes: Any) -> Json:
        credentials = {"tenantId": self.scene.world.tenant_id, "clientId": self.app.app_id, "tokenSource": source}
        return {"name": "no-secret", "method": "federated", "credentials": credentials} | changes

    def create(self, source: str = "aks", **changes: Any) -> Json:
        connection: Json = self.scene.web.ask("POST", "", self.body(source, **changes))["appConnection"]
        return connection


@pytest.fixture
def federated(scene: MethodsFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FederatedFixture:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://machine.test")
    app = scene.admin.create_application(
        scene.world.tenant_id, "No secret", permissions=(OWNED,), owns_itself=True, secrets=0
    )
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    scene.admin.trust_issuer(ISSUER, "k1", pem)
    opened = FederatedFixture(scene, app, tmp_path)
    opened.renew()
    return opened


def test_it_connects_shows_who_signs_in_and_rotates_other_applications_but_nothing_of_itself(
    federated: FederatedFixture,
) -> None:
    scene, web = federated.scene, federated.scene.web
    federated.trust(ISSUER, SUBJECT)
    connection = federated.create()
    assert connection["federatedIdentity"] == {"tokenSource": "aks", "issuer": ISSUER, "subject": SUBJECT}
    assert connection["credentials"] == {"tenantId": scene.world.tenant_id, "clientId": federated.app.app_id}
    (event,) = scene.world.events("create-app-connection")
    assert (event["data"]["tokenSource"], event["data"]["subject"]) == ("aks", SUBJECT)

    # A day later the platform has renewed the token: it is read anew.
    scene.world.clock.advance(86_400)
    fresh = federated.renew()
    report = web.ask("POST", f"{connection['id']}/test")
    assert report["ok"]
    assert report["checks"][0]["message"] == "The token of this server's identity is exchanged."
    assert "nothing of it is rotated" in report["checks"][-1]["message"]
    assert {one["name"]: one["allowed"] for one in report["capabilities"]}["change-owned-secrets"] is True
    assert scene.wire.asked_for_tokens()[-1]["client_assertion"] == fresh
    assert [one["appId"] for one in web.ask("GET", f"{connection['id']}/clients")["clients"]] == [federated.app.app_id]

    refused = web.refused(federated.body(name="rotating", isAutoRotationEnabled=True, rotation=WEEKLY), 400)
    assert "client-secret and certificate" in refused["message"]
    refused = web.refused(
        {"isAutoRotationEnabled": True, "rotation": WEEKLY}, 400, method="PATCH", path=connection["id"]
    )
    assert refused["code"] == "rotation.method_not_supported"

    # Its token was never stored, and a new source is new credentials.
    federated.renew("other")
    changed = web.change(connection, credentials=federated.body("other")["credentials"])
    assert changed["federatedIdentity"]["tokenSource"] == "other"
    assert changed["credentialsHash"] != connection["credentialsHash"]
    assert web.change(connection, credentials=federated.body("other")["credentials"])["version"] == changed["version"]


def test_a_refusal_says_what_was_presented_and_the_command_that_makes_it_match(federated: FederatedFixture) -> None:
    web = federated.scene.web
    unknown = web.refused(federated.body(), 400)
    assert unknown["code"] == "azure.federation_no_match"
    assert all(text in unknown["message"] for text in (ISSUER, SUBJECT, AUDIENCE))
    command = f"az ad app federated-credential create --id {federated.app.app_id} --parameters '"
    assert command in unknown["message"]
    parameters = json.loads(unknown["message"].split(command)[1].split("'")[0])
    name = parameters.pop("name")
    assert parameters == {"issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]}
    federated.renew(iss="https://built-anew.example/")
    anew = web.refused(federated.body(), 400)["message"].split(command)[1].split("'")[0]
    assert json.loads(anew)["name"] != name, "an application has each name once: that of the former cluster is taken"
    federated.trust(parameters["issuer"], parameters["subject"])
    federated.renew(aud="https://kubernetes.default.svc")
    audience = web.refused(federated.body(), 400)
    assert audience["code"] == "azure.federation_audience"
    assert "https://kubernetes.default.svc" in audience["message"]
    lists, changes = f"$({list_command(federated.app.app_id)} --query '[?issuer==", "federated-credential update --id "
    assert all(text in audience["message"] for text in (lists, changes)), "a second one for the same subject is refused"
    federated.renew(sub="o'neil; rm -rf /")
    assert "'\"'\"'" in web.refused(federated.body(), 400)["message"], "the command is quoted for a shell"
    federated.renew(iss=f"https://login.microsoftonline.com/{federated.scene.world.tenant_id}/v2.0")
    assert web.refused(federated.body(), 400)["code"] == "azure.federation_no_match"
    whole = federated.renew()
    for cut in (whole[:-40], whole.replace(whole.split(".")[0], "AAAA")):
        (federated.folder / "aks").write_text(cut)
        assert web.refused(federated.body(), 400)["code"] == "azure.federation_signature"
    federated.renew()
    assert federated.create()["lastCheck"]["ok"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "token_source.file_unreadable"),
        ("", "token_source.not_a_token"),
        ("root:x:0:0:root:/root:/bin/bash", "token_source.not_a_token"),
        ("a" * 20_000 + ".b.c", "token_source.not_a_token"),
        ("expired", "azure.federated_token_expired"),
        ("pipe", "token_source.file_unreadable"),
    ],
)
def test_what_a_source_cannot_give_is_said_and_never_shown(
    federated: FederatedFixture, content: str | None, code: str
) -> None:
    web, file = federated.scene.web, federated.folder / "aks"
    federated.trust(ISSUER, SUBJECT)
    connection, sent = federated.create(), len(federated.scene.wire.requests)
    file.unlink()
    if content == "pipe":
        os.mkfifo(file)
    elif content == "expired":
        now = int(federated.scene.world.clock.now().timestamp())
        federated.renew(exp=now - 301)
    elif content is not None:
        file.write_text(content)
    report = web.ask("POST", f"{connection['id']}/test")
    [check] = report["checks"]
    assert (check["ok"], check["code"]) == (False, code)
    assert str(federated.folder) not in json.dumps(report), "where the file is, only the operator knows"
    assert "root:x" not in json.dumps(report)
    assert web.get(connection)["refusal"]["code"] == code
    judged_there = content == "expired"
    assert len(federated.scene.wire.requests) == sent + judged_there, "nothing was sent but what Entra ID alone judges"
    if file.exists():
        file.unlink()
    federated.renew()
    assert web.ask("POST", f"{connection['id']}/test")["ok"]
    assert web.get(connection)["refusal"] is None


def test_only_administrators_of_the_organization_have_a_connection_act_as_the_server(
    federated: FederatedFixture,
) -> None:
    web = federated.scene.web
    federated.trust(ISSUER, SUBJECT)
    place = {"projectId": web.project_id}
    for who in ("project-admin", "project-member"):
        sent = len(federated.scene.wire.requests)
        answer = web.ask("POST", "", federated.body(**place), expect=403, who=who)
        assert answer["code"] == "connections.administrators_only"
        assert len(federated.scene.wire.requests) == sent, "not even tried"
    connection = federated.create(**place)
    change = {"credentials": federated.body("vm")["credentials"]}
    assert web.ask("PATCH", connection["id"], change, expect=403, who="project-admin")["code"].endswith(
        "administrators_only"
    )
    assert web.ask("PATCH", connection["id"], {"description": "ours"}, who="project-admin")
    assert web.ask("POST", f"{connection['id']}/test", who="project-member")["ok"]


@pytest.mark.parametrize("source", ["../../etc/passwd", "/etc/passwd", "AKS", "", "a" * 41, "file:/etc/passwd"])
def test_a_source_is_a_name_and_never_a_path(federated: FederatedFixture, source: str) -> None:
    issues = federated.scene.web.issues(federated.body(source))
    assert set(issues) == {("credentials", "tokenSource")}


def test_a_managed_identity_signs_in(federated: FederatedFixture) -> None:
    scene, web = federated.scene, federated.scene.web
    assert web.refused(federated.body("vm"), 400)["code"] == "token_source.refused"
    identity = scene.admin.create_managed_identity(scene.world.tenant_id, "own", system=True)
    issuer = f"https://login.microsoftonline.com/{scene.world.tenant_id}/v2.0"
    assert issuer in web.refused(federated.body("vm"), 400)["message"]
    federated.trust(issuer, identity.principal_id)
    connection = federated.create("vm")
    assert connection["federatedIdentity"] == {"tokenSource": "vm", "issuer": issuer, "subject": identity.principal_id}
    unknown = web.refused(federated.body("nowhere", name="nowhere"), 400)
    assert unknown["code"] == "token_source.unknown"
    assert "KEYTURN_TOKEN_SOURCES" in unknown["message"]


def test_the_other_methods_do_not_take_each_others_credentials(federated: FederatedFixture) -> None:
    federated.trust(ISSUER, SUBJECT)
    connection, web = federated.create(), federated.scene.web
    secret = {"tenantId": federated.scene.world.tenant_id, "clientId": federated.app.app_id, "clientSecret": "x" * 40}
    answer = web.refused({"credentials": secret}, 400, method="PATCH", path=connection["id"])
    assert answer["code"] == "connections.method_fixed"
    options = web.ask("GET", "/api/v1/app-connections/options")["appConnectionOptions"]
    assert options[0]["methods"] == ["oauth", "client-secret", "certificate", "federated"]


def test_a_connection_is_made_secretless_over_the_api(federated: FederatedFixture) -> None:
    scene, web = federated.scene, federated.scene.web
    connection = web.create()
    path = f"{connection['id']}/secretless"
    assert web.ask("GET", path)["conversion"] is None
    plan = web.ask("POST", f"{path}/plan", {"tokenSource": "aks"})
    assert (plan["issuer"], plan["subject"], plan["sharedWith"], plan["alreadyTrusted"]) == (ISSUER, SUBJECT, 0, False)
    assert web.issues({"tokenSource": "/etc/passwd"}, path=f"{path}/plan")
    assert web.issues({"tokenSource": "aks", "watchHours": 0}, path=path)
    place = web.create("of-project", projectId=web.project_id, credentials=web.credentials(scene.world.application))
    refused = web.ask("POST", f"{place['id']}/secretless", {"tokenSource": "aks"}, expect=403, who="project-admin")
    assert refused["code"] == "connections.administrators_only"
    begun = web.ask("POST", path, {"tokenSource": "aks", "watchHours": 2})["conversion"]
    assert (begun["state"], begun["watchedUntil"], begun["tokenSource"]) == ("trusting", None, "aks")
    assert web.ask("POST", path, {"tokenSource": "aks"}, expect=400)["code"] == "connections.conversion_under_way"
    for _ in range(10):
        federated.renew()
        scene.world.services.conversion_work.advance(begun["id"])
        scene.world.clock.advance(10)
    watched = web.ask("GET", path)["conversion"]
    assert (watched["state"], watched["message"]) == ("watching", None)
    shown = web.get(connection)
    assert (shown["method"], shown["federatedIdentity"]["subject"]) == ("federated", SUBJECT)
    assert web.ask("POST", f"{path}/back")["conversion"]["code"] == "conversion.taken_back"
    scene.world.services.conversion_work.advance(begun["id"])
    assert web.get(connection)["credentialsHash"] == connection["credentialsHash"]
    assert web.ask("GET", path)["conversion"]["state"] == "withdrawing"


@pytest.mark.parametrize("rotating", [False, True])
def test_a_connection_whose_identity_is_lost_takes_a_secret_again(federated: FederatedFixture, rotating: bool) -> None:
    scene, web, app = federated.scene, federated.scene.web, federated.app
    federated.trust(ISSUER, SUBJECT)
    connection = federated.create()
    (federated.folder / "aks").unlink()
    assert not web.ask("POST", f"{connection['id']}/test")["ok"]
    made = scene.admin.add_secret(app.object_id, "by hand")
    secret = {"tenantId": scene.world.tenant_id, "clientId": app.app_id, "clientSecret": made.value}

    def refused(**changes: Any) -> str:
        code: str = web.refused(changes, 400, method="PATCH", path=connection["id"])["code"]
        return code

    assert refused(credentials=secret) == "connections.method_fixed", "only where that is said"
    assert web.change(connection, method="client-secret")["method"] == "federated", (
        "without credentials it says nothing"
    )
    assert refused(method="certificate", credentials=secret) == "connections.method_fixed"
    assert refused(method="client-secret", credentials=secret | {"clientSecret": "no" * 20}) == "azure.secret_invalid"
    changes = (
        {"isAutoRotationEnabled": True, "rotation": WEEKLY | {"clientSecretKeyId": made.key_id}} if rotating else {}
    )
    changed = web.change(connection, method="client-secret", credentials=secret, **changes)
    assert (changed["method"], changed["id"], changed["isAutoRotationEnabled"]) == (
        "client-secret",
        connection["id"],
        rotating,
    )
    assert changed["refusal"] is None
    assert changed.get("federatedIdentity") is None
    assert scene.world.events("update-app-connection")[-1]["data"]["method"] == "client-secret"
    assert web.ask("POST", f"{connection['id']}/test")["ok"]
    again = web.change(connection, method="client-secret", credentials=secret)
    assert again["version"] == changed["version"], "declarative tools send it each time"
    other = web.refused(
        {"method": "federated", "credentials": federated.body()["credentials"]},
        400,
        method="PATCH",
        path=connection["id"],
    )
    assert other["code"] == "connections.method_fixed"
    assert "Sign In Without a Secret" in other["message"]
