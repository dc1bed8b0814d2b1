"""A migration that has landed never changes: databases that it has made would differ from those that it makes."""

import ast
import hashlib
import sys
from pathlib import Path

import keyturn.db

FOLDER = Path(keyturn.db.__file__).parent / "migrations"
LANDED = Path(__file__).parent / "digests.txt"
"""As sha256sum writes it: from the folder of the migrations, ``sha256sum --check`` reads it, too."""


def digests() -> dict[str, str]:
    """Return the digest of each migration that is in the product, by the name of its file."""
    paths = sorted((FOLDER / "versions").glob("[0-9]*_*.py"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def landed() -> dict[str, str]:
    lines = (line.split() for line in LANDED.read_text(encoding="utf-8").splitlines())
    return {name: digest for digest, name in lines}


def test_a_landed_migration_never_changes() -> None:
    current = digests()
    changed = [name for name, digest in landed().items() if current.get(name) != digest]
    assert changed == [], (
        "These migrations have landed, and databases have run them: put them back as they were"
        f" (git checkout main -- {' '.join(f'src/keyturn/db/migrations/versions/{name}' for name in changed)})"
        " and write a new migration that makes the change."
    )


def test_every_migration_is_among_the_landed() -> None:
    unlisted = {name: digest for name, digest in digests().items() if name not in landed()}
    lines = "\n".join(f"{digest}  {name}" for name, digest in unlisted.items())
    assert unlisted == {}, f"Add to tests/migration/digests.txt, once the migration is as it is to land:\n{lines}"


def test_nothing_that_a_migration_does_comes_from_code_that_may_change() -> None:
    allowed = {"alembic", "sqlalchemy", *sys.stdlib_module_names}
    imported = {
        (path.name, module)
        for path in [*(FOLDER / "versions").glob("*.py"), FOLDER / "env.py"]
        for module in modules(path)
        if module.partition(".")[0] not in allowed
    }
    assert imported == set(), (
        "Write out what the migration needs: what is imported changes later, and its outcome with it."
    )


def modules(path: Path) -> list[str]:
    """Return what a file imports, relative imports with their dots."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append("." * node.level + (node.module or ""))
    return names
