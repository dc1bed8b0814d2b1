"""The pages that change how a connection signs in, and when its secret is rotated."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from msgspec import Meta

from keyturn.approvals.domain import ApprovalNeed
from keyturn.authz.domain import Action
from keyturn.connections.domain import Connection
from keyturn.connections.holders import Sharing
from keyturn.connections.switching import may_switch, method_named
from keyturn.errors import Forbidden, Invalid, KeyturnError, Refused
from keyturn.kit import zones
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.approval_forms import ApprovalFields, asked_instead
from keyturn.pages.connections.create import NOT_IN_FORMS, FormField, candidates_of, fields_of, key_fields, midnight_utc
from keyturn.pages.connections.forms import (
    ConnectionForm,
    ScheduleForm,
    credentials_of,
    form_state_of,
    read,
    schedule_json,
)
from keyturn.pages.connections.urls import ONE, ConnectionPages, PageOfPlace, PageScope, connection_path
from keyturn.ports.fields import AskedWhere, Field
from keyturn.ports.manifest import Manifest
from keyturn.ports.sign_in import SignInMethod
from keyturn.rotations.commands import ConnectionChange, ScheduleChange
from keyturn.rotations.domain import Rotation
from keyturn.rotations.history import History, preview_runs
from keyturn.rotations.run_schedule import ComingRun
from keyturn.rotations.schedule import WEEKDAYS, Schedule
from keyturn.web.html.forms import EMPTY
from keyturn.web.html.render import local
from keyturn.web.pages import BrowserContext, FormState, Outcome, PageResponse, PageRoute, Redirect, get, post
from keyturn.web.schema.wire import ApiModel

SHOWN_COMING = 5


@dataclass(frozen=True)
class CredentialsPage(PageOfPlace):
    template: ClassVar[str] = "connections/credentials.html"
    leaves_by: ClassVar[tuple[str, ...]] = ("https:",)

    connection: Connection
    manifest: Manifest
    method: SignInMethod
    """What the credentials are of: the connection's own, or one that it switches to by them."""
    others: Sequence[SignInMethod]
    """Those that the connection may switch to."""
    fields: Sequence[FormField]
    key_fields: Sequence[Field]
    rotating: bool
    form_state: FormState
    candidates: Sequence[Mapping[str, Any]]
    oauth: bool
    approval: ApprovalNeed


@dataclass(frozen=True)
class SchedulePage(PageOfPlace):
    template: ClassVar[str] = "connections/schedule.html"

    connection: Connection
    method: SignInMethod
    key_fields: Sequence[Field]
    enabled: bool
    known: bool
    schedule: Schedule
    at: str
    zones: Sequence[str]
    coming: Sequence[ComingRun]
    coming_zone: ZoneInfo
    form_state: FormState
    candidates: Sequence[Mapping[str, Any]]
    sharing: Sharing | None


# --- credentials ------------------------------------------------------------------------------------------------------


class CredentialsQuery(ApiModel, rename=None):
    """``method``: of which the credentials are; the connection's own if nothing is said, or one that it does not switch to."""

    method: Annotated[str, Meta(max_length=40)] = ""


def credentials_routes(pages: ConnectionPages) -> list[PageRoute]:
    @get(ONE + "/credentials")
    def edit_credentials(
        actor: Actor, connection_id: str, query: CredentialsQuery, form_state: FormState
    ) -> CredentialsPage:
        return _credentials_page(pages, actor, connection_id, query.method, form_state)

    @post(ONE + "/credentials", form_page=edit_credentials, types={"form": pages.forms.connection})
    def change_credentials(actor: Actor, connection_id: str, form: ConnectionForm) -> Outcome:
        connection = pages.connections.get(actor, connection_id)
        method, path = _chosen(pages, connection, form.method), connection_path(connection_id, "credentials")
        try:
            _require_typed(method)
            change = ConnectionChange(
                credentials=credentials_of(form, pages.forms.apps[connection.app], method),
                move_along=form.move_others_along,
                key_confirmed=form.confirm_key_id,
            )
            asked = asked_instead(
                pages.approvals,
                actor,
                ApprovalFields(approval_reason=form.approval_reason),
                lambda consent: pages.rotations.update(actor, connection_id, change, consent),
            )
        except NOT_IN_FORMS:
            raise
        except KeyturnError as error:
            state = form_state_of(path, form, error, method)
            page = _credentials_page(pages, actor, connection_id, form.method, state, candidates_of(error))
            return PageResponse(page, status=error.status)
        done = Redirect(connection_path(connection_id), toast=f"{connection.name} signs in with its new credentials.")
        return asked or done

    return [edit_credentials, change_credentials]


def _require_typed(method: SignInMethod) -> None:
    if method.browser:
        raise Refused(
            f"A connection by {method.label} has no credentials to type.",
            code="connections.method_fixed",
            fix="Reconnect it: sign in with the browser again.",
        )


def _credentials_page(
    pages: ConnectionPages,
    actor: Actor,
    connection_id: str,
    chosen: str,
    form_state: FormState,
    candidates: Sequence[Mapping[str, Any]] = (),
) -> CredentialsPage:
    rotation_history = pages.history.of(actor, connection_id)
    connection = rotation_history.connection
    scope, method = _editable(pages, actor, connection), _chosen(pages, connection, chosen)
    return CredentialsPage(
        place=scope,
        connection=connection,
        manifest=pages.providers.of(connection.app).manifest,
        method=method,
        others=[one for one in _choices(pages, connection) if one.key != connection.method],
        fields=[one for one in fields_of([method]) if one.field.asked is AskedWhere.CREDENTIALS],
        key_fields=key_fields(method),
        rotating=rotation_history.rotation is not None,
        form_state=form_state,
        candidates=candidates,
        oauth=pages.oauth,
        approval=pages.approvals.needed(actor, connection.project_id),
    )


def _choices(pages: ConnectionPages, connection: Connection) -> list[SignInMethod]:
    """Return the methods whose credentials the connection takes."""
    own = pages.providers.method_of(connection)
    return [one for one in pages.providers.of(connection.app).methods if may_switch(own, one)]


def _chosen(pages: ConnectionPages, connection: Connection, key: str) -> SignInMethod:
    """Return of which method the credentials are that are entered."""
    return method_named(key, pages.providers.method_of(connection), pages.providers.of(connection.app).methods)


def _editable(pages: ConnectionPages, actor: Actor, connection: Connection) -> PageScope:
    scope = pages.place(actor, connection.project_id)
    if Action.EDIT_CONNECTIONS.value not in scope.can:
        raise Forbidden(
            f"{actor.name} may not change connections of {scope.name}.",
            code="access.forbidden",
            fix="Ask an admin for the role that may.",
        )
    return scope


# --- schedule ---------------------------------------------------------------------------------------------------------


def schedule_routes(pages: ConnectionPages) -> list[PageRoute]:
    form_type = pages.forms.schedule

    @get(ONE + "/schedule", types={"query": form_type})
    def edit_schedule(
        actor: Actor, connection_id: str, query: ScheduleForm, visitor: BrowserContext, form_state: FormState
    ) -> SchedulePage:
        """The query is a form that is still being filled in: its next runs are shown, nothing is changed."""
        if query != form_type():
            form_state = _trying(pages, actor, connection_id, query)
        return _schedule_page(pages, actor, connection_id, visitor.zone, form_state)

    @post(ONE + "/schedule", form_page=edit_schedule, types={"form": form_type})
    def change_schedule(actor: Actor, connection_id: str, form: ScheduleForm, visitor: BrowserContext) -> Outcome:
        rotation_history = pages.history.of(actor, connection_id)
        try:
            change = _schedule_change_of(pages, rotation_history.connection, form)
            pages.rotations.update(actor, connection_id, _schedule_change(rotation_history, form, change))
        except NOT_IN_FORMS:
            raise
        except KeyturnError as error:
            form_state = form_state_of(connection_path(connection_id, "schedule"), form, error)
            page = _schedule_page(pages, actor, connection_id, visitor.zone, form_state, candidates_of(error))
            return PageResponse(page, status=error.status)
        toast = saved_schedule(
            rotation_history.rotation, pages.history.of(actor, connection_id).rotation, pages.clock.now()
        )
        return Redirect(connection_path(connection_id), toast=toast)

    return [edit_schedule, change_schedule]


def saved_schedule(before: Rotation | None, after: Rotation | None, now: datetime) -> str:
    """Say what came of saving a schedule: not only that it was saved."""
    if before is None or after is None:
        return "The schedule was saved, and the first rotation has begun."
    if not after.enabled:
        return "The schedule was saved, and the rotation is paused."
    due, again = after.due_at, "" if before.enabled else " It rotates again."
    if due is None or due <= now:
        return f"The schedule was saved, and a rotation begins now, since it is due.{again}"
    return f"The schedule was saved. The next rotation is on {local(due, zones.display_zone(after.schedule.time_zone))}.{again}"


def _schedule_change(rotation_history: History, form: ScheduleForm, change: ScheduleChange) -> ConnectionChange:
    if rotation_history.rotation is None and not form.is_auto_rotation_enabled:
        raise Invalid(
            [
                {
                    "code": "custom",
                    "message": "Switch it on to set up the rotation of this connection",
                    "path": ["isAutoRotationEnabled"],
                }
            ]
        )
    return ConnectionChange(enabled=form.is_auto_rotation_enabled, schedule=change, move_along=form.move_others_along)


def _schedule_change_of(pages: ConnectionPages, connection: Connection, form: ScheduleForm) -> ScheduleChange:
    settings = pages.forms.apps[connection.app].settings
    raw = schedule_json(form, pages.providers.method_of(connection))
    change: ScheduleChange = read(settings, raw).command()
    return change


def _trying(pages: ConnectionPages, actor: Actor, connection_id: str, query: ScheduleForm) -> FormState:
    try:
        _schedule_change_of(pages, pages.connections.get(actor, connection_id), query)
    except Invalid as error:
        return replace(form_state_of(connection_path(connection_id, "schedule"), query, error), message=None)
    return form_state_of(connection_path(connection_id, "schedule"), query)


def _schedule_page(
    pages: ConnectionPages,
    actor: Actor,
    connection_id: str,
    zone: ZoneInfo,
    form_state: FormState = EMPTY,
    candidates: Sequence[Mapping[str, Any]] = (),
) -> SchedulePage:
    rotation_history, now = pages.history.of(actor, connection_id), pages.clock.now()
    scope = _editable(pages, actor, rotation_history.connection)
    method = pages.providers.method_of(rotation_history.connection)
    base = rotation_history.rotation.schedule if rotation_history.rotation else _usual(now, zone)
    preview = _preview_schedule(pages, rotation_history.connection, form_state, base)
    return SchedulePage(
        place=scope,
        connection=rotation_history.connection,
        method=method,
        key_fields=key_fields(method),
        enabled=rotation_history.rotation.enabled if rotation_history.rotation else True,
        known=rotation_history.rotation is not None,
        schedule=base,
        at=f"{base.hour:02}:{base.minute:02}",
        zones=sorted(zones.names()),
        coming=preview_runs(rotation_history, preview, now, SHOWN_COMING) if preview else (),
        coming_zone=zones.display_zone((preview or base).time_zone),
        form_state=form_state,
        candidates=candidates,
        sharing=pages.overviews.sharing(actor, [rotation_history.connection]).get(connection_id),
    )


def _preview_schedule(
    pages: ConnectionPages, connection: Connection, form_state: FormState, base: Schedule
) -> Schedule | None:
    """Return the schedule that is in the form: None while it makes no sense, or is switched off."""
    if not form_state.sent:
        return base
    names = ("isAutoRotationEnabled", "rotationInterval", "rotateAt", "timeZone")
    on, days, at, zone = (form_state.value(name) for name in names)
    if on != "true":
        return None
    try:
        ticked = {day: form_state.value(day) == "true" for day in WEEKDAYS}
        shown = form_state.value("daysShown") == "true"
        form = ScheduleForm(rotation_interval=days, rotate_at=at, time_zone=zone, days_shown=shown, **ticked)
        return _schedule_change_of(pages, connection, form).on(base)
    except Invalid:
        return None


def _usual(now: datetime, zone: ZoneInfo) -> Schedule:
    hour, _, minute = midnight_utc(now, zone).partition(":")
    return Schedule(30, int(hour), int(minute), zone.key)
