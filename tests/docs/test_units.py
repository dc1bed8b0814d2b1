"""The units for systemd are ones: systemd itself reads them, and judges how little a service may do."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from keyturn.cli.ending import WITHIN
from keyturn.cli.main import COMMANDS
from keyturn.settings.table import SETTINGS

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="this machine has no systemd")
EXPOSURE = {"keyturn": 1.5, "keyturn-worker": 1.5, "keyturn-credentiald": 2.0, "keyturn-agent": 4.0}
"""The most that ``systemd-analyze security`` may find, of 10. The agent may give its files to groups and run commands."""


@needs_systemd
def test_systemd_takes_the_units() -> None:
    units = sorted(str(path) for path in UNITS.glob("*.s*") if path.is_file())
    assert units
    done = subprocess.run([str(ANALYZE), "verify", *units], capture_output=True, text=True, check=False, timeout=60)
    # Versions before 260 do not know this one, and say so: https://github.com/systemd/systemd/pull/40093
    told = [line for line in done.stderr.splitlines() if "Unknown key 'RefreshOnReload' in section" not in line]
    assert (done.returncode, done.stdout, told) == (0, "", [])


@needs_systemd
def test_a_service_may_do_little_besides_its_work() -> None:
    services = {path.stem for path in UNITS.glob("keyturn*.service")}
    assert services == EXPOSURE.keys()
    for name, most in EXPOSURE.items():
        options = ("--offline=true", f"--threshold={most * 10:.0f}", str(UNITS / f"{name}.service"))
        done = subprocess.run(
            [str(ANALYZE), "security", *options], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{name}: {done.stdout.splitlines()[-1]}"


@pytest.mark.skipif(not shutil.which("systemd-sysusers"), reason="this machine has no systemd")
def test_the_user_and_the_folders_are_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for program, option, folder in (
        ("systemd-sysusers", (), "sysusers.d"),
        ("systemd-tmpfiles", ("--create",), "tmpfiles.d"),
    ):
        command = [program, f"--root={tmp_path}", *option, str(UNITS / folder / "keyturn.conf")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if "Operation not permitted" in done.stderr:
            pytest.skip("only root may give folders to others")
        assert done.returncode == 0, done.stderr
    line = re.search(
        r"^keyturn:[^:]*:(\d+):(\d+):Keyturn:/var/lib/keyturn:(.*)$", read(tmp_path / "etc/passwd"), re.MULTILINE
    )
    assert line is not None
    assert line[3].endswith("nologin")
    data, settings = (tmp_path / "var/lib/keyturn").stat(), (tmp_path / "etc/keyturn").stat()
    assert (data.st_uid, data.st_gid, data.st_mode & 0o777) == (int(line[1]), int(line[2]), 0o700)
    assert (settings.st_uid, settings.st_gid, settings.st_mode & 0o777) == (0, int(line[2]), 0o750)


def test_units_run_commands_with_settings_that_exist() -> None:
    names = {setting.name for setting in SETTINGS} | {f"{each.name}_FILE" for each in SETTINGS if each.secret}
    for path in (UNITS / "keyturn.service", UNITS / "keyturn-worker.service"):
        text = read(path)
        command = re.search(r"^ExecStart=/usr/bin/env keyturn (\w+)$", text, re.MULTILINE)
        assert command is not None
        assert command[1] in COMMANDS
        stop = re.search(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
        assert stop is not None
        assert int(stop[1]) > WITHIN.total_seconds()
        given = set(re.findall(r"^#?Environment=(?!PATH|PYTHON)(\w+)=", text, re.MULTILINE))
        assert given <= names
    assert set(re.findall(r"^#?([A-Z_]+)=", read(UNITS / "server.env"), re.MULTILINE)) <= names


def test_each_unit_finds_the_program_where_the_how_to_puts_it() -> None:
    folder = "/opt/keyturn/bin"
    assert f"{folder}/pip install" in read(UNITS.parents[1] / "docs/how-to/run-as-a-service.md")
    for path in sorted(UNITS.glob("keyturn*.service")):
        text = read(path)
        assert re.search(r"^ExecStart=/usr/bin/env keyturn ", text, re.MULTILINE), path.name
        assert re.search(rf"^Environment=PATH={folder}:.*/usr/bin", text, re.MULTILINE), path.name


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
