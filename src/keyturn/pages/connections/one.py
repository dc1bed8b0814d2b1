"""The page of one connection: status, time line of its secrets, next runs, history, and what can be done with it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from keyturn.audit.domain import Recorded
from keyturn.connections.domain import Connection
from keyturn.connections.holders import Sharing
from keyturn.connections.trial import Trial
from keyturn.credentials.domain import State
from keyturn.kit import zones
from keyturn.kit.actor import Actor
from keyturn.pages.connections.badges import Badge, badges, credential_refused, refusal_title, sign_in_refused, without
from keyturn.pages.connections.places import ONE, PageOfPlace, Place, Shelf, method_label
from keyturn.pages.connections.runs import Drift, RunLine, drift, run_line, said_once
from keyturn.pages.connections.timeline import Secret, TimeLine, draw, refused, secrets_of
from keyturn.providers.azure.manifest import MANIFEST
from keyturn.providers.manifest import Manifest
from keyturn.rotations.domain import Rotation
from keyturn.rotations.history import History, early_end, history
from keyturn.web.html.forms import EMPTY
from keyturn.web.pages import Filled, Route, Visitor, get

SHOWN_COMING = 5
SHOWN_EVENTS = 12
_LIVING = frozenset({"current", "retiring", "pending"})


@dataclass(frozen=True)
class ConnectionPage(PageOfPlace):
    template: ClassVar[str] = "connections/one.html"
    leaves_by: ClassVar[tuple[str, ...]] = ("https:",)

    connection: Connection
    manifest: Manifest
    method: str
    rotates: bool
    rotation: Rotation | None
    badges: Sequence[Badge]
    line: TimeLine
    living: Sequence[Secret]
    coming: Sequence[datetime]
    early: datetime | None
    """The end of the current secret, where it makes the next rotation earlier than the schedule says."""
    schedule_zone: ZoneInfo
    runs: Sequence[RunLine]
    drift: Sequence[Drift]
    events: Sequence[Recorded] | None
    busy: bool
    refusal_title: str
    check_failed: Mapping[str, Any]
    """The last check where it failed without being a refusal, unless a test that is shown says it already."""
    refusal_told: bool
    """Whether a test that is shown says it already."""
    needs_credential: bool
    ends_at: datetime | None
    trial: Trial | None
    filled: Filled
    sharing: Sharing | None


def routes(shelf: Shelf) -> tuple[Route, list[Route]]:
    """Return the route of the page, which refused forms are shown on again, and all routes."""

    @get(ONE)
    def show_connection(actor: Actor, connection_id: str, visitor: Visitor, filled: Filled) -> ConnectionPage:
        return show(shelf, actor, connection_id, visitor.zone, filled)

    return show_connection, [show_connection]


def show(
    shelf: Shelf,
    actor: Actor,
    connection_id: str,
    zone: ZoneInfo,
    filled: Filled = EMPTY,
    trial: Trial | None = None,
) -> ConnectionPage:
    """Return the page as the actor may see it. Raises NotFound or Forbidden."""
    known, now = history(shelf.connections, actor, connection_id), shelf.clock.now()
    connection, rotation = known.connection, known.rotation
    place = shelf.place(actor, connection.project_id)
    secrets = secrets_of(known.credentials, known.foreign)
    line = draw(refused(secrets) if sign_in_refused(connection) else secrets, now, zone)
    ends_at = known.current.ends_at if known.current else None
    tested = {check.message for check in trial.checks if not check.ok} if trial else set()
    refusal = str((connection.refusal or {}).get("message") or "")
    check = _check_failed(connection, tested)
    above = {*tested, refusal, str(check.get("message") or "")}
    runs = said_once([run_line(run, steps, now) for run, steps in known.runs], above)
    marks = badges(connection, rotation, known.active, ends_at, now)
    return ConnectionPage(
        place=place,
        connection=connection,
        manifest=MANIFEST,
        method=method_label(connection.method.value),
        rotates=MANIFEST.method(connection.method.value).rotates,
        rotation=rotation,
        badges=without(marks, {*above, *(run.failure for run in runs)}),
        line=line,
        living=[one for one in line.secrets if one.kind in _LIVING],
        coming=known.coming(SHOWN_COMING, now),
        early=early_end(known, rotation.schedule, now) if rotation else None,
        schedule_zone=zones.shown(rotation.schedule.time_zone) if rotation else zone,
        runs=runs,
        drift=[drift(event) for event in known.drift],
        events=_events(shelf, actor, place, known),
        busy=_busy(known),
        needs_credential=credential_refused(connection),
        check_failed=check,
        refusal_told=refusal in tested,
        refusal_title=refusal_title(connection) if connection.refused_at else "",
        ends_at=ends_at,
        trial=trial,
        filled=filled,
        sharing=shelf.rotations.sharing(actor, [connection]).get(connection.id),
    )


def _check_failed(connection: Connection, tested: Collection[str]) -> Mapping[str, Any]:
    said = connection.check_result or {}
    alone = said.get("ok") is False and connection.refused_at is None and said.get("message") not in tested
    return said if alone else {}


def _busy(known: History) -> bool:
    removing = any(row.state in {State.REVOKING, State.LOST} for row in known.credentials)
    return removing or known.active is not None


def _events(shelf: Shelf, actor: Actor, place: Place, known: History) -> list[Recorded] | None:
    """Return the newest audit events of the connection and of its rotation; None for who may not read them."""
    if "read-audit-logs" not in place.can:
        return None
    subjects = [known.connection.id, *([known.rotation.id] if known.rotation else [])]
    found = [
        event
        for subject in subjects
        for event in shelf.trail.page(actor, limit=SHOWN_EVENTS, project_id=place.project_id, subject_id=subject).events
    ]
    return sorted(found, key=lambda event: event.id, reverse=True)[:SHOWN_EVENTS]
