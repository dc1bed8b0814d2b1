"""Tokens of other issuers that are exchanged for Entra's: what they say, and the command that makes an application trust them.

What a token says is read unverified: it is advice, and Entra ID alone decides. Pure.
"""

import base64
import binascii
import hashlib
import json
import shlex
from datetime import UTC, datetime
from typing import Any

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import Trust
from keyturn.providers.azure.responses import json_object

AUDIENCE = "api://AzureADTokenExchange"
_AUDIENCES = {"usgov-l4": f"{AUDIENCE}USGov", "usgov-l5": f"{AUDIENCE}USGov", "china": f"{AUDIENCE}China"}
_EXCHANGE_APPLICATION = "fb60f99c-7a34-4190-8149-302f77469936"
"""How Entra's own tokens name the audience above."""
_LONGEST = 600
"""Of issuer, subject and audience, as Entra ID takes them."""
_COMMANDS = "az ad app federated-credential"


def audience_of(cloud: str) -> str:
    """Return the audience of tokens that are exchanged in this cloud."""
    return _AUDIENCES.get(cloud, AUDIENCE)


@dataclass(frozen=True)
class Presented:
    """What a token says of itself."""

    issuer: str
    subject: str
    audience: str
    expires_at: datetime | None

    def command(self, app_id: str, audience: str) -> str:
        """Return the command that makes the application trust this issuer and subject."""
        return create_command(app_id, Trust(self.issuer, self.subject, audience))

    def change_command(self, app_id: str, audience: str) -> str:
        """Return the command that makes what the application trusts of this issuer and subject be for the audience."""
        same = f"[?issuer=={_raw(self.issuer)} && subject=={_raw(self.subject)}].name | [0]"
        name = f"$({list_command(app_id)} --query {shlex.quote(same)} --output tsv)"
        return _update(app_id, name, Trust(self.issuer, self.subject, audience))


def create_command(app_id: str, trust: Trust) -> str:
    """Return the command that makes the application trust this, quoted for a shell.

    The name tells issuers and subjects apart: that of another one which the application trusts already is never taken.
    """
    mark = hashlib.sha256(json.dumps(trust.identity).encode()).hexdigest()[:8]
    parameters = {
        "name": f"keyturn-{mark}",
        "issuer": trust.issuer,
        "subject": trust.subject,
        "audiences": [trust.audience],
    }
    return f"{_COMMANDS} create --id {app_id} --parameters {shlex.quote(json.dumps(parameters))}"


def update_command(app_id: str, name: str, trust: Trust) -> str:
    """Return the command that makes this of what the application trusts under the name, quoted for a shell."""
    return _update(app_id, shlex.quote(name), trust)


def _update(app_id: str, name: str, trust: Trust) -> str:
    parameters = {"issuer": trust.issuer, "subject": trust.subject, "audiences": [trust.audience]}
    which = f"--id {app_id} --federated-credential-id {name}"
    return f"{_COMMANDS} update {which} --parameters {shlex.quote(json.dumps(parameters))}"


def _raw(text: str) -> str:
    """Return the text as a raw string literal of JMESPath, as `az` reads it."""
    escaped = text.replace("'", "\\'")
    return f"'{escaped}'"


def list_command(app_id: str) -> str:
    """Return the command that lists what the application trusts."""
    return f"{_COMMANDS} list --id {app_id}"


def read_presented(token: Plaintext) -> Presented:
    """Read what a token says; empty texts for what it does not say."""
    claims = token_claims(token.reveal())
    audience = claims.get("aud")
    first = audience[0] if isinstance(audience, list) and audience else audience
    named = AUDIENCE if first == _EXCHANGE_APPLICATION else _text(first)
    return Presented(_text(claims.get("iss")), _text(claims.get("sub")), named, _moment(claims.get("exp")))


def token_claims(token: str) -> dict[str, object]:
    """Read what a token says about itself, unverified: advice only. Empty for tokens that are not JWTs."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        return json_object(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))) or {}
    except (binascii.Error, ValueError):
        return {}


def _text(value: Any) -> str:
    return "".join(letter for letter in value if letter.isprintable())[:_LONGEST] if isinstance(value, str) else ""


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
