"""JSON about the credentials of connections: what may be shown of them, how their test went, signing in by browser."""

from msgspec import UNSET, UnsetType

from keyturn.connections.domain import Connection, Method
from keyturn.connections.trial import Trial
from keyturn.kit.clock import iso
from keyturn.web.schema.wire import Timestamp, Wire


class SafeCredentials(Wire):
    """``clientId`` is absent for OAuth, where it is that of this server."""

    tenant_id: str
    client_id: str | UnsetType = UNSET


class LastCheck(Wire):
    """How the last use or test of the connection went. ``needsReconnect``: a person has to sign in again."""

    ok: bool
    checked_at: Timestamp | None
    code: str | None
    message: str | None
    fix: str | None
    needs_reconnect: bool


class Refusal(Wire):
    """Microsoft has refused the connection since then: its sign-in, or all that it is for. ``fix`` says how to get out."""

    since: Timestamp
    code: str
    message: str
    fix: str | None


class CheckShown(Wire):
    name: str
    ok: bool
    message: str
    fix: str | None
    code: str | None


class CapabilityShown(Wire):
    """``allowed`` is null when the token does not tell. ``fix`` grants what is missing, or takes away what is not needed."""

    name: str
    allowed: bool | None
    message: str
    fix: str | None


class ConnectionTestReport(Wire):
    ok: bool
    checked_at: Timestamp
    checks: list[CheckShown]
    capabilities: list[CapabilityShown]


class SignInStarted(Wire):
    """Send the browser to ``authorizeUrl``; it must be back by ``expiresAt``."""

    authorize_url: str
    expires_at: Timestamp


def safe(connection: Connection) -> SafeCredentials:
    of_server = connection.method is Method.OAUTH
    return SafeCredentials(connection.tenant_id, UNSET if of_server else connection.client_id)


def last_check(connection: Connection) -> LastCheck | None:
    said = connection.check_result
    if said is None:
        return None
    return LastCheck(
        ok=bool(said.get("ok")),
        checked_at=iso(connection.checked_at) if connection.checked_at else None,
        code=_text(said.get("code")),
        message=_text(said.get("message")),
        fix=_text(said.get("fix")),
        needs_reconnect=connection.needs_reconnect,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def refusal(connection: Connection) -> Refusal | None:
    said, since = connection.refusal or {}, connection.refused_at
    if since is None:
        return None
    return Refusal(iso(since), str(said.get("code")), str(said.get("message")), said.get("fix"))


def report(trial: Trial) -> ConnectionTestReport:
    lines = [CheckShown(one.name, one.ok, one.message, one.fix, one.code) for one in trial.checks]
    may = [CapabilityShown(one.name, one.allowed, one.message, one.fix) for one in trial.capabilities]
    tested_at = trial.connection.checked_at or trial.connection.updated_at
    return ConnectionTestReport(trial.ok, iso(tested_at), lines, may)
