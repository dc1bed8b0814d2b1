"""What changed since the last time: GET delta of applications, service principals, users and groups.

Sources: learn.microsoft.com/graph/delta-query-overview (seven days, 410 with a Location, `@removed` with the reason `changed`
for what can be restored and `deleted` for the rest, $deltatoken=latest), .../api/application-delta ($select, and a $filter of
ids only) and .../api/group-delta (`members@delta`, with `@removed` for who left). That the code of the 410 is resyncRequired,
and how many are in a page, is assumed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from entra_emulator.core.wire import Response
from entra_emulator.directory.chances import chances, within
from entra_emulator.directory.directory import Application, DirectoryObject, Holder, ServicePrincipal, User
from entra_emulator.directory.groups import Group
from entra_emulator.directory.keys import b64url, un_b64
from entra_emulator.directory.world import Call
from entra_emulator.graph import user_views, views
from entra_emulator.graph.errors import GraphError, bad_request, success, unsupported_query
from entra_emulator.graph.lookup import Key
from entra_emulator.graph.odata import chosen, selected
from entra_emulator.graph.permissions import may_list, may_read_groups, may_read_users

_PAGE = 100
_OPTIONS = frozenset({"$select", "$filter", "$top", "$deltatoken", "$skiptoken"})
_IDS = re.compile(r"\s*id\s+eq\s+'([0-9A-Fa-f-]{36})'\s*")
_EVER = float("-inf")


@dataclass(frozen=True, slots=True)
class _State:
    """How far a reader is: all changes after `since` and up to `until` are being read, and those up to the id `after` were."""

    since: float | None
    until: float | None
    after: str
    select: list[str]
    ids: list[str]

    def text(self) -> str:
        return b64url(json.dumps([self.since, self.until, self.after, self.select, self.ids]).encode())


def _applications(call: Call, _keys: tuple[Key, ...]) -> Response:
    tenant = call.home()
    may_list(call)
    return _answer(call, "applications", [*tenant.applications.values(), *tenant.deleted.values()])


def _principals(call: Call, _keys: tuple[Key, ...]) -> Response:
    tenant = call.home()
    may_list(call)
    return _answer(call, "servicePrincipals", [*tenant.principals.values(), *tenant.deleted_principals.values()])


def _users(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_users(call)
    return _answer(call, "users", [*call.home().users.values(), *call.home().deleted_users.values()])


def _groups(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_groups(call)
    return _answer(call, "groups", [*call.home().groups.values(), *call.home().deleted_groups.values()])


def _answer(call: Call, kind: str, items: Sequence[DirectoryObject]) -> Response:
    parameters = call.parameters()
    call.heeded.update(_OPTIONS)
    unknown = next((name for name in parameters if name.startswith("$") and name not in _OPTIONS), None)
    if unknown is not None:
        raise unsupported_query(f"The query option '{unknown[:50]}' is not supported by delta queries.")
    if parameters.get("$deltatoken") == "latest":
        return _finished(call, kind, [], _begin(call, parameters), call.now)
    state = _state(call, parameters, kind)
    until = call.now if state.until is None else state.until
    rows = _rows(call, kind, items, state, until)
    size = _size(parameters)
    rows, rest = rows[:size], rows[size:]
    if not rest:
        return _finished(call, kind, rows, state, until)
    token = _State(state.since, until, rows[-1]["id"], state.select, state.ids).text()
    return success(call, {"@odata.nextLink": _link(call, kind, "$skiptoken", token), "value": rows}, kind)


def _rows(call: Call, kind: str, items: Sequence[DirectoryObject], state: _State, until: float) -> list[dict[str, Any]]:
    """All that changed, in the order of ids; what is deleted shows only to those who knew it."""
    since = _EVER if state.since is None else state.since
    rows: dict[str, dict[str, Any]] = {}
    for item in items:
        late = _late(call, item)
        if not any(since < moment + late <= until for moment in _moments(item)) or not _is_known(call, item):
            continue
        if item.deleted_at is None:
            rows[item.object_id] = _row(call, item, state, until)
        elif state.since is not None:
            rows[item.object_id] = _removed(item.object_id, "changed")
    for object_id, (purged, moment) in call.home().purged.items():
        if purged == kind and state.since is not None and since < moment <= until:
            rows[object_id] = _removed(object_id, "deleted")
    ids = set(state.ids)
    return [rows[key] for key in sorted(rows) if key > state.after and (not ids or key in ids)]


def _moments(item: DirectoryObject) -> Iterator[float]:
    """When it changed, as far as that is known: of one that goes on to change no reader misses what came before."""
    yield from (item.created_at, item.changed_at)
    if isinstance(item, Group):
        yield from (*item.joined.values(), *item.left.values())


def _late(call: Call, item: DirectoryObject) -> float:
    """How many seconds later its changes show."""
    return within(call.settings.delta_delay, chances(item.object_id).first)


def _is_known(call: Call, item: DirectoryObject) -> bool:
    return not isinstance(item, Holder) or item.presence.visible("graph", call.replica, call.now)


def _row(call: Call, item: DirectoryObject, state: _State, until: float) -> dict[str, Any]:
    body = _shown(call, item)
    row = chosen(body, frozenset({"id", *state.select})) if state.select else body
    if isinstance(item, Group) and (not state.select or "members" in state.select):
        members = _members(call, item, state, until)
        return row | {"members@delta": members} if members else row
    return row


def _shown(call: Call, item: DirectoryObject) -> dict[str, Any]:
    if isinstance(item, Application):
        return views.application(call, item)
    if isinstance(item, ServicePrincipal):
        return views.principal(call, item)
    return chosen(user_views.user(item), user_views.USER_DEFAULT) if isinstance(item, User) else views.group(item)


def _members(call: Call, group: Group, state: _State, until: float) -> list[dict[str, Any]]:
    """All members the first time, and then who joined and who left."""
    tenant, late, since = call.home(), _late(call, group), _EVER if state.since is None else state.since
    moments = {object_id: group.joined.get(object_id, group.created_at) for object_id in group.members}
    here = [tenant.directory_object(object_id) for object_id, at in moments.items() if since < at + late <= until]
    rows: list[dict[str, Any]] = [
        {"@odata.type": _type(item), "id": item.object_id} for item in here if item is not None
    ]
    if state.since is not None:
        rows += [_removed(object_id, "deleted") for object_id, at in group.left.items() if since < at + late <= until]
    return rows


def _type(item: DirectoryObject) -> str:
    name = type(item).__name__
    return f"#microsoft.graph.{name[0].lower()}{name[1:]}"


def _removed(object_id: str, reason: str) -> dict[str, Any]:
    return {"id": object_id, "@removed": {"reason": reason}}


def _finished(call: Call, kind: str, rows: list[dict[str, Any]], state: _State, until: float) -> Response:
    token = _State(until, None, "", state.select, state.ids).text()
    return success(call, {"@odata.deltaLink": _link(call, kind, "$deltatoken", token), "value": rows}, kind)


def _state(call: Call, parameters: dict[str, str], kind: str) -> _State:
    token = parameters.get("$deltatoken") or parameters.get("$skiptoken")
    if not token:
        return _begin(call, parameters)
    state = _read(token)
    oldest = state.since if state.until is None else state.until
    if oldest is not None and call.now >= oldest + call.settings.delta_lifetime:
        raise GraphError(
            410,
            "resyncRequired",
            "The delta token is no longer valid, and the application must read everything anew.",
            (("Location", _link(call, kind, "$deltatoken", "")),),
        )
    return state


def _begin(call: Call, parameters: dict[str, str]) -> _State:
    return _State(None, None, "", sorted(selected(call)), _filtered(parameters.get("$filter", "")))


def _filtered(text: str) -> list[str]:
    if not text:
        return []
    matches = [_IDS.fullmatch(part) for part in text.split(" or ")]
    ids = [match.group(1).lower() for match in matches if match]
    if len(ids) < len(matches) or len(ids) > 50:
        raise unsupported_query("A delta query filters by up to 50 ids only: id eq '...' or id eq '...'.")
    return ids


def _size(parameters: dict[str, str]) -> int:
    text = parameters.get("$top", str(_PAGE))
    if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= 3 and int(text) >= 1):
        raise unsupported_query(f"Invalid page size specified: '{text[:20]}'.")
    return int(text)


def _read(token: str) -> _State:
    try:
        since, until, after, select, ids = json.loads(un_b64(token))
    except (ValueError, TypeError, RecursionError) as error:
        raise bad_request("Badly formed token.") from error
    fits = all(item is None or isinstance(item, float) for item in (since, until)) and isinstance(after, str)
    if not fits or not all(isinstance(names, list) for names in (select, ids)):
        raise bad_request("Badly formed token.")
    if not all(isinstance(name, str) for name in (*select, *ids)):
        raise bad_request("Badly formed token.")
    return _State(since, until, after, select, ids)


def _link(call: Call, kind: str, name: str, token: str) -> str:
    version = call.path.lstrip("/").partition("/")[0]
    return f"{call.host}/{version}/{kind}/delta?{name}={quote(token, safe='')}"


ROUTES = (
    ("GET", "applications/delta", "deltaApplications", _applications),
    ("GET", "servicePrincipals/delta", "deltaServicePrincipals", _principals),
    ("GET", "users/delta", "deltaUsers", _users),
    ("GET", "groups/delta", "deltaGroups", _groups),
)
