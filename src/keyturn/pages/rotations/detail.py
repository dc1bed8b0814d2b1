"""The page of one secret rotation: status, time line of the application's secrets, next runs, history, and what can be done."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from zoneinfo import ZoneInfo

from keyturn.approvals.domain import ApprovalNeed
from keyturn.audit.domain import StoredEvent
from keyturn.credentials.domain import Credential
from keyturn.kit import zones
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.connections.badges import Badge, without
from keyturn.pages.connections.live import LiveRoute
from keyturn.pages.connections.runs import Drift, RunLine, drift, run_line, said_once
from keyturn.pages.connections.timeline import TimeLine, draw, secrets_of
from keyturn.pages.consumers import UsedSecret, name_of, used_secrets
from keyturn.pages.project_header import ProjectHeader
from keyturn.pages.rotations.listing import badges_of
from keyturn.pages.rotations.urls import ONE, PageOfRotations, RotationPages
from keyturn.rotations.freezes.domain import Freeze, freeze_at
from keyturn.rotations.run_schedule import ComingRun
from keyturn.rotations.secret_rotations.consumers import LONGEST_CONTINUOUS_TOKEN, LONGEST_TOKEN
from keyturn.rotations.secret_rotations.domain import SecretRotationView, SharedWith
from keyturn.rotations.secret_rotations.history import usable_until
from keyturn.rotations.secret_rotations.kept_value import KeptValue, value_after
from keyturn.rotations.secret_rotations.signer_health import SignerHealth, signer_health
from keyturn.web.edge import Endpoint
from keyturn.web.html.forms import EMPTY
from keyturn.web.pages import BrowserContext, FormState, PageRoute, get

SHOWN_COMING = 5
SHOWN_EVENTS = 12


@dataclass(frozen=True)
class LivingSecret:
    """A secret that signs in, and until when who holds it can rely on it; None: it is being removed."""

    credential: Credential
    name: str
    usable_until: datetime | None


@dataclass(frozen=True)
class RotationPage(PageOfRotations):
    template: ClassVar[str] = "rotations/one.html"
    compressed: ClassVar[bool] = True

    view: SecretRotationView
    signer: SignerHealth
    badges: Sequence[Badge]
    line: TimeLine
    living: Sequence[LivingSecret]
    consumed: Sequence[UsedSecret]
    used_after_removal: Sequence[UsedSecret]
    kept: KeptValue | None
    """What its two secrets keep if it is deleted and they are not."""
    token_ends_at: datetime
    """Until when access tokens of this moment live at most, and those of programs with continuous access evaluation."""
    continuous_token_ends_at: datetime
    coming: Sequence[ComingRun]
    frozen: Freeze | None
    """The freeze that it is now."""
    approval: ApprovalNeed
    schedule_zone: ZoneInfo
    runs: Sequence[RunLine]
    drift: Sequence[Drift]
    events: Sequence[StoredEvent] | None
    busy: bool
    shared_with: SharedWith
    """What else a leak ends the promises of."""
    form_state: FormState


def routes(pages: RotationPages) -> tuple[PageRoute, list[Endpoint]]:
    """Return the route of the page, which refused forms are shown on again, and all routes."""

    @get(ONE)
    def show_rotation(
        actor: Actor, rotation_id: str, visitor: BrowserContext, form_state: FormState = EMPTY
    ) -> RotationPage:
        return _page(pages, actor, rotation_id, visitor.zone, form_state)

    return show_rotation, [show_rotation, LiveRoute(f"{ONE}/events", pages.history.progress)]


def _page(pages: RotationPages, actor: Actor, rotation_id: str, zone: ZoneInfo, form_state: FormState) -> RotationPage:
    (view, history), now = pages.history.of(actor, rotation_id), pages.clock.now()
    project = pages.project(actor, view.secret_rotation.project_id)
    service = pages.providers.of(view.connection.app).manifest.service
    lines = [run_line(run, steps, service, now, first="First secret") for run, steps in history.runs]
    signer, shared_with = signer_health(view, now), pages.rotations.shared_with(actor, rotation_id)
    runs = said_once(lines, {signer.message} if signer.message else ())
    return RotationPage(
        project=project,
        view=view,
        signer=signer,
        badges=without(badges_of(view, now), {signer.message or "", *(run.failure for run in runs)}),
        line=draw(secrets_of(history.credentials, history.foreign), now, zone),
        living=_living(view, history.credentials, now),
        consumed=used_secrets(pages.consumers.of(actor, rotation_id)[1]),
        used_after_removal=used_secrets(pages.consumers.after_removal(actor, rotation_id)),
        kept=value_after(view.current, view.rotation, now, revoked=False, goes_on=shared_with.count > 0),
        token_ends_at=now + LONGEST_TOKEN,
        continuous_token_ends_at=now + LONGEST_CONTINUOUS_TOKEN,
        coming=history.coming(SHOWN_COMING, now) if view.secret_rotation.enabled else (),
        frozen=freeze_at(view.windows, now),
        approval=pages.approvals.needed(actor, project.id),
        schedule_zone=zones.display_zone(view.rotation.schedule.time_zone),
        runs=runs,
        drift=[drift(event) for event in history.drift],
        events=_events(pages, actor, project, view),
        busy=history.busy,
        shared_with=shared_with,
        form_state=form_state,
    )


def _living(view: SecretRotationView, rows: Sequence[Credential], now: datetime) -> list[LivingSecret]:
    """Return the secrets that readers may hold, the newest first."""
    living = [row for row in rows if row.published_at and row.ended_at is None and not row.vanished]
    return [LivingSecret(row, name_of(row), usable_until(row, view.rotation, now)) for row in living]


def _events(
    pages: RotationPages, actor: Actor, project: ProjectHeader, view: SecretRotationView
) -> list[StoredEvent] | None:
    """Return the newest audit events of it and of the application's rotation; None for who may not read them."""
    if "read-audit-logs" not in project.can:
        return None
    return list(pages.trail.of_thing(actor, view.secret_rotation.id, project.id, SHOWN_EVENTS))
