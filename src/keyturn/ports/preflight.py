"""Whether the tenant lets a credential be added, asked before the first write."""

from datetime import timedelta
from enum import StrEnum

from keyturn.kit.dataclasses import dataclass


class PolicyVerdict(StrEnum):
    """The text is a promise: programs read it."""

    ALLOWED = "allowed"
    SHORTER = "shorter-lifetime"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class PolicyReport:
    """What policies say of a new credential, in a sentence. ``fix`` is how to have it allowed, or how to know.

    ``instead`` is what works without that. ``longest`` is the longest life that is allowed, if that is limited; ``code`` is
    that of the refusal a write would meet.
    """

    verdict: PolicyVerdict
    message: str
    fix: str | None = None
    instead: str | None = None
    longest: timedelta | None = None
    code: str = ""


NO_POLICIES = PolicyReport(PolicyVerdict.ALLOWED, "No policy limits its credentials.")
