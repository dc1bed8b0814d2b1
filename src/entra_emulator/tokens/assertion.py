"""Client assertions: JWTs signed with a registered certificate, or by a trusted outside issuer.

Sources: RFC 7523, section 3; https://learn.microsoft.com/entra/identity-platform/certificate-credentials;
learn.microsoft.com/graph/api/resources/federatedidentitycredentials-overview (issuer, subject and audience must be equal).
"""

from __future__ import annotations

import json
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from entra_emulator.core.clock import LAST_MOMENT, sts_time
from entra_emulator.directory.directory import Application, KeyCredential
from entra_emulator.directory.keys import un_b64
from entra_emulator.directory.world import Call
from entra_emulator.tokens.sts_errors import StsError, key_problem

_SKEW_ALLOWED = 300.0  # assumed


class Jwt:
    """A JWT taken apart, not yet believed. Raises StsError 50027 for anything that is not one."""

    def __init__(self, text: str) -> None:
        try:
            head, payload, signature = text.split(".")
            self.signing_input = f"{head}.{payload}".encode("ascii")
            self.header = _an_object(un_b64(head))
            self.claims = _an_object(un_b64(payload))
            self.signature = un_b64(signature)
        except (ValueError, RecursionError) as error:
            raise _malformed("it is not a signed JSON Web Token") from error
        self.algorithm = self.header.get("alg")
        if not isinstance(self.algorithm, str) or self.algorithm not in {"RS256", "PS256"}:
            raise _malformed("its algorithm is not RS256 or PS256")

    def text(self, claim: str) -> str:
        """A claim that is text; empty for any other."""
        value = self.claims.get(claim)
        return value if isinstance(value, str) else ""

    def moment(self, claim: str) -> float | None:
        """A claim that is a date, or None where it is absent. Raises StsError 50027 for any other."""
        value = self.claims.get(claim)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LAST_MOMENT:
            raise _malformed(f"its '{claim}' is not a date")
        return float(value)

    def signed_by(self, key: RSAPublicKey) -> bool:
        """Whether the holder of this key signed it."""
        pad: padding.AsymmetricPadding = padding.PKCS1v15()
        if self.algorithm == "PS256":
            pad = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.AUTO)
        try:
            key.verify(self.signature, self.signing_input, pad, hashes.SHA256())
        except InvalidSignature:
            return False
        return True


def authenticate(call: Call, text: str, application: Application, keys: list[KeyCredential]) -> str:
    """The id of the certificate or federated credential that this assertion proves to hold.

    Accepts RS256 and PS256, `x5t` and `x5t#S256` in either base64 alphabet, dates with fractions, and the same `jti`
    many times. Raises StsError otherwise.

    Sources: MSAL for Python 1.39 sends PS256 with a padded `x5t#S256`, dates with fractions and no `nbf`, and uses one assertion
    for 540 s (oauth2cli/assertion.py); MSAL for Go 247817f writes `x5t#S256` in the standard alphabet (accesstokens.go). That a
    used `jti` is accepted follows from the first.
    """
    jwt = Jwt(text)
    app_id = application.app_id
    if jwt.text("iss") and jwt.text("iss").lower() != app_id:
        return _federated(call, jwt, application)
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
    _check_times(call, jwt)
    return credential.key_id


def _registered(jwt: Jwt, keys: list[KeyCredential], app_id: str) -> KeyCredential:
    long_print, short_print = _thumbprint(jwt, "x5t#S256"), _thumbprint(jwt, "x5t")
    if not long_print and not short_print:
        raise _malformed("it has no thumbprint in its header")
    for item in keys:
        if (long_print and item.sha256 == long_print) or (not long_print and item.sha1 == short_print):
            return item
    raise key_problem("The key was not found.", (long_print or short_print).hex().upper(), app_id)


def _federated(call: Call, jwt: Jwt, application: Application) -> str:
    trusted = [item for item in application.federated if item.issuer == jwt.text("iss")]
    if not trusted:
        raise StsError(
            700211, f"No matching federated identity record found for presented assertion issuer '{jwt.text('iss')}'."
        )
    trusted = [item for item in trusted if item.subject == jwt.text("sub")]
    if not trusted:
        raise StsError(
            700213, f"No matching federated identity record found for presented assertion subject '{jwt.text('sub')}'."
        )
    audiences = _audiences(jwt.claims.get("aud"))
    credential = next((item for item in trusted if audiences & set(item.audiences)), None)
    if credential is None:
        text = ", ".join(sorted(audiences))
        raise StsError(
            700212, f"No matching federated identity record found for presented assertion audience '{text}'."
        )
    pem = call.world.trusted_issuers.get(credential.issuer, {}).get(str(jwt.header.get("kid")))
    key = _public_key(pem)
    if key is None or not jwt.signed_by(key):
        raise StsError(700027, "Client assertion failed signature validation. [Reason - The key was not found.]")
    _check_times(call, jwt)
    return credential.id


def _public_key(pem: bytes | None) -> RSAPublicKey | None:
    if pem is None:
        return None
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None


def _check_times(call: Call, jwt: Jwt) -> None:
    begins, ends = jwt.moment("nbf"), jwt.moment("exp")
    now = call.local_now
    if ends is None or now >= ends + _SKEW_ALLOWED or (begins is not None and now < begins - _SKEW_ALLOWED):
        shown_end = sts_time(ends) if ends is not None else "none"
        shown_start = sts_time(begins) if begins is not None else "none"
        raise StsError(
            700024,
            f"Client assertion is not within its valid time range. Current time: {sts_time(now)}, assertion valid "
            f"from {shown_start}, expiry time of assertion {shown_end}.",
        )


def _audience_fits(call: Call, claim: Any) -> bool:
    """The token endpoint as discovery names it is what MSAL sends; that domains and the issuer are taken, too, is assumed."""
    tenant = call.home()
    hosts = {call.host, "https://login.microsoftonline.com"}
    paths = ("/oauth2/v2.0/token", "/oauth2/token", "/v2.0", "")
    names = (tenant.id, *tenant.domains)
    fitting = {f"{host}/{name}{path}".lower() for host in hosts for name in names for path in paths}
    return any(audience.rstrip("/").lower() in fitting for audience in _audiences(claim))


def _audiences(claim: Any) -> set[str]:
    values = claim if isinstance(claim, list) else [claim]
    return {value for value in values if isinstance(value, str)}


def _thumbprint(jwt: Jwt, name: str) -> bytes:
    value = jwt.header.get(name)
    if not isinstance(value, str):
        return b""
    try:
        return un_b64(value)
    except ValueError:
        return b""


def _an_object(data: bytes) -> dict[str, Any]:
    value = json.loads(data)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - bad input, like all other bad input here
    return value


def _malformed(why: str) -> StsError:
    return StsError(50027, f"JWT token is invalid or malformed: {why}.")
