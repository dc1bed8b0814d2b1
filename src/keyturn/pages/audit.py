"""The audit log for people: who did what, when, and to what, by names; found by what it is about, by whom and when."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from msgspec import Meta

from keyturn.accounts.service import Access
from keyturn.audit.domain import StoredEvent
from keyturn.audit.events import CATALOGUE
from keyturn.audit.service import AuditEvents, AuditSearch, AuditTrail
from keyturn.authz.domain import ORGANIZATION_ROLES, Action, permits
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.kit.moments import utc_of
from keyturn.kit.spreadsheet import rows_as_csv
from keyturn.web.pages import BrowserContext, File, Page, Pages, get, group
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
_WITHOUT_NAMES = {"organization": "the organization", "rotation": "a rotation", "secret-folder": "a folder"}
_COLUMNS = (
    *("createdAt", "event", "actorType", "actorId", "actor"),
    *("subjectType", "subjectId", "subject", "projectId", "requestId", "facts"),
)


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
    topics: Mapping[str, Sequence[tuple[str, str]]]
    """The events to choose from, by topic: name and meaning."""
    people: Sequence[str]
    objects: Sequence[str]
    filtered: bool
    older: str
    newest: str
    exports: Sequence[tuple[str, str]]


class AuditFilterForm(ApiModel, rename=None):
    """``about`` and ``by`` are names or ids. ``since`` and ``until`` are days in the zone of the browser, both included."""

    event: Annotated[Trimmed, Meta(max_length=100)] = ""
    project_id: Annotated[Trimmed, Meta(max_length=64)] = ""
    about: Annotated[Trimmed, Meta(max_length=256)] = ""
    by: Annotated[Trimmed, Meta(max_length=256)] = ""
    since: Day = ""
    until: Day = ""
    cursor: str = ""

    @property
    def chosen(self) -> dict[str, str]:
        """Return what was chosen, as it stands in an address."""
        fields = {name: getattr(self, name) for name in ("event", "project_id", "about", "by", "since", "until")}
        return {name: str(value) for name, value in fields.items() if value}

    def search(self, zone: ZoneInfo) -> AuditSearch:
        return AuditSearch(
            event=self.event or None,
            project_id=self.project_id or None,
            about=self.about or None,
            by=self.by or None,
            since=_midnight(self.since, zone, "since") if self.since else None,
            until=_midnight(self.until, zone, "until", days=1) if self.until else None,
        )


class ExportForm(AuditFilterForm, rename=None):
    format: Literal["csv", "jsonl"] = "csv"


def router(trail: AuditTrail, access: Access) -> Pages:
    """Return the page of the trail, for those who may read it, and its files."""

    @get(HERE)
    def show_log(actor: Actor, query: AuditFilterForm, visitor: BrowserContext) -> AuditTrailPage:
        found = trail.page(actor, limit=AT_ONCE, cursor=query.cursor or None, **query.search(visitor.zone))
        lines, chosen = [_line(event, found.names) for event in found.events], query.chosen
        older = f"{HERE}?{urlencode(chosen | {'cursor': found.cursor})}" if found.cursor else ""
        newest = (f"{HERE}?{urlencode(chosen)}" if chosen else HERE) if query.cursor else ""
        export = f"{HERE}/export?{urlencode(chosen)}&" if chosen else f"{HERE}/export?"
        return AuditTrailPage(
            lines,
            query,
            _TOPICS,
            _people(actor, access),
            list(dict.fromkeys(line.subject for line in lines if line.subject not in _WITHOUT_NAMES.values())),
            filtered=bool(chosen),
            older=older,
            newest=newest,
            exports=[("CSV", f"{export}format=csv"), ("JSON lines", f"{export}format=jsonl")],
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
            return File(_csv(found), "text/csv; charset=utf-8", headers)
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in _records(found))
        return File("".join(lines).encode(), "application/jsonl; charset=utf-8", headers)

    return group(show_log, export_log)


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
        names += [user.email for user in access.users.list(actor)]
    if permits(ORGANIZATION_ROLES, actor.role, Action.READ_IDENTITIES):
        names += [identity.name for identity in access.identities.list(actor)]
    return names[:SUGGESTED]


def _subject(event: StoredEvent, names: Mapping[str, str]) -> str:
    """Return the name of what an event is about: as it was then, where the event says so, else as it is now."""
    facts = event.data
    told = facts.get("name") or facts.get("secretKey") or facts.get("email") or facts.get("slug")
    of_connection = names.get(str(facts.get("connectionId") or ""))
    name = told or names.get(event.subject_id) or of_connection or facts.get("secretPath")
    return str(name or _WITHOUT_NAMES.get(event.subject_kind, event.subject_kind))


def _line(event: StoredEvent, names: Mapping[str, str]) -> AuditLine:
    connection = event.data.get("connectionId") if event.subject_kind == "rotation" else None
    kind, about = ("app-connection", str(connection)) if connection else (event.subject_kind, event.subject_id)
    return AuditLine(
        event,
        event.actor_name or event.actor_kind,
        _subject(event, names),
        event.subject_kind.replace("-", " "),
        _MEANINGS.get(event.name, ""),
        f"{HERE}?{urlencode({'about': about})}",
        _PATHS[kind].format(about) if kind in _PATHS and about in names else "",
        json.dumps(event.data, indent=2, ensure_ascii=False),
    )


def _records(found: AuditEvents) -> Iterator[dict[str, object]]:
    for event in found.events:
        yield {
            "id": event.id,
            "createdAt": iso(event.at),
            "event": event.name,
            "actorType": event.actor_kind,
            "actorId": event.actor_id,
            "actor": event.actor_name,
            "subjectType": event.subject_kind,
            "subjectId": event.subject_id,
            "subject": _subject(event, found.names),
            "projectId": event.project_id,
            "requestId": event.request_id,
            "facts": event.data,
        }


def _csv(found: AuditEvents) -> bytes:
    records = [record | {"facts": json.dumps(record["facts"], ensure_ascii=False)} for record in _records(found)]
    rows = [_COLUMNS, *([record[name] for name in _COLUMNS] for record in records)]
    return rows_as_csv(rows).encode("utf-8-sig")
