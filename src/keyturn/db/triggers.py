"""Triggers that make the audit trail append-only: the database itself refuses to change or delete an event."""

_REFUSAL = "audit events cannot be changed or deleted"

SQLITE = (
    f"""CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
    f"""CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
    # INSERT OR REPLACE deletes the row that is in its way without asking the trigger of deletes.
    f"""CREATE TRIGGER audit_events_no_replace BEFORE INSERT ON audit_events
WHEN EXISTS (SELECT 1 FROM audit_events WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM audit_events WHERE once = NEW.once)
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",  # noqa: S608 - the one part is the constant above
)

POSTGRESQL = (
    f"""CREATE FUNCTION keyturn_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER audit_events_no_change BEFORE UPDATE OR DELETE ON audit_events
FOR EACH ROW EXECUTE FUNCTION keyturn_refuse_audit_change()""",
    """CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
FOR EACH STATEMENT EXECUTE FUNCTION keyturn_refuse_audit_change()""",
)


def statements(dialect: str) -> tuple[str, ...]:
    """Return the statements that install the triggers, to be run once, in order. ``dialect`` is SQLAlchemy's name."""
    return POSTGRESQL if dialect == "postgresql" else SQLITE
