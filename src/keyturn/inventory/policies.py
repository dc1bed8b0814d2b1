"""Which policy of a directory applies to what an inventory holds, and what it says of new credentials. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from keyturn.kit.clock import iso_or_none
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.inventory import KeyKind, ListedPolicy, ObjectKind, PolicyRule, PolicyScope


class PolicyState(StrEnum):
    """What the policy that applies says of a new credential of the same kind. The text is a promise: programs read it."""

    FORBIDDEN = "forbidden"
    LIMITED = "limited"
    EXEMPT = "exempt"
    UNRESTRICTED = "unrestricted"
    NOT_KNOWN = "not-known"


@dataclass(frozen=True)
class AppliedPolicy:
    """The policy that applies to a line. ``longest`` is the longest life of a new credential.

    ``exempts``: not for the connection that reads, which is None where it cannot be seen. ``unknown`` is why nothing is known.
    """

    state: PolicyState
    name: str = ""
    assigned: bool = False
    longest: timedelta | None = None
    exempts: bool | None = False
    unknown: str = ""


def policy_in_force(policies: Sequence[ListedPolicy], kind: ObjectKind, policy_id: str | None) -> ListedPolicy | None:
    """Return the policy that is assigned to an object of this kind, which takes the place of that of the tenant."""
    assigned = (each for each in policies if each.scope is PolicyScope.ASSIGNED and each.id == policy_id)
    scope = PolicyScope.PRINCIPALS if kind is ObjectKind.PRINCIPAL else PolicyScope.APPLICATIONS
    return next(assigned, None) or next((each for each in policies if each.scope is scope), None)


def apply_policy(policy: ListedPolicy, key_kind: KeyKind | None, made_at: datetime | None) -> AppliedPolicy:
    """Return what a policy says of a new credential of the kind; without a kind, of a secret.

    Of an object that is not known when it was made, all is said that may hold.
    """
    wanted = key_kind or KeyKind.SECRET
    rules = [each for each in policy.rules if each.kind is wanted and _is_for(each, made_at)]
    binding = [each for each in rules if not each.exempts]
    longest = min((each.longest for each in binding if each.longest is not None), default=None)
    state = PolicyState.EXEMPT if rules else PolicyState.UNRESTRICTED
    if any(each.forbids for each in binding):
        state = PolicyState.FORBIDDEN
    elif longest is not None:
        state = PolicyState.LIMITED
    unseen = any(each.exempts is None for each in binding)
    exempts = None if unseen else any(each.exempts for each in rules)
    return AppliedPolicy(state, policy.name, policy.scope is PolicyScope.ASSIGNED, longest, exempts)


def _is_for(rule: PolicyRule, made_at: datetime | None) -> bool:
    return rule.made_after is None or made_at is None or made_at >= rule.made_after


# --- as JSON, and back ------------------------------------------------------------------------------------------------


def documents(policies: Sequence[ListedPolicy]) -> list[dict[str, Any]]:
    return [
        {"id": each.id, "name": each.name, "scope": each.scope.value, "rules": [_document(rule) for rule in each.rules]}
        for each in policies
    ]


def _document(rule: PolicyRule) -> dict[str, Any]:
    return {
        "kind": rule.kind.value,
        "forbids": rule.forbids,
        "longestSeconds": None if rule.longest is None else int(rule.longest.total_seconds()),
        "madeAfter": iso_or_none(rule.made_after),
        "exempts": rule.exempts,
    }


def read(told: object) -> tuple[ListedPolicy, ...] | None:
    """Return what :func:`documents` made; None for anything else: it is not known then."""
    if not isinstance(told, list):
        return None
    try:
        return tuple(_policy(each) for each in told)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _policy(document: Mapping[str, Any]) -> ListedPolicy:
    rules = tuple(_rule(each) for each in document["rules"])
    return ListedPolicy(document["id"], document["name"], PolicyScope(document["scope"]), rules)


def _rule(document: Mapping[str, Any]) -> PolicyRule:
    seconds, after = document["longestSeconds"], document["madeAfter"]
    return PolicyRule(
        KeyKind(document["kind"]),
        bool(document["forbids"]),
        None if seconds is None else timedelta(seconds=int(seconds)),
        datetime.fromisoformat(after) if after else None,
        document["exempts"],
    )
