"""What Alembic runs for every command: it migrates the connection that ``keyturn.db.migrate`` gives it."""

from alembic import context

from keyturn.db.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
context.run_migrations()
