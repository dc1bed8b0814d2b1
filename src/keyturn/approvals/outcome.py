"""What a request asks for, in sentences: one for each of its parameters. Pure."""

from typing import Any

from keyturn.approvals.domain import NO_ROTATION, ApprovalRequest, ChangeKind

_PARAMETERS = {
    (
        "revokeCredentials",
        None,
    ): "Secrets that Keyturn made are removed, unless other connections sign in with them; one that was given is kept.",
    ("revokeCredentials", True): "All secrets of its rotation are removed, unless other connections sign in with them.",
    ("revokeCredentials", False): "All secrets stay valid until they end.",
    ("deleteSecrets", True): "The two secrets of the project are deleted.",
    ("deleteSecrets", False): "The two secrets of the project stay, with their present values.",
    (
        "revokeGeneratedCredentials",
        True,
    ): "The application's secrets that were made here are removed, unless another rotation goes on with them.",
    ("revokeGeneratedCredentials", False): "The application's secrets stay valid until they end.",
    ("required", True): "A second person is needed.",
    ("required", False): "No second person is needed any more.",
    ("emergency", True): "Administrators may replace what leaked at once.",
    ("emergency", False): "Also what leaked waits for a second person.",
    ("confirmed", True): "It is removed although programs hold it, or are seen to use it: they stop signing in.",
    ("confirmed", False): "No program is known to hold it; who does by then stops it.",
    ("moveOthersAlong", True): "Other connections that hold the same credential are moved along to each new one.",
}
_NAMED = {
    "tenantId": "It signs in to the tenant `{}`,",
    "clientId": "as the application with the Client ID `{}`.",
    "method": "It signs in by another method from then on: `{}`.",
    "thumbprint": "The certificate has the thumbprint `{}`.",
    "tokenSource": "Its tokens come from the source `{}`.",
    "hint": "The secret begins with `{}`.",
}


def outcome_of(request: ApprovalRequest) -> list[str]:
    """Say what is done once the request is approved. Key ids and the like stand between backticks."""
    given: list[tuple[str, Any]] = list(request.parameters.items())
    known = [_PARAMETERS[name, value] for name, value in given if (name, value) in _PARAMETERS]
    key_id = request.parameters.get("keyId")
    match request.kind:
        case ChangeKind.CONNECTION_LEAKED | ChangeKind.ROTATION_LEAKED:
            return [
                "A new secret is made at once; once it works, all older ones are removed without the usual time to change over."
            ]
        case ChangeKind.DELETE_CONNECTION if request.seen == NO_ROTATION:
            return [
                "It does not rotate: nothing is changed at the provider, and what it signs in with stays valid there."
            ]
        case ChangeKind.HAND_OVER:
            return [f"The secret with the Key ID `{key_id}` is shown as a previous one, until somebody releases it."]
        case ChangeKind.RELEASE:
            return [f"The secret with the Key ID `{key_id}` is removed from Entra ID after its grace time.", *known]
        case ChangeKind.CREDENTIALS:
            return _of_credentials(request, known)
        case ChangeKind.SECRETLESS:
            source, hours = request.parameters.get("tokenSource"), request.parameters.get("watchHours")
            return [
                f"It signs in by the token source `{source}`.",
                f"Its secret is removed once that has worked for {hours:g} hours.",
            ]
    return known


def _of_credentials(request: ApprovalRequest, known: list[str]) -> list[str]:
    given = request.parameters
    where = " ".join(_NAMED[name].format(given[name]) for name in ("tenantId", "clientId"))
    more = [
        _NAMED[name].format(given[name]) for name in ("method", "thumbprint", "tokenSource", "hint") if given.get(name)
    ]
    if given.get("keyId"):
        more.append(
            f"The credential with the Key ID `{given['keyId']}` is taken over: a new one is made at once, and this one and "
            "the one before are removed as soon as the new one works."
        )
        return [where, *more, *known]
    return [where, *more]
