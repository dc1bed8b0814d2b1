"""The examples do what they say, as they are."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.features.client.conftest import Machine
from tests.features.client.test_azure import Workload, _entra, credential, replace_secret, workload  # noqa: F401 - fixtures

EXAMPLES = Path(__file__).parents[3] / "examples"
PLATFORM_TOKEN = "platform-token-canary"


def test_a_flask_application_goes_on_through_a_rotation(workload: Workload) -> None:  # noqa: F811 - the fixture
    spec = importlib.util.spec_from_file_location("flask_example", EXAMPLES / "flask" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    permissions = ("Application.ReadWrite.All",)
    workload.app = workload.entra.admin.create_application(workload.tenant, "billing-web", permissions=permissions)
    workload.hand_over(workload.app.secrets[0].value)
    url = f"/applications/{workload.app.app_id}"
    with credential(workload) as kept:
        client = module.create_app(kept, workload.running.authority).test_client()
        assert client.get(url).json == {"name": "billing-web"}
        replace_secret(workload)
        kept._following._built.clear()  # the access token of before has ended
        assert client.get(url).json == {"name": "billing-web"}
    assert workload.refusals() > 0, "Entra ID refused the old one, and the program did not notice"


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of processes are root's")
def test_a_container_starts_its_program_with_its_secrets(machine: Machine) -> None:
    script = 'echo "$API_KEY $PPID ${KEYTURN_CLIENT_SECRET:-none}"; (sleep 0.05 &); sleep 0.3; exit 7'
    unshared = ["unshare", "--pid", "--fork", "--kill-child", str(EXAMPLES / "container" / "entrypoint.sh")]
    done = _run([*unshared, "sh", "-c", script], machine)
    assert (done.returncode, done.stdout) == (7, "one 1 none\n"), done.stderr


def test_a_job_signs_in_with_the_token_of_its_platform(machine: Machine) -> None:
    machine.server.platform_token = PLATFORM_TOKEN
    with _issuer() as url:
        given = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner",
            "KEYTURN_IDENTITY_ID": "5f8a1c80",
            "KEYTURN_CLIENT_ID": "",
        }
        script = 'echo "$API_KEY"; tr "\\0" " " < /proc/$PPID/cmdline; exit 5'
        done = _run([str(EXAMPLES / "github-actions" / "with-secrets.sh"), "sh", "-c", script], machine, **given)
    assert done.returncode == 5, done.stderr
    assert done.stdout.startswith("one\n")
    assert PLATFORM_TOKEN not in done.stdout + done.stderr
    assert machine.copies == [], "nothing stays on a machine that others use next"


def _run(command: list[str], machine: Machine, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {**machine.environ, "PATH": path, "TMPDIR": str(machine.home), **variables}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def _issuer() -> Iterator[str]:
    """What a runner of GitHub asks for its token."""
    assert shutil.which("curl")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["authorization"] == "bearer runner" and self.path.endswith("&audience=keyturn")
            self.send_response(200 if known else 401)
            self.end_headers()
            self.wfile.write(json.dumps({"value": PLATFORM_TOKEN}).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
