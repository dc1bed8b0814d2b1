"""``keyturn simulate``: run the rotation protocol against faults, deaths and wrong clocks, from seeds that replay exactly."""

import logging
import os
import time
from typing import Annotated

import structlog
import typer

from keyturn_simulation.scenario import STEPS, Outcome, play

app = typer.Typer(rich_markup_mode=None)


@app.command()
def simulate(
    seed: Annotated[int | None, typer.Option(help="The first seed; random when not given.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, counting up from the first.")] = 1,
    steps: Annotated[int, typer.Option(min=1, help="How many things happen in each.")] = STEPS,
    verbose: Annotated[bool, typer.Option("--verbose", help="Print everything that happens.")] = False,
) -> None:
    """Simulate two servers, users, foreign writers and every fault of Entra on a virtual clock; judge what is left."""
    # What the product logs belongs to it; here only what is judged is told.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    first = int.from_bytes(os.urandom(4)) if seed is None else seed
    began, broken = time.monotonic(), 0
    for number in range(first, first + seeds):
        outcome = play(number, steps, print if verbose else None)
        if outcome.broken:
            broken += 1
            print(report(outcome))
    took = time.monotonic() - began
    print(f"{seeds} seeds from {first}: {broken} broken, {took / seeds:.2f} s each")
    if broken:
        raise typer.Exit(1)


def report(outcome: Outcome) -> str:
    """What a person needs to find the defect: the last things that happened, what broke, and how to see it again."""
    return "\n".join([*outcome.trace, f"BROKEN: {outcome.broken}", f"replay: {outcome.replay}"])
