"""Audit events may be deleted up to a floor that was written down before, and not above it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Written out, not imported: what a migration did must not change when the code does.
_SQLITE = (
    "DROP TRIGGER audit_events_no_delete",
    """CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
WHEN NOT EXISTS (SELECT 1 FROM audit_floors WHERE up_to >= OLD.id)
BEGIN SELECT RAISE(ABORT, 'audit events cannot be changed or deleted'); END""",
    """CREATE TRIGGER audit_floors_no_update BEFORE UPDATE ON audit_floors
BEGIN SELECT RAISE(ABORT, 'audit events cannot be changed or deleted'); END""",
    """CREATE TRIGGER audit_floors_no_delete BEFORE DELETE ON audit_floors
BEGIN SELECT RAISE(ABORT, 'audit events cannot be changed or deleted'); END""",
    """CREATE TRIGGER audit_floors_rise BEFORE INSERT ON audit_floors
WHEN EXISTS (SELECT 1 FROM audit_floors WHERE up_to >= NEW.up_to)
OR NOT EXISTS (SELECT 1 FROM audit_events WHERE id > NEW.up_to)
BEGIN SELECT RAISE(ABORT, 'an audit floor lies above the one before and below the newest event'); END""",
)
_POSTGRESQL = (
    """CREATE FUNCTION keyturn_refuse_audit_delete() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE permitted boolean;
BEGIN
  EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.audit_floors WHERE up_to >= $1)'
    INTO permitted USING OLD.id;
  IF NOT permitted THEN
    RAISE EXCEPTION 'audit events cannot be changed or deleted'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN OLD;
END $$""",
    """CREATE FUNCTION keyturn_refuse_audit_floor() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  here text := quote_ident(TG_TABLE_SCHEMA);
  permitted boolean;
BEGIN
  EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || here || '.audit_events WHERE id > $1)'
    || ' AND NOT EXISTS (SELECT 1 FROM ' || here || '.audit_floors WHERE up_to >= $1)'
    INTO permitted USING NEW.up_to;
  IF NOT permitted THEN
    RAISE EXCEPTION 'an audit floor lies above the one before and below the newest event'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$""",
    "DROP TRIGGER audit_events_no_change ON audit_events",
    """CREATE TRIGGER audit_events_no_change BEFORE UPDATE ON audit_events
FOR EACH ROW EXECUTE FUNCTION keyturn_refuse_audit_change()""",
    """CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
FOR EACH ROW EXECUTE FUNCTION keyturn_refuse_audit_delete()""",
    """CREATE TRIGGER audit_floors_no_change BEFORE UPDATE OR DELETE ON audit_floors
FOR EACH ROW EXECUTE FUNCTION keyturn_refuse_audit_change()""",
    """CREATE TRIGGER audit_floors_no_truncate BEFORE TRUNCATE ON audit_floors
FOR EACH STATEMENT EXECUTE FUNCTION keyturn_refuse_audit_change()""",
    """CREATE TRIGGER audit_floors_rise BEFORE INSERT ON audit_floors
FOR EACH ROW EXECUTE FUNCTION keyturn_refuse_audit_floor()""",
)


def upgrade() -> None:
    op.create_table(
        "audit_floors",
        sa.Column("up_to", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("up_to", name=op.f("pk_audit_floors")),
    )
    connection = op.get_bind()
    for statement in _POSTGRESQL if connection.dialect.name == "postgresql" else _SQLITE:
        connection.exec_driver_sql(statement)
