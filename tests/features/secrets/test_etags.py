"""The promise of tags: who has an answer already is told so before anything is opened, and only who may have it.

GET /api/v3/secrets/raw, /api/v3/secrets/raw/NAME, /api/v3/secrets/raw/id/ID, and the same under /api/v4/secrets
    -> 200 with ETag; with If-None-Match: that tag, W/ before it or -gzip at its end -> 304, empty, with ETag
"""

from collections.abc import Callable

import sqlalchemy as sa

from keyturn.db.tables import project_members, secret_versions
from keyturn.kit.secret import Sealed
from tests.features.secrets.desk import V3, V4, Json, SecretsClient


def tag(web: SecretsClient, path: str = V3, who: str | None = None, **query: object) -> str:
    answer = web.send("GET", path, who=who, **{**web.at(), **query})
    assert answer.status_code == 200, answer.text
    etag: str = answer.headers["etag"]
    return etag


def status(web: SecretsClient, path: str, etag: str, who: str | None = None, **query: object) -> int:
    answer = web.send("GET", path, who=who, headers={"if-none-match": etag}, **{**web.at(), **query})
    assert answer.status_code != 304 or (answer.content, answer.headers["etag"]) == (b"", tag(web, path, who, **query))
    return int(answer.status_code)


def test_who_has_an_answer_is_told_so_before_anything_is_opened(web: SecretsClient) -> None:
    secret = web.put("KEY", "value of the tag", secretComment="comment of the tag")
    paths = (V3, V4, f"{V3}/KEY", f"{V4}/KEY", f"{V3}/id/{secret['id']}", f"{V4}/id/{secret['id']}")
    tags = {path: tag(web, path, projectId=web.id) for path in paths}
    damaged = Sealed("k1.damaged.00")
    with web.world.database.write() as tx:
        tx.run(sa.update(secret_versions).values(value=damaged, details=damaged))
    for path, etag in tags.items():
        for spelled in (etag, f"W/{etag}", f'"other", {etag}', etag[:-1] + '-gzip"', f'W/{etag[:-1]}-gzip"', "*"):
            known = web.send("GET", path, headers={"if-none-match": spelled}, **web.at(), projectId=web.id)
            assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", etag)
        assert web.send("GET", path, **web.at(), projectId=web.id).status_code == 500
        assert web.send("GET", path, headers={"if-none-match": '"other"'}, **web.at()).status_code == 500


def test_whoever_may_not_have_an_answer_learns_nothing_by_its_tag(web: SecretsClient) -> None:
    web.put("KEY", "value of the tag")
    for path in (V3, f"{V3}/KEY"):
        etag = tag(web, path)
        for who, expected in (("member", 304), ("unknown token", 403), ("nobody", 403), ("stranger", 404)):
            assert status(web, path, etag, who) == expected
    etag = tag(web, V3, "viewer")
    with web.world.database.write() as tx:
        tx.run(sa.delete(project_members).where(project_members.c.user_id == web.actors["viewer"].id))
    assert status(web, V3, etag, "viewer") == 403


def test_all_that_an_answer_is_made_of_changes_its_tag(web: SecretsClient) -> None:
    folder, other = web.folder("/app"), web.folder("/app/other")
    word = web.ask("POST", f"/api/v1/projects/{web.id}/tags", {"slug": "old", "color": "red"})["tag"]
    web.put("KEY", "first", path="/app")
    imports = [
        web.ask(
            "POST",
            "/api/v1/secret-imports",
            {
                "workspaceId": web.id,
                "environment": "dev",
                "path": "/app",
                "import": {"environment": "prod", "path": path},
            },
        )["secretImport"]
        for path in ("/", "/b")
        if path == "/" or web.folder("/b", "prod")
    ]
    queries: list[Json] = [
        {"secretPath": "/app", "include_imports": "true"},
        {"secretPath": "/app", "recursive": "true", "viewSecretValue": "false"},
        {"secretPath": "/app", "recursive": "true"},
    ]
    here = web.at(path="/app")

    def write(method: str, url: str, body: Json) -> Callable[[], object]:
        return lambda: web.ask(method, url, body)

    everywhere, only_imports, only_below = {0, 1, 2}, {0}, {1, 2}
    changes: list[tuple[set[int], Callable[[], object]]] = [
        (everywhere, write("PATCH", f"{V3}/KEY", {**here, "secretValue": "second"})),
        (everywhere, write("PATCH", f"{V3}/KEY", {**here, "secretComment": "why"})),
        (everywhere, write("PATCH", f"{V3}/KEY", {**here, "secretMetadata": [{"key": "k", "value": "v"}]})),
        (everywhere, write("PATCH", f"{V3}/KEY", {**here, "skipMultilineEncoding": True})),
        (everywhere, write("PATCH", f"{V3}/KEY", {**here, "tagIds": [word["id"]]})),
        (everywhere, write("PATCH", f"/api/v1/projects/{web.id}/tags/{word['id']}", {"color": "blue"})),
        (everywhere, write("PATCH", f"/api/v1/projects/{web.id}/tags/{word['id']}", {"slug": "new"})),
        (everywhere, write("PATCH", f"{V3}/KEY", {**here, "newSecretName": "NAME"})),
        (only_below, lambda: web.put("BELOW", "below", path="/app/other")),
        (only_below, write("PATCH", f"/api/v1/folders/{other['id']}", {"workspaceId": web.id, "name": "moved"})),
        (only_imports, lambda: web.put("IMPORTED", "imported", environment="prod")),
        (
            only_imports,
            write(
                "PATCH",
                f"/api/v1/secret-imports/{imports[1]['id']}",
                {"workspaceId": web.id, "import": {"position": 1}},
            ),
        ),
        (set(), lambda: web.put("ELSEWHERE", "value at the root")),
        (set(), write("PATCH", f"/api/v1/folders/{folder['id']}", {"workspaceId": web.id, "description": "words"})),
        (everywhere, write("DELETE", f"{V3}/NAME", here)),
    ]
    before = [tag(web, V3, **query) for query in queries]
    assert len(set(before)) == len(queries)
    for number, (changing, change) in enumerate(changes):
        change()
        after = [tag(web, V3, **query) for query in queries]
        assert {place for place in range(len(queries)) if after[place] != before[place]} == changing, number
        before = after


def test_the_tag_tells_views_and_owners_apart(web: SecretsClient) -> None:
    web.put("KEY", "for everybody")
    query = {"projectId": web.id, "includePersonalOverrides": "true"}
    assert tag(web, V4, "member", **query) != tag(web, V4, "other", **query)
    assert tag(web, V4, "member", projectId=web.id) == tag(web, V4, "other", projectId=web.id)
    before = tag(web, V4, "member", **query)
    web.put("KEY", "for me", type="personal")
    assert tag(web, V4, "member", **query) != before
    assert tag(web, f"{V3}/KEY") != tag(web, f"{V3}/KEY", viewSecretValue="false")
    assert tag(web, f"{V3}/KEY") != tag(web, f"{V3}/KEY", type="personal")


def test_an_answer_with_secrets_is_never_compressed(web: SecretsClient) -> None:
    web.put("KEY", "a" * 5000)
    for path in (V3, f"{V3}/KEY"):
        answer = web.send("GET", path, headers={"accept-encoding": "gzip"}, **web.at())
        assert (answer.status_code, "content-encoding" in answer.headers) == (200, False)
