"""Files of the embedded database that others may use are told of at each start and by ``keyturn doctor``, never refused."""

import os
from pathlib import Path

import pytest

from keyturn.cli.checkup import CheckupFinding, examine
from keyturn.cli.context import CommandContext
from keyturn.ports.http import HttpRequest, HttpResponse, TransportFailed
from tests.features.boot.starting import CLOCK, start, started
from tests.simulation.seeds import share


class Nowhere:
    """No network."""

    def send(self, request: HttpRequest) -> HttpResponse:
        raise TransportFailed("no network", sent=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    start(environ(tmp_path / "data"))
    return tmp_path / "data"


def environ(folder: Path) -> dict[str, str]:
    return {"KEYTURN_DATA_DIR": str(folder), "PORT": "0"}


def findings(folder: Path) -> list[CheckupFinding]:
    all_findings = examine(CommandContext(environ(folder), CLOCK), lambda _: Nowhere())
    return [finding for finding in all_findings if finding.subject == "data folder"]


def volume(folder: Path) -> None:
    """Give the folder the modes that a volume with fsGroup has after each mount."""
    for path in folder.iterdir():
        path.chmod(0o660)
    folder.chmod(0o2770)


def test_private_files_are_not_spoken_of(folder: Path) -> None:
    assert start(environ(folder)) == []
    assert [finding.level for finding in findings(folder)] == ["ok"]


@pytest.mark.parametrize(
    ("name", "mode", "words", "fix"),
    share(
        [
            ("keyturn.db", 0o644, "EVERY user of this machine may read the file", "chmod 600"),
            ("keyturn.db", 0o666, "EVERY user of this machine may change the file", "chmod 600"),
            ("keyturn.db", 0o660, "Every member of group", "chmod 600"),
            ("keyturn.db-wal", 0o644, "EVERY user of this machine may read the file", "chmod 600"),
            ("keyturn.db-shm", 0o640, "Every member of group", "chmod 600"),
            ("", 0o755, "EVERY user of this machine may list the data folder", "chmod 700"),
            ("", 0o777, "EVERY user of this machine may add and remove files in the data folder", "chmod 700"),
            ("", 0o2775, "EVERY user of this machine may list the data folder", "chmod 700"),
            ("", 0o711, "EVERY user of this machine may enter the data folder", "chmod 700"),
        ],
        3,
    ),
)
def test_what_others_may_use_is_told_with_the_command_that_ends_it(
    folder: Path, name: str, mode: int, words: str, fix: str
) -> None:
    path = folder / name
    path.touch()  # the log and its index may be left by a server that was killed
    path.chmod(mode)
    [finding] = findings(folder)
    path.touch()
    path.chmod(mode)
    assert (finding.level, finding.fix) == ("warn", f"Run: {fix} {path}")
    assert words in finding.message
    assert f"mode {mode:04o}" in finding.message
    assert start(environ(folder)) == [f"WARNING: {finding.message} {finding.fix}"]


def test_the_command_is_right_for_a_folder_with_a_blank(tmp_path: Path) -> None:
    folder = tmp_path / "my data"
    start(environ(folder))
    folder.chmod(0o750)
    assert findings(folder)[0].fix == f"Run: chmod 700 '{folder}'"


def test_the_modes_of_a_volume_are_told_in_one_line_for_all_files(folder: Path) -> None:
    with started(environ(folder), []):
        volume(folder)
        [finding] = findings(folder)
        volume(folder)
        notices = start(environ(folder))
    assert finding.level == "warn"
    for name in ("", "keyturn.db", "keyturn.db-wal", "keyturn.db-shm"):
        assert f"{folder / name} (mode" in finding.message
    assert "fsGroupChangePolicy" in finding.fix
    assert notices[0] == f"WARNING: {finding.message} {finding.fix}"
    assert [notice.startswith("The key file") for notice in notices] == [False, True]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_volume_of_a_group_that_is_not_ours_is_open_to_others(folder: Path) -> None:
    path = folder / "keyturn.db"
    for each in (folder, path):
        os.chown(each, -1, 54321)
    path.chmod(0o660)
    folder.chmod(0o2770)
    assert {finding.fix.split()[2] for finding in findings(folder)} == {"600", "700"}
