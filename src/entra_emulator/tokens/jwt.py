"""A JWT that a client presents, taken apart: not yet believed.

Sources: RFC 7519; https://learn.microsoft.com/entra/identity-platform/certificate-credentials.
"""

from __future__ import annotations

import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from entra_emulator.core.clock import LAST_MOMENT, sts_time
from entra_emulator.directory.keys import un_b64
from entra_emulator.directory.world import Call
from entra_emulator.tokens.sts_errors import StsError

_SKEW_ALLOWED = 300.0  # assumed


class Jwt:
    """A JWT taken apart, not yet believed. Raises StsError 50027 for anything that is not one."""

    def __init__(self, text: str) -> None:
        self.encoded = text
        try:
            head, payload, signature = text.split(".")
            self.signing_input = f"{head}.{payload}".encode("ascii")
            self.header = _an_object(un_b64(head))
            self.claims = _an_object(un_b64(payload))
            self.signature = un_b64(signature)
        except (ValueError, RecursionError) as error:
            raise malformed("it is not a signed JSON Web Token") from error
        self.algorithm = self.header.get("alg")
        if not isinstance(self.algorithm, str) or self.algorithm not in {"RS256", "PS256"}:
            raise malformed("its algorithm is not RS256 or PS256")

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
            raise malformed(f"its '{claim}' is not a date")
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


def check_times(call: Call, jwt: Jwt) -> None:
    """Whether it is valid now, give or take five minutes. Raises StsError 700024."""
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


def audiences(claim: Any) -> set[str]:
    """What the claim `aud` names: one text or a list."""
    values = claim if isinstance(claim, list) else [claim]
    return {value for value in values if isinstance(value, str)}


def _an_object(data: bytes) -> dict[str, Any]:
    value = json.loads(data)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - bad input, like all other bad input here
    return value


def malformed(why: str) -> StsError:
    """It is no JWT that a client may present."""
    return StsError(50027, f"JWT token is invalid or malformed: {why}.")
