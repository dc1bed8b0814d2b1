"""What changed in a project, as values."""

from enum import StrEnum

from keyturn.kit.dataclasses import dataclass


class ChangeKind(StrEnum):
    """What happened. The text is what the feed holds."""

    SECRET_CREATED = "secret:create"
    SECRET_UPDATED = "secret:update"
    SECRET_DELETED = "secret:delete"
    FOLDER_CREATED = "folder:create"
    FOLDER_UPDATED = "folder:update"
    FOLDER_DELETED = "folder:delete"
    IMPORTS_CHANGED = "secret:import-mutation"
    ENVIRONMENT_CREATED = "environment:create"
    ENVIRONMENT_UPDATED = "environment:update"
    ENVIRONMENT_DELETED = "environment:delete"
    TAG_CREATED = "tag:create"
    TAG_UPDATED = "tag:update"
    TAG_DELETED = "tag:delete"


@dataclass(frozen=True)
class Change:
    """One write. It names a thing and never holds a value.

    ``owner_id`` is set for a personal value: nobody else is to learn of it. ``previous_name`` and ``previous_path`` are set for
    what was renamed. ``reason`` says why a rotation published a value, e.g. ``leaked``.
    """

    kind: ChangeKind
    subject_id: str
    environment: str | None = None
    path: str | None = None
    name: str | None = None
    version: int | None = None
    owner_id: str | None = None
    reason: str | None = None
    previous_name: str | None = None
    previous_path: str | None = None
