"""The audit log for people: who did what, when, and to what, by names; found by what it is about, by whom and when."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from msgspec import Meta

from keyturn.accounts.service import Access
from keyturn.audit.checks import ChainChecks
from keyturn.audit.domain import StoredEvent, StreamState
from keyturn.audit.events import CATALOGUE
from keyturn.audit.export import WITHOUT_NAMES, as_csv, as_json_lines, subject_name
from keyturn.audit.service import AuditEvents, AuditSearch, AuditTrail
from keyturn.authz.domain import ORGANIZATION_ROLES, Action, permits
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.counting import counted
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import utc_of
from keyturn.web.html.forms import EMPTY
from keyturn.web.pages import BrowserContext, File, FormState, Page, PageResponse, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel

HERE = "/organization/audit-log"
Day = Annotated[Trimmed, Meta(max_length=10)]
AT_ONCE = 50
SUGGESTED = 200
_PATHS = {
    "app-connection": "/app-connections/{}",
    "secret-rotation": "/secret-rotations/{}",
    "identity": "/organization/identities/{}",
    "project": "/projects/{}/overview",
}


@dataclass(frozen=True)
class AuditLine:
    """One event. ``meaning`` says what it means, ``about`` finds all of its object, ``path`` is the object's page."""

    event: StoredEvent
    actor: str
    subject: str
    kind: str
    meaning: str
    about: str
    path: str
    data: str


@dataclass(frozen=True)
class AuditTrailPage(Page):
    template: ClassVar[str] = "audit/log.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "audit"

    lines: Sequence[AuditLine]
    query: "AuditFilterForm"
    problem: FormState
    """Why nothing could be looked for."""
    topics: Mapping[str, Sequence[tuple[str, str]]]
    """The events to choose from, by topic: name and meaning."""
    people: Sequence[str]
    objects: Sequence[str]
    filtered: bool
    older: str
    newest: str
    exports: Sequence[tuple[str, str]]
    last_verified: StoredEvent | None
    """The event of the last verification of the chain."""
    streams: Sequence[StreamState]


class AuditFilterForm(ApiModel, rename=None):
    """``about`` and ``by`` are names or ids, ``project`` is a slug: of now, or of then.

    ``since`` and ``until`` are days in the zone of the browser, both included.
    """

    event: Annotated[Trimmed, Meta(max_length=100)] = ""
    project_id: Annotated[Trimmed, Meta(max_length=64)] = ""
    project: Annotated[Trimmed, Meta(max_length=255)] = ""
    about: Annotated[Trimmed, Meta(max_length=256)] = ""
    by: Annotated[Trimmed, Meta(max_length=256)] = ""
    since: Day = ""
    until: Day = ""
    cursor: str = ""

    @property
    def chosen(self) -> dict[str, str]:
        """Return what was chosen, as it stands in an address."""
        fields = {
            name: getattr(self, name) for name in ("event", "project_id", "project", "about", "by", "since", "until")
        }
        return {name: str(value) for name, value in fields.items() if value}

    def search(self, zone: ZoneInfo) -> AuditSearch:
        return AuditSearch(
            event=self.event or None,
            project_id=self.project_id or None,
            project_slug=self.project or None,
            about=self.about or None,
            by=self.by or None,
            since=_midnight(self.since, zone, "since") if self.since else None,
            until=_midnight(self.until, zone, "until", days=1) if self.until else None,
        )


class ExportForm(AuditFilterForm, rename=None):
    format: Literal["csv", "jsonl"] = "csv"


def router(trail: AuditTrail, checks: ChainChecks, access: Access) -> Pages:
    """Return the page of the trail, for those who may read it, and its files."""

    @get(HERE)
    def show_log(actor: Actor, query: AuditFilterForm, visitor: BrowserContext) -> Page | PageResponse:
        try:
            found = trail.page(actor, limit=AT_ONCE, cursor=query.cursor or None, **query.search(visitor.zone))
        except Refused as refusal:
            return PageResponse(shown(actor, query, AuditEvents((), None), refusal), status=refusal.status)
        return shown(actor, query, found)

    def shown(
        actor: Actor, query: AuditFilterForm, found: AuditEvents, refusal: Refused | None = None
    ) -> AuditTrailPage:
        lines, chosen = [_line(event, found.names) for event in found.events], query.chosen
        older = f"{HERE}?{urlencode(chosen | {'cursor': found.cursor})}" if found.cursor else ""
        newest = (f"{HERE}?{urlencode(chosen)}" if chosen else HERE) if query.cursor else ""
        export = f"{HERE}/export?{urlencode(chosen)}&" if chosen else f"{HERE}/export?"
        return AuditTrailPage(
            lines,
            query,
            FormState(message=refusal.message, fix=refusal.fix) if refusal else EMPTY,
            _TOPICS,
            _people(actor, access),
            list(dict.fromkeys(line.subject for line in lines if line.subject not in WITHOUT_NAMES.values())),
            filtered=bool(chosen),
            older=older,
            newest=newest,
            exports=[("CSV", f"{export}format=csv"), ("JSON lines", f"{export}format=jsonl")],
            last_verified=checks.last(actor),
            streams=checks.streams(actor) if permits(ORGANIZATION_ROLES, actor.role, Action.READ_AUDIT_LOGS) else (),
        )

    @get(f"{HERE}/export")
    def export_log(actor: Actor, query: ExportForm, visitor: BrowserContext) -> File:
        """Send the newest matching events as a file, ten thousand at most."""
        found = trail.export(actor, **query.search(visitor.zone))
        headers = {
            "content-disposition": f'attachment; filename="audit-log.{query.format}"',
            "cache-control": "no-store",
        }
        if query.format == "csv":
            content = as_csv(found.events, found.names).encode("utf-8-sig")
            return File(content, "text/csv; charset=utf-8", headers)
        lines = as_json_lines(found.events, found.names)
        return File("".join(lines).encode(), "application/jsonl; charset=utf-8", headers)

    @post(f"{HERE}/verify")
    def verify_log(actor: Actor) -> Redirect:
        """Verify the hash chain of all events of the organization."""
        found = checks.verify(actor)
        if found.ok:
            return Redirect(HERE, f"{counted(found.events, 'event')} verified: none was changed, added or removed.")
        return Redirect(HERE, f"{counted(found.fault_count, 'fault')}: see the event verify audit events.")

    return group(show_log, export_log, verify_log)


def _topics() -> dict[str, list[tuple[str, str]]]:
    topics: dict[str, list[tuple[str, str]]] = {}
    for event in CATALOGUE.values():
        topics.setdefault(event.topic, []).append((event.name, event.meaning))
    return topics


_TOPICS = _topics()
_MEANINGS = {event.name: event.meaning for event in CATALOGUE.values()}


def _midnight(text: str, zone: ZoneInfo, field: str, days: int = 0) -> datetime:
    """Return when a day begins, or a later one. Raises Refused for what is no day."""
    try:
        return utc_of(datetime.combine(date.fromisoformat(text) + timedelta(days=days), time(), zone))
    except (ValueError, OverflowError):
        fix = "Write it as 2026-11-30."
        raise Refused(f"'{text}' is no day.", code="audit.day_invalid", fix=fix, field=field) from None


def _people(actor: Actor, access: Access) -> list[str]:
    """Return names of users and machine identities to choose from, some of them where there are many."""
    names = []
    if permits(ORGANIZATION_ROLES, actor.role, Action.READ_USERS):
        names += [email for _, email in access.users.addresses(actor, SUGGESTED)]
    if permits(ORGANIZATION_ROLES, actor.role, Action.READ_IDENTITIES):
        names += [identity.name for identity in access.identities.page(actor, "", 1, SUGGESTED)[0]]
    return names[:SUGGESTED]


def _line(event: StoredEvent, names: Mapping[str, str]) -> AuditLine:
    connection = event.data.get("connectionId") if event.subject_kind == "rotation" else None
    kind, about = ("app-connection", str(connection)) if connection else (event.subject_kind, event.subject_id)
    return AuditLine(
        event,
        event.actor_name or event.actor_kind,
        subject_name(event, names),
        event.subject_kind.replace("-", " "),
        _MEANINGS.get(event.name, ""),
        f"{HERE}?{urlencode({'about': about})}",
        _PATHS[kind].format(about) if kind in _PATHS and about in names else "",
        json.dumps(event.data, indent=2, ensure_ascii=False),
    )
