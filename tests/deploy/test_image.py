"""The image, built from this tree and run with a read-only root: what is in it, its first start, a rotation, its end.

It takes buildah and podman. Where no registry of images is reached, the base is made of Debian's packages (mmdebstrap).
``KEYTURN_IMAGE`` names an image to look at instead of building one.
"""

import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.scene import PASSWORD, Admin, Entra, local_entra, until
from tests.deploy.seccomp import profile_of
from tests.system.command import closed_port

pytestmark = [pytest.mark.client, pytest.mark.compiled, pytest.mark.timeout(1500)]

ROOT = Path(__file__).parents[2]
TRUST = "/etc/ssl/certs/ca-certificates.crt"
# Containers within containers may not raise the limits of their processes.
OPTIONS = ("--network", "host", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--no-healthcheck")
SHELLS_AND_TOOLS = (
    r"(^|/)(sh|bash|dash|ash|busybox|curl|wget|perl|apt(-get)?|dpkg|pip3?|openssl|ldconfig|env|cat|su|mount)$"
)


def podman(*arguments: str, check: bool = True, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    runtime = ("--runtime", "runc") if shutil.which("runc") else ()
    command = ["podman", *runtime, "--cgroup-manager", "cgroupfs", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="module")
def image() -> str:
    lacking = [name for name in ("buildah", "podman", "mmdebstrap", "systemd-analyze") if not shutil.which(name)]
    if lacking:
        pytest.skip(
            f"an image is built and run by buildah, podman, mmdebstrap and systemd-analyze; no {', '.join(lacking)} here"
        )
    name = os.environ.get("KEYTURN_IMAGE")
    if not name:
        name = "localhost/keyturn:test"
        environ = {"BASE": "packages", "CA": TRUST, "BUILDAH_ISOLATION": "chroot"} | os.environ | {"IMAGE": name}
        command = [str(ROOT / "scripts" / "image")]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=1200)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    started = podman("run", "--rm", *OPTIONS, *LIMITS, name, "--version", check=False)
    if started.returncode:
        pytest.skip(f"{name} was built, but podman starts no container on this machine: {started.stderr.strip()}")
    return name


def test_it_says_of_itself_what_engines_ask(image: str) -> None:
    [about] = json.loads(podman("inspect", "--type", "image", image).stdout)
    config = about["Config"]
    assert config["User"] == "65532:65532"
    assert (config["Entrypoint"], config["Cmd"]) == (["/opt/keyturn/bin/keyturn"], ["serve"])
    assert config["StopSignal"] == "SIGTERM"
    assert about["HealthCheck" if "HealthCheck" in about else "Healthcheck"]["Test"][0] == "CMD"
    assert re.fullmatch("[0-9a-f]{40}", config["Labels"]["org.opencontainers.image.revision"])
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    assert about["Size"] < 300_000_000


def test_it_holds_no_shell_no_package_manager_and_nothing_that_its_user_may_change(image: str, tmp_path: Path) -> None:
    made = podman("create", *LIMITS, image).stdout.strip()
    archive = tmp_path / "image.tar"
    podman("export", "--output", str(archive), made)
    podman("rm", made)
    with tarfile.open(archive) as files:
        members = files.getmembers()
        bundle = files.extractfile("etc/ssl/certs/ca-certificates.crt")
        assert bundle is not None
        certificates = io.TextIOWrapper(bundle).read()
    names = [each.name for each in members]
    files_in_it = [each.name for each in members if not each.isdir()]
    assert not [name for name in files_in_it if re.search(SHELLS_AND_TOOLS, name)]
    assert {name for name in names if re.match(r"(usr/)?s?bin/[^/]+$", name)} == {"usr/bin/python3.13"}
    assert {each.name for each in members if each.mode & 0o6000} == set(), "nobody becomes somebody else"
    own = [each.name for each in members if each.uid or each.gid or (each.mode & 0o002 and not each.issym())]
    assert sorted(own) == ["data", "tmp"]
    assert not [name for name in names if re.search(r"\.(key|db)$|id_rsa|\.env$|\.git/", name)]
    assert any(name.startswith("var/lib/dpkg/status.d/") for name in names), "scanners know what is in it"
    assert any("/keyturn/__pycache__/" in name for name in names), "or each start compiles it all"
    assert "PRIVATE KEY" not in certificates


@contextmanager
def serving(image: str, entra: Entra, data: str, port: str, *options: str) -> Iterator[str]:
    """Run the server in a container with a read-only root. Yields the name of the container."""
    given = {name: value for name, value in entra.environ.items() if name != "KEYTURN_CA_FILE"}
    given |= {"PORT": port, "HOST": "127.0.0.1", "KEYTURN_CA_FILE": "/entra-ca.pem"}
    variables = [option for name, value in given.items() for option in ("--env", f"{name}={value}")]
    mounts = ("--volume", f"{data}:/data", "--volume", f"{entra.ca_file}:/entra-ca.pem:ro", "--tmpfs", "/tmp")
    name = f"keyturn-{port}"
    podman("run", "--detach", "--name", name, *OPTIONS, *LIMITS, *options, *mounts, *variables, image)
    try:
        yield name
    finally:
        podman("rm", "--force", "--volumes", name, check=False)


def test_it_starts_rotates_and_ends_in_time_with_a_read_only_root(image: str, tmp_path: Path) -> None:
    """The second time it may call the system only as far as its unit of systemd lets it."""
    port, data = closed_port(), f"keyturn-data-{os.getpid()}"
    filters = tmp_path / "unit.json"
    filters.write_text(profile_of(ROOT / "deploy" / "systemd" / "keyturn.service"))
    podman("volume", "create", data)
    try:
        with local_entra(tmp_path) as entra:
            token = ""
            for start in (1, 2):
                options = ("--security-opt", f"seccomp={filters}") if start == 2 else ()
                with serving(image, entra, data, port, *options) as name:
                    health = ("exec", name, "keyturn", "healthcheck")
                    until(lambda: podman(*health, "--ready", check=False).returncode == 0, "it is ready")  # noqa: B023
                    if start == 1:
                        token = bootstrap(name)
                    admin = Admin(f"http://127.0.0.1:{port}", token)
                    rotate_one(admin, entra, f"application {start}")
                    uid = re.search(r"^Uid:\t(\d+)", status_of(name), re.MULTILINE)
                    assert uid is not None
                    assert uid[1] == "65532"
                    assert re.search(r"^CapEff:\t0+$", status_of(name), re.MULTILINE)
                    written = podman("diff", name).stdout.split("\n")
                    assert [line for line in written if line.startswith(("C /opt", "A /opt"))] == []
                    began = time.monotonic()
                    podman("stop", "--time", "30", name)
                    assert time.monotonic() - began < 10, "engines wait for ten seconds, then they kill"
                    [ended] = json.loads(podman("inspect", name).stdout)
                    assert ended["State"]["ExitCode"] == 0
                    logs = podman("logs", name)
                    assert "Traceback" not in logs.stdout + logs.stderr
    finally:
        podman("volume", "rm", "--force", data, check=False)


def bootstrap(name: str) -> str:
    """Make the first user from within the container, and return the token of the administrator."""
    line = ("admin", "bootstrap", "--email", "ada@example.com", "--organization", "Contoso", "--password-stdin")
    command = ["podman", "--cgroup-manager", "cgroupfs", "exec", "--interactive", name, "keyturn", *line]
    done = subprocess.run(command, input=f"{PASSWORD}\n", capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def rotate_one(admin: Admin, entra: Entra, name: str) -> None:
    application = entra.application(name)
    before = entra.keys(application)
    connection = admin.connect(entra, application, name.replace(" ", "-"))
    until(lambda: admin.finished(connection) == 1 and not entra.keys(application) & before, "the first secret is gone")


def status_of(name: str) -> str:
    [about] = json.loads(podman("inspect", name).stdout)
    return Path(f"/proc/{about['State']['Pid']}/status").read_text()
