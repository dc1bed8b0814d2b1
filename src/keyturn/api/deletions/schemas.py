"""JSON of deletions: what they would stop, what they took, and what is restored."""

from typing import Annotated

from msgspec import Meta

from keyturn.api.rotations.consumer_views import ConsumedSecretShown
from keyturn.web.schema.validate import Trimmed, Uuid
from keyturn.web.schema.wire import ApiModel, Timestamp


class DeletePlace(ApiModel):
    """A project, or an environment or a folder of it.

    ``endSecretRotations``: the secret rotations that publish into it end, and what they made stays valid; without it such a
    place is not deleted.
    """

    project_id: Uuid
    environment_id: Uuid | None = None
    folder_id: Uuid | None = None
    end_secret_rotations: bool = False


class PreviewPlace(ApiModel):
    project_id: Uuid
    environment_id: Uuid | None = None
    folder_id: Uuid | None = None


class OfDeletions(ApiModel):
    project_id: Uuid | None = None


class RestorePlace(ApiModel):
    """``name``: a slug for a project or an environment, a name for a folder; absent: as it was called."""

    name: Annotated[Trimmed, Meta(max_length=64)] | None = None


class ValidCredential(ApiModel):
    key_id: str | None
    ends_at: Timestamp | None


class EndingSecretRotation(ApiModel):
    """``staysValid``: the application's secrets that programs may hold, which go on signing in until they end.

    ``consumers``: who uses each of them, and would not find the next one.
    """

    id: str
    name: str
    application_name: str
    environment: str
    secret_path: str
    stays_valid: list[ValidCredential]
    consumers: list[ConsumedSecretShown]


class PreviewAnswer(ApiModel):
    """``hidden`` is how many secret rotations the caller may not see. ``restorableUntil`` holds if it is deleted now."""

    folders: int
    secrets: int
    secret_rotations: list[EndingSecretRotation]
    hidden: int
    restorable_until: Timestamp


class DeletionShown(ApiModel):
    """``kind`` is ``project``, ``environment`` or ``folder``; ``environment`` and ``secretPath`` say where it was or is."""

    id: str
    kind: str
    subject_id: str
    project_id: str
    name: str
    environment: str | None
    secret_path: str | None
    deleted_by: str
    deleted_at: Timestamp
    restorable_until: Timestamp


class DeletionAnswer(ApiModel):
    deletion: DeletionShown


class DeletionList(ApiModel):
    deletions: list[DeletionShown]
