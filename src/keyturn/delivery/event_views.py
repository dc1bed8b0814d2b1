"""What somebody is told of a change: what they asked for, as far as their rights let them know of it. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from keyturn.authz.domain import Action
from keyturn.authz.permissions import Grants, Scope
from keyturn.changes.domain import Change, ChangeKind
from keyturn.kit.dataclasses import dataclass

_FOLDERS = frozenset({ChangeKind.FOLDER_CREATED, ChangeKind.FOLDER_UPDATED, ChangeKind.FOLDER_DELETED})
_ACTIONS = {
    ChangeKind.SECRET_CREATED: Action.DESCRIBE_SECRETS,
    ChangeKind.SECRET_UPDATED: Action.DESCRIBE_SECRETS,
    ChangeKind.SECRET_DELETED: Action.DESCRIBE_SECRETS,
    ChangeKind.FOLDER_CREATED: Action.READ_FOLDERS,
    ChangeKind.FOLDER_UPDATED: Action.READ_FOLDERS,
    ChangeKind.FOLDER_DELETED: Action.READ_FOLDERS,
    ChangeKind.IMPORTS_CHANGED: Action.DESCRIBE_SECRETS,
    ChangeKind.ENVIRONMENT_CREATED: Action.READ_PROJECT,
    ChangeKind.ENVIRONMENT_UPDATED: Action.READ_PROJECT,
    ChangeKind.ENVIRONMENT_DELETED: Action.READ_PROJECT,
    ChangeKind.TAG_CREATED: Action.READ_TAGS,
    ChangeKind.TAG_UPDATED: Action.READ_TAGS,
    ChangeKind.TAG_DELETED: Action.READ_TAGS,
}


@dataclass(frozen=True)
class Interest:
    """Which changes somebody asks for. None and no kinds: all; ``recursive``: of the folders below the path as well."""

    environment: str | None = None
    path: str | None = None
    recursive: bool = False
    kinds: frozenset[ChangeKind] = frozenset()

    def covers(self, change: Change) -> bool:
        if self.kinds and change.kind not in self.kinds:
            return False
        if None not in {self.environment, change.environment} and self.environment != change.environment:
            return False
        paths = [path for path in (change.path, change.previous_path) if path is not None]
        if self.path is None or not paths:
            return True
        # Whoever asks for a folder asks for what becomes of those above it.
        return any(self._at(path) or (change.kind in _FOLDERS and is_below(self.path, path)) for path in paths)

    def _at(self, path: str) -> bool:
        return is_below(path, self.path or "/") if self.recursive else path == self.path


def is_below(path: str, folder: str) -> bool:
    """Say whether the path is the folder or below it."""
    return folder in {"/", path} or path.startswith(f"{folder}/")


def visible_change(
    change: Change, grants: Grants, org_id: str, project_id: str, owner_id: str | None, interests: Iterable[Interest]
) -> Change | None:
    """Return the change as far as somebody with these rights may know of it; None when they may know nothing.

    Of a folder that moved to where they see nothing they learn that it is gone; of one that came from there, not where from.
    """
    if change.owner_id is not None and change.owner_id != owner_id:
        return None
    if not any(interest.covers(change) for interest in interests):
        return None
    action = _ACTIONS[change.kind]

    def sees(path: str | None) -> bool:
        placed = action is not Action.READ_PROJECT and action is not Action.READ_TAGS
        scope = Scope(org_id, project_id, change.environment, path) if placed else Scope(org_id, project_id)
        return grants.allow(action, scope)

    now = sees(change.path)
    before = change.previous_path is not None and sees(change.previous_path)
    if now:
        return (
            change
            if before or change.previous_path is None
            else replace(change, previous_path=None, previous_name=None)
        )
    if not before:
        return None
    gone = replace(change, kind=ChangeKind.FOLDER_DELETED, path=change.previous_path, name=change.previous_name)
    return replace(gone, previous_path=None, previous_name=None)
