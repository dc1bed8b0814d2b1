"""What is published: three distributions from one repository, each whole, and each without what belongs to another.

- ``keyturn``: the command; ``keyturn[server]`` is what a server needs. ``entra-emulator``: the local Entra ID, without the
  product. ``keyturn-simulation``: both on a virtual clock, for tests.
- A wheel is installed into an environment that has what its own metadata asks for, and nothing else.
"""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from keyturn import __version__

ROOT = Path(__file__).parents[2]
SITE = Path("lib", f"python{sys.version_info.major}.{sys.version_info.minor}", "site-packages")
DISTRIBUTIONS = ("keyturn", "entra_emulator", "keyturn_simulation")
"""The name of each wheel, which is that of its one package, too."""
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__") and ".migrations." not in module.name:
        importlib.import_module(module.name)
"""
CLIENT_ALONE = """
import importlib, pkgutil, sys
import keyturn.client, keyturn.cli.run, keyturn.cli.secrets, keyturn.cli.login
for module in pkgutil.iter_modules(keyturn.client.__path__, "keyturn.client."):
    if not module.name.endswith(".azure"):  # which needs what the extra of that name brings
        importlib.import_module(module.name)
rooms = {name.split(".")[1] for name in sys.modules if name.startswith("keyturn.")}
print(*sorted(rooms - {"cli", "client", "errors", "kit", "ports"}), end="")
"""
USES_THE_FIXTURE = """
import json, os, ssl, urllib.error, urllib.parse, urllib.request
import pytest

def sign_in():
    names = ("client_id", "client_secret")
    form = {name: os.environ[f"AZURE_{name.upper()}"] for name in names}
    form |= {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default"}
    url = os.environ["AZURE_AUTHORITY_HOST"] + "/" + os.environ["AZURE_TENANT_ID"] + "/oauth2/v2.0/token"
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), context=context) as answer:
        return json.load(answer)

def test_a_token_until_the_secret_ends(entra):
    assert sign_in()["access_token"]
    entra.advance(800 * 86400)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        sign_in()
    assert [entry.status for entry in entra.ledger] == [200, 401]

def test_the_next_one_begins_anew(entra):
    assert len(entra.ledger) == 0
    assert sign_in()["access_token"]
"""
STARTS = """
import os, pathlib, signal, subprocess, tempfile, time
folder = pathlib.Path(tempfile.mkdtemp())
ready = folder / "ready.json"
command = [pathlib.Path(os.sys.executable).with_name("entra-emulator"), "serve", "--demo"]
command += ["--ready-file", ready, "--ca-file", folder / "ca.pem"]
process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
while not ready.exists() and process.poll() is None:
    time.sleep(0.02)
process.send_signal(signal.SIGTERM)
process.wait()
spent = os.times()
print(spent.children_user + spent.children_system, end="")
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with all wheels and source archives, built as ``make dist`` builds them."""
    folder = tmp_path_factory.mktemp("dist")
    script = [sys.executable, str(ROOT / "scripts" / "distributions.py"), str(folder)]
    subprocess.run(script, check=True, timeout=240)
    return folder


def wheel(archives: Path, name: str) -> Path:
    return archives / f"{name}-{__version__}-py3-none-any.whl"


def contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of every file of an archive."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            yield from ((name, archive.read(name)) for name in archive.namelist())
        return
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            assert not member.issym(), member.name
            if file := archive.extractfile(member):
                yield member.name, file.read()


def test_there_are_a_wheel_and_a_source_archive_of_each(archives: Path) -> None:
    expected = {f"{name}-{__version__}{end}" for name in DISTRIBUTIONS for end in ("-py3-none-any.whl", ".tar.gz")}
    assert {path.name for path in archives.iterdir() if not path.name.startswith(".")} == expected


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_wheel_has_every_file_of_its_package_and_no_other(archives: Path, name: str) -> None:
    """Templates, styles, scripts and ``py.typed`` among them. So no file is in two wheels."""
    packed = {each for each, _ in contents(wheel(archives, name)) if ".dist-info/" not in each}
    source = (path for path in (ROOT / "src" / name).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert packed == {path.relative_to(ROOT / "src").as_posix() for path in source}
    assert f"{name}/py.typed" in packed


def test_no_archive_holds_a_test_or_a_path_of_this_machine(archives: Path) -> None:
    paths = [str(path).encode() for path in (ROOT, Path(sys.prefix), archives)]
    wrong = [
        f"{archive.name}: {name}"
        for archive in archives.glob("[!.]*")
        for name, content in contents(archive)
        if name.startswith("tests/") or "/tests/" in name or any(path in content for path in paths)
    ]
    assert wrong == []


# --- installed ------------------------------------------------------------------------------------------------------------


class Environment:
    """A virtual environment with these wheels and what they ask for, lent by the environment of the tests."""

    def __init__(self, folder: Path, *wheels: Path, extras: frozenset[str] = frozenset()) -> None:
        self._bin = folder / "bin"
        uv = str(Path(sys.executable).with_name("uv"))
        python = str(self._bin / "python")
        for arguments in (
            ("venv", "--quiet", "--offline", "--python", sys.executable, str(folder)),
            ("pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, *map(str, wheels)),
        ):
            subprocess.run([uv, *arguments], check=True, timeout=240)
        requirements = (each for path in wheels for each in asked_for(requires_of(path), set(extras)))
        for name in with_what_they_need(requirements):
            lend(name, folder / SITE)

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command_line = [str(self._bin / command), *arguments]
        environ = {"HOME": str(self._bin.parent)}
        return subprocess.run(command_line, check=False, capture_output=True, text=True, timeout=240, env=environ)


def requires_of(path: Path) -> list[str]:
    name = "-".join(path.name.split("-")[:2])
    return metadata.PathDistribution(zipfile.Path(path, f"{name}.dist-info/")).requires or []


def asked_for(lines: Iterable[str], extras: set[str]) -> Iterator[Requirement]:
    """Yield what is needed here with these extras, without our own distributions."""
    for requirement in map(Requirement, lines):
        applies = requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras}
        )
        if applies and requirement.name.replace("-", "_") not in DISTRIBUTIONS:
            yield requirement


def with_what_they_need(requirements: Iterable[Requirement]) -> set[str]:
    """Return the names of the distributions that are asked for, directly and by each other."""
    names: set[str] = set()
    waiting, texts = list(requirements), set[str]()
    while waiting:
        requirement = waiting.pop()
        if str(requirement) not in texts:
            texts.add(str(requirement))
            names.add(requirement.name)
            waiting += asked_for(metadata.requires(requirement.name) or [], requirement.extras)
    return names


def lend(name: str, site: Path) -> None:
    """Make a distribution that is installed here available there, by links."""
    for file in metadata.files(name) or []:
        top = file.parts[0]
        if top not in {"..", "__pycache__"} and not (site / top).exists():
            (site / top).symlink_to(Path(str(metadata.distribution(name).locate_file(top))))


def test_the_light_half_says_what_is_missing_for_a_server(archives: Path, tmp_path: Path) -> None:
    light = Environment(tmp_path, wheel(archives, "keyturn"))
    assert light.run("keyturn", "--version").stdout == f"keyturn {__version__}\n"
    listed = light.run("keyturn", "--help").stdout
    assert " serve " in listed
    assert " simulate " not in listed
    nothing_set = light.run("keyturn", "run", "--", "true")
    assert (nothing_set.returncode, nothing_set.stderr.partition(".")[0]) == (
        2,
        "Error: The address of the server is not known",
    )
    assert light.run("python", "-c", CLIENT_ALONE).stdout == ""
    for command in ("serve", "migrate"):
        refused = light.run("keyturn", command)
        assert refused.returncode == 2, command
        assert refused.stderr.endswith('Fix: Install Keyturn with what a server needs: pip install "keyturn[server]"\n')


@pytest.mark.alternates("installed")
def test_the_server_has_all_it_imports_and_the_demonstration_says_what_it_needs(archives: Path, tmp_path: Path) -> None:
    server = Environment(tmp_path, wheel(archives, "keyturn"), extras=frozenset({"server", "azure", "traces"}))
    assert server.run("python", "-c", IMPORT_ALL, "keyturn").stderr == ""
    assert server.run("keyturn", "migrate").returncode == 0
    refused = server.run("keyturn", "demo")
    assert refused.returncode == 2
    assert refused.stderr.endswith("Fix: Install it beside Keyturn: pip install entra-emulator\n")


@pytest.mark.alternates("installed")
def test_the_emulator_is_whole_without_the_product(archives: Path, tmp_path: Path) -> None:
    alone = Environment(tmp_path, wheel(archives, "entra_emulator"), extras=frozenset({"pytest"}))
    assert "A local Entra ID and Microsoft Graph" in alone.run("entra-emulator", "--help").stdout
    assert alone.run("python", "-c", IMPORT_ALL, "entra_emulator").stderr == ""
    assert "No module named 'keyturn'" in alone.run("python", "-c", "import keyturn").stderr
    test = tmp_path / "test_mine.py"
    test.write_text(USES_THE_FIXTURE)
    played = alone.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(test))
    assert "2 passed" in played.stdout, played.stdout + played.stderr
    started = alone.run("python", "-c", STARTS)
    assert started.stderr == ""
    assert float(started.stdout) < 1, "processor seconds until it answers"


@pytest.mark.alternates("installed")
def test_the_simulation_plays_where_all_three_are_installed(archives: Path, tmp_path: Path) -> None:
    everything = Environment(tmp_path, *(wheel(archives, name) for name in DISTRIBUTIONS), extras=frozenset({"server"}))
    played = everything.run("keyturn", "simulate", "--seed", "1", "--steps", "5")
    assert played.stdout.startswith("1 seeds from 1: 0 broken"), played.stderr
