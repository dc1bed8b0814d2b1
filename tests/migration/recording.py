"""Records what a version of Keyturn leaves in its database, so that later ones are tried on it.

    python -m tests.migration.recording tests/migration/version-NNNN PATH/TO/THAT/VERSION/keyturn

It plays the administrator at a server of that version over HTTP, against a local Entra ID, once on SQLite and once on
PostgreSQL, and writes for each the database as SQL, what Entra ID then holds, and what is to be found again.
"""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from subprocess import PIPE
from typing import Any

import httpx2

from tests.deploy.scene import BODY, PASSWORD, Admin, Entra, local_entra, until
from tests.postgres import fresh_database

SETUP_CODE = "recorded-for-later-versions"
UNIVERSAL = "/api/v1/auth/universal-auth/identities"
ROOT_KEY = hashlib.sha256(b"the root key of recorded databases").hexdigest()
"""That of the recorded databases, and of nothing else."""


def record(folder: Path, command: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        play(folder, "sqlite", command, {"KEYTURN_DATA_DIR": str(data)})
        with closing(sqlite3.connect(data / "keyturn.db")) as connection:
            write(folder / "sqlite.sql", "\n".join(connection.iterdump()))
    with tempfile.TemporaryDirectory() as name, fresh_database() as url:
        play(folder, "postgres", command, {"KEYTURN_DATA_DIR": name, "DB_CONNECTION_URI": url})
        options = ("--inserts", "--no-owner", "--no-privileges", "--no-comments")
        done = subprocess.run(["pg_dump", *options, url], capture_output=True, text=True, check=True)
        # The lines of psql alone, and of servers newer than the oldest one that is promised.
        left_out = ("\\", "--", "SET transaction_timeout")
        lines = [line for line in done.stdout.splitlines() if line and not line.startswith(left_out)]
        write(folder / "postgres.sql", "\n".join(lines))


def write(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")


def play(folder: Path, kind: str, command: str, variables: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory() as place, local_entra(Path(place)) as entra:
        environ = {"PATH": os.environ["PATH"], "HOME": place, "PORT": "0", "ENCRYPTION_KEY": ROOT_KEY}
        environ |= entra.environ | {"KEYTURN_SETUP_CODE": SETUP_CODE} | dict(variables)
        with subprocess.Popen([command, "serve"], env=environ, stdout=PIPE, text=True, cwd=place) as server:
            assert server.stdout is not None
            try:
                url = server.stdout.readline().split()[4]
                facts = furnish(url, entra)
            finally:
                server.terminate()
            assert server.wait(60) == 0
        write(folder / f"{kind}.entra.json", json.dumps(entra.emulator.snapshot(), indent=0))
        write(folder / f"{kind}.facts.json", json.dumps(facts, indent=1))


def furnish(url: str, entra: Entra) -> dict[str, Any]:
    """Make what an organization has; return what has to be found again."""
    answer = httpx2.post(f"{url}/api/v1/admin/bootstrap", json=BODY | {"setupCode": SETUP_CODE}, timeout=60)
    assert answer.status_code == 200, answer.text
    admin = Admin(url, answer.json()["identity"]["credentials"]["token"])
    project = admin.api("POST", "/api/v2/workspace", {"projectName": "Payments", "slug": "payments"})["project"]
    user = admin.api("POST", "/api/v1/users", {"email": "bob@example.com", "password": PASSWORD, "role": "member"})[
        "user"
    ]
    admin.api(
        "POST", f"/api/v2/workspace/{project['id']}/memberships", {"emails": [user["email"]], "roleSlugs": ["viewer"]}
    )
    identity = admin.api("POST", "/api/v1/identities", {"name": "deployer", "role": "member"})["identity"]
    client_id = admin.api("POST", f"{UNIVERSAL}/{identity['id']}", {})["identityUniversalAuth"]["clientId"]
    secret = admin.api("POST", f"{UNIVERSAL}/{identity['id']}/client-secrets", {})["clientSecret"]
    often, still = entra.application("billing"), entra.application("still")
    connection = admin.connect(entra, often, "billing")
    until(lambda: admin.finished(connection) == 1, "the first run is over")
    for runs in (2, 3):
        admin.rotate(connection)
        until(lambda: admin.finished(connection) == runs, "the next run is over")  # noqa: B023
    until(lambda: len(entra.keys(often)) == 1, "the previous secrets are gone")
    quiet = admin.connect(entra, still, "still", rotate=False)
    events = admin.api("GET", "/api/v1/organization/audit-logs?limit=1000")["auditLogs"]
    return {
        "tenantId": entra.tenant,
        "token": admin.token,
        "clientId": client_id,
        "clientSecret": secret,
        "projectId": project["id"],
        "rotating": {"id": connection, "applicationId": often.app_id, "objectId": often.object_id},
        "quiet": {"id": quiet, "applicationId": still.app_id},
        "events": sorted(event["eventType"] if "eventType" in event else event["event"]["type"] for event in events),
    }


if __name__ == "__main__":
    record(Path(sys.argv[1]), sys.argv[2])
