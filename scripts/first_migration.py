"""Writes the first migration from ``keyturn.db.tables``: one explicit ``op.create_table`` for each table.

Usage, from the project's root: .venv/bin/python scripts/first_migration.py

Only until the first release. After it the first migration never changes, and each change is a migration of its own.
"""

from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render
from alembic.autogenerate.api import AutogenContext
from alembic.migration import MigrationContext
from alembic.operations import ops

from keyturn.db import triggers
from keyturn.db.tables import metadata
from keyturn.db.types import Moment, SealedText

FOLDER = Path(__file__).parent.parent / "src/keyturn/db/migrations/versions"
LINES = 200
HEAD = '''"""Tables of the first release, part {number}. Written by scripts/first_migration.py."""

import sqlalchemy as sa
from alembic import op

revision = "{number:04}"
down_revision = {before!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
{calls}
'''
TRIGGERS = """

# Written out, not imported: what a migration did must not change when the code does.
{constants}

def _triggers() -> None:
    connection = op.get_bind()
    for statement in POSTGRESQL if connection.dialect.name == "postgresql" else SQLITE:
        connection.exec_driver_sql(statement)
"""


def main() -> None:
    with sa.create_engine("sqlite://").connect() as connection:
        context = MigrationContext.configure(connection, opts={"render_item": plain, "target_metadata": metadata})
        script = produce_migrations(context, metadata)
        autogen = AutogenContext(
            context,
            metadata,
            opts=dict(
                context.opts, sqlalchemy_module_prefix="sa.", alembic_module_prefix="op.", user_module_prefix=None
            ),
        )
        steps = script.upgrade_ops.ops if script.upgrade_ops else []
        groups: dict[str, list[str]] = {}
        for step in flattened(steps):
            groups.setdefault(table_of(step), []).extend(render.render_op(autogen, step))
    for old in FOLDER.glob("0*_tables.py"):
        old.unlink()
    parts = split(groups)
    for number, part in enumerate(parts, 1):
        text = text_of(number, part, last=number == len(parts))
        (FOLDER / f"{number:04}_tables.py").write_text(text)


def split(groups: dict[str, list[str]]) -> list[dict[str, list[str]]]:
    """Share the tables out over files that people can still read."""
    parts: list[dict[str, list[str]]] = [{}]
    for table, calls in groups.items():
        if parts[-1] and sum(len("\n".join(known).splitlines()) for known in parts[-1].values()) > LINES:
            parts.append({})
        parts[-1][table] = calls
    return parts


def text_of(number: int, groups: dict[str, list[str]], *, last: bool) -> str:
    names = [*groups, *(["triggers"] if last else [])]
    calls = "\n".join(f"    _{name}()" for name in names)
    text = HEAD.format(number=number, before=f"{number - 1:04}" if number > 1 else None, calls=calls)
    for table, parts in groups.items():
        lines = [f"    {line}" for part in parts for line in part.splitlines()]
        text += "\n".join(["", "", f"def _{table}() -> None:", *lines, ""])
    return text + TRIGGERS.format(constants=constants()) if last else text


def constants() -> str:
    kinds = {"SQLITE": triggers.SQLITE, "POSTGRESQL": triggers.POSTGRESQL}
    return "".join(
        f"{name} = (\n" + "".join(f'    """{text}""",\n' for text in statements) + ")\n"
        for name, statements in kinds.items()
    )


def flattened(steps: list[Any]) -> list[Any]:
    return [inner for step in steps for inner in (step.ops if isinstance(step, ops.ModifyTableOps) else [step])]


def table_of(step: Any) -> str:
    return str(step.table_name)


def plain(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Render our own types as what they are in the database, and truth values so that both databases understand them."""
    if kind == "type" and isinstance(item, Moment):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, SealedText):
        return "sa.Text()"
    if kind == "server_default" and isinstance(item, sa.DefaultClause):
        if isinstance(item.arg, str):
            return repr(item.arg)
        return "sa.true()" if str(item.arg) == str(sa.true()) else "sa.false()"
    return False


if __name__ == "__main__":
    main()
