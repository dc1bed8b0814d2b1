"""Writes into rows what no release has written: a hand did, a defect, or a restore from something else."""

from collections.abc import Iterator

from keyturn.db.tables import metadata
from keyturn.db.types import Moment
from keyturn.db.unit import Database
from tests.simulation.seeds import base_seed, every_case

SQLITE = ("noon", "", "9999-99-99")
POSTGRES = ("infinity", "-infinity", "0044-03-15 12:00 BC", "10000-01-01 00:30 UTC", "9999-12-31 23:30 UTC")


def moments(database: Database) -> tuple[str, ...]:
    """Moments that this kind of database keeps and Python has no value for, or only in a zone that is not far east."""
    return SQLITE if database.is_sqlite else POSTGRES


def columns_of(kind: type[object], *tables: str) -> list[tuple[str, str]]:
    """Return table and name of all columns of this type, in these tables or in all."""
    chosen = [metadata.tables[name] for name in tables] or metadata.sorted_tables
    return [(table.name, column.name) for table in chosen for column in table.columns if isinstance(column.type, kind)]


MOMENTS = columns_of(Moment)
JSON_SHAPES = ("7", "[7]", '{"more": 1}', '"text"', '["not an address"]')


def write(database: Database, table: str, column: str, text: str, where: str = "1 = 1") -> int:
    """Write the text past the types into the column of these rows; return how many there are."""
    quoted = text.replace("'", "''")
    with database.write() as tx:
        return tx.connection.exec_driver_sql(f"UPDATE {table} SET \"{column}\" = '{quoted}' WHERE {where}").rowcount


def each(
    database: Database, columns: list[tuple[str, str]], texts: tuple[str, ...], where: str = "1 = 1"
) -> Iterator[str]:
    """Write each text into each column in turn, and what was there back afterwards; yield what was done."""
    for table, column in columns:
        for text in texts:
            with database.write() as tx:
                run = tx.connection.exec_driver_sql
                run(f"CREATE TABLE kept AS SELECT * FROM {table}")
            if write(database, table, column, text, where):
                yield f"{table}.{column} = {text!r}"
            key = next(iter(metadata.tables[table].primary_key)).name
            back = f'UPDATE {table} SET "{column}" = (SELECT "{column}" FROM kept WHERE kept.{key} = {table}.{key})'
            with database.write() as tx:
                tx.connection.exec_driver_sql(f"{back} WHERE {key} IN (SELECT {key} FROM kept)")
                tx.connection.exec_driver_sql("DROP TABLE kept")


def each_moment(database: Database, columns: list[tuple[str, str]], where: str = "1 = 1") -> Iterator[str]:
    """As ``each`` does, write moments into each column: one in turn, and another with the next run, as all are read alike.

    With KEYTURN_EVERY_CASE all of them are written.
    """
    texts = moments(database)
    for number, column in enumerate(columns):
        chosen = texts if every_case() else (texts[(number + base_seed()) % len(texts)],)
        yield from each(database, [column], chosen, where)
