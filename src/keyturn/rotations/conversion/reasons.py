"""What is said of a conversion: what is in its way, who asked to go back, and why it went back. Pure.

``asked``: somebody asked to go back. ``asked_in_vain``: they did, and there is no way back. ``because``: the code of why it was
to go back, or went, ``why`` the sentence and ``then`` its fix. ``left``: what the application still trusts.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from keyturn.errors import KeyturnError, NotYet, Retryable, Upstream
from keyturn.kit.counting import duration_in_words
from keyturn.ports.use_reports import ReportTrouble
from keyturn.rotations.conversion.domain import Conversion
from keyturn.rotations.evidence.domain import LEAST_WINDOW

STILL_USED = "conversion.still_used"
_WINDOW = duration_in_words(LEAST_WINDOW)


def reason_of(error: KeyturnError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "fix": error.fix}


def passes(error: Upstream) -> bool:
    """Whether it says nothing about what was tried: no network, a throttle, a key that the provider has not fetched yet."""
    return isinstance(error, Retryable) and not isinstance(error, NotYet)


def standing(told: Conversion) -> Mapping[str, Any] | None:
    """Return what is said until the end: that there is no way back."""
    return told.reason if (told.reason or {}).get("asked_in_vain") else None


def of_use(told: Conversion, noun: str, trouble: ReportTrouble | None, now: datetime) -> Mapping[str, Any] | None:
    """Return what is said of one that is watched: who puts its end off, or why nobody can be seen to; else nothing.

    ``noun`` is what is given up, such as *client secret*.
    """
    if told.used_at and told.used_until and told.used_until > now:
        return {
            "code": STILL_USED,
            "message": f"{told.used_by or 'Somebody'} signs in with the {noun} of before, last on "
            f"{told.used_at:%Y-%m-%d at %H:%M} UTC, as Entra ID reports. It is kept until nobody did for {_WINDOW}.",
            "fix": f"Give that program a credential of its own, and the watch ends by itself; or go back to the {noun}.",
        }
    if trouble is None:
        return None
    return {
        "code": "conversion.use_unobservable",
        "message": f"Whether somebody else signs in with the {noun} cannot be seen: {trouble.message}",
        "fix": trouble.fix,
    }


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
    went_back = {"because": before.get("code"), "why": before.get("message"), "then": before.get("fix")}
    kept = {name: before[name] for name in ("asked", "because", "why", "then") if before.get(name)}
    return reason_of(error) | (kept if told.left else went_back | kept) | {"left": told.name}


def removable(told: Conversion) -> Mapping[str, Any] | None:
    """Return what is said of one that went back, once nothing is in the way any more of removing what its application trusts."""
    before = told.reason or {}
    if not told.left:
        return told.reason
    asked = {"asked": True} if before.get("asked") else {}
    return {"code": before.get("because"), "message": before.get("why"), "fix": before.get("then")} | asked
