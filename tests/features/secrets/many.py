"""Adds many secrets to a folder at once, as if they had been added one by one."""

from collections.abc import Iterable, Iterator
from itertools import islice

import sqlalchemy as sa

from keyturn.db.tables import secret_versions, secrets
from keyturn.db.unit import Database
from keyturn.kit.moments import FIRST
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Ids
from keyturn.ports.sealing import Sealer
from keyturn.secrets.references import has_references
from keyturn.secrets.sealed import seal_value

_AT_ONCE = 5000


def add_many(
    database: Database, sealer: Sealer, ids: Ids, project_id: str, folder_id: str, values: Iterable[tuple[str, str]]
) -> None:
    """Add secrets with these names and values."""
    stamps = {"created_at": FIRST, "updated_at": FIRST}
    remaining = iter(values)
    with database.write() as tx:
        for part in _parts(remaining):
            kept, versions = [], []
            for name, value in part:
                secret_id, version_id = ids.new(), ids.new()
                kept.append({"id": secret_id, "folder_id": folder_id, "name": name, **stamps})
                versions.append(
                    {
                        "id": version_id,
                        "secret_id": secret_id,
                        "name": name,
                        "value": seal_value(sealer, project_id, version_id, Plaintext(value)),
                        "has_references": has_references(value),
                        "made_by_kind": "user",
                        "made_by_name": "ada@example.com",
                        "created_at": FIRST,
                    }
                )
            tx.connection.execute(sa.insert(secrets), kept)
            tx.connection.execute(sa.insert(secret_versions), versions)


def _parts(values: Iterator[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    while part := list(islice(values, _AT_ONCE)):
        yield part
