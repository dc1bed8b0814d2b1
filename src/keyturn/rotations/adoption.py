"""Taking over a secret that a user supplied: which of the application's secrets is it?

A key id is never taken on trust: a wrong one would revoke somebody else's secret. Pure.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from keyturn.errors import Refused
from keyturn.kit.clock import iso
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import RemoteCredential

_WHERE = "Portal: App registrations > the application > Certificates & secrets, column Secret ID."


def choose_key(
    listed: Sequence[RemoteCredential], secret: Plaintext, key_id: str | None, now: datetime, *, confirmed: bool = False
) -> RemoteCredential:
    """Return the credential that the secret belongs to.

    With a key id: the one named, if it exists, has not expired and its hint fits the secret. Without: the one that has
    not expired and whose hint fits, if there is exactly one. One that is listed without a hint is taken by its key id if
    that is ``confirmed``: the list says nothing for or against it. Raises Refused otherwise and lists the candidates, with
    name, hint and dates, never more.
    """
    if key_id:
        return _named(listed, secret, key_id.lower(), now, confirmed=confirmed)
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
    silent = [one for one in listed if one.hint is None and not expired(one, now)]
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
        candidates=[one for one in listed if not expired(one, now)],
    )


def _named(
    listed: Sequence[RemoteCredential], secret: Plaintext, key_id: str, now: datetime, *, confirmed: bool
) -> RemoteCredential:
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
    if named.hint is None:
        if not confirmed:
            raise unconfirmed(named, candidates, "secret")
        return named
    if not fits(named, secret):
        called = f"'{named.name}'" if named.name else "one without a name"
        raise _refusal(
            f"This Key ID belongs to another secret, {called}: it begins with '{named.hint}', the one given does not.",
            code="rotation.key_id_of_another",
            fix=f"Give the Key ID of the secret that you typed. {_WHERE}",
            candidates=[one for one in candidates if fits(one, secret)],
        )
    return named


def unconfirmed(named: RemoteCredential, candidates: Sequence[RemoteCredential], what: str) -> Refused:
    """Build the question whether an unexpired credential is the one given, of which the list does not tell."""
    begins = "how this secret begins" if what == "secret" else "the thumbprint of this certificate"
    others = len(candidates) - 1
    evidence = (
        f"It is the application's only unexpired {what}, and the one given signs in: so it very likely is."
        if others == 0
        else f"The application has {others} other unexpired {what}{'' if others == 1 else 's'}."
    )
    return _refusal(
        f"Entra ID does not show {begins}, {_called(named)}, so it cannot be told from the list whether it is the one given. "
        f"{evidence}",
        code="rotation.key_unconfirmed",
        fix="Compare its name and dates with what you know. If it is the one, confirm the Key ID (rotation.confirmKeyId). Once "
        f"a new {what} is proven, the one with this Key ID is removed, and the one given should stop signing in. A wrong Key ID "
        f"would remove a {what} that something else uses.",
        candidates=[named],
    )


def _called(one: RemoteCredential) -> str:
    made = f", made on {one.starts_at:%Y-%m-%d}" if one.starts_at else ""
    name = f"'{one.name}'" if one.name else "which has no name"
    return f"{name} (Key ID {one.key_id}{made})"


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
