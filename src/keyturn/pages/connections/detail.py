"""The page of one connection: status, time line of its secrets, next runs, history, and what can be done with it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from msgspec import Meta

from keyturn.approvals.domain import ApprovalNeed
from keyturn.audit.domain import StoredEvent
from keyturn.connections.connection_test import ConnectionTest
from keyturn.connections.domain import Connection
from keyturn.connections.health import readable
from keyturn.connections.holders import Sharing
from keyturn.kit import zones
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.connections.badges import Badge, badges, credential_refused, refusal_title, sign_in_refused, without
from keyturn.pages.connections.runs import Drift, RunLine, drift, run_line, said_once
from keyturn.pages.connections.timeline import Secret, TimeLine, draw, refuse_current, secrets_of
from keyturn.pages.connections.urls import ONE, ConnectionPages, PageOfPlace, PageScope
from keyturn.ports.manifest import Manifest
from keyturn.ports.sign_in import SignInMethod
from keyturn.rotations.conversion.domain import Conversion
from keyturn.rotations.domain import Rotation
from keyturn.rotations.freezes.domain import Freeze, freeze_at
from keyturn.rotations.history import SHOWN_RUNS, History
from keyturn.rotations.run_schedule import ComingRun, replaced_in_time
from keyturn.rotations.secret_rotations.domain import RotatedThrough
from keyturn.web.html.forms import EMPTY
from keyturn.web.pages import BrowserContext, FormState, PageRoute, get
from keyturn.web.schema.wire import ApiModel

SHOWN_COMING = 5
MORE_RUNS, MOST_RUNS = 40, 500
SHOWN_EVENTS = 12
_LIVING = frozenset({"current", "retiring", "pending"})


@dataclass(frozen=True)
class ConnectionPage(PageOfPlace):
    template: ClassVar[str] = "connections/one.html"
    compressed: ClassVar[bool] = True
    leaves_by: ClassVar[tuple[str, ...]] = ("https:",)

    connection: Connection
    manifest: Manifest
    method: SignInMethod
    rotates: bool
    rotation: Rotation | None
    badges: Sequence[Badge]
    line: TimeLine
    living: Sequence[Secret]
    coming: Sequence[ComingRun]
    frozen: Freeze | None
    """The freeze that it is now."""
    approval: ApprovalNeed
    schedule_zone: ZoneInfo
    runs: Sequence[RunLine]
    shown_runs: int
    more_runs: int
    """How many are shown next; 0: these are all, or as many as are ever shown."""
    drift: Sequence[Drift]
    events: Sequence[StoredEvent] | None
    busy: bool
    refusal_title: str
    check_failed: Mapping[str, Any]
    """The last check where it failed without being a refusal, unless a test that is shown says it already."""
    refusal_told: bool
    """Whether a test that is shown says it already."""
    needs_credential: bool
    ends_at: datetime | None
    replaced: bool
    """Whether what ends is replaced by itself, in time."""
    trial: ConnectionTest | None
    form_state: FormState
    sharing: Sharing | None
    rotated: RotatedThrough
    conversion: Conversion | None
    """On its way to sign in without a secret, as long as that is under way."""
    rests: bool
    """Whether its rotation rests because of that."""
    reads_tenant: bool
    """Whether the inventory of its tenant is switched on for it."""


class RunsQuery(ApiModel, rename=None):
    """``runs``: how many of them are shown."""

    runs: Annotated[int, Meta(ge=SHOWN_RUNS, le=MOST_RUNS)] = SHOWN_RUNS


def routes(pages: ConnectionPages) -> tuple[PageRoute, list[PageRoute]]:
    """Return the route of the page, which refused forms are shown on again, and all routes."""

    @get(ONE)
    def show_connection(
        actor: Actor, connection_id: str, query: RunsQuery, visitor: BrowserContext, form_state: FormState
    ) -> ConnectionPage:
        return show(pages, actor, connection_id, visitor.zone, form_state, shown=query.runs)

    return show_connection, [show_connection]


def show(
    pages: ConnectionPages,
    actor: Actor,
    connection_id: str,
    zone: ZoneInfo,
    form_state: FormState = EMPTY,
    trial: ConnectionTest | None = None,
    shown: int = SHOWN_RUNS,
) -> ConnectionPage:
    """Return the page as the actor may see it. Raises NotFound or Forbidden."""
    rotation_history, now = pages.history.of(actor, connection_id, shown + 1), pages.clock.now()
    conversion = pages.conversions.newest(actor, connection_id)
    connection = readable(rotation_history.connection, pages.providers)
    rotation = rotation_history.rotation
    scope = pages.place(actor, connection.project_id)
    provider, method = pages.providers.for_display(connection)
    secrets = secrets_of(rotation_history.credentials, rotation_history.foreign)
    line = draw(refuse_current(secrets) if sign_in_refused(connection) else secrets, now, zone)
    ends_at = rotation_history.current.ends_at if rotation_history.current else None
    failures = {check.message for check in trial.checks if not check.ok} if trial else set()
    refusal = str((connection.refusal or {}).get("message") or "")
    check = _check_result(connection, failures)
    above = {*failures, refusal, str(check.get("message") or "")}
    runs = said_once(
        [run_line(run, steps, provider.manifest.service, now) for run, steps in rotation_history.runs[:shown]], above
    )
    rests = conversion is not None and conversion.rests
    marks = badges(connection, provider.manifest.service, None if rests else rotation_history.state, now)
    return ConnectionPage(
        place=scope,
        connection=connection,
        manifest=provider.manifest,
        method=method,
        rotates=method.kind() is not None,
        rotation=rotation,
        badges=without(marks, {*above, *(run.failure for run in runs)}),
        line=line,
        living=[secret for secret in line.secrets if secret.kind in _LIVING],
        coming=rotation_history.coming(SHOWN_COMING, now),
        frozen=freeze_at(rotation_history.windows, now),
        approval=pages.approvals.needed(actor, connection.project_id),
        schedule_zone=zones.display_zone(rotation.schedule.time_zone) if rotation else zone,
        runs=runs,
        shown_runs=shown,
        more_runs=min(shown + MORE_RUNS, MOST_RUNS) if len(rotation_history.runs) > shown < MOST_RUNS else 0,
        drift=[drift(event) for event in rotation_history.drift],
        events=_events(pages, actor, scope, rotation_history),
        busy=rotation_history.busy,
        needs_credential=credential_refused(connection),
        check_failed=check,
        refusal_told=refusal in failures,
        refusal_title=refusal_title(connection, provider.manifest.service) if connection.refused_at else "",
        ends_at=ends_at or connection.credential_ends_at,
        replaced=rotation_history.state is not None and replaced_in_time(rotation_history.state, now),
        trial=trial,
        form_state=form_state,
        sharing=pages.overviews.sharing(actor, [connection]).get(connection.id),
        rotated=pages.overviews.rotated_through(actor, connection),
        conversion=conversion if conversion and conversion.under_way else None,
        rests=rests,
        reads_tenant=pages.inventories.is_on(actor, connection_id),
    )


def _check_result(connection: Connection, failures: Collection[str]) -> Mapping[str, Any]:
    result = connection.check_result or {}
    alone = result.get("ok") is False and connection.refused_at is None and result.get("message") not in failures
    return result if alone else {}


def _events(
    pages: ConnectionPages, actor: Actor, scope: PageScope, rotation_history: History
) -> list[StoredEvent] | None:
    """Return the newest audit events of the connection and of its rotation; None for who may not read them."""
    if "read-audit-logs" not in scope.can:
        return None
    return list(pages.trail.of_thing(actor, rotation_history.connection.id, scope.project_id, SHOWN_EVENTS))
