"""``keyturn migrate``: bring the database up to date."""

from typing import Annotated

import typer

from keyturn.app.startup import copy_before_migration
from keyturn.cli.context import command_context, open_for_command, tell
from keyturn.db import migrate as migrations

app = typer.Typer(rich_markup_mode=None)


@app.command(help="Bring the database up to date. Safe to repeat, and in several places at once.")
def migrate(
    ctx: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail when something is to be done.")] = False,
) -> None:
    around = command_context(ctx)
    settings = around.settings()
    with open_for_command(settings, new=True) as database:
        state = migrations.check(database)
        if check:
            print(f"The database is {state} (version {migrations.current(database) or 'none'}).")
            raise typer.Exit(0 if state is migrations.SchemaState.UP_TO_DATE else 1)
        if state is migrations.SchemaState.BEHIND:
            copy_before_migration(database, around.clock, tell)
        revisions = migrations.upgrade(database)
    print(f"Migrated to version {revisions[-1]}." if revisions else "The database is up to date.")
