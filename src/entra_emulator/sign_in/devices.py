"""Signing in on another device: a code is shown here and typed there.

Sources: learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code (members of the answer, 900 s, every five seconds, the
errors); RFC 8628. The pages are of the emulator's own making: whoever has the code picks an account and accepts.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from entra_emulator.core.wire import Response, json_body
from entra_emulator.directory.directory import User
from entra_emulator.directory.hosts import login_at
from entra_emulator.directory.sessions import Authorization, Device
from entra_emulator.directory.world import Call
from entra_emulator.sign_in import pages
from entra_emulator.sign_in.authorize import candidates
from entra_emulator.sign_in.authorize_request import the_client
from entra_emulator.sign_in.clients import find_tenant, read_form
from entra_emulator.sign_in.consents import give, is_admin, may_consent, missing
from entra_emulator.sign_in.scopes import read_scopes
from entra_emulator.tokens.assigned import check_user_assigned
from entra_emulator.tokens.sts_errors import StsError, headers
from entra_emulator.tokens.sts_errors import missing as missing_field

_LIFE = 900
_INTERVAL = 5
_PATH = "/common/oauth2/deviceauth"


def begin(call: Call, tenant_name: str) -> Response:
    """POST devicecode: a pair of codes."""
    form = read_form(call)
    tenant = find_tenant(call, tenant_name)
    if tenant is not None:
        call.enter(tenant)
    if not form.get("scope"):
        raise missing_field("scope")
    application = the_client(call, form, tenant)
    if not application.properties.get("isFallbackPublicClient"):
        raise StsError(
            7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        )
    place = tenant.id if tenant else ""
    device = Device(application.app_id, place, form["scope"], call.now + _LIFE)
    user_code, device_code = call.world.sessions.add_device(device, call.world.rng)
    address = f"{login_at(call.host)}{_PATH}"
    body = {
        "user_code": user_code,
        "device_code": device_code,
        "verification_uri": address,
        "expires_in": _LIFE,
        "interval": _INTERVAL,
        "message": f"To sign in, use a web browser to open the page {address} and enter the code {user_code} to authenticate.",
    }
    return Response(200, headers(call), json_body(body))


def show(call: Call, _tenant_name: str) -> Response:
    """The page that asks for the code, then who signs in, then whether they consent; a refusal is a page, too."""
    try:
        return _step(call)
    except StsError as refusal:
        return pages.failure(call, refusal)


def _step(call: Call) -> Response:
    text = f"{call.query}&{call.request.body.decode('utf-8', 'replace')}"
    fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=100))
    code = fields.get("user_code", "").strip().upper()
    device = call.world.sessions.device_of(code)
    if (
        not code
        or device is None
        or call.now >= device.expires_at
        or device.authorization is not None
        or device.declined
    ):
        return pages.enter_code(call, "That code did not work. Check it and try again." if code else "")
    tenant = call.world.directory.tenants.get(device.tenant_id)
    application = the_client(call, {"client_id": device.app_id}, tenant)
    people = candidates(call, tenant)
    person = next((person for person in people if person[1].object_id == fields.get("user")), None)
    if fields.get("answer") in {"cancel", "decline"}:
        device.declined = True
        return pages.message(call, "You declined", "You can close this window now.")
    if person is None:
        return pages.accounts(call, {"user_code": code}, application, people, "")
    call.enter(person[0])
    return _approve(call, device, person[1], code, fields)


def _approve(call: Call, device: Device, user: User, code: str, fields: dict[str, str]) -> Response:
    application = the_client(call, {"client_id": device.app_id}, call.home())
    if not user.enabled:
        raise StsError(50057, "The user account is disabled.")
    scopes = read_scopes(call, application, device.scope)
    check_user_assigned(call, user, application.app_id)
    gaps = missing(call, application, user, scopes)
    if gaps and not may_consent(call, user, gaps):
        name = application.display_name
        text = f"An administrator must grant consent before '{name}' can be used: the grant requires admin permission."
        raise StsError(90094, text)
    if gaps and fields.get("answer") != "accept":
        lines = pages.scope_lines(call, gaps, call.home())
        choice = "offered" if is_admin(call, user) else "no"
        return pages.consent(call, {"user_code": code}, application, user, lines, for_everyone=choice)
    if gaps:
        give(
            call.world,
            call.home(),
            application,
            gaps,
            None if is_admin(call, user) and fields.get("everyone") else user,
        )
    device.authorization = Authorization(
        call.home().id, application.app_id, user.object_id, scopes, "publicClient", call.now, user.revocations
    )
    call.entry.user, call.entry.committed = user.object_id, True
    return pages.message(
        call, "You have signed in", f"to {application.display_name} on your device. You can close this window now."
    )
