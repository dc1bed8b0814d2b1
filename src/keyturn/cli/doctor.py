"""``keyturn doctor``: check the configuration, the database and the network before something depends on them."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from typing import Annotated

import typer

from keyturn.cli.checkup import examine
from keyturn.cli.context import CommandContext, command_context, say
from keyturn.cli.finding import CheckupFinding
from keyturn.cli.journal_checkup import examine_journal
from keyturn.cli.source_checkup import examine_sources
from keyturn.cli.sso_checkup import examine_sso
from keyturn.errors import Misconfigured
from keyturn.providers.transport import HttpTransport
from keyturn.settings.model import Settings

app = typer.Typer(rich_markup_mode=None)


@app.command(help="Check the configuration, the database and the network. Changes nothing; fails when a check fails.")
def doctor(
    ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False
) -> None:
    findings: list[CheckupFinding] = []
    around = command_context(ctx)
    for finding in chain(examine(around, open_transport), examine_journal(around), _sources(around), _people(around)):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    raise typer.Exit(1 if any(finding.level == "fail" for finding in findings) else 0)


def _sources(around: CommandContext) -> Iterator[CheckupFinding]:
    return examine_sources(around, HttpTransport(), HttpTransport(direct=True))


def _people(around: CommandContext) -> Iterator[CheckupFinding]:
    """The settings say which certificates are trusted; where they cannot be read nothing is asked."""
    try:
        transport = open_transport(around.settings())
    except Misconfigured:
        return iter(())
    return examine_sso(around, transport, HttpTransport(direct=True))


def open_transport(settings: Settings) -> HttpTransport:
    return HttpTransport(ca_file=settings.ca_file)


def _print(finding: CheckupFinding) -> None:
    say(f"{finding.level:5} {finding.subject:16} {finding.message}")
    if finding.fix:
        say(f"{'':23}-> {finding.fix}")
