"""``keyturn demo``: watch a real rotation against a local Entra ID."""

import importlib.util
import io
import signal
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from keyturn.cli.context import command_context
from keyturn.errors import Misconfigured, Permanent
from keyturn.kit.clock import SystemClock

app = typer.Typer(rich_markup_mode=None)


@app.command()
def demo(
    ctx: typer.Context,
    stay: Annotated[
        bool,
        typer.Option(
            "--stay",
            help="Show more, then keep all running and say how to look around.",
        ),
    ] = False,
    port: Annotated[int, typer.Option(help="The server's port; 0 picks a free one.")] = 0,
) -> None:
    """Connect, take a secret over, prove a new one, publish it, revoke the original; again on schedule; and after a kill -9."""
    _require_an_entra()
    from rich.console import Console  # noqa: PLC0415 - the start-up time of the other commands

    from keyturn.demo.mail_box import MailBox, mail_shown  # noqa: PLC0415
    from keyturn.demo.processes import DemoStage  # noqa: PLC0415
    from keyturn.demo.story import EMAIL, Story  # noqa: PLC0415
    from keyturn.demo.visit import DemoTour  # noqa: PLC0415

    began = time.monotonic()
    console = Console(soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="keyturn-demo-") as folder, ExitStack() as around:
        stage = DemoStage(Path(folder), command_context(ctx).environ, port)
        story = Story(stage, console)
        try:
            if stay:
                box = around.enter_context(MailBox(lambda mail: console.print(mail_shown(mail), markup=False)))
                stage.mail = box.settings
            story.play()
            console.print(f"\nEverything above happened in {time.monotonic() - began:.0f} s.", highlight=False)
            if stay and stage.server:
                story.play_on(_run)
                visit = DemoTour(story.line, story.connection_id)
                visit.furnish()
                over = _interrupted()  # before anything invites to end it
                console.print(visit.guide(EMAIL, story.password), highlight=False, markup=False)
                stage.server.wait(over)
        finally:
            stage.close()


def _run(arguments: Sequence[str], environ: Mapping[str, str], ahead: float) -> str:
    """Run a command of Keyturn with its clock ahead by so many seconds, and return what it printed. Raises Permanent."""
    from keyturn.cli.main import main  # noqa: PLC0415 - which imports this one

    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        status = main(arguments, environ, SystemClock(timedelta(seconds=ahead)))
    if status:
        raise Permanent(f"keyturn {arguments[0]} {arguments[1]} failed: {said.getvalue()}", code="demo.command")
    return said.getvalue()


def _require_an_entra() -> None:
    """The demonstration starts the local Entra ID as a process of its own, from a distribution of its own."""
    if importlib.util.find_spec("entra_emulator") is None:
        raise Misconfigured(
            "The demonstration needs a local Entra ID: the package entra-emulator is not installed.",
            code="demo.no_emulator",
            fix="Run `make demo` in a clone of the repository, or install the wheel that `make dist` builds there.",
        )


def _interrupted() -> threading.Event:
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    return over
