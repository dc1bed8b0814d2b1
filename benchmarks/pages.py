"""How long the server takes for pages when there are ten thousand of everything, and how much it sends."""

import gzip
import logging
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
import structlog

from benchmarks.measured import Measured, processor_milliseconds
from benchmarks.page_rows import add_alarms, add_events, add_people, add_rotations, demote, let_all_fail
from keyturn.app.core import Core, open_core
from keyturn.app.web import open_access, open_projects, web_application
from keyturn.db.tables import app_connections
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.people.domain import person_actor
from keyturn.people.sessions import BrowserInfo
from keyturn.settings.reader import read_settings
from keyturn.tokens.domain import Origin
from tests.client import Client
from tests.postgres import fresh_database

CONNECTIONS, LOOKS, LIMIT = 10_000, 40, 50
MOST_SENT = 60_000
"""Bytes of a page, compressed."""
PATH = "/organization/app-connections"
VISITS = {
    "overview": "/overview",
    "first page": PATH,
    "last page": f"{PATH}?page=500",
    "search": f"{PATH}?q=entra-77",
    "sorted by rotation": f"{PATH}?sort=rotation",
}
OF_ROTATIONS = {
    "rotations": "",
    "last rotations": "?page=500",
    "search of rotations": "?q=app-77",
    "rotations by end": "?sort=ends",
}
LOG = "/organization/audit-log"
OF_OTHERS = {
    "audit log": LOG,
    "events of one": f"{LOG}?about=entra-77",
    "alarms": "/alarms",
    "last alarms": "/alarms?page=500",
    "search of alarms": "/alarms?q=entra-77",
    "members": "/organization/members",
    "search of members": "/organization/members?q=person-77",
    "identities": "/organization/identities",
    "sign-in through Entra": "/organization/entra",
    "finding": "/find?q=entra-77",
    "tenants": "/inventory",
    "new connection": f"{PATH}/new/azure-client-secrets",
}
OF_FAILING = {
    "overview with all failing": "/overview",
    "all failing": "/overview?show=failing&page=150",
    "overview of all failing as JSON": "/api/v1/overview?limit=50",
}
"""When the provider does not take any connection."""
OF_A_MEMBER = {"page of a member": "/help/azure", "alarms of a member": "/alarms"}
"""Whoever is no administrator sees what they may see, which is counted on each page."""
_EMAIL, _PASSWORD = "ada@example.com", Plaintext("vellum-orbit-pickle-97")


def measure(kind: str) -> Measured:
    """Measure each visit as a whole, from the request to the last byte, in the processor's time; return one line."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder, database(kind) as where:
        variables = {"KEYTURN_DATA_DIR": folder, "ENCRYPTION_KEY": secrets.token_hex(32)}
        core = open_core(read_settings(variables | where), lambda _notice: None)
        try:
            access = open_access(core)
            made = access.bootstrap(_EMAIL, _PASSWORD, "Contoso")
            session = access.sessions.sign_in(_EMAIL, _PASSWORD, BrowserInfo(Origin("127.0.0.1"))).token
            ids = add_connections(core, made.organization.id)
            actor = person_actor(made.user)
            project = add_rotations(core, open_projects(core), actor, ids[0], CONNECTIONS)
            add_events(core, made.organization.id, ids, CONNECTIONS)
            add_alarms(core, made.organization.id, ids)
            add_people(core, made.organization.id, CONNECTIONS)
            with core.database.write() as tx:
                tx.connection.exec_driver_sql("ANALYZE")  # as the database does by itself, a minute later
            visits = VISITS | {
                name: f"/projects/{project}/integrations/secret-rotations{query}"
                for name, query in OF_ROTATIONS.items()
            }
            visits |= OF_OTHERS | {
                "connection": f"/app-connections/{ids[0]}",
                "owner": f"/owners/app-connections/{ids[0]}",
                "members of project": f"/projects/{project}/members",
                "new rotation": f"/projects/{project}/integrations/secret-rotations/new",
            }
            with Client(web_application(core, None)) as client:
                client.cookies.set("keyturn_session", session.reveal())
                found = {name: _visit(core, client, path) for name, path in visits.items()}
                let_all_fail(core)
                found |= {name: _visit(core, client, path) for name, path in OF_FAILING.items()}
                demote(core, made.user.id)
                found |= {name: _visit(core, client, path) for name, path in OF_A_MEMBER.items()}
        finally:
            core.close()
    times = ", ".join(f"{name} {took:.0f} ms" for name, (took, _) in found.items())
    largest = max(size for _, size in found.values())
    line = (
        f"pages on {kind} with {CONNECTIONS} each of connections, rotations, events, alarms, people and identities,"
        f" processor time: {times} (limit {LIMIT} ms);"
        f" at most {largest / 1000:.0f} kB compressed (limit {MOST_SENT / 1000:.0f})"
    )
    return Measured(line, max(took for took, _ in found.values()) <= LIMIT and largest <= MOST_SENT)


@contextmanager
def database(kind: str) -> Iterator[dict[str, str]]:
    if kind == "sqlite":
        yield {}
        return
    with fresh_database() as url:
        yield {"DB_CONNECTION_URI": url}


def _visit(core: Core, client: Client, path: str) -> tuple[float, int]:
    """Return the milliseconds of a processor that a page costs, and how many bytes it has, compressed."""
    took = processor_milliseconds(core.database.engine, lambda: _get(client, path), LOOKS)
    return took, len(gzip.compress(_get(client, path), 6))


def _get(client: Client, path: str) -> bytes:
    answer = client.get(path, headers={"accept-encoding": "identity"})
    assert answer.status_code == 200
    return answer.content


def add_connections(core: Core, org_id: str) -> list[str]:
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
    return [str(row["id"]) for row in rows]
