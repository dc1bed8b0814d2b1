"""Client assertions: JWTs signed with a registered certificate. Those of other issuers: `federation`.

Sources: RFC 7523, section 3; https://learn.microsoft.com/entra/identity-platform/certificate-credentials.
"""

from __future__ import annotations

import re
from typing import Any

from entra_emulator.directory.directory import Application, KeyCredential
from entra_emulator.directory.keys import un_b64
from entra_emulator.directory.world import Call
from entra_emulator.tokens import federation
from entra_emulator.tokens.jwt import Jwt, audiences, check_times, malformed
from entra_emulator.tokens.sts_errors import StsError, key_problem

_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{40}")
"""A SHA-1 in hexadecimal digits."""


def authenticate(call: Call, text: str, application: Application, keys: list[KeyCredential]) -> str:
    """The id of the certificate or federated credential that this assertion proves to hold.

    Accepts RS256 and PS256, `x5t` and `x5t#S256` in either base64 alphabet, dates with fractions, and the same `jti`
    many times. Raises StsError otherwise.

    Sources: MSAL for Python 1.39 sends PS256 with a padded `x5t#S256`, dates with fractions and no `nbf`, and uses one assertion
    for 540 s (oauth2cli/assertion.py); MSAL for Go 247817f writes `x5t#S256` in the standard alphabet (accesstokens.go). That a
    used `jti` is accepted follows from the first. Without either thumbprint, `kid` is one: the SHA-1 in base64
    (hashicorp/go-azure-sdk 0.20260811, auth/client_credentials.go: all that Terraform's providers send) or in hexadecimal digits
    (MSAL for .NET 4.x sends both, MicrosoftDocs/azure-docs#86636); a `kid` of another kind is a key that is not found
    (keycloak/keycloak#25439).
    """
    jwt = Jwt(text)
    app_id = application.app_id
    if jwt.text("iss") and jwt.text("iss").lower() != app_id:
        return federation.authenticate(call, jwt, application)
    credential = _registered(jwt, keys, app_id)
    if not jwt.signed_by(credential.public_key):
        raise key_problem("The signature of the assertion is not valid.", credential.sha1.hex().upper(), app_id)
    if not credential.start <= call.local_now < credential.end:
        raise key_problem("The key used is expired.", credential.sha1.hex().upper(), app_id)
    if jwt.text("sub").lower() != app_id:
        raise StsError(
            700021,
            "Client assertion application identifier doesn't match 'client_id' parameter. Review the documentation.",
        )
    if not _audience_fits(call, jwt.claims.get("aud")):
        raise StsError(700023, "Client assertion audience claim does not match Realm issuer. Review the documentation.")
    check_times(call, jwt)
    return credential.key_id


def _registered(jwt: Jwt, keys: list[KeyCredential], app_id: str) -> KeyCredential:
    long_print, short_print = _thumbprint(jwt, "x5t#S256"), _thumbprint(jwt, "x5t")
    if not long_print and not short_print:
        kid = jwt.header.get("kid")
        if not isinstance(kid, str) or not kid:
            raise malformed("it has no thumbprint in its header")
        short_print = bytes.fromhex(kid) if _HEXADECIMAL.fullmatch(kid) else _thumbprint(jwt, "kid")
    for item in keys:
        if (long_print and item.sha256 == long_print) or (not long_print and item.sha1 == short_print):
            return item
    raise key_problem("The key was not found.", (long_print or short_print).hex().upper(), app_id)


def _audience_fits(call: Call, claim: Any) -> bool:
    """The token endpoint as discovery names it is what MSAL sends; that domains and the issuer are taken, too, is assumed."""
    tenant = call.home()
    hosts = {call.host, "https://login.microsoftonline.com"}
    paths = ("/oauth2/v2.0/token", "/oauth2/token", "/v2.0", "")
    names = (tenant.id, *tenant.domains)
    fitting = {f"{host}/{name}{path}".lower() for host in hosts for name in names for path in paths}
    return any(audience.rstrip("/").lower() in fitting for audience in audiences(claim))


def _thumbprint(jwt: Jwt, name: str) -> bytes:
    value = jwt.header.get(name)
    if not isinstance(value, str):
        return b""
    try:
        return un_b64(value)
    except ValueError:
        return b""
