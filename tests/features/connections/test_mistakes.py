"""What people paste and choose wrongly: each is told apart, names the way out, and leaves nothing behind."""

from typing import Any

import pytest

from entra_emulator.admin.admin import ApplicationHandle
from keyturn_simulation.world import OWNED
from tests.features.connections.desk import NOBODY, WEEKLY, ApiClient, Json

DAY = 86400
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUcanary\n-----END CERTIFICATE-----"
TOKEN = f"eyJ0eXAiOiJKV1QifQ.{'e' * 120}.c2lnbmF0dXJl"


def rotating(web: ApiClient, application: ApplicationHandle | None = None, **credentials: Any) -> Json:
    supplied = web.credentials(application, **credentials)
    return web.body(credentials=supplied, isAutoRotationEnabled=True, rotation=WEEKLY)


def refusal(web: ApiClient, body: Json) -> Json:
    answer = web.refused(body, 400)
    assert answer["error"] == "BadRequest"
    assert isinstance(answer["message"], str)
    assert answer["fix"]
    return answer


# --- seen at once: nothing is sent to Microsoft ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "text", "what", "fix"),
    [
        ("clientSecret", NOBODY, "Secret ID of a client secret, not its Value", "Paste the Value"),
        ("clientSecret", f" {NOBODY.upper()} ", "Secret ID", "Paste the Value"),
        ("clientSecret", CERTIFICATE, "certificate or a key", "Paste the Value"),
        ("clientSecret", "MII" + "A" * 2000, "certificate or a key", "Paste the Value"),
        ("clientSecret", TOKEN, "token, not a client secret", "Paste the Value"),
        ("clientSecret", "   ", "empty", "Paste the Value"),
        ("clientSecret", "x" * 256, "at most 255", "Paste the Value"),
        ("clientSecret", "two\nlines", "line break", "Paste the Value"),
        ("clientSecret", "zero\u200bwidth", "U+200B (zero width space)", "Paste the Value"),
        ("clientSecret", '{\n"appId": "x",\n"password": "y"}', "JSON, as `az` prints it", "Paste the Value"),
        ("clientSecret", 5, "Expected string, received number", ""),
        ("clientSecret", None, "Expected string, received null", ""),
        ("tenantId", "contoso", "neither a tenant ID", "Directory (tenant) ID"),
        ("tenantId", "common", "'common' is not one tenant", "Directory (tenant) ID"),
        ("tenantId", "", "neither a tenant ID", "Directory (tenant) ID"),
        ("clientId", "my-app", "not a client ID, which looks like", "Application (client) ID"),
        ("clientId", "contoso.com", "not a client ID", "Application (client) ID"),
        ("clientSecretKeyId", "prod secret", "not a Secret ID", "Leave it empty"),
    ],
)
def test_a_wrong_field_is_named_before_anything_is_sent(
    shape: ApiClient, field: str, text: object, what: str, fix: str
) -> None:
    credentials = shape.credentials() | {field: text}
    issues = shape.issues(shape.body(credentials=credentials, isAutoRotationEnabled=True, rotation=WEEKLY))
    assert set(issues) == {("credentials", field)}
    assert what in issues["credentials", field]
    assert fix in issues["credentials", field]


def test_a_malformed_key_id_beside_the_schedule_is_named_there(web: ApiClient) -> None:
    body = rotating(web) | {"rotation": WEEKLY | {"clientSecretKeyId": "prod secret"}}
    assert set(web.issues(body)) == {("rotation", "clientSecretKeyId")}


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"rotationInterval": 0}, ("rotationInterval",), "greater than or equal to 1"),
        ({"rotationInterval": 366}, ("rotationInterval",), "less than or equal to 365"),
        ({"rotationInterval": -7}, ("rotationInterval",), "greater than or equal to 1"),
        ({"rotationInterval": 1.5}, ("rotationInterval",), "Expected integer, received float"),
        ({"rotationInterval": "30"}, ("rotationInterval",), "Expected number, received string"),
        ({"rotationInterval": "monthly"}, ("rotationInterval",), "Expected number, received string"),
        ({"rotationInterval": None}, ("rotationInterval",), "Expected number, received null"),
        ({"rotationInterval": True}, ("rotationInterval",), "Expected number, received boolean"),
        ({"rotateAtUtc": {"hours": 24, "minutes": 0}}, ("rotateAtUtc", "hours"), "less than or equal to 23"),
        ({"rotateAtUtc": {"hours": -1, "minutes": 0}}, ("rotateAtUtc", "hours"), "greater than or equal to 0"),
        ({"rotateAtUtc": {"hours": 2, "minutes": 60}}, ("rotateAtUtc", "minutes"), "less than or equal to 59"),
        ({"rotateAtUtc": {"hours": 2}}, ("rotateAtUtc", "minutes"), "Required"),
        ({"rotateAtUtc": None}, ("rotateAtUtc",), "Required"),
        ({"rotateAt": {"time": "24:00", "timeZone": "UTC"}}, ("rotateAt", "time"), "HH:MM"),
        ({"rotateAt": {"time": "2:15", "timeZone": "UTC"}}, ("rotateAt", "time"), "HH:MM"),
        ({"rotateAt": {"time": "02:15"}}, ("rotateAt", "timeZone"), "Required"),
        ({"rotateAt": {"time": "02:15", "timeZone": "Europe/Olso"}}, ("rotateAt", "timeZone"), "mean Europe/Oslo?"),
        ({"rotateAt": {"time": "02:15", "timeZone": "europe/oslo"}}, ("rotateAt", "timeZone"), "mean Europe/Oslo?"),
        ({"rotateAt": {"time": "02:15", "timeZone": "Middle-earth"}}, ("rotateAt", "timeZone"), "such as Europe/Oslo"),
        ({"rotateAt": {"time": "02:15", "timeZone": "../../x"}}, ("rotateAt", "timeZone"), "such as Europe/Oslo"),
        ({"rotateAt": {"time": "02:15", "timeZone": "x" * 900_000}}, ("rotateAt", "timeZone"), "no such time zone"),
        ({"timeZone": "Europe/Oslo"}, ("timeZone",), "it belongs in 'rotation.rotateAt'"),
        (
            {"rotateAtUtc": {"hours": 2, "minutes": 0, "timeZone": "Europe/Oslo"}},
            ("rotateAtUtc", "timeZone"),
            "it belongs in 'rotation.rotateAt'",
        ),
        (
            {"rotateAt": {"time": "02:15", "timeZone": "UTC", "weekdays": ["monday"]}},
            ("rotateAt", "weekdays"),
            "it belongs in 'rotation'",
        ),
    ],
)
def test_an_impossible_schedule_is_named(shape: ApiClient, changes: Json, path: tuple[str, ...], says: str) -> None:
    issues = shape.issues(rotating(shape) | {"rotation": WEEKLY | changes})
    assert set(issues) == {("rotation", *path)}
    assert says in issues["rotation", *path]
    assert len(issues["rotation", *path]) < 300


def test_what_belongs_elsewhere_in_a_body_is_named_and_what_nobody_knows_is_left_aside(shape: ApiClient) -> None:
    body = rotating(shape) | {
        "rotation": WEEKLY,
        "timeZone": "Europe/Oslo",
        "clientId": NOBODY,
        "Provider": "x",
        "ID": 3,
    }
    credentials = dict(body["credentials"])
    assert shape.issues(body) == {("timeZone",): "'timeZone' is not read here: it belongs in 'rotation.rotateAt'"}, (
        "the client id is where it belongs, too"
    )
    body = rotating(shape) | {"rotation": WEEKLY, "credentials": credentials | {"description": "x", "noted": "y"}}
    issues = shape.issues(body)
    assert issues == {
        ("credentials", "description"): "'description' is not read here: it belongs in the outermost object"
    }


def test_several_mistakes_are_told_at_once(web: ApiClient) -> None:
    body = {
        "name": "Prod_Entra",
        "method": "client-secret",
        "credentials": {"tenantId": "x", "clientSecret": NOBODY, "clientSecretKeyId": "z"},
        "isAutoRotationEnabled": True,
        "rotation": {"rotationInterval": 0, "rotateAt": {"time": "25:00", "timeZone": "Mars/Phobos"}},
        "description": "d" * 257,
    }
    assert set(web.issues(body)) == {
        ("name",),
        ("description",),
        ("credentials", "tenantId"),
        ("credentials", "clientId"),
        ("credentials", "clientSecret"),
        ("credentials", "clientSecretKeyId"),
        ("rotation", "rotationInterval"),
        ("rotation", "rotateAt", "time"),
        ("rotation", "rotateAt", "timeZone"),
    }


def test_rules_over_several_fields_are_told_beside_the_mistakes_of_single_ones(web: ApiClient) -> None:
    body = web.body("Prod_Entra", isAutoRotationEnabled=True, rotation={"rotationInterval": 0})
    assert set(web.issues(body)) == {("name",), ("rotation", "rotationInterval"), ("rotation", "rotateAtUtc")}
    assert set(web.issues(web.body("Prod_Entra", isAutoRotationEnabled=True))) == {("name",), ("rotation",)}


def test_a_change_tells_wrong_credentials_beside_a_wrong_name(web: ApiClient) -> None:
    connection = web.create()
    credentials = web.credentials(clientSecret=NOBODY, clientId="x")
    issues = web.issues({"name": "Prod_Entra", "credentials": credentials}, method="PATCH", path=connection["id"])
    assert set(issues) == {("name",), ("credentials", "clientId"), ("credentials", "clientSecret")}


# --- what is meant though it is dressed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dressed",
    [
        "{ID}",
        "'ID'",
        "\u201cID\u201d",
        "urn:uuid:ID",
        "Directory (tenant) id: ID",
        "Application (client) id\nID",
        '"id": "ID",',
        "\u200bID\u200b",
        "\ufeffID",
        "\u2060 ID\u200e",
        "\u202aID\u202c",
        "\xa0ID\u202f",
    ],
)
def test_ids_are_taken_however_they_are_dressed(web: ApiClient, dressed: str) -> None:
    credentials = web.credentials()
    key_id = str(web.world.first_secret().key_id)
    for name in ("tenantId", "clientId"):
        credentials[name] = dressed.replace("ID", credentials[name])
    credentials["clientSecretKeyId"] = dressed.replace("ID", key_id)
    credentials["clientSecret"] = f"\u200b {credentials['clientSecret']}\ufeff\n"
    answer = web.ask(
        "POST", "", web.body("\u200eprod-entra\u200b ", credentials=credentials, description="\ufeffWhat for")
    )
    connection = answer["appConnection"]
    plain = web.credentials()
    assert connection["credentials"] == {"tenantId": plain["tenantId"], "clientId": plain["clientId"]}
    assert (connection["name"], connection["description"]) == ("prod-entra", "What for")


def test_other_hyphens_and_none_are_taken(web: ApiClient) -> None:
    plain = web.credentials()
    credentials = plain | {
        "tenantId": plain["tenantId"].replace("-", "\u2011"),
        "clientId": plain["clientId"].replace("-", ""),
    }
    assert web.create(credentials=credentials)["credentials"]["clientId"] == plain["clientId"]


def test_a_domain_of_the_tenant_is_looked_up_and_its_id_kept(web: ApiClient) -> None:
    world = web.world
    credentials = web.credentials(tenantId=" Contoso.onmicrosoft.com ")
    connection = web.create_rotating(credentials=credentials)
    assert connection["credentials"]["tenantId"] == world.tenant_id
    world.settle()
    before = world.keys()
    # Declarative clients send the domain again with every change: that is no new secret.
    assert (
        web.change(connection, credentials=credentials, description="x")["credentialsHash"]
        == connection["credentialsHash"]
    )
    world.settle()
    assert world.keys() == before
    answer = refusal(web, web.body("other", credentials=web.credentials(tenantId="nowhere.example")))
    assert answer["code"] == "azure.tenant_unknown"


def test_a_name_with_an_unseen_character_inside_says_which(web: ApiClient) -> None:
    says = web.issues(web.body("prod\u200bentra"))["name",]
    assert "U+200B (zero width space), which cannot be seen" in says
    assert "lower-case letters, digits and single hyphens" in says


@pytest.mark.parametrize("secret", ["an old secret with blanks", '"quoted by its maker"', "'kept'", "a\\nb~c d"])
def test_the_inside_of_a_secret_is_kept_byte_for_byte(web: ApiClient, secret: str) -> None:
    world = web.world
    app = world.emulator.admin.create_application(world.tenant_id, "Old", owns_itself=True, secrets=0)
    world.emulator.admin.add_secret(app.object_id, "chosen", value=secret)
    credentials = {"tenantId": world.tenant_id, "clientId": app.app_id, "clientSecret": f"  {secret}\r\n"}
    connection = web.create(credentials=credentials)
    assert world.secret_of(world.connections.get(world.actor, connection["id"])).reveal() == secret


def test_quotes_around_a_secret_of_entra_are_taken_away(web: ApiClient) -> None:
    plain = web.credentials()
    assert web.create(credentials=plain | {"clientSecret": f"\u201c{plain['clientSecret']}\u201d"})


# --- what Microsoft has to be asked for --------------------------------------------------------------------------------


@pytest.mark.parametrize("rotate", [False, True])
def test_a_wrong_secret(web: ApiClient, rotate: bool) -> None:
    wrong = "abc8Q~wrongCANARYwrongCANARYwrongCANARY01"
    body = rotating(web, clientSecret=wrong) if rotate else web.body(credentials=web.credentials(clientSecret=wrong))
    answer = refusal(web, body)
    assert answer["code"] == "azure.secret_invalid"
    assert "paste the secret's Value" in answer["message"]
    assert "AADSTS7000215" in answer["message"]


def test_an_expired_secret(web: ApiClient) -> None:
    world = web.world
    now = world.clock.now().timestamp()
    app = world.emulator.admin.create_application(world.tenant_id, "Old", owns_itself=True, secrets=0)
    old = world.emulator.admin.add_secret(app.object_id, "old", start=now - 20 * DAY, end=now - DAY)
    credentials = {"tenantId": world.tenant_id, "clientId": app.app_id, "clientSecret": old.value}
    answer = refusal(web, web.body(credentials=credentials, isAutoRotationEnabled=True, rotation=WEEKLY))
    assert answer["code"] == "azure.secret_expired"
    assert "make a new secret" in answer["message"]


def test_a_tenant_that_does_not_exist(web: ApiClient) -> None:
    answer = refusal(web, rotating(web, tenantId=NOBODY))
    assert answer["code"] == "azure.tenant_unknown"
    assert "Directory (tenant) ID" in answer["message"]


def test_another_tenant_than_the_applications(web: ApiClient) -> None:
    other = web.world.emulator.admin.create_tenant("Fabrikam")
    answer = refusal(web, rotating(web, tenantId=other))
    assert answer["code"] == "azure.application_unknown"
    assert "compare Application (client) ID and Directory (tenant) ID" in answer["message"]


def test_an_application_that_does_not_exist(web: ApiClient) -> None:
    answer = refusal(web, rotating(web, clientId=NOBODY))
    assert answer["code"] == "azure.application_unknown"
    assert f"az ad sp show --id {NOBODY}" in answer["message"]


def test_no_permission_to_change_the_application(web: ApiClient) -> None:
    world = web.world
    app = world.emulator.admin.create_application(world.tenant_id, "Powerless", owns_itself=True)
    answer = refusal(web, rotating(web, app))
    assert answer["code"] == "azure.permission_missing"
    assert "Application.ReadWrite.OwnedBy" in answer["message"]
    assert "az ad app permission add" in answer["message"]


def test_owned_by_without_owning(web: ApiClient) -> None:
    world = web.world
    app = world.emulator.admin.create_application(world.tenant_id, "Not its own", permissions=(OWNED,))
    answer = refusal(web, rotating(web, app))
    assert answer["code"] in {"azure.not_owner", "azure.permission_missing"}
    assert "az ad app owner add" in answer["message"]
    assert app.principal_id in answer["message"]


# --- which secret is it? ------------------------------------------------------------------------------------------------


def test_a_key_id_that_the_application_does_not_have(web: ApiClient) -> None:
    answer = refusal(web, rotating(web, clientSecretKeyId=NOBODY))
    assert answer["code"] == "rotation.key_id_unknown"
    assert "Key ID" in answer["fix"]
    (candidate,) = answer["details"]
    assert candidate["keyId"] == web.world.first_secret().key_id
    assert set(candidate) == {"keyId", "name", "hint", "startsAt", "endsAt"}


def test_the_key_id_of_another_secret(web: ApiClient) -> None:
    other = web.world.emulator.admin.add_secret(web.world.application.object_id, "somebody else's")
    answer = refusal(web, rotating(web, clientSecretKeyId=other.key_id))
    assert answer["code"] == "rotation.key_id_of_another"
    assert "somebody else's" in answer["message"]
    assert other.key_id in {
        secret.key_id for secret in web.world.emulator.admin.secrets(web.world.application.object_id)
    }


def test_several_secrets_that_begin_alike_need_the_key_id(web: ApiClient) -> None:
    world = web.world
    mine = world.first_secret()
    twin = world.emulator.admin.add_secret(
        world.application.object_id, "twin", value=mine.secret.hint() + "8Q~" + "twin" * 8
    )
    answer = refusal(web, rotating(web))
    assert answer["code"] == "rotation.key_id_needed"
    assert "Key ID" in answer["fix"]
    assert {detail["keyId"] for detail in answer["details"]} == {mine.key_id, twin.key_id}

    web.create_rotating(credentials=web.credentials(clientSecretKeyId=str(mine.key_id).upper()))
    world.settle()
    remaining = set(world.keys())
    assert twin.key_id in remaining
    assert mine.key_id not in remaining


def test_the_key_id_may_stand_beside_the_schedule(web: ApiClient) -> None:
    other = web.world.emulator.admin.add_secret(web.world.application.object_id, "other")
    body = rotating(web)
    body["rotation"] = WEEKLY | {"clientSecretKeyId": other.key_id}
    assert refusal(web, body)["code"] == "rotation.key_id_of_another"


# --- what a change must not do -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rotate", [False, True])
def test_a_refused_change_leaves_everything_as_it_was(web: ApiClient, rotate: bool) -> None:
    connection = web.create_rotating() if rotate else web.create()
    web.world.settle()
    before = web.get(connection)
    wrong = "abc8Q~wrongCANARYwrongCANARYwrongCANARY01"
    credentials = web.credentials(clientSecret=wrong)
    web.refused({"name": "other", "credentials": credentials}, 400, method="PATCH", path=connection["id"])
    malformed: list[Json] = [
        {"credentials": web.credentials(clientSecret=NOBODY), "name": "other"},
        {"rotation": {"rotationInterval": 366}, "name": "other"},
        {"credentials": {}},
    ]
    for body in malformed:
        web.issues(body, method="PATCH", path=connection["id"])
    assert web.get(connection) == before


def test_a_refusal_says_what_to_do_where_clients_look_for_it(web: ApiClient) -> None:
    """Terraform and the command line print the message and nothing else of an answer."""
    web.create("taken")
    answer = refusal(web, web.body("taken"))
    assert answer["code"] == "connections.name_taken"
    assert answer["fix"] in answer["message"]
