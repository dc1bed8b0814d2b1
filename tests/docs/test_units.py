"""The units for systemd are ones: systemd itself reads them."""

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.skipif(ANALYZE is None, reason="this machine has no systemd")
def test_systemd_takes_the_units() -> None:
    units = sorted(str(path) for path in UNITS.glob("*.*"))
    assert units
    done = subprocess.run([str(ANALYZE), "verify", *units], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
