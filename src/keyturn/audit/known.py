"""Whether each part of a filter fits any event at all: what is mistyped is told, instead of an empty list. Reads only."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial

from keyturn.audit.domain import Filter
from keyturn.audit.events import CATALOGUE
from keyturn.errors import Refused

EVENT_NAMES = tuple(sorted(each.name for each in CATALOGUE.values()))
_MOST = 20
"""Slugs that a message lists."""


def require_known(
    criteria: Filter,
    fits: Callable[[Filter], bool],
    exist: Callable[[Sequence[str]], bool],
    slug: str | None,
    slugs: Callable[[], Sequence[str]],
) -> None:
    """Raise Refused for the first part of ``criteria`` that no event fits and that names nothing.

    ``fits`` says whether the reader finds an event by a part alone, ``exist`` whether one of these ids is of something that
    they may know of; ``slug`` is that of the project where it was named, ``slugs`` are those that they may be told.
    """
    alone = partial(Filter, criteria.org_id, criteria.project_id)
    if criteria.event and criteria.event not in EVENT_NAMES and not fits(alone(event=criteria.event)):
        raise event_unknown(criteria.event)
    if slug is not None and not criteria.tenures:
        raise _project_unknown(slug, slugs())
    for part, field in _OF_THINGS.items():
        value = getattr(criteria, part)
        ids = [value] if isinstance(value, str) else value
        if ids and not exist(ids) and not fits(alone(**{part: value})):
            raise Refused(
                f"Nothing that you may see is called '{ids[0]}', and no event {_SAID[part]}.",
                code="audit.name_unknown",
                fix="Give a name as its page shows it, or an id.",
                field=field,
            )


_OF_THINGS = {"subject_id": "subjectId", "subjects": "about", "actor_id": "actorId", "actors": "by"}
_SAID = {"subject_id": "is about it", "subjects": "is about it", "actor_id": "is by it", "actors": "is by it"}


def _project_unknown(slug: str, slugs: Sequence[str]) -> Refused:
    more = f" and {len(slugs) - _MOST} more" if len(slugs) > _MOST else ""
    return Refused(
        f"No project has the slug '{slug}', or had it.",
        code="audit.project_unknown",
        fix=f"Use one of: {', '.join(slugs[:_MOST])}{more}." if slugs else "Give the id of a project instead.",
        field="projectSlug",
    )


def event_unknown(name: str) -> Refused:
    """Build the refusal of the name of no event: with similar ones, and all of them among its details."""
    close = get_close_matches(name, EVENT_NAMES, cutoff=0.4)
    listed = f"Similar: {', '.join(close)}. All" if close else "All"
    return Refused(
        f"No event is called '{name}'.",
        code="audit.event_unknown",
        fix=f"{listed} are in the reference of audit events (docs/reference/audit-events.md).",
        field="event",
        details=[{"validValues": list(EVENT_NAMES)}],
    )
