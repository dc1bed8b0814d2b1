"""The compose file, run as a whole: PostgreSQL, the migration, the server and the proxy with TLS, in the order that it asks for.

Where no registry of images is reached, the images of others are made of Debian's packages, under the names that the file gives.
It takes the ports 80 and 443 of this machine, and podman.
"""

import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from keyturn.backup.age import PrivateKey
from tests.deploy.scene import BODY, PASSWORD
from tests.deploy.test_image import image  # noqa: F401 - a fixture

pytestmark = [pytest.mark.client, pytest.mark.compiled, pytest.mark.timeout(1500)]

ROOT = Path(__file__).parents[2]
IMAGES = Path(__file__).parent / "compose_images"
COMPOSE = ROOT / "build" / "clients" / "compose" / "bin" / "podman-compose"
# Containers within containers may not raise the limits of their processes.
ENGINE = (
    '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n[engine]\ncgroup_manager = "cgroupfs"\n'
)
SERVICES = ("database", "keyturn", "proxy")


@dataclass
class Stack:
    """The containers of the compose file. ``environ`` is what its commands are given."""

    environ: dict[str, str]
    podman: str

    def compose(self, *arguments: str) -> str:
        return self._run(str(COMPOSE), "--file", "compose.yaml", *arguments)

    def ask(self, *arguments: str) -> str:
        return self._run(self.podman, *arguments)

    def command(self, *arguments: str, stdin: str = "") -> str:
        """Run a command of the operator, as the guide says."""
        return self._run(self.podman, "exec", "--interactive", "keyturn_keyturn_1", "keyturn", *arguments, stdin=stdin)

    def healthy(self, service: str) -> bool:
        command = [self.podman, "healthcheck", "run", f"keyturn_{service}_1"]
        return not subprocess.run(command, env=self.environ, capture_output=True, check=False).returncode

    def _run(self, *command: str, stdin: str = "") -> str:
        done = subprocess.run(
            command,
            cwd=ROOT / "deploy",
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def stack(image: str, tmp_path: Path) -> Iterator[Stack]:  # noqa: F811
    podman = shutil.which("podman")
    if not podman or not COMPOSE.exists():
        pytest.skip("podman-compose is not in build/clients/compose: make clients installs it")
    for port in (80, 443):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"port {port} of this machine is in use")
    engine, secrets = tmp_path / "containers.conf", tmp_path / "secrets"
    engine.write_text(ENGINE + ('runtime = "runc"\n' if shutil.which("runc") else ""))
    secrets.mkdir(mode=0o700)
    for name in ("encryption-key", "database-password"):
        (secrets / name).write_text(os.urandom(32).hex())
        (secrets / name).chmod(0o400)
        shutil.chown(secrets / name, 65532, 65532)
    shutil.chown(secrets, 65532, 65532)
    environ = os.environ | {
        "CONTAINERS_CONF": str(engine),
        "DISABLE_HC_SYSTEMD": "true",
        "BUILDAH_ISOLATION": "chroot",
        "REAL_PODMAN": podman,
        "PATH": f"{IMAGES}:{os.environ['PATH']}",
        "SITE_HOST": "localhost",
        "IMAGE": image,
        "SECRETS_FOLDER": str(secrets),
        "BACKUP_PUBLIC_KEYS": str(PrivateKey.generate().public),
    }
    made = Stack(environ, podman)
    for file, name in (("postgres", "docker.io/library/postgres:17"), ("caddy", "docker.io/library/caddy:2.10")):
        if subprocess.run([podman, "image", "exists", name], env=environ, check=False).returncode:
            build = ["buildah", "build", "--quiet", "--format", "docker", "--tag", name, "--file", file, "."]
            subprocess.run(build, cwd=IMAGES, env=environ, check=True, timeout=600, capture_output=True)
    try:
        yield made
    finally:
        made.compose("down", "--volumes")


def test_the_stack_starts_in_order_serves_by_tls_and_keeps_what_it_holds(stack: Stack) -> None:
    stack.compose("up", "--detach")
    assert all(stack.healthy(service) for service in SERVICES)
    [migrated] = json.loads(stack.ask("inspect", "keyturn_migrate_1"))
    assert migrated["State"]["ExitCode"] == 0
    for service in (*SERVICES, "migrate"):
        [about] = json.loads(stack.ask("inspect", f"keyturn_{service}_1"))
        assert about["HostConfig"]["ReadonlyRootfs"], service
        assert not about["HostConfig"]["Privileged"], service
        assert about["HostConfig"]["Memory"] == 2**30, service
    assert status()["database"] is True
    with urlopen("http://localhost/healthz", context=trusting()) as answer:
        assert answer.url.startswith("https://localhost/"), "the proxy sends browsers to TLS"

    stack.command(
        *("admin", "bootstrap", "--email", BODY["email"], "--organization", "Contoso", "--password-stdin"),
        stdin=f"{PASSWORD}\n",
    )
    assert "/data/backups/keyturn-" in stack.command("backup", "create")
    tried = "import socket; socket.create_connection(('1.1.1.1', 53), 3)"
    outside = ["run", "--rm", "--no-healthcheck", "--network", "keyturn_back", "--entrypoint", "/usr/bin/python3.13"]
    refused = subprocess.run(
        [stack.podman, *outside, stack.environ["IMAGE"], "-c", tried],
        env=stack.environ,
        capture_output=True,
        check=False,
    )
    assert refused.returncode != 0, "the network of the database leads nowhere"

    stack.compose("down")
    stack.compose("up", "--detach")
    assert status()["database"] is True
    assert stack.ask("logs", "keyturn_keyturn_1").count("Nobody can sign in yet") == 0, (
        "the database is the one of before"
    )


def status() -> dict[str, object]:
    with urlopen("https://localhost/api/status", context=trusting()) as answer:
        told: dict[str, object] = json.load(answer)
        return told


def trusting() -> ssl.SSLContext:
    """Trust whoever answers: the certificate of localhost is one of the proxy's own."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
