"""The check of ``keyturn doctor`` that looks at sign-in through Entra ID."""

from collections.abc import Iterator

from keyturn.app.sso import redirect_uri, sign_in_as_application
from keyturn.cli.context import CommandContext
from keyturn.cli.finding import CheckupFinding, from_error, ok
from keyturn.errors import Misconfigured, Upstream
from keyturn.ports.http import Transport

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
    except (Upstream, Misconfigured) as error:
        yield from_error(_SUBJECT, error)
        return
    yield ok(
        _SUBJECT,
        f"This server signs in as application {settings.sso.client_id}, which must have this redirect address (type Web): "
        f"{redirect_uri(settings)}",
    )
