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
    # Versions before 260 do not know this one, and say so: https://github.com/systemd/systemd/pull/40093
    told = [line for line in done.stderr.splitlines() if "Unknown key 'RefreshOnReload' in section" not in line]
    assert (done.returncode, done.stdout, told) == (0, "", [])
