"""What a deletion takes with it, in words: made of what the server's API answers before."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keyturn.cli.named import Named
from keyturn.client.server import Server
from keyturn.errors import Refused
from keyturn.kit.counting import counted
from keyturn.kit.sentences import upper_first

Facts = Mapping[str, Any]
_SHOWN = 5
"""Consumers of a secret that are named."""


def of_place(server: Server, where: Mapping[str, str]) -> tuple[list[str], Facts]:
    """Return what the deletion of a project, an environment or a folder takes."""
    facts = server.ask("GET", "/api/v1/deletions/preview", where)
    lines = [f"takes {counted(facts['secrets'], 'secret')} and {counted(facts['folders'], 'folder')} with it"]
    for each in facts["secretRotations"]:
        lines.append(f"ends the secret rotation '{each['name']}' in {each['environment']} {each['secretPath']}")
        lines += [
            f"  {_key(row)} of {each['applicationName']} stays valid{_until(row['endsAt'])}"
            for row in each["staysValid"]
        ]
        lines += [f"  {line}" for line in _consumers(each["consumers"])]
    if facts["hidden"]:
        lines.append(f"ends {counted(facts['hidden'], 'secret rotation')} that you may not see")
    lines.append(f"can be restored until {_day(facts['restorableUntil'])}")
    return lines, facts


def ends_rotations(facts: Facts) -> Refused | None:
    """Return why a place is not deleted unless its secret rotations may end, too."""
    if not (facts["secretRotations"] or facts["hidden"]):
        return None
    return Refused(
        "Secrets of applications are rotated there. Nothing was done.",
        code="client.ends_rotations",
        fix="Add --end-secret-rotations, once nobody needs the next secret of these applications.",
    )


def of_rotation(facts: Facts) -> list[str]:
    """Return what the deletion of a secret rotation does."""
    keys, kept = " and ".join(facts["secretKeys"]), facts["keptValue"]
    lines = [_fate(row) for row in facts["credentials"]]
    if kept is None:
        lines.append(f"the secrets {keys} are deleted, or have no value")
    else:
        works = "their present value" if kept["warning"] else f"a value that works{_until(kept['worksUntil'])}"
        lines.append(f"the secrets {keys} stay as ordinary ones, with {works}")
        lines += [f"WARNING: {kept['warning']}"] if kept["warning"] else []
    return [*lines, *_consumers(facts["consumers"]), *_shared(facts), *_approval(facts)]


def of_leak(facts: Facts) -> list[str]:
    """Return what the replacement of what leaked does, of a secret rotation or of a connection."""
    lines = [_fate(row, "as soon as the new one works") for row in facts["credentials"]]
    of_rotation = "consumers" in facts
    others = [*_consumers(facts["consumers"]), *_shared(facts)] if of_rotation else [*_others(facts)]
    return [*lines, *others, *_approval(facts)]


def of_release(facts: Facts) -> list[str]:
    """Return what the removal of one secret does, and what is known of its use."""
    evidence = facts["evidence"]
    seen = [f"known of its use: {evidence['verdict']}"] if evidence else []
    return [f"{_key(facts)} is removed from Entra ID", *_consumers([facts]), *seen]


def of_connection(facts: Facts) -> list[str]:
    lines = [_fate(row) for row in facts["credentials"]] or ["nothing is changed at Entra ID"]
    return [*lines, *_others(facts), *_approval(facts)]


def of_secretless(plan: Facts, watch_hours: int) -> list[str]:
    """Return what is done for a connection to sign in without its secret."""
    trusts = "trusts" if plan["alreadyTrusted"] else "is made to trust"
    lines = [
        f"its application {trusts} the issuer {plan['issuer']}, the subject {plan['subject']}",
        f"once five sign-ins have proven it, the connection signs in so; for {counted(watch_hours, 'hour')} it can go back",
    ]
    shared = plan["sharedWith"]
    if shared:
        return [
            *lines,
            f"the secret stays, since {counted(shared, 'other connection signs', 'other connections sign')} in",
        ]
    return [*lines, "then the secret is removed from Entra ID: programs that sign in with it themselves stop"]


def of_conversion(words: str, conversion: Facts | None) -> list[str]:
    """Return how far a connection is on its way to sign in without a secret."""
    if conversion is None:
        return [f"Nobody asked for {words} to sign in without a secret."]
    lines = [f"{upper_first(words)} {_STATES[conversion['state']]}, since {_day(conversion['since'])}"]
    lines += [f"  until {_day(conversion[each])}" for each in ("watchedUntil", "removedBy") if conversion[each]]
    return [*lines, *(f"  {conversion[each]}" for each in ("message", "fix") if conversion[each])]


_STATES = {
    "trusting": "signs in as before, and its application is made to trust the server",
    "proving": "signs in as before, and is proven to sign in without its secret",
    "watching": "signs in without its secret, and can go back",
    "done": "signs in without a secret: the one of before is removed",
    "withdrawing": "signs in as before, and what its application trusts is being removed",
    "withdrawn": "signs in as before: it went back",
}


def nothing_to_take_back(conversion: Facts | None) -> Refused | None:
    """Return why a connection does not go back to its secret."""
    if conversion and not conversion["endedAt"]:
        return None
    return Refused(
        "Nothing is under way that could be taken back.",
        code="client.no_conversion",
        fix="Where it signs in without a secret, enter a new one among the credentials of the connection.",
    )


def rotated_through(facts: Facts) -> Refused | None:
    """Return why a connection is not deleted."""
    names = [f"'{each['name']}'" for each in facts["secretRotations"]]
    names += [f"{counted(facts['hidden'], 'secret rotation')} that you may not see"] if facts["hidden"] else []
    if not names:
        return None
    return Refused(
        f"Secrets of applications are rotated through it: {', '.join(names)}.",
        code="client.rotates_applications",
        fix="Delete these secret rotations first, or give them another connection.",
    )


def of_identity(server: Server, one: Named) -> tuple[list[str], Facts]:
    methods = one.facts["authMethods"]
    secrets: Sequence[Facts] = []
    if "universal-auth" in methods:
        path = f"/api/v1/auth/universal-auth/identities/{one.facts['id']}/client-secrets"
        secrets = server.ask("GET", path)["clientSecretData"]
    lines = ["programs that sign in as it are refused at once, in all projects"]
    lines += [f"it signs in by {', '.join(methods)}"] if methods else ["it has no way to sign in"]
    lines += [f"takes {counted(len(secrets), 'client secret')} with it"] if secrets else []
    return lines, {"identity": one.facts, "clientSecrets": secrets}


def of_user(server: Server, one: Named) -> tuple[list[str], Facts]:
    facts = server.ask("GET", f"{one.path}/owned")
    lines = ["takes sessions, access tokens and memberships with it; what they did stays in the audit log"]
    lines += [f"answers for the {_KINDS[each['type']]} '{each['name']}'" for each in facts["owned"]]
    lines += [
        f"is signed in for the connection '{each['name']}': somebody else has to sign in" for each in facts["signedIn"]
    ]
    return lines, facts


_KINDS = {"app-connection": "connection", "secret-rotation": "secret rotation"}


# --- parts ------------------------------------------------------------------------------------------------------------


def _fate(row: Facts, when: str = "with it") -> str:
    if row["removedAt"] is None:
        return f"{_key(row)} stays valid{_until(row['endsAt'])}"
    return f"{_key(row)} is removed from Entra ID {when}"


def _key(row: Facts) -> str:
    hint = f" {row['hint']}..." if row.get("hint") else ""
    return f"the secret{hint} ({row['keyId'] or 'no id yet'})"


def _until(moment: str | None) -> str:
    return f" until {_day(moment)}" if moment else ""


def _day(moment: str) -> str:
    return f"{moment[:10]} {moment[11:16]} UTC"


def _consumers(secrets: Sequence[Facts]) -> Iterator[str]:
    for each in secrets:
        if each["total"] == 0:
            yield f"nobody is known to have read {_key(each)}: anybody may hold it"
        elif each["holding"]:
            holders = [who for who in each["consumers"] if who["status"] != "switched"][:_SHOWN]
            more = each["holding"] - len(holders)
            names = ", ".join(_who(who) for who in holders) + (f" and {more} more" if more > 0 else "")
            yield f"{_key(each)} is held by {names}"


def _who(who: Facts) -> str:
    name = who["name"] or f"{_A[who['kind']]} that you may not see"
    return f"{name} ({who['address']})" if who["address"] else str(name)


_A = {"identity": "a machine identity", "user": "a user", "unknown": "somebody"}


def _shared(facts: Facts) -> Iterator[str]:
    for each in facts["sharedWith"]:
        yield f"the secret rotation '{each['name']}' in {each['environment']} {each['secretPath']} has the same secret"
    if facts["hidden"]:
        yield f"{counted(facts['hidden'], 'secret rotation')} that you may not see: the same secret"


def _others(facts: Facts) -> Iterator[str]:
    if facts["others"]:
        yield f"{counted(facts['others'], 'other connection')} with the same credential"


def _approval(facts: Facts) -> Iterator[str]:
    if facts["needsApproval"]:
        yield "another person has to approve it: say why with --reason, and it becomes a request"
