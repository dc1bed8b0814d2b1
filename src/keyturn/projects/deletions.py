"""What was deleted and can be restored for a while, as values."""

from datetime import datetime, timedelta
from enum import StrEnum

from keyturn.kit.dataclasses import dataclass

KEPT = timedelta(days=7)


class PlaceKind(StrEnum):
    """What can be deleted with all in it, and restored."""

    PROJECT = "project"
    ENVIRONMENT = "environment"
    FOLDER = "folder"


@dataclass(frozen=True)
class Deletion:
    """A deletion that can be taken back. ``environment`` (a slug) and ``path`` say where it was."""

    id: str
    org_id: str
    kind: PlaceKind
    subject_id: str
    project_id: str
    environment_id: str | None
    name: str
    environment: str | None
    path: str | None
    made_by_kind: str
    made_by_id: str | None
    made_by_name: str
    deleted_at: datetime

    @property
    def restorable_until(self) -> datetime:
        return self.deleted_at + KEPT
