"""Lists of many secrets, which are sent part by part, and what they take of the memory."""

import asyncio
import tracemalloc
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
import sqlalchemy as sa

from keyturn.db.tables import secret_versions
from tests.features.secrets.desk import V3, V4, SecretsClient
from tests.features.secrets.many import add_many


def fill(web: SecretsClient, path: str, count: int, length: int, value: str = "x") -> None:
    folder, world = web.folder(path), web.world
    names = ((f"NAME_{number:05}", value.ljust(length, "x")) for number in range(count))
    add_many(world.database, world.sealer, world.ids, web.id, folder["id"], names)


def test_many_secrets_come_in_order_with_what_is_imported_and_their_references(web: SecretsClient) -> None:
    fill(web, "/many", 1200, 10)
    fill(web, "/more", 1100, 10, "${NAME_00000}")
    web.put("LAST", "${NAME_01000}", path="/many")
    source = {"environment": "dev", "path": "/more"}
    web.ask("POST", "/api/v1/secret-imports", {**web.at(), "path": "/many", "import": source})
    answer = web.ask("GET", V4, projectId=web.id, environment="dev", secretPath="/many")
    names = [secret["secretKey"] for secret in answer["secrets"]]
    assert names == ["LAST", *(f"NAME_{number:05}" for number in range(1200))]
    assert answer["secrets"][0]["secretValue"] == "x" * 10
    [brought] = answer["imports"]
    assert (brought["secretPath"], len(brought["secrets"])) == ("/more", 1100)
    assert len({secret["id"] for secret in [*answer["secrets"], *brought["secrets"]]}) == 2301
    assert [event["numberOfSecrets"] for event in web.trail("get-secrets")] == [2301]
    etag = web.send("GET", V3, **web.at(path="/many")).headers["etag"]
    assert web.send("GET", V3, headers={"if-none-match": etag}, **web.at(path="/many")).status_code == 304


@pytest.mark.alternates
def test_a_large_list_takes_little_of_the_memory(web: SecretsClient) -> None:
    fill(web, "/many", 5000, 4000)
    sizes = received(web, "/many")  # loads what any answer needs
    tracemalloc.start()
    again = received(web, "/many")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert again == sizes
    assert sum(sizes) > 20_000_000
    assert max(sizes) < 3_000_000
    assert peak < 10_000_000


def test_an_answer_that_fails_half_way_never_looks_whole(web: SecretsClient) -> None:
    fill(web, "/many", 1200, 10)
    with web.world.database.write() as tx:
        last = sa.select(sa.func.max(secret_versions.c.name)).scalar_subquery()
        tx.run(sa.update(secret_versions).where(secret_versions.c.name == last).values(value=None))
    with pytest.raises(Exception, match="no value"):
        received(web, "/many")


def received(web: SecretsClient, path: str) -> list[int]:
    """Read a list part by part, keeping nothing; return the size of each part. Raises what ends it before its end."""
    sizes: list[int] = []

    async def receive() -> Any:
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200
        if "body" in message:
            sizes.append(len(message["body"]))

    query = urlencode({"projectId": web.id, "environment": "dev", "secretPath": path}).encode()
    headers = [(b"host", b"keyturn.localhost:8080"), (b"authorization", b"Bearer member")]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": V4,
        "query_string": query,
    }
    asyncio.run(web.application(scope | {"headers": headers, "client": ("127.0.0.1", 1)}, receive, send))
    return sizes


def test_a_list_is_json_however_many_parts_it_has(web: SecretsClient) -> None:
    fill(web, "/none", 0, 0)
    fill(web, "/one", 500, 10)
    for path, count in (("/none", 0), ("/one", 500)):
        answer = web.send("GET", V3, **web.at(path=path))
        assert len(msgspec.json.decode(answer.content)["secrets"]) == count
        assert int(answer.headers["content-length"]) == len(answer.content)
