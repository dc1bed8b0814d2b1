"""The access token of a person that an API presents to act on their behalf: not one of Graph, and not one of an application.

Sources: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow (the audience is the API that asks); of
each refusal: `sts_codes`.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.clock import graph_time
from entra_emulator.directory.directory import GRAPH_APP_ID, Application
from entra_emulator.directory.world import Call
from entra_emulator.tokens.sts_errors import StsError
from entra_emulator.tokens.tokens import find_resource


def read_assertion(call: Call, text: str) -> dict[str, Any]:
    """The claims of a token that was issued here. Raises StsError 50013 for anything else."""
    claims = call.world.signing.read(text)
    if claims is None:
        raise _not_signed()
    return claims


def check_assertion(call: Call, claims: dict[str, Any], application: Application) -> None:
    """Raises StsError where this application may not act on behalf of whom the token is about."""
    if "azp" not in claims and "appid" not in claims:
        raise StsError(240002, "Input id_token cannot be used as 'urn:ietf:params:oauth:grant-type:jwt-bearer' grant.")
    audience = str(claims["aud"])
    resource = _resource(call, audience)
    if resource == GRAPH_APP_ID:  # its tokens have a nonce in the header, so the signature fits for nobody but Graph
        raise _not_signed()
    if resource != application.app_id:
        raise StsError(
            500131,
            "Assertion audience does not match the Client app presenting the assertion. The audience in the assertion was "
            f"'{audience}' and the expected audience is '{application.app_id}' or one of the Application Uris of this "
            f"application with App ID '{application.app_id}'({application.display_name}). The downstream client must request "
            "a token for the expected audience (the application that made the OBO request) and this application should use "
            "that token as the assertion.",
        )
    if "scp" not in claims:
        raise StsError(
            7000114, f"Application '{application.app_id}' is not allowed to make application on-behalf-of calls."
        )
    if not claims["nbf"] - 300 <= call.local_now < claims["exp"]:
        raise StsError(
            500133,
            "Assertion is not within its valid time range. Ensure that the access token is not expired before using it for user "
            f"assertion, or request a new token. Current time: {graph_time(call.local_now)}, expiry time of assertion "
            f"{graph_time(claims['exp'])}.",
        )


def _resource(call: Call, audience: str) -> str:
    try:
        return find_resource(call, audience)[0]
    except StsError:  # the API is gone
        return ""


def _not_signed() -> StsError:
    return StsError(50013, "Assertion failed signature validation. [Reason - The key was not found.]")
