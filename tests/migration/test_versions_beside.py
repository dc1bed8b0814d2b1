"""Two versions beside each other: their processes on one database, and the agents of one at the servers of the other.

The earlier one is a commit of this repository, installed into an environment of its own; ``make clients`` does it.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

import httpx2
import psycopg
import pytest

from tests.deploy.scene import BODY, PACE, PATIENCE, Admin, local_entra, until
from tests.migration.recording import ROOT_KEY
from tests.postgres import fresh_database
from tests.system.command import COMMAND, closed_port

pytestmark = [pytest.mark.client, pytest.mark.compiled, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
EARLIER = "ad362f7b2928"
"""The last commit at migration 0034: its agents keep caches and follow the feed of changes."""
SETUP_CODE = "two-versions-beside-each-other"
UNIVERSAL = "/api/v1/auth/universal-auth/identities"
AGENT = """
[[set]]
name = "billing"
directory = "{directory}"

[[set.file]]
name = "secrets.json"
format = "json"
"""


@pytest.fixture(scope="session")
def earlier() -> Path:
    """The command of the earlier version."""
    folder = ROOT / "build" / "clients" / f"keyturn-{EARLIER}"
    command = folder / "venv" / "bin" / "keyturn"
    if command.exists():
        return command
    archive = subprocess.run(["git", "archive", EARLIER], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"this copy of the repository has no commit {EARLIER}: {archive.stderr.decode()}")
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder / "venv")], check=True)
    python = str(folder / "venv" / "bin" / "python")
    install = [uv, "pip", "install", "--quiet", "--python", python]
    locked = ("--require-hashes", "-r", str(folder / "requirements" / "run.txt"))
    done = subprocess.run([*install, *locked], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"its packages cannot be installed: {done.stderr[-300:]}")
    subprocess.run([*install, "--no-build-isolation", "--no-deps", "-e", str(folder)], check=True)
    return command


@dataclass
class Server:
    child: subprocess.Popen[str]
    url: str

    def get(self, path: str) -> httpx2.Response:
        return httpx2.get(self.url + path, timeout=PATIENCE, trust_env=False)


@contextmanager
def serving(command: Path, environ: dict[str, str]) -> Iterator[Server]:
    port = closed_port()
    with subprocess.Popen([command, "serve"], env=environ | {"PORT": port}, stdout=PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline().startswith("Keyturn is ready at ")
            yield Server(child, f"http://127.0.0.1:{port}")
        finally:
            child.terminate()
            child.wait(60)


def environ_of(folder: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "ENCRYPTION_KEY": ROOT_KEY} | PACE | more


def run(command: Path, environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([command, *arguments], env=environ, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.postgres
def test_the_older_one_gives_way_when_the_newer_one_migrates_and_its_work_goes_on(
    earlier: Path, tmp_path: Path
) -> None:
    with local_entra(tmp_path) as entra, fresh_database() as url:
        environ = environ_of(tmp_path, **entra.environ, DB_CONNECTION_URI=url, KEYTURN_DATA_DIR=str(tmp_path / "data"))
        environ |= {"KEYTURN_SETUP_CODE": SETUP_CODE}
        with serving(earlier, environ) as old:
            made = httpx2.post(
                f"{old.url}/api/v1/admin/bootstrap", json=BODY | {"setupCode": SETUP_CODE}, timeout=PATIENCE
            )
            admin = Admin(old.url, made.json()["identity"]["credentials"]["token"])
            application = entra.application("billing")
            connection = admin.connect(entra, application, "billing")
            until(lambda: admin.finished(connection) == 1, "the older one has rotated")
            refused = run(COMMAND, environ, "serve")
            assert (refused.returncode, "Fix: Run: keyturn migrate" in refused.stderr) == (2, True), refused.stderr
            assert run(COMMAND, environ, "migrate").returncode == 0
        again = run(earlier, environ, "serve")
        assert again.returncode == 2
        assert "Start the newer version of Keyturn that made it" in again.stderr
        with serving(COMMAND, environ) as new:
            admin = Admin(new.url, admin.token)
            admin.rotate(connection)
            until(lambda: admin.finished(connection) == 2, "the newer one has rotated on")
            until(lambda: len(entra.keys(application)) == 1, "the secret of the older one is gone")
            # A version that comes after this one migrates the database while it runs.
            with subprocess.Popen([COMMAND, "worker"], env=environ, stdout=PIPE, text=True) as worker:
                assert worker.stdout is not None
                assert worker.stdout.readline() == "The worker is ready.\n"
                with psycopg.connect(url, autocommit=True) as database:
                    database.execute("UPDATE alembic_version SET version_num = '9999'")
                assert worker.wait(60) == 1, "whoever starts it again gets the sentence of a process that is too old"
            until(lambda: new.get("/readyz").status_code == 503, "it says that it is too old")
            assert "version 9999" in new.get("/readyz").json()["reason"]
            assert new.get("/healthz").status_code == 200
            assert admin.api("GET", "/api/v1/users")["users"], "it still answers"


@pytest.mark.parametrize("server", ["earlier", "this"])
def test_agents_of_one_version_read_from_a_server_of_the_other(server: str, earlier: Path, tmp_path: Path) -> None:
    server_command, client = (earlier, COMMAND) if server == "earlier" else (COMMAND, earlier)
    environ = environ_of(tmp_path, KEYTURN_DATA_DIR=str(tmp_path / "data"), KEYTURN_SETUP_CODE=SETUP_CODE)
    reader = environ_of(tmp_path, KEYTURN_PROJECT="payments", KEYTURN_ENVIRONMENT="dev")
    directory, config = tmp_path / "run", tmp_path / "agent.toml"
    config.write_text(AGENT.format(directory=directory))
    with serving(server_command, environ) as running:
        body = BODY | {"setupCode": SETUP_CODE}
        made = httpx2.post(f"{running.url}/api/v1/admin/bootstrap", json=body, timeout=PATIENCE)
        admin = Admin(running.url, made.json()["identity"]["credentials"]["token"])
        project = admin.api("POST", "/api/v2/workspace", {"projectName": "Payments", "slug": "payments"})["project"]
        identity = admin.api("POST", "/api/v1/identities", {"name": "billing", "role": "no-access"})["identity"]["id"]
        client_id = admin.api("POST", f"{UNIVERSAL}/{identity}", {})["identityUniversalAuth"]["clientId"]
        secret = admin.api("POST", f"{UNIVERSAL}/{identity}/client-secrets", {})["clientSecret"]
        admin.api("POST", f"/api/v2/workspace/{project['id']}/identity-memberships/{identity}", {"role": "member"})
        reader |= {"KEYTURN_URL": running.url, "KEYTURN_CLIENT_ID": client_id, "KEYTURN_CLIENT_SECRET": secret}

        def put(value: str) -> None:
            done = subprocess.run(
                [client, "secrets", "set", "API_KEY"], env=reader, input=value, text=True, check=False, timeout=60
            )
            assert done.returncode == 0

        def written() -> object:
            path = directory / "secrets.json"
            return json.loads(path.read_text()) if path.exists() else None

        put("one")
        with subprocess.Popen([client, "agent", "run", "--config", str(config)], env=reader) as agent:
            try:
                until(lambda: written() == {"API_KEY": "one"}, "the agent has written it")
                put("two")
                until(lambda: written() == {"API_KEY": "two"}, "the agent followed the feed of changes", seconds=20)
            finally:
                agent.terminate()
            assert agent.wait(60) == 0
        assert run(client, reader, "run", "--", "sh", "-c", "echo $API_KEY").stdout == "two\n"
    # Whoever has a copy starts with it, also one that the other version wrote.
    for other in (earlier, COMMAND):
        started = run(other, reader, "run", "--", "sh", "-c", "echo $API_KEY")
        assert started.stdout == "two\n", started.stderr
