"""Triggers. Those written here make the audit trail append-only: the database itself refuses to change or delete an event.

What is older than the operator wants to keep may be deleted: up to a floor that was written down before. Floors are never
changed or deleted, each is higher than the one before, and none reaches the newest event. The links of the hash chains are never
changed, and deleted only below the start of their chain.
"""

from keyturn.db import access_triggers

_REFUSAL = "audit events cannot be changed or deleted"
_FLOOR_REFUSAL = "an audit floor lies above the one before and below the newest event"

SQLITE = (
    f"""CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
    f"""CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
WHEN NOT EXISTS (SELECT 1 FROM audit_floors WHERE up_to >= OLD.id)
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",  # noqa: S608 - the one part is the constant above
    # INSERT OR REPLACE deletes the row that is in its way without asking the trigger of deletes.
    f"""CREATE TRIGGER audit_events_no_replace BEFORE INSERT ON audit_events
WHEN EXISTS (SELECT 1 FROM audit_events WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM audit_events WHERE once = NEW.once)
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",  # noqa: S608 - the one part is the constant above
    f"""CREATE TRIGGER audit_floors_no_update BEFORE UPDATE ON audit_floors
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
    f"""CREATE TRIGGER audit_floors_no_delete BEFORE DELETE ON audit_floors
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
    f"""CREATE TRIGGER audit_floors_rise BEFORE INSERT ON audit_floors
WHEN EXISTS (SELECT 1 FROM audit_floors WHERE up_to >= NEW.up_to)
OR NOT EXISTS (SELECT 1 FROM audit_events WHERE id > NEW.up_to)
BEGIN SELECT RAISE(ABORT, '{_FLOOR_REFUSAL}'); END""",  # noqa: S608 - as above
    f"""CREATE TRIGGER audit_links_no_update BEFORE UPDATE ON audit_links
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
    f"""CREATE TRIGGER audit_links_no_delete BEFORE DELETE ON audit_links
WHEN NOT EXISTS (SELECT 1 FROM audit_chains WHERE id = OLD.chain AND start_position >= OLD.position)
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",  # noqa: S608 - as above
    f"""CREATE TRIGGER audit_links_no_replace BEFORE INSERT ON audit_links
WHEN EXISTS (SELECT 1 FROM audit_links WHERE event_id = NEW.event_id)
OR EXISTS (SELECT 1 FROM audit_links WHERE chain = NEW.chain AND position = NEW.position)
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",  # noqa: S608 - as above
    f"""CREATE TRIGGER audit_chains_no_delete BEFORE DELETE ON audit_chains
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",
    f"""CREATE TRIGGER audit_chains_no_replace BEFORE INSERT ON audit_chains
WHEN EXISTS (SELECT 1 FROM audit_chains WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END""",  # noqa: S608 - as above
    *access_triggers.sqlite(),
)

POSTGRESQL = (
    f"""CREATE FUNCTION keyturn_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    # The tables are named with the schema of the trigger's own: those of a caller's search path may be others.
    f"""CREATE FUNCTION keyturn_refuse_audit_delete() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE permitted boolean;
BEGIN
  EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.audit_floors WHERE up_to >= $1)'
    INTO permitted USING OLD.id;
  IF NOT permitted THEN
    RAISE EXCEPTION '{_REFUSAL}'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN OLD;
END $$""",  # noqa: S608 - the one part is the constant above
    f"""CREATE FUNCTION keyturn_refuse_audit_floor() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  here text := quote_ident(TG_TABLE_SCHEMA);
  permitted boolean;
BEGIN
  EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || here || '.audit_events WHERE id > $1)'
    || ' AND NOT EXISTS (SELECT 1 FROM ' || here || '.audit_floors WHERE up_to >= $1)'
    INTO permitted USING NEW.up_to;
  IF NOT permitted THEN
    RAISE EXCEPTION '{_FLOOR_REFUSAL}'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$""",  # noqa: S608 - as above
    """CREATE TRIGGER audit_events_no_change BEFORE UPDATE ON audit_events
FOR EACH ROW EXECUTE FUNCTION keyturn_refuse_audit_change()""",
    """CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
FOR EACH ROW EXECUTE FUNCTION keyturn_refuse_audit_delete()""",
    """CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
FOR EACH STATEMENT EXECUTE FUNCTION keyturn_refuse_audit_change()""",
    """CREATE TRIGGER audit_floors_no_change BEFORE UPDATE OR DELETE ON audit_floors
FOR EACH ROW EXECUTE FUNCTION keyturn_refuse_audit_change()""",
    """CREATE TRIGGER audit_floors_no_truncate BEFORE TRUNCATE ON audit_floors
FOR EACH STATEMENT EXECUTE FUNCTION keyturn_refuse_audit_change()""",
    """CREATE TRIGGER audit_floors_rise BEFORE INSERT ON audit_floors
FOR EACH ROW EXECUTE FUNCTION keyturn_refuse_audit_floor()""",
    f"""CREATE FUNCTION keyturn_refuse_audit_link_delete() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE permitted boolean;
BEGIN
  EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || quote_ident(TG_TABLE_SCHEMA)
    || '.audit_chains WHERE id = $1 AND start_position >= $2)'
    INTO permitted USING OLD.chain, OLD.position;
  IF NOT permitted THEN
    RAISE EXCEPTION '{_REFUSAL}'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN OLD;
END $$""",  # noqa: S608 - as above
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
    *access_triggers.postgresql(),
)


def statements(dialect: str) -> tuple[str, ...]:
    """Return the statements that install the triggers, to be run once, in order. ``dialect`` is SQLAlchemy's name."""
    return POSTGRESQL if dialect == "postgresql" else SQLITE
