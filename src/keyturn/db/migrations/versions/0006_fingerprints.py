"""Fingerprints, by which all connections that hold the same credential are found."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_CONNECTION_UNMARKED = "fingerprint_version <> secret_version"
_CREDENTIAL_UNMARKED = "fingerprint IS NULL AND value IS NOT NULL AND published_at IS NOT NULL"


def upgrade() -> None:
    """Servers compute the fingerprints of the rows that are there: only they have the keys."""
    _keys()
    _connections()
    _credentials()


def _keys() -> None:
    op.create_table(
        "fingerprint_keys",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fingerprint_keys")),
    )


def _connections() -> None:
    op.add_column("app_connections", sa.Column("fingerprint", sa.String(length=64), nullable=True))
    op.add_column("app_connections", sa.Column("fingerprint_version", sa.Integer(), server_default="0", nullable=False))
    op.create_index(op.f("ix_app_connections_fingerprint"), "app_connections", ["fingerprint"], unique=False)
    _unmarked("ix_app_connections_unmarked", "app_connections", _CONNECTION_UNMARKED)


def _credentials() -> None:
    op.add_column("credentials", sa.Column("fingerprint", sa.String(length=64), nullable=True))
    op.create_index(op.f("ix_credentials_fingerprint"), "credentials", ["fingerprint"], unique=False)
    _unmarked("ix_credentials_unmarked", "credentials", _CREDENTIAL_UNMARKED)


def _unmarked(name: str, table: str, where: str) -> None:
    op.create_index(name, table, ["id"], unique=False, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
