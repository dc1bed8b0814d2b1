"""The expressions of flexible federated identity credentials: `claims['sub'] matches 'repo:contoso/*'`.

Source: https://learn.microsoft.com/entra/workload-id/workload-identities-flexible-federated-identity-credentials (three issuers,
their claims, the operators, `*` for any letters and `?` for one).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_CLAIMS = {
    "https://token.actions.githubusercontent.com": frozenset({"sub", "job_workflow_ref"}),
    "https://gitlab.com": frozenset({"sub"}),
    "https://app.terraform.io": frozenset({"sub"}),
}
_TEST = re.compile(r"claims\['([A-Za-z_]+)'\] (eq|matches) '([^']*)'")


def check_expression(issuer: str, text: str) -> None:
    """Raises ValueError, which says why, for what cannot be an expression about tokens of this issuer."""
    claims = _CLAIMS.get(issuer)
    if claims is None:
        raise ValueError(f"expressions are for the issuers {', '.join(sorted(_CLAIMS))}")
    for claim, _, comparand in _tests(text):
        if claim not in claims:
            raise ValueError(f"of this issuer the claims {', '.join(sorted(claims))} can be compared")
        if not comparand:
            raise ValueError("there is nothing to compare with")


def fits_expression(text: str, claims: Mapping[str, Any]) -> bool:
    """Whether the claims of a token are what the expression wants, letter by letter."""
    return all(_fits(claims.get(claim), operator, comparand) for claim, operator, comparand in _tests(text))


def _tests(text: str) -> list[tuple[str, str, str]]:
    matches = [_TEST.fullmatch(part) for part in re.split(r" and (?=claims\[)", text)]
    tests = [(match[1], match[2], match[3]) for match in matches if match]
    if len(tests) < len(matches):
        raise ValueError("it is not of the form claims['sub'] matches 'text', joined by and")
    return tests


def _fits(value: Any, operator: str, comparand: str) -> bool:
    if not isinstance(value, str):
        return False
    return value == comparand if operator == "eq" else _like(value, comparand)


def _like(value: str, pattern: str) -> bool:
    """Each `*` takes as little as it can, and more where the rest does not fit then: no more steps than letters by letters."""
    at = place = 0
    star, taken = -1, 0
    while at < len(value):
        if place < len(pattern) and pattern[place] == "*":
            star, taken, place = place, at, place + 1
        elif place < len(pattern) and pattern[place] in {"?", value[at]}:
            at, place = at + 1, place + 1
        elif star >= 0:
            taken += 1
            at, place = taken, star + 1
        else:
            return False
    return not pattern[place:].strip("*")
