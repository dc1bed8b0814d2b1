"""Routes of the audit trail."""

from keyturn.api.audit.schemas import (
    ActorShown,
    AuditLog,
    AuditPage,
    AuditQuery,
    EventShown,
    FaultShown,
    HeadShown,
    StreamList,
    StreamShown,
    SubjectShown,
    VerificationRequest,
    VerificationShown,
)
from keyturn.audit.checks import ChainChecks
from keyturn.audit.domain import StoredEvent, StreamState
from keyturn.audit.service import AuditTrail
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.web.routes import Routes, get, group, post


def router(trail: AuditTrail, checks: ChainChecks) -> Routes:
    """Routes for those who may read the trail."""

    @get("/api/v1/organization/audit-logs", compressed=True)
    def list_events(actor: Actor, query: AuditQuery) -> AuditPage:
        """List audit events, newest first.

        Admins of the organization see all events, admins of a project those with its `projectId`, or with its slug as
        `projectSlug`: that names the project that has it, and each that had it, from the time when it did, so that one that was
        renamed or deleted is found by its former slug, too. `nextCursor`, given back as `cursor`, continues with older events; it
        is null on the last page. `about` finds all of an app connection or a secret rotation, with the rotation of its
        application. What names nothing is refused; for `event` the `details` list `validValues`.
        """
        page = trail.page(
            actor,
            limit=query.limit,
            cursor=query.cursor,
            project_id=query.project_id,
            event=query.event,
            subject_id=query.subject_id,
            actor_id=query.actor_id,
            project_slug=query.project_slug or None,
            about=query.about,
            by=query.by,
            since=query.start_date,
            until=query.end_date,
        )
        return AuditPage([_shown(event) for event in page.events], page.cursor)

    @post("/api/v1/organization/audit-logs/verify")
    def verify_events(actor: Actor, data: VerificationRequest) -> VerificationShown:
        """Verify the hash chain of the organization's events.

        Each event that was changed, added or removed in the database itself is found. `anchor` is an earlier answer of
        `GET .../audit-logs/head`, kept elsewhere: that the newest events were cut off, by putting back an older copy of the
        database, shows only with one. What is found is an audit event, too.
        """
        found = checks.verify(actor, data.anchor or None)
        faults = [FaultShown(each.message, each.position, _text(each.event_id)) for each in found.faults]
        head = str(found.head.anchor) if found.head else None
        return VerificationShown(found.ok, found.events, head, faults, found.fault_count)

    @get("/api/v1/organization/audit-logs/head")
    def show_head(actor: Actor) -> HeadShown:
        """Show the last link of the hash chain of the organization's events: an anchor, to be kept elsewhere."""
        anchor = checks.head(actor)
        return HeadShown(str(anchor), anchor.position, anchor.hash)

    @get("/api/v1/organization/audit-logs/streams")
    def list_streams(actor: Actor) -> StreamList:
        """Show where this server sends all audit events: how many each receiver has not got yet, and since when it fails."""
        return StreamList([_stream(state) for state in checks.streams(actor)])

    return group("Audit trail", list_events, verify_events, show_head, list_streams)


def _stream(state: StreamState) -> StreamShown:
    sent, failing = (None if moment is None else iso(moment) for moment in (state.sent_at, state.failing_since))
    return StreamShown(state.id, state.behind, sent, failing, state.reason)


def _text(event_id: int | None) -> str | None:
    return None if event_id is None else str(event_id)


def _shown(event: StoredEvent) -> AuditLog:
    return AuditLog(
        id=str(event.id),
        event=EventShown(event.name, event.data),
        actor=ActorShown(event.actor_kind, event.actor_id, event.actor_name),
        subject=SubjectShown(event.subject_kind, event.subject_id),
        project_id=event.project_id,
        request_id=event.request_id,
        created_at=iso(event.at),
    )
