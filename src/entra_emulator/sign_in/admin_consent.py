"""The admin consent pages: one administrator agrees for everyone, to delegated and to application permissions."""

from __future__ import annotations

from dataclasses import dataclass

from entra_emulator.core.clock import sts_time
from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import GRAPH_APP_ID, Application, Tenant, User
from entra_emulator.directory.replies import act
from entra_emulator.directory.roles import CONSENT_TO_GRAPH_ROLES, CONSENT_TO_SCOPES, roles_of
from entra_emulator.directory.world import Call
from entra_emulator.sign_in import pages
from entra_emulator.sign_in.authorize import Person, choose_account, redirect, sign_in, who, with_cookie
from entra_emulator.sign_in.authorize_request import OWN_FIELDS, parameters_of, redirect_of, the_client
from entra_emulator.sign_in.clients import find_tenant
from entra_emulator.sign_in.consents import Permissions, give, give_roles
from entra_emulator.sign_in.scopes import configured, configured_roles, read_scopes
from entra_emulator.tokens.sts_errors import StsError, correlation_id, described, missing


@dataclass(frozen=True, slots=True)
class _Ask:
    """A request that may be answered at its redirect URI. `second` is the v2.0 endpoint, which wants a `scope`."""

    parameters: dict[str, str]
    application: Application
    tenant: Tenant | None
    redirect_uri: str
    second: bool

    def back(self) -> dict[str, str]:
        """What returns to the client unchanged."""
        return {"state": self.parameters["state"]} if "state" in self.parameters else {}


def handle(call: Call, tenant_name: str, *, second: bool) -> Response:
    """One step of an admin consent: a page, or a redirect to the client."""
    if call.request.method not in {"GET", "POST"}:
        return pages.failure(call, StsError(900561, "The endpoint only accepts GET and POST requests."))
    try:
        ask = _read(call, tenant_name, second=second)
    except StsError as refusal:
        return pages.failure(call, refusal)
    return act(call, lambda: _answer(call, ask), pages.faulty)


def _read(call: Call, tenant_name: str, *, second: bool) -> _Ask:
    parameters = parameters_of(call)
    tenant = find_tenant(call, tenant_name)
    if tenant is not None:
        call.enter(tenant)
    elif tenant_name.lower() != "organizations" and (second or tenant_name.lower() != "common"):
        raise StsError(90023, f"The endpoint /{tenant_name.lower()} is not supported for admin consent.")
    application = the_client(call, parameters, tenant)
    redirect_uri, _ = redirect_of(application, parameters.get("redirect_uri", ""))
    if second and not parameters.get("scope"):
        raise missing("scope")
    return _Ask(parameters, application, tenant, redirect_uri, second)


def _answer(call: Call, ask: _Ask) -> Response:
    answer = ask.parameters.get("answer") if call.request.method == "POST" else None
    if answer == "cancel":
        return _refused(call, ask, _declined())
    session = call.world.sessions.session(call.headers.get("cookie", ""))
    person = who(call, ask.parameters, ask.tenant, session)
    if person is None:
        return choose_account(call, ask.parameters, ask.application, ask.tenant)
    session = sign_in(call, person[1], session)
    try:
        return with_cookie(_as_person(call, ask, person, answer), session)
    except StsError as refusal:
        return pages.failure(call, refusal)


def _as_person(call: Call, ask: _Ask, person: Person, answer: str | None) -> Response:
    tenant, user = person
    if ask.tenant is None:
        call.enter(tenant)
        the_client(call, ask.parameters, tenant)
    call.entry.user = user.object_id
    if not user.enabled:
        raise StsError(50057, "The user account is disabled.")
    scopes, roles = _requested(call, ask)
    if answer in {"decline", "return"}:
        return _refused(call, ask, _declined())
    own = {name: value for name, value in ask.parameters.items() if name not in OWN_FIELDS}
    if not may_consent_for_everyone(call.home(), user, roles):
        refusal = StsError(90094, "The grant requires admin permission.")
        call.entry.error = str(refusal.code)
        return pages.approval(call, own, ask.application, user, refusal)
    if answer != "accept":
        lines = [*pages.scope_lines(call, scopes, tenant), *pages.role_lines(roles, tenant)]
        return pages.consent(call, own, ask.application, user, lines, for_everyone="always")
    give(call.world, tenant, ask.application, scopes, None)
    give_roles(call.world, tenant, ask.application, roles)
    call.entry.committed = True
    return _accepted(call, ask)


def _requested(call: Call, ask: _Ask) -> tuple[Permissions, Permissions]:
    """Delegated and application permissions: all that are configured, or those that `scope` names.

    Application permissions come only with `.default`. Raises StsError for a scope that cannot be.
    """
    if not ask.second:
        return configured(call.world.directory, ask.application), configured_roles(ask.application)
    request_scopes = read_scopes(call, ask.application, ask.parameters["scope"])
    scopes: Permissions = {GRAPH_APP_ID: set(request_scopes.oidc)} if request_scopes.oidc else {}
    roles: Permissions = {}
    every = configured(call.world.directory, ask.application)
    for resource in request_scopes.resources:
        names = every.get(resource.app_id, set()) if resource.default else resource.names
        scopes.setdefault(resource.app_id, set()).update(names)
        if resource.default and resource.app_id in configured_roles(ask.application):
            roles[resource.app_id] = configured_roles(ask.application)[resource.app_id]
    return scopes, roles


def may_consent_for_everyone(tenant: Tenant, user: User, roles: Permissions) -> bool:
    """Whether this user may give them for everyone: those on Graph are beyond those who only manage applications."""
    roles_of_user = frozenset(roles_of(tenant, user))
    return bool(roles_of_user & (CONSENT_TO_GRAPH_ROLES if roles.get(GRAPH_APP_ID) else CONSENT_TO_SCOPES))


def _accepted(call: Call, ask: _Ask) -> Response:
    """Sources: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow and .../v2-admin-consent."""
    fields = {"admin_consent": "True", "tenant": call.home().id} | ask.back()
    if ask.second:
        fields["scope"] = ask.parameters["scope"]
    return redirect(call, ask.redirect_uri, fields)


def _refused(call: Call, ask: _Ask, refusal: StsError) -> Response:
    call.entry.error = str(refusal.code)
    text = described(refusal, call.request_id, correlation_id(call), sts_time(call.local_now))
    if not ask.second:
        fields = {"error": "permission_denied", "error_description": text}
        return redirect(call, ask.redirect_uri, fields | ask.back())
    fields = {"admin_consent": "True", "error": "consent_required", "error_description": text}
    if call.tenant is not None:
        fields["tenant"] = call.tenant.id
    return redirect(call, ask.redirect_uri, fields | ask.back())


def _declined() -> StsError:
    return StsError(65004, "User declined to consent to access the app.")
