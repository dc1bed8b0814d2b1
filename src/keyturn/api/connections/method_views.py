"""JSON about the credentials of connections: what may be shown of them, how their test went, signing in by browser."""

from msgspec import UNSET, UnsetType

from keyturn.connections.connection_test import ConnectionTest
from keyturn.connections.domain import Connection
from keyturn.kit.clock import iso
from keyturn.ports.sign_in import SignInMethod
from keyturn.web.schema.wire import ApiModel, Timestamp


class SafeCredentials(ApiModel):
    """``clientId`` is absent for OAuth, where it is that of this server."""

    tenant_id: str
    client_id: str | UnsetType = UNSET


class FederatedIdentity(ApiModel):
    """Where the server gets the token of a connection by federated identity, and what that presented when it was set up."""

    token_source: str
    issuer: str
    subject: str


class LastCheck(ApiModel):
    """How the last use or test of the connection went. ``needsReconnect``: a person has to sign in again."""

    ok: bool
    checked_at: Timestamp | None
    code: str | None
    message: str | None
    fix: str | None
    needs_reconnect: bool


class Refusal(ApiModel):
    """The provider has refused the connection since then: its sign-in, or all that it is for. ``fix`` says how to get out."""

    since: Timestamp
    code: str
    message: str
    fix: str | None


class CheckShown(ApiModel):
    name: str
    ok: bool
    message: str
    fix: str | None
    code: str | None


class CapabilityShown(ApiModel):
    """``allowed`` is null when the token does not tell. ``fix`` grants what is missing, or takes away what is not needed."""

    name: str
    allowed: bool | None
    message: str
    fix: str | None


class ConnectionTestReport(ApiModel):
    ok: bool
    checked_at: Timestamp
    checks: list[CheckShown]
    capabilities: list[CapabilityShown]


class SignInStarted(ApiModel):
    """Send the browser to ``authorizeUrl``; it must be back by ``expiresAt``."""

    authorize_url: str
    expires_at: Timestamp


def safe(connection: Connection, method: SignInMethod | None) -> SafeCredentials:
    of_server = method is not None and method.browser
    return SafeCredentials(connection.tenant_id, UNSET if of_server else connection.client_id)


def last_check(connection: Connection) -> LastCheck | None:
    result = connection.check_result
    if result is None:
        return None
    return LastCheck(
        ok=bool(result.get("ok")),
        checked_at=iso(connection.checked_at) if connection.checked_at else None,
        code=_text(result.get("code")),
        message=_text(result.get("message")),
        fix=_text(result.get("fix")),
        needs_reconnect=connection.needs_reconnect,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def refusal(connection: Connection) -> Refusal | None:
    facts, since = connection.refusal or {}, connection.refused_at
    if since is None:
        return None
    return Refusal(iso(since), str(facts.get("code")), str(facts.get("message")), facts.get("fix"))


def report(test_result: ConnectionTest) -> ConnectionTestReport:
    lines = [CheckShown(check.name, check.ok, check.message, check.fix, check.code) for check in test_result.checks]
    may = [
        CapabilityShown(capability.name, capability.allowed, capability.message, capability.fix)
        for capability in test_result.capabilities
    ]
    tested_at = test_result.connection.checked_at or test_result.connection.updated_at
    return ConnectionTestReport(test_result.ok, iso(tested_at), lines, may)
