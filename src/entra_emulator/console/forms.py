"""The forms of the page, as requests to the admin API: nothing can be done here that cannot be done there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from entra_emulator.admin.changes import Misfit
from entra_emulator.core.clock import DAY
from entra_emulator.core.wire import read_json

Form = Mapping[str, str]

THROTTLED = {"status": 429, "code": "TooManyRequests", "message": "Too many requests.", "retry_after": 5}
EFFECTS: dict[str, Any] = {
    "503": "503",
    "504": "504",
    "429, Retry-After 5": THROTTLED,
    "connection reset": "reset",
    "no answer": "hang",
    "body 5 s late": {"slow": 5},
}
SWITCHES: dict[str, dict[str, Any]] = {
    "Token endpoint is down": {"operation": "token", "effects": ["503"], "when": "before", "times": None},
    "Answers to writes are lost": {"operation": "writes", "effects": ["reset"], "when": "after", "times": None},
    "Everything is throttled": {"operation": "*", "effects": [THROTTLED], "when": "before", "times": None},
    "Nothing answers": {"operation": "*", "effects": ["hang"], "when": "before", "times": None},
}
"""Faults that strike until they are switched off."""
QUIET = {"replicas": 1, **dict.fromkeys(("token_appear", "graph_appear", "token_vanish", "graph_vanish"), (0, 0))}
LATE = QUIET | {"replicas": 3, "token_appear": (5, 60), "graph_appear": (2, 30), "token_vanish": (10, 90)}
BEHAVIOURS = {"One replica, at once": QUIET, "Three replicas that lag": LATE}


@dataclass(frozen=True, slots=True)
class AdminRequest:
    """What to ask of the admin API, by a path below `/_emulator/`."""

    method: str
    path: str
    body: dict[str, Any]


def read(form: Form, now: float) -> AdminRequest:
    """The request that this form stands for. Raises Misfit for what is no form of the page."""
    work = _FORMS.get(form.get("do", ""))
    if work is None:
        raise Misfit("the page has no such form: reload it")
    return work(form, now)


def _path(*parts: str) -> str:
    return "/".join(quote(part, safe="") for part in parts)


def _number(form: Form, name: str) -> float:
    try:
        value = float(form.get(name, ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Misfit(f"{name} is a number")
    return value


def _of(choices: Mapping[str, Any], form: Form, name: str) -> Any:
    if form.get(name) not in choices:
        raise Misfit(f"{name} is one of: {', '.join(choices)}")
    return choices[form[name]]


def _clock(form: Form, _now: float) -> AdminRequest:
    return AdminRequest("POST", "clock", {"advance": _number(form, "seconds")})


def _application(form: Form, _now: float) -> AdminRequest:
    body = {
        "name": form.get("name", ""),
        "permissions": form.get("permissions", "").replace(",", " ").split(),
        "owns_itself": "owns_itself" in form,
    }
    return AdminRequest("POST", _path("tenants", form.get("tenant", ""), "applications"), body)


def _secret(form: Form, now: float) -> AdminRequest:
    body = {
        "display_name": form.get("display_name") or None,
        "end": now + _number(form, "days") * DAY,
        "value": form.get("value") or None,
        "replicated": True,
    }
    return AdminRequest("POST", _path("applications", form.get("application", ""), "secrets"), body)


def _remove_secret(form: Form, _now: float) -> AdminRequest:
    return AdminRequest(
        "DELETE", _path("applications", form.get("application", ""), "secrets", form.get("key_id", "")), {}
    )


def _disable(form: Form, _now: float) -> AdminRequest:
    body = {"disabled": form.get("disabled") == "yes"}
    return AdminRequest("PATCH", _path("applications", form.get("application", "")), body)


def _fault(form: Form, _now: float) -> AdminRequest:
    body: dict[str, Any] = {
        "operation": form.get("operation", ""),
        "effects": [_of(EFFECTS, form, "effect")],
        "when": form.get("when", "after"),
        "times": int(_number(form, "times")),
    }
    return AdminRequest("POST", "faults", body)


def _setting(form: Form, _now: float) -> AdminRequest:
    try:
        value = read_json(form.get("value", ""))
    except ValueError as error:
        raise Misfit('the value is JSON: 3, true, [2, 30], {"limit": 5, "seconds": 10} or "date"') from error
    return _configure(form, {form.get("name", ""): value})


def _configure(form: Form, changes: Mapping[str, Any]) -> AdminRequest:
    return AdminRequest("PATCH", _path("tenants", form.get("tenant", ""), "settings"), dict(changes))


_FORMS: dict[str, Callable[[Form, float], AdminRequest]] = {
    "clock": _clock,
    "tenant": lambda form, _: AdminRequest("POST", "tenants", {"name": form.get("name", "")}),
    "demo": lambda _form, _now: AdminRequest("POST", "demo", {}),
    "application": _application,
    "secret": _secret,
    "remove-secret": _remove_secret,
    "disable": _disable,
    "switch": lambda form, _: AdminRequest("POST", "faults", dict(_of(SWITCHES, form, "switch"))),
    "fault": _fault,
    "remove-fault": lambda form, _: AdminRequest("DELETE", _path("faults", form.get("id", "")), {}),
    "behaviour": lambda form, _: _configure(form, _of(BEHAVIOURS, form, "behaviour")),
    "setting": _setting,
}
