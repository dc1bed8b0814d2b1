"""Each room has SQL of its own tables: those that a module of it imports are imported by no other room.

What others read they take from the store of a room below, or from ``db/tables/views.py``, which nobody writes through.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from keyturn.db import tables
from keyturn.db.tables import views

PRODUCT = Path(__file__).parents[2] / "src" / "keyturn"
TABLES, VIEWS = "keyturn.db.tables", "keyturn.db.tables.views"
WRITING = {"insert", "update", "delete", "add_new"}
REVISIONS = "project_revisions"
WAKE_UPS = "wake_ups"
"""Made to be written: by the feed of changes, whose number stands in the projects' rows."""


def parsed_modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield the modules of all rooms but that of the tables themselves."""
    for path in sorted(PRODUCT.rglob("*.py")):
        name = str(path.relative_to(PRODUCT))
        if not name.startswith("db/"):
            yield name, ast.parse(path.read_text())


def imported_names(module: ast.Module, source: str) -> dict[str, str]:
    """Return what the module imports from there: its own name for it -> the name there."""
    imports = (node for node in ast.walk(module) if isinstance(node, ast.ImportFrom) and node.module == source)
    return {alias.asname or alias.name: alias.name for node in imports for alias in node.names}


def written_names(module: ast.Module) -> set[str]:
    """Return the names that are the first argument of a call that writes."""
    calls = (node for node in ast.walk(module) if isinstance(node, ast.Call) and node.args)
    writes = (call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in WRITING)
    return {call.args[0].id for call in writes if isinstance(call.args[0], ast.Name)}


def test_no_table_is_imported_by_two_rooms() -> None:
    rooms = defaultdict(set)
    for name, module in parsed_modules():
        for table in imported_names(module, TABLES).values():
            rooms[table].add(name.split("/")[0])
    shared = {table: sorted(names) for table, names in rooms.items() if len(names) > 1 and table != "metadata"}
    assert shared == {}, f"one of these rooms has the table; the other reads it by a view ({VIEWS}) or by its store"
    assert {"app_connections", "credentials", "rotations", "leases", "projects", "users"} <= set(rooms)


def test_tables_come_from_one_place() -> None:
    names = {
        node.module
        for _, module in parsed_modules()
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(TABLES)
    }
    assert names == {TABLES, VIEWS}


def test_nobody_writes_through_a_view() -> None:
    written = {
        (name, imported[local])
        for name, module in parsed_modules()
        for imported in [imported_names(module, VIEWS)]
        for local in written_names(module) & set(imported)
    }
    assert written == {("changes/store.py", REVISIONS), ("credentials/rotation_store.py", WAKE_UPS)}


def test_each_column_of_a_view_is_one_of_its_table() -> None:
    shown = {name: view for name, view in vars(views).items() if hasattr(view, "c")}
    assert REVISIONS in shown
    for name, view in shown.items():
        table = tables.metadata.tables[view.name]
        assert all(column.type is table.c[column.name].type for column in view.c), name
        # Room for one more statement by it: a view of everything hides nothing.
        assert len(view.c) < len(table.c), name
