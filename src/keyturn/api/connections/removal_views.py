"""JSON about credentials that are being removed after their connection was deleted."""

from datetime import datetime

from keyturn.kit.clock import iso
from keyturn.rotations.removals import Removal, RemovalItem
from keyturn.web.schema.wire import ApiModel, Timestamp


class RemovedCredential(ApiModel):
    """``stage``: ``waiting``, ``resolving``, ``removing``, ``confirming``, ``refused``; or ``removed``, ``never-made``, ``kept``,
    ``unreadable``. ``nextAt`` is when it goes on, where that is put off; ``message`` is why it was refused, and what to do.
    """

    id: str
    key_id: str | None
    display_name: str
    hint: str | None
    stage: str
    tries: int
    next_at: Timestamp | None
    ends_at: Timestamp | None
    removed_at: Timestamp | None
    message: str | None


class RemovalShown(ApiModel):
    """``connectionName`` is that of the connection that was deleted."""

    id: str
    connection_name: str
    project_id: str | None
    application_name: str
    client_id: str
    is_done: bool
    credentials: list[RemovedCredential]


class RemovalList(ApiModel):
    removals: list[RemovalShown]


class RemovalAnswer(ApiModel):
    removal: RemovalShown


def removal(the_removal: Removal) -> RemovalShown:
    rotation = the_removal.rotation
    return RemovalShown(
        id=rotation.id,
        connection_name=rotation.name,
        project_id=rotation.project_id,
        application_name=rotation.application_name,
        client_id=rotation.app_id,
        is_done=the_removal.left == 0,
        credentials=[_credential(item) for item in the_removal.items],
    )


def _credential(item: RemovalItem) -> RemovedCredential:
    row = item.credential
    return RemovedCredential(
        id=row.id,
        key_id=row.key_id,
        display_name=row.marker,
        hint=row.hint,
        stage=item.stage.value,
        tries=row.tries,
        next_at=_at(item.until),
        ends_at=_at(row.ends_at),
        removed_at=None if item.left else _at(row.ended_at),
        message=item.message or None,
    )


def _at(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None
