"""The grants of people at the token endpoint: authorization codes, refresh tokens, codes of devices, and on behalf of.

Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow: a code works once and some ten minutes, a refresh
token is not revoked by its use, of several resources the first counts.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable

from entra_emulator.core.clock import graph_time
from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Application, ServicePrincipal, Tenant, User
from entra_emulator.directory.requested_scopes import RequestedScopes
from entra_emulator.directory.sessions import Authorization, Code, well_formed
from entra_emulator.directory.world import Call
from entra_emulator.sign_in.clients import authenticate, known_application, note_credential
from entra_emulator.sign_in.consents import missing as without_consent
from entra_emulator.sign_in.scopes import read_scopes
from entra_emulator.sign_in.user_tokens import Redeemed, issue
from entra_emulator.tokens.assigned import check_user_assigned
from entra_emulator.tokens.sts_errors import StsError, missing, not_consented
from entra_emulator.tokens.user_assertion import check_assertion, read_assertion

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_FIELDS = {"authorization_code": "code", "refresh_token": "refresh_token"}
ON_BEHALF_OF = "urn:ietf:params:oauth:grant-type:jwt-bearer"
"""Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow."""
DEVICE_CODES = ("urn:ietf:params:oauth:grant-type:device_code", "device_code")
"""RFC 8628, section 3.4, and what msal-node 7.2.3 sends (msal-common 16.17.0, utils/Constants)."""


def home_of(call: Call, form: dict[str, str]) -> Tenant | None:
    """The tenant that the code or refresh token in this form is from, for requests to a shared name."""
    sessions = call.world.sessions
    if form.get("grant_type") in DEVICE_CODES:
        return call.world.directory.tenants.get(_approved(call, form).tenant_id)
    if form.get("grant_type") == ON_BEHALF_OF:
        return call.world.directory.tenants.get(read_assertion(call, form.get("assertion", ""))["tid"])
    credential = sessions.code(form.get("code", "")) or sessions.refresh_token(form.get("refresh_token", ""))
    if credential is None and form.get(_FIELDS.get(form.get("grant_type", ""), "")):
        raise _unknown()
    return call.world.directory.tenants.get(credential.authorization.tenant_id) if credential else None


def _redeem_code(call: Call, form: dict[str, str], client_id: str, secret: str) -> Response:
    text = _presented(form, "code")
    application, principal = known_application(call, client_id)
    code = call.world.sessions.code(text)
    platform = code.authorization.platform if code else "web"
    key_id, method = _client(call, form, secret, application, principal, platform)
    if code is None or code.authorization.app_id != client_id:
        raise _unknown()
    authorization = code.authorization
    if authorization.tenant_id != call.home().id:
        raise StsError(700005, "Provided Authorization Code is intended to use against other tenant, thus rejected.")
    if code.redeemed:
        raise StsError(
            54005,
            "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing "
            "refresh token.",
        )
    if call.now >= code.issued_at + call.settings.code_lifetime:
        raise StsError(
            70008,
            "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive "
            "authorization request for this user and resource.",
        )
    _check_redirect(code, form.get("redirect_uri", ""))
    if platform == "spa" and not code.challenge:
        raise StsError(
            9002325, "Proof Key for Code Exchange is required for cross-origin authorization code redemption."
        )
    _check_verifier(code, form.get("code_verifier", ""))
    response = _issue(call, form, authorization, application, key_id, method)
    code.redeemed = True
    return response


def _refresh(call: Call, form: dict[str, str], client_id: str, secret: str) -> Response:
    text = _presented(form, "refresh_token")
    application, principal = known_application(call, client_id)
    token = call.world.sessions.refresh_token(text)
    platform = token.authorization.platform if token else "web"
    key_id, method = _client(call, form, secret, application, principal, platform)
    if token is None or token.authorization.app_id != client_id:
        raise _unknown()
    if token.authorization.tenant_id != call.home().id:
        raise _foreign(call, token.authorization.user_id, application)
    if platform == "spa" and call.now >= token.authorization.at + call.settings.spa_refresh_lifetime:
        raise StsError(
            700084,
            "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of "
            f"{_span(call.settings.spa_refresh_lifetime)}, which cannot be extended. It is now expired and a new sign in "
            "request must be sent by the SPA to the sign in page.",
        )
    idle = call.settings.refresh_token_idle
    if call.now >= token.issued_at + idle:
        raise StsError(
            700082,
            f"The refresh token has expired due to inactivity. The token was issued on {graph_time(token.issued_at)} "
            f"and was inactive for {_span(idle)}.",
        )
    return _issue(call, form, token.authorization, application, key_id, method)


def _redeem_device(call: Call, form: dict[str, str], client_id: str, secret: str) -> Response:
    application, principal = known_application(call, client_id)
    authorization = _approved(call, form)
    key_id, method = _client(call, form, secret, application, principal, authorization.platform)
    if authorization.app_id != client_id or authorization.tenant_id != call.home().id:
        raise _unknown()
    response = _issue(call, form | {"scope": ""}, authorization, application, key_id, method)
    device = call.world.sessions.device(_device_code(form))
    if device is not None:
        device.redeemed = True
    return response


def _on_behalf_of(call: Call, form: dict[str, str], client_id: str, secret: str) -> Response:
    """An API that was called with the token of a person asks for one to call another API with.

    That a field which is missing or has another value is 900144, and a person of another tenant 50020, is assumed.
    """
    if form.get("requested_token_use") != "on_behalf_of":
        raise missing("requested_token_use")
    for name in ("assertion", "scope"):
        if not form.get(name):
            raise missing(name)
    application, principal = known_application(call, client_id)
    key_id, method = _client(call, form, secret, application, principal, "web")
    claims = read_assertion(call, form["assertion"])
    check_assertion(call, claims, application)
    if claims["tid"] != call.home().id:
        raise _foreign(call, claims["oid"], application)
    user = call.home().users.get(claims["oid"])
    scopes = read_scopes(call, application, form["scope"])
    authorization = Authorization(
        call.home().id, client_id, claims["oid"], scopes, "web", call.now, user.revocations if user else 0
    )
    return _issue(call, form, authorization, application, key_id, method)


def _foreign(call: Call, user_id: str, application: Application) -> StsError:
    return StsError(
        50020,
        f"User account '{user_id}' does not exist in tenant '{call.home().name}' and cannot access the application "
        f"'{application.app_id}'({application.display_name}) in that tenant.",
    )


def _device_code(form: dict[str, str]) -> str:
    """Version 1 calls it `code`; MSAL for Python 1.39 sends both."""
    return form.get("device_code") or form.get("code") or ""


def _approved(call: Call, form: dict[str, str]) -> Authorization:
    """What the person agreed to on the other device. Raises StsError while they have not.

    Source: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code (expected errors).
    """
    text = _device_code(form)
    if not text:
        raise missing("device_code")
    device = call.world.sessions.device(text)
    if device is None:
        raise StsError(70018, "Invalid verification code due to user typing in wrong user code for device code flow.")
    if device.declined:
        raise StsError(70017, "The end user denied the authorization request.")
    if device.redeemed:
        raise StsError(54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code.")
    if device.authorization is None and call.now >= device.expires_at:
        raise StsError(70019, "Verification code expired.")
    if device.authorization is None:
        raise StsError(70016, "OAuth 2.0 device flow error. Authorization is pending. Continue polling.")
    return device.authorization


def _issue(
    call: Call, form: dict[str, str], authorization: Authorization, application: Application, key_id: str, method: str
) -> Response:
    """Tokens for what was authorized. Raises StsError where the user is gone, or has not consented to the scopes asked."""
    user = _user(call, authorization)
    scopes = _narrowed(call, application, authorization, form.get("scope", ""))
    if without_consent(call, application, user, scopes):
        raise not_consented(application)
    check_user_assigned(call, user, application.app_id, scopes.first.app_id)
    note_credential(call, application, key_id, method)
    call.entry.user, call.entry.resource = user.object_id, scopes.first.app_id
    response = issue(call, Redeemed(authorization, user, application, scopes, key_id, method), form)
    call.entry.outcome = "0"
    return response


def _narrowed(call: Call, application: Application, authorization: Authorization, scope: str) -> RequestedScopes:
    """The scopes of this request, or those of the authorization; of several resources there the first."""
    if not scope:
        return RequestedScopes(authorization.scopes.oidc, authorization.scopes.resources[:1])
    scopes = read_scopes(call, application, scope)
    if len(scopes.resources) > 1:
        raise StsError(
            28000,
            "Provided value for the input parameter scope is not valid because it contains more than one resource. "
            f"Scope {scope[:500]} is not valid.",
        )
    if scopes.resources:
        return scopes
    return RequestedScopes(scopes.oidc, authorization.scopes.resources[:1])


def _user(call: Call, authorization: Authorization) -> User:
    user = call.home().users.get(authorization.user_id)
    if user is None:
        raise StsError(
            500341, f"The user account {authorization.user_id} has been deleted from the {call.home().id} directory."
        )
    if not user.enabled:
        raise StsError(50057, "The user account is disabled.")
    if authorization.revocations != user.revocations:
        raise StsError(
            50173,
            "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have "
            f"changed or reset their password. The grant was issued on '{graph_time(authorization.at)}' and the TokensValidFrom "
            f"date (before which tokens are not valid) for this user is '{graph_time(user.revoked_at)}'.",
        )
    return user


def _client(
    call: Call,
    form: dict[str, str],
    secret: str,
    application: Application,
    principal: ServicePrincipal,
    platform: str,
) -> tuple[str, str]:
    """A web application proves who it is; one on a user's device or in a page cannot, and must not try.

    What a page was given is redeemed by pages alone, and by no page what others were given.
    """
    if ("origin" in call.headers) != (platform == "spa"):
        raise (
            cross_origin()
            if "origin" in call.headers
            else StsError(
                9002327,
                "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.",
            )
        )
    if platform == "web":
        return authenticate(call, form, secret, application, principal)
    if secret or form.get("client_assertion"):
        raise StsError(
            700025, "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."
        )
    return "", "0"


def cross_origin() -> StsError:
    """A page asks for what was not given to a page."""
    return StsError(
        9002326, "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type."
    )


def _check_redirect(code: Code, redirect_uri: str) -> None:
    if code.redirect_uri is None:
        return
    if not redirect_uri:
        raise StsError(
            700009,
            "Reply address must be provided when presenting an authorization code requested with an explicit reply address.",
        )
    if redirect_uri != code.redirect_uri:
        raise StsError(
            500112,
            f"The reply address '{redirect_uri[:1000]}' does not match the reply address '{code.redirect_uri}' provided when "
            "requesting Authorization code.",
        )


def _check_verifier(code: Code, verifier: str) -> None:
    """RFC 7636, sections 4.1 and 4.6."""
    if not code.challenge:
        return
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("utf-8", "replace")).digest()).decode().rstrip("=")
    expected = digest if code.challenge_method == "S256" else verifier
    fits = _VERIFIER.fullmatch(verifier) and hmac.compare_digest(expected.encode(), code.challenge.encode())
    if not fits:
        raise StsError(
            501481, "The Code_Verifier does not match the code_challenge supplied in the authorization request."
        )


def _presented(form: dict[str, str], name: str) -> str:
    text = form.get(name, "")
    if not text:
        raise missing(name)
    if not well_formed(text):
        raise StsError(9002313, "Invalid request. Request is malformed or invalid.")
    return text


def _unknown() -> StsError:
    return StsError(70000, "Provided grant is invalid or malformed.")


def _span(seconds: float) -> str:
    """As .NET writes a time span: `90.00:00:00`. That 700082 shows it so is assumed."""
    days, rest = divmod(int(seconds), 86_400)
    return f"{days}.{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}"


GRANTS: dict[str, Callable[[Call, dict[str, str], str, str], Response]] = {
    "authorization_code": _redeem_code,
    "refresh_token": _refresh,
    ON_BEHALF_OF: _on_behalf_of,
    **dict.fromkeys(DEVICE_CODES, _redeem_device),
}
"""What the token endpoint grants on behalf of a user, by grant type."""
