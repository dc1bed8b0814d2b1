"""Which changes of a project concern an answer. Pure."""

from keyturn.changes.domain import Change, ChangeKind
from keyturn.kit.dataclasses import dataclass

_OF_SECRETS = frozenset({ChangeKind.SECRET_CREATED, ChangeKind.SECRET_UPDATED, ChangeKind.SECRET_DELETED})
LEAKED = "leaked"


@dataclass(frozen=True, slots=True)
class Concern:
    """What an answer was made of: the secrets of one folder, or (None) maybe all of the project.

    ``owner_id`` is whose personal values may be in it.
    """

    environment: str | None = None
    path: str | None = None
    owner_id: str | None = None

    def touched_by(self, change: Change) -> bool:
        """Say whether the change may make another answer. What is no write of a secret may."""
        if change.kind not in _OF_SECRETS:
            return True
        if change.owner_id is not None and change.owner_id != self.owner_id:
            return False
        if self.path is None or (change.environment, change.path) == (self.environment, self.path):
            return True
        # An import of a root that was not there before: nothing but its first secret tells of it.
        return change.kind is ChangeKind.SECRET_CREATED and change.path == "/"


def is_urgent(change: Change) -> bool:
    """Say whether those who wait are woken at once, all in one moment."""
    return change.reason == LEAKED
