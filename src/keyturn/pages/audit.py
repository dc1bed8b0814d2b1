"""The audit log: who did what, when, and to what."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar
from urllib.parse import urlencode

from msgspec import Meta

from keyturn.audit.domain import StoredEvent
from keyturn.audit.service import AuditTrail
from keyturn.kit.actor import Actor
from keyturn.web.pages import Page, Pages, get, group
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel

HERE = "/organization/audit-log"
AT_ONCE = 50


@dataclass(frozen=True)
class AuditLine:
    """One event. ``summary`` are its facts in a line, ``data`` all of them as JSON."""

    id: int
    at: datetime
    event: str
    actor: str
    actor_id: str
    actor_kind: str
    subject: str
    subject_kind: str
    subject_id: str
    project: str
    request_id: str
    summary: str
    data: str


@dataclass(frozen=True)
class AuditTrailPage(Page):
    template: ClassVar[str] = "audit/log.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "audit"

    lines: Sequence[AuditLine]
    event: str
    project_id: str
    subject_id: str
    actor_id: str
    filtered: bool
    older: str
    newest: str


class AuditFilterForm(ApiModel, rename=None):
    event: Annotated[Trimmed, Meta(max_length=100)] = ""
    project_id: Annotated[Trimmed, Meta(max_length=64)] = ""
    subject_id: Annotated[Trimmed, Meta(max_length=64)] = ""
    actor_id: Annotated[Trimmed, Meta(max_length=64)] = ""
    cursor: str = ""


def router(trail: AuditTrail) -> Pages:
    """Return the page of the trail, for those who may read it."""

    @get(HERE)
    def show_log(actor: Actor, query: AuditFilterForm) -> AuditTrailPage:
        filters = {name: getattr(query, name) for name in ("event", "project_id", "subject_id", "actor_id")}
        filters_in_use = {name: value for name, value in filters.items() if value}
        page = trail.page(actor, limit=AT_ONCE, cursor=query.cursor or None, **filters_in_use)
        older = f"{HERE}?{urlencode(filters_in_use | {'cursor': page.cursor})}" if page.cursor else ""
        newest = (f"{HERE}?{urlencode(filters_in_use)}" if filters_in_use else HERE) if query.cursor else ""
        lines = [_line(event) for event in page.events]
        return AuditTrailPage(lines, **filters, filtered=bool(filters_in_use), older=older, newest=newest)

    return group(show_log)


def _line(event: StoredEvent) -> AuditLine:
    facts = [f"{name}: {value}" for name, value in event.data.items() if isinstance(value, str | int) and value != ""]
    return AuditLine(
        event.id,
        event.at,
        event.name,
        event.actor_name or event.actor_kind,
        event.actor_id or "",
        event.actor_kind,
        str(event.data.get("name") or event.data.get("secretKey") or event.data.get("email") or event.subject_kind),
        event.subject_kind,
        event.subject_id,
        event.project_id or "",
        event.request_id or "",
        " · ".join(facts),
        json.dumps(event.data, indent=2, ensure_ascii=False),
    )
