"""Each audit event has a place in the hash chain of its organization; a link is never changed, and deleted below the start only.

The chains begin when a server of this version is started: their hashes need its keys.
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

# Written out, not imported: what a migration did must not change when the code does.
_SQLITE = (
    """CREATE TRIGGER audit_links_no_update BEFORE UPDATE ON audit_links
BEGIN SELECT RAISE(ABORT, 'audit events cannot be changed or deleted'); END""",
    """CREATE TRIGGER audit_links_no_delete BEFORE DELETE ON audit_links
WHEN NOT EXISTS (SELECT 1 FROM audit_chains WHERE id = OLD.chain AND start_position >= OLD.position)
BEGIN SELECT RAISE(ABORT, 'audit events cannot be changed or deleted'); END""",
    """CREATE TRIGGER audit_links_no_replace BEFORE INSERT ON audit_links
WHEN EXISTS (SELECT 1 FROM audit_links WHERE event_id = NEW.event_id)
OR EXISTS (SELECT 1 FROM audit_links WHERE chain = NEW.chain AND position = NEW.position)
BEGIN SELECT RAISE(ABORT, 'audit events cannot be changed or deleted'); END""",
    """CREATE TRIGGER audit_chains_no_delete BEFORE DELETE ON audit_chains
BEGIN SELECT RAISE(ABORT, 'audit events cannot be changed or deleted'); END""",
    """CREATE TRIGGER audit_chains_no_replace BEFORE INSERT ON audit_chains
WHEN EXISTS (SELECT 1 FROM audit_chains WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'audit events cannot be changed or deleted'); END""",
)
_POSTGRESQL = (
    """CREATE FUNCTION keyturn_refuse_audit_link_delete() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE permitted boolean;
BEGIN
  EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || quote_ident(TG_TABLE_SCHEMA)
    || '.audit_chains WHERE id = $1 AND start_position >= $2)'
    INTO permitted USING OLD.chain, OLD.position;
  IF NOT permitted THEN
    RAISE EXCEPTION 'audit events cannot be changed or deleted'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN OLD;
END $$""",
    """CREATE TRIGGER audit_links_no_change BEFORE UPDATE ON audit_links
FOR EACH ROW EXECUTE FUNCTION keyturn_refuse_audit_change()""",
    """CREATE TRIGGER audit_links_no_delete BEFORE DELETE ON audit_links
FOR EACH ROW EXECUTE FUNCTION keyturn_refuse_audit_link_delete()""",
    """CREATE TRIGGER audit_links_no_truncate BEFORE TRUNCATE ON audit_links
FOR EACH STATEMENT EXECUTE FUNCTION keyturn_refuse_audit_change()""",
    """CREATE TRIGGER audit_chains_no_delete BEFORE DELETE ON audit_chains
FOR EACH ROW EXECUTE FUNCTION keyturn_refuse_audit_change()""",
    """CREATE TRIGGER audit_chains_no_truncate BEFORE TRUNCATE ON audit_chains
FOR EACH STATEMENT EXECUTE FUNCTION keyturn_refuse_audit_change()""",
)


def upgrade() -> None:
    op.create_table(
        "audit_chains",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("start_position", sa.BigInteger(), nullable=False),
        sa.Column("start_hash", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_chains")),
    )
    op.create_table(
        "audit_links",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("chain", sa.String(length=36), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_audit_links")),
        sa.UniqueConstraint("chain", "position", name=op.f("uq_audit_links_chain_position")),
    )
    op.create_table(
        "audit_keys",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_keys")),
    )
    connection = op.get_bind()
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL:
        connection.exec_driver_sql(statement)
