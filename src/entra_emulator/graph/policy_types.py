"""The restrictions of app management policies, as the emulator keeps and obeys them.

Sources: https://learn.microsoft.com/graph/api/resources/passwordcredentialconfiguration, .../keycredentialconfiguration and
.../appmanagementpolicyactorexemptions. Restrictions that are not obeyed here are refused, so that nobody trusts in them.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.clock import parse_time
from entra_emulator.directory.credentials import duration
from entra_emulator.graph.bodies import wrong_type
from entra_emulator.graph.declared import TEXT, Many, Plain, Shape, read, shape
from entra_emulator.graph.errors import bad_request

PASSWORD_ADDITION, PASSWORD_LIFETIME, KEY_LIFETIME = "passwordAddition", "passwordLifetime", "asymmetricKeyLifetime"
_OF_PASSWORDS = frozenset(
    {PASSWORD_ADDITION, PASSWORD_LIFETIME, "symmetricKeyAddition", "symmetricKeyLifetime", "customPasswordAddition"}
)
"""Symmetric keys and secrets that somebody chose cannot be added here at all, so those restrictions hold by themselves."""
_NOT_OBEYED = frozenset({"trustedCertificateAuthority"})
_LIFETIMES = frozenset({PASSWORD_LIFETIME, KEY_LIFETIME, "symmetricKeyLifetime"})


def _is_moment(value: Any) -> bool:
    try:
        parse_time(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


_STATE = Plain("microsoft.graph.appManagementRestrictionState", lambda value: value in ("enabled", "disabled"))
_OPERATOR = Plain("microsoft.graph.customSecurityAttributeComparisonOperator", lambda value: value == "equals")
_EXEMPTION = shape(
    "customSecurityAttributeStringValueExemption", "id operator value", id=TEXT, operator=_OPERATOR, value=TEXT
)
_ACTORS = shape("appManagementPolicyActorExemptions", customSecurityAttributes=Many(_EXEMPTION))


def _credential(kind: str) -> Shape:
    return shape(
        kind,
        "restrictionType",
        defaults={"state": "enabled"},
        excludeActors=_ACTORS,
        maxLifetime=Plain("Edm.Duration", lambda value: duration(value) is not None),
        restrictForAppsCreatedAfterDateTime=Plain("Edm.DateTimeOffset", _is_moment),
        restrictionType=TEXT,
        state=_STATE,
    )


CONFIGURATION = shape(
    "appManagementConfiguration",
    keyCredentials=Many(_credential("keyCredentialConfiguration")),
    passwordCredentials=Many(_credential("passwordCredentialConfiguration")),
)


def read_restrictions(name: str, value: Any) -> dict[str, Any]:
    """Restrictions as they are kept. Raises GraphError 400 for what does not exist, or is not obeyed here."""
    if not isinstance(value, dict):
        raise wrong_type(name, "microsoft.graph.appManagementConfiguration")
    restrictions: dict[str, Any] = read(CONFIGURATION, name, value)
    for part, allowed in (("passwordCredentials", _OF_PASSWORDS), ("keyCredentials", frozenset({KEY_LIFETIME}))):
        kinds = [rule["restrictionType"] for rule in restrictions.get(part) or ()]
        unknown = next((kind for kind in kinds if kind not in allowed), None)
        if unknown in _NOT_OBEYED:
            raise bad_request(f"This directory does not obey restrictions of the type '{unknown}'.")
        if unknown is not None:
            raise wrong_type("restrictionType", "microsoft.graph.appCredentialRestrictionType")
        if len(set(kinds)) < len(kinds):
            raise bad_request(f"Each value of restrictionType can be used only once per policy, in '{part}'.")
    for rule in [*(restrictions.get("passwordCredentials") or ()), *(restrictions.get("keyCredentials") or ())]:
        if (rule["restrictionType"] in _LIFETIMES) != (rule.get("maxLifetime") is not None):
            raise bad_request("maxLifetime is required for restrictions of lifetimes, and null for all others.")
    return restrictions


def shown_restrictions(restrictions: dict[str, Any]) -> dict[str, Any]:
    """Restrictions as a read shows them, each exemption with its type."""
    shown: dict[str, Any] = {}
    for part in ("passwordCredentials", "keyCredentials"):
        shown[part] = [
            {
                "excludeActors": _shown_actors(rule.get("excludeActors")),
                "maxLifetime": rule.get("maxLifetime"),
                "restrictForAppsCreatedAfterDateTime": rule.get("restrictForAppsCreatedAfterDateTime"),
                "restrictionType": rule["restrictionType"],
                "state": rule.get("state") or "enabled",
            }
            for rule in restrictions.get(part) or ()
        ]
    return shown


def _shown_actors(actors: dict[str, Any] | None) -> dict[str, Any] | None:
    if actors is None:
        return None
    kind = {"@odata.type": f"#{_EXEMPTION.name}"}
    return {"customSecurityAttributes": [kind | item for item in actors.get("customSecurityAttributes") or ()]}
