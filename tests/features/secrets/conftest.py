"""The routes of secrets and folders over a real database of either kind, with callers of every role.

Every test of this folder is a test for canaries as well: no value that was ever sent is in the database in the clear, in a log
line at DEBUG, or in an answer that is no answer of a secret.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.db.unit import Database
from tests.features.secrets.desk import SecretsClient, desk
from tests.log_state import everything_logged


@pytest.fixture
def web(database: Database, tmp_path: Path) -> Iterator[SecretsClient]:
    with everything_logged() as log, desk(database, tmp_path) as opened:
        yield opened
        stored = opened.everything_stored()
    output = log.getvalue() + "".join(opened.refusals)
    assert "keyturn.access" in output
    for value in opened.canaries:
        assert value not in output, "a value shows in a log line or a refusal"
        assert value not in stored, "a value is stored in the clear"
