"""The check of ``keyturn doctor`` that looks at sign-in through Entra ID."""

from collections.abc import Iterator

from keyturn.alarms.conditions.domain import Severity, severity_of_end, told_end
from keyturn.app.sign_in_certificate import certificate_file
from keyturn.app.sso import redirect_uri, sign_in_as_application
from keyturn.cli.context import CommandContext
from keyturn.cli.finding import CheckupFinding, from_error, ok
from keyturn.errors import KeyturnError, Misconfigured
from keyturn.ports.clock import Clock
from keyturn.ports.http import Transport
from keyturn.settings.model import Settings

_SUBJECT = "people"


def examine_sso(around: CommandContext, transport: Transport, machine: Transport) -> Iterator[CheckupFinding]:
    """Yield whether this server can sign in as the application through which people do; nothing where they do not.

    Nothing either where the settings cannot be read: that is a finding of the other checks. The application gets a token with
    which nothing is done.
    """
    try:
        settings = around.settings()
    except Misconfigured:
        return
    if settings.sso is None:
        return
    try:
        sign_in_as_application(settings, settings.sso, around.environ, around.clock, transport, machine)
    except KeyturnError as error:
        yield from_error(_SUBJECT, error)
        yield from _certificate(settings, around.clock)
        return
    yield from _certificate(settings, around.clock)
    yield ok(
        _SUBJECT,
        f"This server signs in as application {settings.sso.client_id}, which must have this redirect address (type Web): "
        f"{redirect_uri(settings)}",
    )


def _certificate(settings: Settings, clock: Clock) -> Iterator[CheckupFinding]:
    """Yield which certificate is used, when it ends, and why what its file holds cannot be."""
    file, now = certificate_file(settings, clock), clock.now()
    if file is None:
        return
    state = file.look()
    if state.fault:
        fix = "Write a certificate with its private key into the file, as PEM or PFX, and upload the certificate."
        yield CheckupFinding("fail", _SUBJECT, f"KEYTURN_SSO_CERTIFICATE cannot be used. {state.fault}", fix)
    if state.ends_at is None:
        return
    told = f"The certificate {state.thumbprint} {told_end(state.ends_at, now)}."
    fix = "Make a new one, upload it to the application, and write it into the file: it counts without a restart."
    level = {Severity.CRITICAL: "fail" if state.ends_at <= now else "warn", Severity.WARNING: "warn"}
    soon = level.get(severity_of_end(state.ends_at, now))
    yield CheckupFinding(soon, _SUBJECT, told, fix) if soon else ok(_SUBJECT, told)
