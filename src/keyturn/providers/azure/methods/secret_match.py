"""Taking over a secret that a user supplied: which of the application's secrets is it?

A key id is never taken on trust: a wrong one would revoke somebody else's secret. Pure.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from keyturn.errors import Refused
from keyturn.kit.clock import iso
from keyturn.kit.counting import counted
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import RemoteCredential

_WHERE = "Portal: App registrations > the application > Certificates & secrets, column Secret ID."


def match_secret(
    credentials: Sequence[RemoteCredential],
    secret: Plaintext,
    key_id: str | None,
    now: datetime,
    *,
    confirmed: bool = False,
) -> RemoteCredential:
    """Return the credential that the secret belongs to.

    With a key id: the one named, if it exists, has not expired and its hint fits the secret. Without: the one that has
    not expired and whose hint fits, if there is exactly one. One that is listed without a hint is taken by its key id if
    that is ``confirmed``: the list says nothing for or against it. Raises Refused otherwise and lists the candidates, with
    name, hint and dates, never more.
    """
    if key_id:
        return _named(credentials, secret, key_id.lower(), now, confirmed=confirmed)
    fitting = [
        credential for credential in credentials if matches(credential, secret) and not has_expired(credential, now)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise _refusal(
            f"{len(fitting)} secrets of the application begin like the one given.",
            code="rotation.key_id_needed",
            fix=f"Give the Client Secret Key ID of the right one. {_WHERE}",
            candidates=fitting,
        )
    silent = [credential for credential in credentials if credential.hint is None and not has_expired(credential, now)]
    if silent:
        raise _refusal(
            f"Entra ID does not show how {'one' if len(silent) == 1 else len(silent)} of the application's secrets "
            f"{'begins' if len(silent) == 1 else 'begin'}, so the one given cannot be found by its first characters.",
            code="rotation.key_id_needed",
            fix=f"Give the Client Secret Key ID of the right one. {_WHERE}",
            candidates=silent,
        )
    raise _refusal(
        "None of the application's unexpired secrets begins like the one given.",
        code="rotation.key_not_found",
        fix="Check that the client secret belongs to this application; a secret made a moment ago may need a minute to appear.",
        candidates=[credential for credential in credentials if not has_expired(credential, now)],
        field="clientSecret",
    )


def _named(
    credentials: Sequence[RemoteCredential], secret: Plaintext, key_id: str, now: datetime, *, confirmed: bool
) -> RemoteCredential:
    candidates = [credential for credential in credentials if not has_expired(credential, now)]
    match = next((credential for credential in credentials if credential.key_id.lower() == key_id), None)
    if match is None:
        raise _refusal(
            "The application has no client secret with this Key ID.",
            code="rotation.key_id_unknown",
            fix=f"Give the Key ID (Secret ID) of the secret that you typed. {_WHERE}",
            candidates=candidates,
        )
    if has_expired(match, now):
        raise _refusal(
            f"The secret with this Key ID expired on {iso(match.ends_at)}." if match.ends_at else "The secret expired.",
            code="rotation.key_expired",
            fix="Make a new client secret and give its Value and Secret ID.",
            candidates=candidates,
        )
    if match.hint is None:
        if not confirmed:
            raise confirmation_needed(match, candidates, "secret")
        return match
    if not matches(match, secret):
        name = f"'{match.name}'" if match.name else "one without a name"
        raise _refusal(
            f"This Key ID belongs to another secret, {name}: it begins with '{match.hint}', the one given does not.",
            code="rotation.key_id_of_another",
            fix=f"Give the Key ID of the secret that you typed. {_WHERE}",
            candidates=[credential for credential in candidates if matches(credential, secret)],
        )
    return match


def confirmation_needed(credential: RemoteCredential, candidates: Sequence[RemoteCredential], what: str) -> Refused:
    """Build the question whether an unexpired credential is the one given, of which the list does not tell."""
    begins = "how this secret begins" if what == "secret" else "the thumbprint of this certificate"
    others = len(candidates) - 1
    evidence = (
        f"It is the application's only unexpired {what}, and the one given signs in: so it very likely is."
        if others == 0
        else f"The application has {counted(others, f'other unexpired {what}')}."
    )
    return _refusal(
        f"Entra ID does not show {begins}, {_name_of(credential)}, so it cannot be told from the list whether it is the one "
        f"given. {evidence}",
        code="rotation.key_unconfirmed",
        fix="Compare its name and dates with what you know. If it is the one, confirm the Key ID (rotation.confirmKeyId). Once "
        f"a new {what} is proven, the one with this Key ID is removed, and the one given should stop signing in. A wrong Key ID "
        f"would remove a {what} that something else uses.",
        candidates=[credential],
    )


def _name_of(credential: RemoteCredential) -> str:
    date = f", made on {credential.starts_at:%Y-%m-%d}" if credential.starts_at else ""
    name = f"'{credential.name}'" if credential.name else "which has no name"
    return f"{name} (Key ID {credential.key_id}{date})"


def matches(credential: RemoteCredential, secret: Plaintext) -> bool:
    """Whether the hint of a listed credential equals the first three characters of the secret."""
    return credential.hint is not None and credential.hint == secret.hint()


def has_expired(credential: RemoteCredential, now: datetime) -> bool:
    return credential.ends_at is not None and credential.ends_at <= now


def _refusal(
    message: str, *, code: str, fix: str, candidates: Sequence[RemoteCredential], field: str = "clientSecretKeyId"
) -> Refused:
    return Refused(
        message, code=code, fix=fix, details=[_candidate(credential) for credential in candidates], field=field
    )


def _candidate(credential: RemoteCredential) -> dict[str, Any]:
    return {
        "keyId": credential.key_id,
        "name": credential.name,
        "hint": credential.hint,
        "startsAt": iso(credential.starts_at) if credential.starts_at else None,
        "endsAt": iso(credential.ends_at) if credential.ends_at else None,
    }
