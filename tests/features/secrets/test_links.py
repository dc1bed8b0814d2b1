"""The promise to clients of references, imports and personal values: method, path and JSON.

GET    ...secrets?expandSecretReferences=true     "${NAME}" of the same folder, "${environment.folder.NAME}" of another
GET    ...secrets?include_imports=true            -> {"secrets": [...], "imports": [{"secretPath", "environment", "folderId",
                                                     "secrets": [...]}]} in the order of the imports
POST   /api/v1/secret-imports      {"workspaceId", "environment", "path", "import": {"environment", "path"}}
GET    /api/v1/secret-imports      ?workspaceId&environment&path -> {"secretImports": [...]}
GET    /api/v1/secret-imports/ID   PATCH {"import": {"environment", "path", "position"}}   DELETE
       -> {"secretImport": {"id", "importEnv": {"id", "name", "slug"}, "importPath", "position", ...}}
POST   ...secrets/NAME             {"type": "personal"}: in place of the shared one, for whoever wrote it
"""

from typing import Any

import pytest

from tests.features.secrets.desk import V3, V4, Json, SecretsClient

IMPORTS = "/api/v1/secret-imports"


def expanded(web: SecretsClient, environment: str = "dev", path: str = "/") -> Json:
    return web.values(environment, path, expandSecretReferences="true")


def imported(web: SecretsClient, environment: str = "dev", path: str = "/", **query: Any) -> list[Json]:
    where = web.at(environment, path)
    imports: list[Json] = web.ask("GET", V3, **where, **{"include_imports": "true", **query})["imports"]
    return imports


def take(web: SecretsClient, environment: str, path: str, source: str, source_path: str = "/", **more: Any) -> Json:
    """Let the folder import the source."""
    body = {
        "workspaceId": web.id,
        "environment": environment,
        "path": path,
        "import": {"environment": source, "path": source_path},
    }
    return web.ask("POST", IMPORTS, body, **more).get("secretImport", {})


# --- references -------------------------------------------------------------------------------------------------------


def test_references_lead_to_the_same_folder_and_to_others(web: SecretsClient) -> None:
    web.folder("/db/main", "prod")
    web.put("USER", "app")
    web.put("PASSWORD", "password of production", environment="prod", path="/db/main")
    web.put("ROOT", "root of prod", environment="prod")
    url = "pg://${USER}:${prod.db.main.PASSWORD}@db?${prod.ROOT}"
    web.put("URL", url)
    assert web.values()["URL"] == url
    assert expanded(web)["URL"] == "pg://app:password of production@db?root of prod"
    for path, query in ((f"{V3}/URL", {"workspaceId": web.id}), (f"{V4}/URL", {"projectId": web.id})):
        secret = web.ask("GET", path, environment="dev", expandSecretReferences="true", **query)["secret"]
        assert secret["secretValue"] == "pg://app:password of production@db?root of prod"


def test_a_secret_by_its_id_is_never_expanded(web: SecretsClient) -> None:
    web.put("A", "a")
    secret = web.put("B", "${A}")
    assert web.ask("GET", f"{V3}/id/{secret['id']}")["secret"]["secretValue"] == "${A}"


def test_what_leads_nowhere_stays_as_it_is_written(web: SecretsClient) -> None:
    written = "${NOT_THERE} ${dev.no.such.FOLDER} ${nowhere.X} ${} $HOME ${unclosed $${A}"
    web.put("A", "a")
    web.put("TEXT", written)
    assert expanded(web)["TEXT"] == written.replace("$${A}", "$a")


def test_a_chain_is_followed_to_its_end(web: SecretsClient) -> None:
    web.put("LAST", "end")
    for number in range(20):
        web.put(f"LINK_{number}", "${LAST}" if number == 0 else f"${{LINK_{number - 1}}}")
    assert set(expanded(web).values()) == {"end"}


def test_a_circle_is_refused_and_one_that_comes_about_is_left_as_it_is_written(web: SecretsClient) -> None:
    web.put("A", "${B}")
    web.put("X", "${A} and ${C}")
    web.put("C", "c")
    refused = web.ask("POST", f"{V3}/B", web.at(secretValue="${C} ${A}"), expect=400)
    assert refused["code"] == "secrets.reference_circle"
    assert (
        web.ask("POST", f"{V3}/SELF", web.at(secretValue="${SELF}"), expect=400)["code"] == "secrets.reference_circle"
    )
    web.put("OTHER", "${A}")
    web.ask("PATCH", f"{V3}/OTHER", web.at(newSecretName="B"), expect=400)
    web.put("NAMED", "${MOVED}")  # a folder that is renamed closes a circle, too
    web.folder("/f")
    web.put("MOVED", "${dev.g.BACK}")
    web.put("BACK", "${dev.NAMED}", path="/f")
    folder = web.folders(path="/")[0]
    web.ask("PATCH", f"/api/v1/folders/{folder['id']}", {"name": "g"})
    values = expanded(web)
    assert (values["NAMED"], values["MOVED"]) == ("${MOVED}", "${dev.g.BACK}")
    assert values["X"] == "${B} and c"


def test_values_that_grow_without_end_are_bounded(web: SecretsClient) -> None:
    web.put("L0", "x" * 1000)
    for number in range(1, 30):
        web.put(f"L{number}", f"${{L{number - 1}}}" * 10)
    values = expanded(web)
    assert max(len(value) for value in values.values()) <= 1024 * 1024
    assert len(values["L3"]) == 1_000_000
    assert "${" in values["L4"]


def test_who_may_not_see_values_gets_none_by_references(web: SecretsClient) -> None:
    web.put("A", "value behind a reference")
    web.put("B", "${A}")
    secrets = web.listed(expandSecretReferences="true", viewSecretValue="false")
    assert {each_secret["secretValue"] for each_secret in secrets} == {"<hidden-by-infisical>"}


# --- imports ----------------------------------------------------------------------------------------------------------


def test_an_import_is_made_read_moved_and_removed(web: SecretsClient) -> None:
    web.folder("/shared", "staging")
    first = take(web, "dev", "/", "prod")
    second = take(web, "dev", "/", "staging", "/shared")
    assert (first["importEnv"]["slug"], first["importPath"], first["position"]) == ("prod", "/", 1)
    assert (second["importPath"], second["position"], second["environment"]["slug"]) == ("/shared", 2, "dev")
    assert web.ask("GET", f"{IMPORTS}/{second['id']}")["secretImport"] == second
    moved = web.ask("PATCH", f"{IMPORTS}/{second['id']}", {"import": {"position": 1}})["secretImport"]
    assert moved["position"] == 1
    listed = web.send("GET", IMPORTS, workspaceId=web.id, environment="dev", path="/").json()["secretImports"]
    assert [(each_secret["id"], each_secret["position"]) for each_secret in listed] == [
        (second["id"], 1),
        (first["id"], 2),
    ]
    web.ask("DELETE", f"{IMPORTS}/{second['id']}", {"workspaceId": web.id, "environment": "dev"})
    web.ask("GET", f"{IMPORTS}/{second['id']}", expect=404)
    [remaining] = web.send("GET", IMPORTS, workspaceId=web.id, environment="dev").json()["secretImports"]
    assert (remaining["id"], remaining["position"]) == (first["id"], 1)
    assert [change.kind.value for _, change in web.feed()][-1] == "secret:import-mutation"
    assert len(web.trail("create-secret-import", "update-secret-import", "delete-secret-import")) == 4


@pytest.mark.parametrize("spelling", ["include_imports", "includeImports"])
def test_a_list_shows_what_each_import_brings_in_their_order(web: SecretsClient, spelling: str) -> None:
    web.put("OWN", "own")
    web.put("SAME", "of prod", environment="prod")
    web.put("SAME", "of staging", environment="staging")
    take(web, "dev", "/", "prod")
    take(web, "dev", "/", "staging")
    listed = web.ask("GET", V3, **web.at(), **{spelling: "True"})
    assert [each_secret["secretKey"] for each_secret in listed["secrets"]] == ["OWN"]
    sources = [
        (each_secret["environment"], each_secret["secretPath"], each_secret["secrets"][0]["secretValue"])
        for each_secret in listed["imports"]
    ]
    assert sources == [("prod", "/", "of prod"), ("staging", "/", "of staging")]
    assert all(each_secret["folderId"] for each_secret in listed["imports"])
    assert web.ask("GET", V3, **web.at())["imports"] == []
    assert len(web.ask("GET", V4, projectId=web.id, environment="dev")["imports"]) == 2


def test_a_secret_that_the_folder_does_not_have_comes_from_the_last_import(web: SecretsClient) -> None:
    for environment in ("prod", "staging"):
        web.put("SAME", f"of {environment}", environment=environment)
        take(web, "dev", "/", environment)
    secret = web.get("SAME", include_imports="true")
    assert (secret["secretValue"], secret["environment"]) == ("of staging", "staging")
    web.ask("GET", f"{V3}/SAME", **web.at(), expect=404)
    web.ask("GET", f"{V3}/NONE", **web.at(), include_imports="true", expect=404)
    web.put("SAME", "own")
    assert web.get("SAME", include_imports="true")["secretValue"] == "own"


def test_an_import_brings_what_its_source_imports(web: SecretsClient) -> None:
    web.folder("/base", "prod")
    web.put("BASE", "base", environment="prod", path="/base")
    web.put("OVER", "base", environment="prod", path="/base")
    web.put("OVER", "prod", environment="prod")
    take(web, "prod", "/", "prod", "/base")
    take(web, "dev", "/", "prod")
    [brought] = imported(web)
    assert {each_secret["secretKey"]: each_secret["secretValue"] for each_secret in brought["secrets"]} == {
        "BASE": "base",
        "OVER": "prod",
    }
    assert {each_secret["secretKey"]: each_secret["secretPath"] for each_secret in brought["secrets"]} == {
        "BASE": "/base",
        "OVER": "/",
    }


def test_references_of_an_imported_secret_are_those_of_its_own_folder(web: SecretsClient) -> None:
    web.put("NAME", "dev")
    web.put("NAME", "prod", environment="prod")
    web.put("GREETING", "I am ${NAME}", environment="prod")
    take(web, "dev", "/", "prod")
    [brought] = imported(web, expandSecretReferences="true")
    assert {each_secret["secretValue"] for each_secret in brought["secrets"]} == {"prod", "I am prod"}
    secret = web.get("GREETING", include_imports="true", expandSecretReferences="true")
    assert secret["secretValue"] == "I am prod"


def test_imports_in_a_circle_are_refused(web: SecretsClient) -> None:
    take(web, "dev", "/", "staging")
    take(web, "staging", "/", "prod")
    for source in ("dev", "prod"):
        body = {"workspaceId": web.id, "environment": "prod", "import": {"environment": source, "path": "/"}}
        assert web.ask("POST", IMPORTS, body, expect=400)["code"] == "secrets.import_circle"
    again = {"workspaceId": web.id, "environment": "dev", "import": {"environment": "staging", "path": "/"}}
    assert web.ask("POST", IMPORTS, again, expect=400)["code"] == "secrets.import_taken"
    nowhere = {"workspaceId": web.id, "environment": "dev", "import": {"environment": "prod", "path": "/none"}}
    assert web.ask("POST", IMPORTS, nowhere, expect=404)["code"] == "secrets.folder_not_found"
    web.ask("POST", IMPORTS, {**again, "isReplication": True}, expect=422)
    web.ask("POST", IMPORTS, again, who="viewer", expect=403)


def test_an_imported_folder_that_is_gone_brings_nothing(web: SecretsClient) -> None:
    web.folder("/f", "prod")
    web.put("KEY", "a", environment="prod", path="/f")
    take(web, "dev", "/", "prod", "/f")
    web.put("OWN", "b")
    web.ask("DELETE", "/api/v1/folders/f", {"workspaceId": web.id, "environment": "prod", "directory": "/"})
    assert imported(web) == []
    assert web.values() == {"OWN": "b"}


def test_a_wide_net_of_imports_is_bounded(web: SecretsClient) -> None:
    for level in range(6):
        for side in "ab":
            web.folder(f"/l{level}{side}")
            web.put("KEY", f"{level}{side}", path=f"/l{level}{side}")
    for level in range(5):
        for side in "ab":
            for other in "ab":
                take(web, "dev", f"/l{level}{side}", "dev", f"/l{level + 1}{other}")
    brought = imported(web, path="/l0a")
    assert [[each_secret["secretValue"] for each_secret in each["secrets"]] for each in brought] == [["1a"], ["1b"]]


def test_reading_imported_values_is_written_down(web: SecretsClient) -> None:
    web.put("KEY", "value of an import", environment="prod")
    take(web, "dev", "/", "prod")
    imported(web)
    [read] = web.trail("get-secrets")
    assert (read["numberOfSecrets"], read["imports"], read["environment"]) == (1, True, "dev")


# --- personal values --------------------------------------------------------------------------------------------------


def test_a_personal_value_stands_in_for_the_shared_one_for_its_owner_only(web: SecretsClient) -> None:
    web.put("KEY", "value for everybody")
    mine = web.put("KEY", "value for me alone", type="personal")
    assert (mine["type"], mine["version"]) == ("personal", 1)

    def listed(who: str, **query: str) -> list[tuple[str, str]]:
        where = {"projectId": web.id, "environment": "dev", **query}
        secrets = web.ask("GET", V4, **where, who=who)["secrets"]
        return [(each_secret["type"], each_secret["secretValue"]) for each_secret in secrets]

    both = [("shared", "value for everybody"), ("personal", "value for me alone")]
    assert listed("member", includePersonalOverrides="true") == both
    for who in ("other", "robot", "admin"):
        assert listed(who, includePersonalOverrides="true") == both[:1]
        web.ask("GET", f"{V3}/KEY", **web.at(), type="personal", who=who, expect=404)
        web.ask("GET", f"{V3}/id/{mine['id']}", who=who, expect=404)
    assert listed("member") == both[:1]
    assert web.get("KEY", type="personal")["secretValue"] == "value for me alone"
    assert web.get("KEY")["secretValue"] == "value for everybody"
    owners = [change.owner_id for _, change in web.feed()]
    assert owners == [None, web.actors["member"].id]


def test_a_personal_value_needs_a_shared_one_and_goes_with_it(web: SecretsClient) -> None:
    alone = web.ask("POST", f"{V3}/KEY", web.at(secretValue="x", type="personal"), expect=400)
    assert alone["code"] == "secrets.nothing_to_override"
    web.put("KEY", "shared")
    robot = web.ask("POST", f"{V3}/KEY", web.at(secretValue="x", type="personal"), who="robot", expect=400)
    assert robot["code"] == "secrets.personal_machine"
    web.put("KEY", "mine", type="personal")
    web.ask("PATCH", f"{V3}/KEY", web.at(newSecretName="NEW"))
    assert web.get("NEW", type="personal")["secretValue"] == "mine"
    web.ask("DELETE", f"{V3}/NEW", web.at(type="personal"))
    assert web.get("NEW")["secretValue"] == "shared"
    web.put("NEW", "mine", type="personal")
    web.ask("DELETE", f"{V3}/NEW", web.at())
    web.put("NEW", "another that everybody reads")
    web.ask("GET", f"{V3}/NEW", **web.at(), type="personal", expect=404)


def test_nothing_refers_to_a_personal_value(web: SecretsClient) -> None:
    web.put("KEY", "shared")
    web.put("KEY", "mine", type="personal")
    web.put("USER", "${KEY}")
    query = {"projectId": web.id, "environment": "dev", "includePersonalOverrides": "true"}
    values = {
        (each_secret["secretKey"], each_secret["type"]): each_secret["secretValue"]
        for each_secret in web.ask("GET", V4, **query)["secrets"]
    }
    assert values == {("KEY", "shared"): "shared", ("KEY", "personal"): "mine", ("USER", "shared"): "shared"}
