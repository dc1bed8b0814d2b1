"""What a backup file holds, inside of its encryption: JSON lines, compressed by gzip.

The first line says what it is. Then a line for each table with its columns, followed by its rows as lists. The last line has how
many rows there are, the SHA-256 of all lines before it, and a digest of that under a data key of the server: whoever has only the
public key can make a file that opens, but none that passes for one of this server.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, BinaryIO

from keyturn import __version__
from keyturn.backup.age import Encrypting, PrivateKey, PublicKey, changed_file, cut_short, decrypt, foreign
from keyturn.db.transfer import Row, TableRows
from keyturn.errors import Misconfigured, Refused
from keyturn.kit.clock import iso
from keyturn.kit.dataclasses import dataclass

FORMAT = 1
_MARK = "keyturnBackup"
_GZIP = 31
_PIECE = 256 * 1024
_LONGEST_LINE = 64 * 1024 * 1024


@dataclass(frozen=True)
class Header:
    """What the first line says. ``schema`` is the version of the tables, ``root_keys`` have the ids of those that are needed."""

    created_at: datetime
    version: str
    schema: str
    database: str
    root_keys: tuple[str, ...]

    def line(self) -> dict[str, object]:
        return {
            _MARK: FORMAT,
            "createdAt": iso(self.created_at),
            "keyturn": self.version,
            "schema": self.schema,
            "database": self.database,
            "rootKeys": list(self.root_keys),
        }


def header(created_at: datetime, schema: str, database: str, root_keys: Sequence[str]) -> Header:
    """Return the header of a backup that is made now, by this version."""
    return Header(created_at, __version__, schema, database, tuple(root_keys))


class Writer:
    """Writes one backup. Without :meth:`close` it is not complete, and does not open."""

    def __init__(self, file: BinaryIO, keys: Sequence[PublicKey], first: Header) -> None:
        self._out = Encrypting(file, keys)
        self._gzip = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self._digest = hashlib.sha256()
        self._held = bytearray()
        self.rows = 0
        self._line(first.line())

    @property
    def sha256(self) -> str:
        """The digest of all lines so far."""
        self._flush()
        return self._digest.hexdigest()

    def table(self, table: TableRows) -> None:
        """Write all rows of the table. Raises Misconfigured for a value that no column of ours may hold."""
        self._line({"table": table.name, "columns": list(table.columns)})
        for row in table.rows:
            try:
                self._line(row)
            except TypeError:
                raise Misconfigured(
                    f"A row of the table {table.name} holds a value that is no text and no number.",
                    code="backup.value",
                    fix="Somebody has changed the database by hand: put the value right, or delete the row.",
                ) from None
            self.rows += 1

    def close(self, seal: str) -> None:
        """Write the last line. ``seal`` is the digest of :attr:`sha256` under a data key."""
        last = {"rows": self.rows, "sha256": self.sha256, "seal": seal}
        self._line({"end": last})
        self._flush()
        self._out.write(self._gzip.flush())
        self._out.close()

    def _line(self, content: object) -> None:
        self._held += json.dumps(content, separators=(",", ":")).encode() + b"\n"
        if len(self._held) >= _PIECE:
            self._flush()

    def _flush(self) -> None:
        self._digest.update(self._held)
        self._out.write(self._gzip.compress(self._held))
        self._held.clear()


@dataclass
class Reader:
    """Reads one backup from its beginning. Everything it gives was found genuine, but only after :meth:`tables` has come to an
    end it is certain that nothing is missing.

    Raises Refused for a file of another kind, for another key, of a newer format, cut short or changed.
    """

    file: BinaryIO
    keys: Sequence[PrivateKey]
    header: Header = field(init=False)
    counts: dict[str, int] = field(init=False, default_factory=dict)
    sha256: str = field(init=False, default="")
    seal: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.file.seek(0)
        self._digest = hashlib.sha256()
        self._lines = _lines(decrypt(self.file, self.keys))
        self.header = _header(self._next())

    def tables(self) -> Iterator[TableRows]:
        """Yield the tables. The rows of each are to be gone through before the next one is asked for."""
        content = self._next()
        while isinstance(content, dict) and "table" in content:
            name, columns = content.get("table"), content.get("columns")
            if not isinstance(name, str) or not isinstance(columns, list) or name in self.counts:
                raise changed_file()
            self.counts[name] = 0
            self._following: Any = None
            yield TableRows(name, tuple(map(str, columns)), self._rows(name, len(columns)))
            content = self._following
        self._end(content)

    def _rows(self, name: str, columns: int) -> Iterator[Row]:
        while isinstance(content := self._next(), list):
            if len(content) != columns:
                raise changed_file()
            self.counts[name] += 1
            yield content
        self._following = content

    def _end(self, content: object) -> None:
        last = content.get("end") if isinstance(content, dict) else None
        if not isinstance(last, dict):
            raise changed_file()
        if last.get("sha256") != self.sha256 or last.get("rows") != sum(self.counts.values()):
            raise changed_file()
        self.seal = str(last.get("seal"))
        if next(self._lines, None) is not None:
            raise changed_file()

    def _next(self) -> Any:
        """Return the next line; :attr:`sha256` is then the digest of those before it."""
        line = next(self._lines, None)
        if line is None:
            raise cut_short()
        self.sha256 = self._digest.hexdigest()
        self._digest.update(line)
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            raise foreign() if not self.counts else changed_file() from None


def _header(content: object) -> Header:
    version = content.get(_MARK) if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(version, int):
        raise foreign()
    if version > FORMAT:
        raise Refused(
            f"This backup has format {version}, by Keyturn {content.get('keyturn')}; this version reads up to {FORMAT}.",
            code="backup.newer",
            fix="Use the version of Keyturn that made it, or a newer one.",
        )
    try:
        return Header(
            datetime.fromisoformat(content["createdAt"]),
            str(content["keyturn"]),
            str(content["schema"]),
            str(content["database"]),
            tuple(map(str, content["rootKeys"])),
        )
    except (KeyError, TypeError, ValueError):
        raise changed_file() from None


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack and split into lines, each with its end, in time that grows with what is unpacked."""
    gzip, begun, size = zlib.decompressobj(_GZIP), list[bytes](), 0
    for chunk in chunks:
        packed = chunk
        while packed and not gzip.eof:
            *ends, rest = _unpacked(gzip, packed).split(b"\n")
            packed = gzip.unconsumed_tail
            for end in ends:
                yield b"".join([*begun, end, b"\n"])
                begun, size = [], 0
            begun.append(rest)
            size += len(rest)
            if size > _LONGEST_LINE:
                raise changed_file()
        if gzip.unused_data:
            raise changed_file()
    if size or not gzip.eof:
        raise changed_file()


def _unpacked(gzip: Any, packed: bytes) -> bytes:
    try:
        data: bytes = gzip.decompress(packed, _PIECE)
    except zlib.error:
        raise foreign() from None
    return data
