"""Over the API: who else holds a credential is told before and after, and to whom."""

from tests.features.connections.desk import WEEKLY, ApiClient

ON = {"isAutoRotationEnabled": True, "rotation": WEEKLY}


def test_a_connection_tells_who_else_holds_its_credential(web: ApiClient) -> None:
    first = web.create("first")
    assert "credentialSharing" not in first
    second = web.create("second")
    other = {"id": first["id"], "name": "first", "projectId": None}
    alone = {"others": [other], "hidden": 0, "movesAlong": False, "rotatedBy": None}
    assert second["credentialSharing"] == alone

    web.change(first, **ON)
    assert web.get(second)["credentialSharing"] == {**alone, "movesAlong": True, "rotatedBy": other}
    assert web.get(first)["credentialSharing"]["movesAlong"] is False
    listed = web.ask("GET", "")["appConnections"]
    assert [connection["credentialSharing"]["movesAlong"] for connection in listed] == [False, True]


def test_a_rotation_that_would_move_others_is_refused_and_names_them_when_asked_so(web: ApiClient) -> None:
    first, second = web.create("first"), web.create("second")
    careful = {**ON, "rotation": {**WEEKLY, "moveOthersAlong": False}}
    answer = web.refused(careful, 400, method="PATCH", path=second["id"])
    assert answer["code"] == "rotation.shared"
    assert answer["details"] == [{"connectionId": first["id"], "name": "first", "projectId": None}]
    web.refused(web.body("third", **careful), 400)


def test_who_may_not_see_a_holder_learns_only_how_many_there_are(web: ApiClient) -> None:
    web.create("of-the-organization")
    mine = web.create("mine", who="project-member", projectId=web.project_id)
    refused = web.ask("PATCH", mine["id"], ON, who="project-member", expect=400)
    assert refused["code"] == "rotation.shared_without_permission"
    sharing = web.ask("GET", mine["id"], who="project-member")["appConnection"]["credentialSharing"]
    assert [holder["name"] for holder in sharing["others"]] == ["of-the-organization"]
    of_project = web.ask("GET", mine["id"], who="project-viewer")["appConnection"]["credentialSharing"]
    assert of_project["hidden"] == 0


def test_deleting_tells_that_others_still_sign_in_with_the_secret(web: ApiClient) -> None:
    first = web.create_rotating("first")
    web.world.settle()
    current = web.world.current_secret(web.world.connections.get(web.world.actor, first["id"])).reveal()
    body = web.body("second")
    body["credentials"]["clientSecret"] = current
    second = web.ask("POST", "", body)["appConnection"]
    deleted = web.ask("DELETE", first["id"], revokeCredentials="true")
    assert [credential["reason"] for credential in deleted["staysValid"]] == ["other connections sign in with it"]
    assert web.get(second)["isAutoRotationEnabled"] is True


def test_a_secret_without_hint_is_confirmed_over_the_api(web: ApiClient) -> None:
    secret = web.world.emulator.admin.add_secret(web.world.application.object_id, hinted=False)
    credentials = web.credentials(clientSecret=secret.value, clientSecretKeyId=secret.key_id)
    answer = web.refused(web.body("old", credentials=credentials, **ON), 400)
    assert answer["code"] == "rotation.key_unconfirmed"
    assert answer["details"][0]["keyId"] == secret.key_id
    sure = {**ON, "rotation": {**WEEKLY, "confirmKeyId": True}}
    assert web.ask("POST", "", web.body("old", credentials=credentials, **sure))["appConnection"][
        "isAutoRotationEnabled"
    ]
