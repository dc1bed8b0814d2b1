"""The check of ``keyturn doctor`` that looks at token sources."""

from collections.abc import Iterator
from datetime import datetime

from keyturn.app.token_sources import SourceReport, look, token_sources
from keyturn.cli.context import CommandContext
from keyturn.cli.finding import CheckupFinding
from keyturn.errors import Misconfigured
from keyturn.kit.clock import iso
from keyturn.ports.http import Transport

_SUBJECT = "token source"


def examine_sources(around: CommandContext, transport: Transport, machine: Transport) -> Iterator[CheckupFinding]:
    """Yield for each source whether it gives a token, what that presents, and what makes an application trust it.

    Nothing where the settings cannot be read: that is a finding of the other checks.
    """
    try:
        settings = around.settings()
    except Misconfigured:
        return
    for report in look(settings, token_sources(settings, around.environ, transport, machine)):
        yield _finding(report, around.clock.now())


def _finding(report: SourceReport, now: datetime) -> CheckupFinding:
    source = report.source
    name = f"{source.name} ({source.kind}{f':{source.argument}' if source.argument else ''})"
    if report.error is not None:
        return CheckupFinding("fail", _SUBJECT, f"{name}: {report.error.message}", report.error.fix or "")
    message = (
        f"{name} presents the issuer {report.issuer}, the subject {report.subject} and the audience {report.audience}"
        f"{f', until {iso(report.expires_at)}' if report.expires_at else ''}."
    )
    if report.expires_at is not None and now >= report.expires_at:
        fix = "Find out why the platform does not renew it; a file that was copied or mounted by subPath never changes."
        return CheckupFinding("fail", _SUBJECT, f"{message} That is over.", fix)
    if report.audience != report.wanted_audience:
        fix = f"Have the platform make it for {report.wanted_audience}, unless the federated credentials name another one."
        return CheckupFinding("warn", _SUBJECT, message, fix)
    return CheckupFinding(
        "ok", _SUBJECT, message, f"An application with the id $CLIENT_ID trusts it by: {report.command}"
    )
