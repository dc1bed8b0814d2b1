"""``keyturn run``: start a program with its secrets in the environment, and again when they change."""

import sys
from datetime import timedelta
from typing import Annotated

import typer

from keyturn.cli.client_options import Environment, Imports, Method, Project, Recursive, SecretPath, Url, client_of
from keyturn.cli.context import tell
from keyturn.client.instance import new_instance
from keyturn.client.run import OnChange, Runner, RunPlan
from keyturn.client.signals import signal_number

app = typer.Typer(rich_markup_mode=None)


@app.command(context_settings={"allow_interspersed_args": False})
def run(
    ctx: typer.Context,
    command: Annotated[list[str], typer.Argument(help="The program and its arguments, behind --.")],
    on_change: Annotated[OnChange, typer.Option(help="What happens when a secret changes.")] = OnChange.RESTART,
    signal_name: Annotated[str, typer.Option("--signal", help="What --on-change signal sends.")] = "HUP",
    grace: Annotated[float, typer.Option(min=0.0, help="Seconds that the program gets to end.")] = 10.0,
    ready: Annotated[
        float, typer.Option(min=0.0, help="Seconds after which a started program counts as working.")
    ] = 2.0,
    interval: Annotated[float, typer.Option(min=1.0, help="Seconds between two looks at the server, at most.")] = 60.0,
    max_age: Annotated[float, typer.Option(min=0.0, help="Hours for which a copy may stand in for the server.")] = 24.0,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Keep an encrypted copy.")] = True,
    watch: Annotated[bool, typer.Option("--watch/--no-watch", help="Look for changes while the program runs.")] = True,
    url: Url = None,
    method: Method = None,
    project: Project = None,
    env: Environment = None,
    path: SecretPath = None,
    recursive: Recursive = False,
    imports: Imports = True,
) -> None:
    """Run a program with the secrets of a folder as environment variables: keyturn run --env prod -- python app.py

    Its exit status is that of the program; 77 when the server refuses, 69 when it does not answer and there is no copy, 75
    when there is one that may not be used any more.
    """
    client = client_of(ctx, url, method, project, env, path)
    source = client.source(recursive=recursive, imports=imports)
    reader = client.reader(
        source,
        cached=cache,
        interval=interval,
        most_age=timedelta(hours=max_age),
        instance=new_instance(),
        announced=watch,
    )
    plan = RunPlan(command, on_change, signal_number(signal_name), grace, ready=ready, watch=watch)
    sys.exit(Runner(reader, plan, client.environ, tell).run())
