"""How long the server takes for the list of app connections when there are ten thousand of them."""

import logging
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
import structlog

from benchmarks.measured import Measured
from keyturn.app.core import Core, open_core
from keyturn.app.web import open_access, web_application
from keyturn.db.tables import app_connections
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.people.sessions import BrowserInfo
from keyturn.settings.reader import read_settings
from keyturn.tokens.domain import Origin
from tests.client import Client
from tests.postgres import fresh_database

CONNECTIONS, LOOKS, LIMIT = 10_000, 40, 50
PATH = "/organization/app-connections"
VISITS = {
    "overview": "/overview",
    "first page": PATH,
    "last page": f"{PATH}?page=500",
    "search": f"{PATH}?q=entra-77",
    "sorted by rotation": f"{PATH}?sort=rotation",
}
_EMAIL, _PASSWORD = "ada@example.com", Plaintext("vellum-orbit-pickle-97")


def measure(kind: str) -> Measured:
    """Time each visit as a whole, from the request to the last byte; return one line with the medians."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder, database(kind) as where:
        variables = {"KEYTURN_DATA_DIR": folder, "ENCRYPTION_KEY": secrets.token_hex(32)}
        core = open_core(read_settings(variables | where), lambda _notice: None)
        try:
            access = open_access(core)
            made = access.bootstrap(_EMAIL, _PASSWORD, "Contoso")
            session = access.sessions.sign_in(_EMAIL, _PASSWORD, BrowserInfo(Origin("127.0.0.1"))).token
            _add(core, made.organization.id)
            with Client(web_application(core, None)) as client:
                client.cookies.set("keyturn_session", session.reveal())
                found = {name: _visit(client, path) for name, path in VISITS.items()}
        finally:
            core.close()
    times = ", ".join(f"{name} {took:.0f} ms" for name, took in found.items())
    line = f"pages on {kind} with {CONNECTIONS} connections: {times} (limit {LIMIT} ms)"
    return Measured(line, max(found.values()) <= LIMIT)


@contextmanager
def database(kind: str) -> Iterator[dict[str, str]]:
    if kind == "sqlite":
        yield {}
        return
    with fresh_database() as url:
        yield {"DB_CONNECTION_URI": url}


def _visit(client: Client, path: str) -> float:
    times = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        answer = client.get(path)
        times.append(time.perf_counter() - began)
        assert answer.status_code == 200
    return statistics.median(times) * 1000


def _add(core: Core, org_id: str) -> None:
    now = core.clock.now()
    rows = []
    for number in range(CONNECTIONS):
        new = core.ids.new()
        sealed = core.sealer.seal(Plaintext("x" * 40), SealContext("app_connections", new, "secret", 1))
        salt = core.sealer.seal(Plaintext("x" * 40), SealContext("app_connections", new, "salt"))
        rows.append(
            {
                "id": new, "org_id": org_id, "scope": org_id, "name": f"entra-{number}", "app": "azure-client-secrets",
                "method": "client-secret", "cloud": "global", "tenant_id": new, "client_id": new, "secret": sealed, "salt": salt,
                "credentials_hash": "0" * 64, "created_at": now, "updated_at": now,
            }
        )  # fmt: skip
    with core.database.write() as tx:
        tx.connection.execute(sa.insert(app_connections), rows)
    with core.database.write() as tx:
        tx.connection.exec_driver_sql("ANALYZE app_connections")  # as the database does by itself, a minute later
