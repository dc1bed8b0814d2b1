"""The one request of the portal's own interface that a command uses: `az ad app permission admin-consent`.

Source: azure-cli 2.91.0, role/custom.py (admin_consent): method, path, and the resource that its token is for. All answers
are assumed.
"""

from __future__ import annotations

import re

from entra_emulator.core.wire import Response, json_body
from entra_emulator.directory.directory import Application
from entra_emulator.directory.replies import act
from entra_emulator.directory.world import Call
from entra_emulator.faults.faults import Effect
from entra_emulator.sign_in.admin_consent import may_consent_for_everyone
from entra_emulator.sign_in.consents import give, give_roles
from entra_emulator.sign_in.scopes import configured, configured_roles
from entra_emulator.tokens.sts_errors import StsError
from entra_emulator.tokens.tokens import PORTAL_APP_ID, bearer_claims

_CONSENT = re.compile(r"/api/registeredapplications/([0-9a-f-]{36})/consent", re.IGNORECASE)


def handle(call: Call) -> Response:
    """Consents for everyone to all that the application's list of permissions names, as an administrator asks."""
    path = _CONSENT.fullmatch(call.path)
    if path is None or call.request.method != "POST" or call.parameters().get("onBehalfOfAll") != "true":
        return _refusal(call, 404, "NotFound")
    call.entry.operation = "portalConsent"
    claims = bearer_claims(call)
    tenant = call.world.directory.tenants.get(claims["tid"]) if claims else None
    if claims is None or tenant is None or claims["aud"] != PORTAL_APP_ID or call.now >= claims["exp"]:
        return _refusal(call, 401, "Unauthorized")
    call.enter(tenant)
    call.entry.caller, call.entry.user = claims.get("appid", ""), claims["oid"]
    application = call.world.directory.application(path[1].lower())
    if application is None or application.tenant_id != tenant.id:
        return _refusal(call, 404, "NotFound")
    call.entry.application = application.object_id
    return act(call, lambda: _consent(call, application), _faulty)


def _consent(call: Call, application: Application) -> Response:
    user = call.home().users.get(call.entry.user)
    try:
        scopes, roles = configured(call.world.directory, application), configured_roles(application)
    except StsError as refusal:
        return _refusal(call, 400, str(refusal.code))
    if user is None or not user.enabled or not may_consent_for_everyone(call.home(), user, roles):
        return _refusal(call, 403, "Forbidden")
    give(call.world, call.home(), application, scopes, None)
    give_roles(call.world, call.home(), application, roles)
    call.entry.committed = True
    return Response(204)


def _faulty(call: Call, effect: Effect) -> Response:
    return _refusal(call, effect.status, "Error")


def _refusal(call: Call, status: int, code: str) -> Response:
    call.entry.error = code
    return Response(status, (("Content-Type", "application/json; charset=utf-8"),), json_body({"ClassName": code}))
