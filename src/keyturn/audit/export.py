"""Audit events as files: a JSON object in each line, or comma-separated values."""

import json
from collections.abc import Iterable, Iterator, Mapping

from keyturn.audit.domain import StoredEvent
from keyturn.kit.clock import iso
from keyturn.kit.spreadsheet import rows_as_csv

COLUMNS = (
    *("createdAt", "event", "actorType", "actorId", "actor"),
    *("subjectType", "subjectId", "subject", "projectId", "requestId", "facts"),
)
WITHOUT_NAMES = {"organization": "the organization", "rotation": "a rotation", "secret-folder": "a folder"}


def subject_name(event: StoredEvent, names: Mapping[str, str]) -> str:
    """Return the name of what an event is about: as it was then, where the event says so, else as it is now."""
    facts = event.data
    told = facts.get("name") or facts.get("secretKey") or facts.get("email") or facts.get("slug")
    of_connection = names.get(str(facts.get("connectionId") or ""))
    name = told or names.get(event.subject_id) or of_connection or facts.get("secretPath")
    return str(name or WITHOUT_NAMES.get(event.subject_kind, event.subject_kind))


def records(events: Iterable[StoredEvent], names: Mapping[str, str]) -> Iterator[dict[str, object]]:
    """Yield each event as an object of JSON."""
    for event in events:
        yield {
            "id": event.id,
            "createdAt": iso(event.at),
            "event": event.name,
            "actorType": event.actor_kind,
            "actorId": event.actor_id,
            "actor": event.actor_name,
            "subjectType": event.subject_kind,
            "subjectId": event.subject_id,
            "subject": subject_name(event, names),
            "projectId": event.project_id,
            "requestId": event.request_id,
            "facts": event.data,
        }


def as_json_lines(events: Iterable[StoredEvent], names: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each event."""
    return (json.dumps(record, ensure_ascii=False) + "\n" for record in records(events, names))


def as_csv(events: Iterable[StoredEvent], names: Mapping[str, str], *, header: bool = True) -> str:
    """Return the events as rows, below the names of the columns."""
    rows = [
        [json.dumps(record["facts"], ensure_ascii=False) if name == "facts" else record[name] for name in COLUMNS]
        for record in records(events, names)
    ]
    return rows_as_csv([COLUMNS, *rows] if header else rows)
