"""What Alembic runs for every command: it migrates the connection that ``keyturn.db.migrate`` gives it.

It knows nothing of ``keyturn.db.tables``: what a migration does must not change when the tables of today do.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
