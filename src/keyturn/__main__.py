"""``python -m keyturn`` is the same as ``keyturn``."""

from keyturn.cli.main import run

run()
