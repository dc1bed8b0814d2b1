"""JSON of the audit trail."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from keyturn.web.schema.validate import coerced, trimmed
from keyturn.web.schema.wire import ApiModel, Timestamp


class AuditQuery(ApiModel):
    """``projectSlug``: of the project that has this slug; and of each that had it, what happened while it did.

    `about` and `by` are the id or the name of a thing, and of who did something to it. `endDate` itself does not count.
    """

    limit: Annotated[int, coerced, Meta(ge=1, le=1000)] = 100
    cursor: str | None = None
    event: str | None = None
    subject_id: str | None = None
    actor_id: str | None = None
    project_id: str | None = None
    project_slug: Annotated[str, Meta(max_length=255)] | None = None
    about: Annotated[str, trimmed, Meta(max_length=256)] | None = None
    by: Annotated[str, trimmed, Meta(max_length=256)] | None = None
    start_date: Annotated[datetime, Meta(tz=True)] | None = None
    end_date: Annotated[datetime, Meta(tz=True)] | None = None


class EventShown(ApiModel):
    type: str
    metadata: dict[str, object]


class ActorShown(ApiModel):
    type: str
    id: str | None
    name: str | None


class SubjectShown(ApiModel):
    type: str
    id: str


class AuditLog(ApiModel):
    id: str
    event: EventShown
    actor: ActorShown
    subject: SubjectShown
    project_id: str | None
    request_id: str | None
    created_at: Timestamp


class AuditPage(ApiModel):
    audit_logs: list[AuditLog]
    next_cursor: str | None


class VerificationRequest(ApiModel):
    anchor: Annotated[str, trimmed, Meta(max_length=200)] | None = None


class FaultShown(ApiModel):
    """``position`` is that in the chain, ``eventId`` the event's, as far as they are known."""

    message: str
    position: int | None
    event_id: str | None


class VerificationShown(ApiModel):
    """``events``: how many are as they were written. ``head`` is the anchor of the last link. At most 100 faults are listed."""

    ok: bool
    events: int
    head: str | None
    faults: list[FaultShown]
    fault_count: int


class HeadShown(ApiModel):
    anchor: str
    position: int
    hash: str


class StreamShown(ApiModel):
    """``receiver`` is file, syslog or webhook; ``behind``: how many events it has not got yet."""

    receiver: str
    behind: int
    sent_at: Timestamp | None
    failing_since: Timestamp | None
    reason: str | None


class StreamList(ApiModel):
    streams: list[StreamShown]
