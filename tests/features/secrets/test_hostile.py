"""Many writers at once, values as large as files, and paths that lead out of where they are: clear answers, nothing half done."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from keyturn.db.engine import open_engine, parse_url
from keyturn.db.unit import Database
from tests.databases import KINDS, create_tables, sqlite_database
from tests.features.secrets.desk import V3, V4, SecretsClient, desk
from tests.postgres import fresh_database

WRITERS, EACH = 50, 2


@contextmanager
def database_of_its_own(kind: str, folder: Path) -> Iterator[Database]:
    """A database that no other test uses afterwards: dozens of connections to it take their time to end."""
    if kind == "sqlite":
        with sqlite_database(folder) as database:
            yield database
        return
    with fresh_database() as url:
        create_tables(url)
        database = Database(open_engine(parse_url(url)))
        yield database
        database.close()


@pytest.mark.parametrize("kind", KINDS)
def test_fifty_writers_of_one_project_all_write_and_are_numbered_without_a_gap(kind: str, tmp_path: Path) -> None:
    with database_of_its_own(kind, tmp_path) as database, desk(database, tmp_path) as web:
        write_at_once(web)


def write_at_once(web: SecretsClient) -> None:
    web.put("SHARED", "value 0")
    seen: list[list[int]] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            seen.append([number for number, _ in web.feed()])

    def write(writer: int) -> None:
        for number in range(EACH):
            web.put(f"OF_{writer}_{number}", "value")
            web.ask("PATCH", f"{V3}/SHARED", web.at(secretValue=f"value {number} of {writer}"))

    watching = threading.Thread(target=watch)
    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    for thread in (watching, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    watching.join()
    changes = web.feed()
    assert [number for number, _ in changes] == list(range(1, 2 * WRITERS * EACH + 2))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen), "a number came after a higher one"
    assert len(web.listed()) == WRITERS * EACH + 1
    [*versions] = [change.version for _, change in changes if change.name == "SHARED"]
    assert versions == list(range(1, WRITERS * EACH + 2)) == list(range(1, web.get("SHARED")["version"] + 1))


def test_a_change_and_a_batch_as_large_as_files_write_nothing(web: SecretsClient) -> None:
    web.put("KEY", "value that stays")
    before, value = web.counts(), "x" * 10_000_000
    batch = web.at(secrets=[{"secretKey": "SMALL", "secretValue": "x"}, {"secretKey": "LARGE", "secretValue": value}])
    for method, url, body in (
        ("PATCH", f"{V3}/KEY", web.at(secretValue=value)),
        ("POST", "/api/v3/secrets/batch/raw", batch),
    ):
        answer = web.send(method, url, body)
        assert (answer.status_code, "xxxx" in answer.text) == (413, False)
    assert web.counts() == before


def test_a_path_leads_nowhere_but_down(web: SecretsClient) -> None:
    web.folder("/app/vault")
    web.put("KEY", "value of the vault", path="/app/vault")
    web.put("ROOT", "value at the root")
    before = web.counts()
    for path in (
        "/app/vault/..",
        "/app/../app/vault",
        "../app/vault",
        "/app/vault/%2e%2e",
        "/app\\vault",
        "/app/./vault",
    ):
        assert web.send("GET", V3, **web.at(path=path)).json().get("secrets", []) == [], path
        for method, body in (
            ("GET", None),
            ("PATCH", {"secretValue": "x"}),
            ("DELETE", {}),
            ("POST", {"secretValue": "x"}),
        ):
            where = web.at(path=path)
            answer = web.send(
                method, f"{V3}/KEY", None if body is None else {**where, **body}, **({} if body else where)
            )
            assert answer.status_code in {400, 404}, (method, path, answer.text)
            assert answer.json()["message"]
        wanted = {"workspaceId": web.id, "environment": "dev", "path": path, "name": "new"}
        assert web.send("POST", "/api/v1/folders", wanted).status_code == 400
        source = {"environment": "dev", "path": path}
        imported = web.send("POST", "/api/v1/secret-imports", {**web.at(), "path": "/app", "import": source})
        assert imported.status_code in {400, 404}
    for name in ("..", ".", "a/b", "a\\b", "%2e%2e", "", "x" * 65):
        body = {"workspaceId": web.id, "environment": "dev", "name": name}
        assert web.send("POST", "/api/v1/folders", body).status_code in {400, 422}, name
    for name in ("../KEY", "..%2FKEY", "app/vault/KEY"):
        answer = web.send("GET", f"{V4}/{quote(name, safe='')}", projectId=web.id, environment="dev")
        assert answer.status_code in {400, 404}, name
    assert web.counts() == before
