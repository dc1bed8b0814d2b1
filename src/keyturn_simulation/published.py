"""12: what secrets say that come from an application, what its journal says, and what the feed told, is one and the same."""

from collections.abc import Callable, Iterable
from typing import Any

_ROTATED = (
    " FROM mapped_secrets m JOIN secret_rotations s ON s.id = m.secret_rotation_id JOIN rotations r ON r.id = s.rotation_id"
    " LEFT JOIN credentials k ON k.rotation_id = r.id AND k.state = 'current' LEFT JOIN secrets x ON x.id = m.secret_id"
    " LEFT JOIN secret_versions v ON v.secret_id = x.id AND v.number = x.version"
    " WHERE m.which = 'clientSecret'"
)
_APART = (
    "SELECT m.name, k.marker, v.number"
    + _ROTATED
    + " AND (r.retired OR (k.id IS NULL) <> (x.id IS NULL) OR (k.id IS NOT NULL AND"
    " (v.credential_id IS NULL OR v.credential_id <> k.id OR k.value IS NULL)))"
)
"""Secrets whose current version is not the current row of the journal."""
_UNTOLD = (
    "SELECT m.name, v.number FROM mapped_secrets m JOIN secret_versions v ON v.secret_id = m.secret_id"
    " LEFT JOIN changes c ON c.subject_id = v.secret_id AND c.version = v.number WHERE c.revision IS NULL"
)
"""Versions of which the feed does not tell."""
_LEFT = (
    "SELECT a.app_id, a.use FROM application_claims a WHERE a.use = 'target'"
    " AND NOT EXISTS (SELECT 1 FROM rotations r WHERE lower(r.app_id) = a.app_id AND r.kind = 'application' AND NOT r.retired)"
)
_BOTH = (
    "SELECT r.name FROM rotations r JOIN app_connections c ON lower(c.client_id) = lower(r.app_id) AND c.cloud = r.cloud"
    " WHERE r.kind = 'application' AND NOT r.retired"
)
CURRENT = (
    "SELECT r.name, k.object_id, k.key_id FROM rotations r JOIN credentials k ON k.rotation_id = r.id AND k.state = 'current'"
    " WHERE r.kind = 'application' AND NOT r.retired"
)
"""What readers of secrets sign in with: name, application object id and key id."""


def problems(ask: Callable[[str], Iterable[Any]]) -> Iterable[str]:
    """Yield what is wrong by the tables alone; ``ask`` returns the rows of a query."""
    for name, marker, number in ask(_APART):
        yield f"12: version {number} of '{name}' is not the current credential of its journal, which is {marker!r}"
    for name, number in ask(_UNTOLD):
        yield f"12: the feed does not tell of version {number} of '{name}'"
    for app_id, use in ask(_LEFT):
        yield f"claims: {app_id} is kept as a {use}, and nothing rotates it"
    for (name,) in ask(_BOTH):
        yield f"claims: a connection signs in to the application of '{name}', whose readers could, too"
