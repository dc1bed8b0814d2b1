"""Builds the wheels and source archives of the three distributions: ``python scripts/distributions.py FOLDER``.

Each is one package of ``src``: ``keyturn`` by the ``pyproject.toml`` of the project, the others by those in ``distributions``.
They are built from a copy, so that nothing of an earlier build gets in, and each wheel from its source archive, so that
what is published can be built again. Nothing is downloaded.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "src", "distributions")
FOLDERS = (".", "distributions/entra-emulator", "distributions/keyturn-simulation")


def build(folder: Path) -> None:
    """Write all archives into the folder. Raises CalledProcessError when one cannot be built."""
    uv = Path(sys.executable).with_name("uv")
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        for source in SOURCES:
            if (ROOT / source).is_dir():
                leave = shutil.ignore_patterns("__pycache__", "*.egg-info")
                shutil.copytree(ROOT / source, copy / source, symlinks=True, ignore=leave)
            else:
                shutil.copy(ROOT / source, copy)
        options = ("--quiet", "--offline", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(folder))
        for each in FOLDERS:
            subprocess.run([str(uv), "build", *options, str(copy / each)], check=True)  # noqa: S603 - our own folders


if __name__ == "__main__":
    build(Path(sys.argv[1]).absolute())
