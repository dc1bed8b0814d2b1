"""What is said of a conversion: what is in its way, who asked to go back, and why it went back. Pure.

``asked``: somebody asked to go back. ``asked_in_vain``: they did, and there is no way back. ``because``: the code of why it was
to go back, or went, and ``why`` the sentence. ``left``: what the application still trusts.
"""

from collections.abc import Mapping
from typing import Any

from keyturn.errors import KeyturnError, NotYet, Retryable, Upstream
from keyturn.rotations.conversion.domain import Conversion


def reason_of(error: KeyturnError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "fix": error.fix}


def passes(error: Upstream) -> bool:
    """Whether it says nothing about what was tried: no network, a throttle, a key that the provider has not fetched yet."""
    return isinstance(error, Retryable) and not isinstance(error, NotYet)


def standing(told: Conversion) -> Mapping[str, Any] | None:
    """Return what is said until the end: that there is no way back."""
    return told.reason if (told.reason or {}).get("asked_in_vain") else None


def without_way_back(told: Conversion, why: Mapping[str, Any], problem: Upstream) -> dict[str, Any]:
    """Return what is said of one that was to go back, and whose secret does not sign in.

    Where somebody asked for it, it is tried again as long as what is in the way may pass.
    """
    reason = reason_of(problem) | {"message": f"It cannot go back: {problem.message}", "because": why.get("code")}
    if why.get("asked"):
        return reason | ({"asked": True} if passes(problem) else {"asked_in_vain": True})
    return reason | ({"asked_in_vain": True} if standing(told) else {})


def not_removed(told: Conversion, error: Upstream) -> dict[str, Any]:
    """Return what is said of one that went back, and whose application still trusts the identity."""
    before = told.reason or {}
    went_back = {"because": before.get("code"), "why": before.get("message")}
    kept = {name: before[name] for name in ("asked", "because", "why") if before.get(name)}
    return reason_of(error) | went_back | kept | {"left": told.name}
