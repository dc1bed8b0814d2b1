"""Secrets and their versions know the revision of their project, so that a folder can be seen as it was and put back."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_HOLDERS = {"uq_secrets_shared": "owner_id IS NULL", "uq_secrets_personal": "owner_id IS NOT NULL"}
_COLUMNS = {"uq_secrets_shared": ["folder_id", "name"], "uq_secrets_personal": ["folder_id", "name", "owner_id"]}


def upgrade() -> None:
    op.add_column("secrets", sa.Column("added_revision", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("secrets", sa.Column("removed_revision", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_secrets_removed_revision"), "secrets", ["removed_revision"], unique=False)
    op.add_column(
        "secret_versions", sa.Column("has_references", sa.Boolean(), server_default=sa.true(), nullable=False)
    )
    op.add_column("secret_versions", sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False))
    _leave_names_of_removed_ones_free()
    _fill()


def _leave_names_of_removed_ones_free() -> None:
    for name, owner in _HOLDERS.items():
        there = sa.text(f"{owner} AND removed_revision IS NULL")
        op.drop_index(name, "secrets")
        op.create_index(name, "secrets", _COLUMNS[name], unique=True, sqlite_where=there, postgresql_where=there)


def _fill() -> None:
    """Every version so far is in the feed with its number, which no release has ever shortened."""
    op.create_index("ix_changes_filling", "changes", ["subject_id", "version"], unique=False)
    op.execute(
        "UPDATE secret_versions SET revision = coalesce((SELECT min(changes.revision) FROM changes"
        " WHERE changes.subject_id = secret_versions.secret_id AND changes.version = secret_versions.number"
        " AND changes.kind IN ('secret:create', 'secret:update')), 0)"
    )
    op.execute(
        "UPDATE secrets SET added_revision = coalesce((SELECT min(secret_versions.revision) FROM secret_versions"
        " WHERE secret_versions.secret_id = secrets.id), 0)"
    )
    op.drop_index("ix_changes_filling", "changes")
