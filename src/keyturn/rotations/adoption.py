"""Taking over a secret that a user supplied: which of the application's secrets is it?

A key id is never taken on trust: a wrong one would revoke somebody else's secret. Pure.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from keyturn.errors import Refused
from keyturn.kit.clock import iso
from keyturn.kit.secret import Plaintext
from keyturn.ports import RemoteCredential

_WHERE = "Portal: App registrations > the application > Certificates & secrets, column Secret ID."


def choose_key(
    listed: Sequence[RemoteCredential], secret: Plaintext, key_id: str | None, now: datetime
) -> RemoteCredential:
    """Return the credential that the secret belongs to.

    With a key id: the one named, if it exists, has not expired and its hint fits the secret. Without: the one that has
    not expired and whose hint fits, if there is exactly one. Raises Refused otherwise and lists the candidates, with
    name, hint and dates, never more.
    """
    if key_id:
        return _named(listed, secret, key_id.lower(), now)
    fitting = [one for one in listed if fits(one, secret) and not expired(one, now)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise _refusal(
            f"{len(fitting)} secrets of the application begin like the one given.",
            code="rotation.key_id_needed",
            fix=f"Give the Client Secret Key ID of the right one. {_WHERE}",
            candidates=fitting,
        )
    raise _refusal(
        "None of the application's unexpired secrets begins like the one given.",
        code="rotation.key_not_found",
        fix="Check that the client secret belongs to this application; a secret made a moment ago may need a minute to appear.",
        candidates=[one for one in listed if not expired(one, now)],
    )


def _named(listed: Sequence[RemoteCredential], secret: Plaintext, key_id: str, now: datetime) -> RemoteCredential:
    candidates = [one for one in listed if not expired(one, now)]
    named = next((one for one in listed if one.key_id.lower() == key_id), None)
    if named is None:
        raise _refusal(
            "The application has no client secret with this Key ID.",
            code="rotation.key_id_unknown",
            fix=f"Give the Key ID (Secret ID) of the secret that you typed. {_WHERE}",
            candidates=candidates,
        )
    if expired(named, now):
        raise _refusal(
            f"The secret with this Key ID expired on {iso(named.ends_at)}." if named.ends_at else "The secret expired.",
            code="rotation.key_expired",
            fix="Make a new client secret and give its Value and Secret ID.",
            candidates=candidates,
        )
    if not fits(named, secret):
        raise _refusal(
            f"This Key ID belongs to another secret, '{named.name or 'no name'}': it begins with '{named.hint}', "
            "the one given does not.",
            code="rotation.key_id_of_another",
            fix=f"Give the Key ID of the secret that you typed. {_WHERE}",
            candidates=[one for one in candidates if fits(one, secret)],
        )
    return named


def fits(one: RemoteCredential, secret: Plaintext) -> bool:
    """Whether the hint of a listed credential equals the first three characters of the secret."""
    return one.hint is not None and one.hint == secret.hint()


def expired(one: RemoteCredential, now: datetime) -> bool:
    return one.ends_at is not None and one.ends_at <= now


def _refusal(message: str, *, code: str, fix: str, candidates: Sequence[RemoteCredential]) -> Refused:
    return Refused(message, code=code, fix=fix, details=[_shown(one) for one in candidates])


def _shown(one: RemoteCredential) -> dict[str, Any]:
    return {
        "keyId": one.key_id,
        "name": one.name,
        "hint": one.hint,
        "startsAt": iso(one.starts_at) if one.starts_at else None,
        "endsAt": iso(one.ends_at) if one.ends_at else None,
    }
