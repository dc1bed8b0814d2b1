"""Settings, faults and effects as JSON values, checked before use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from entra_emulator.core.wire import Wire
from entra_emulator.faults.faults import (
    GATEWAY_TIMEOUT,
    HANG,
    RESET,
    SERVICE_UNAVAILABLE,
    Budget,
    Effect,
    Fault,
    Settings,
    slow,
)

_CHOICES: dict[str, tuple[object, ...]] = {
    "retry_after": ("integer", "fraction", "date"),
    "conflict_status": (409, 503),
    "young_object_status": (404, 403),
}
_AT_LEAST_ONE = frozenset({"replicas"})
_SIGNED = frozenset({"clock_skew"})
_BUDGETS = frozenset({"token_budget", "graph_budget", "key_select_budget", "reports_budget", "vault_budget"})
_SHARES = frozenset({"conflict_probability", "sign_in_tail_probability", "sign_in_doubles", "sign_in_drops"})
_MOST = 1e9  # seconds: about thirty years
_NAMED: dict[str, Effect] = {"503": SERVICE_UNAVAILABLE, "504": GATEWAY_TIMEOUT, "reset": RESET, "hang": HANG}


class Misfit(ValueError):
    """A value from outside that does not fit; the text says why."""


def changed(settings: Settings, changes: Any) -> Settings:
    """The settings with these changes; ranges may be lists and budgets objects with `limit` and `seconds`.

    Raises ValueError for an unknown name or a value that does not fit; then nothing is changed.
    """
    values = {item.name: getattr(settings, item.name) for item in fields(settings)}
    if not isinstance(changes, Mapping):
        raise Misfit("settings are an object")
    unknown = set(changes) - set(values)
    if unknown:
        raise Misfit(f"unknown setting: {', '.join(sorted(unknown))}")
    return replace(settings, **{name: _value(name, values[name], value) for name, value in changes.items()})


def settings_as_json(settings: Settings) -> dict[str, Any]:
    """The settings as plain values."""
    return asdict(settings)


def read_fault(body: Mapping[str, Any]) -> Fault:
    """A fault from plain values. Raises ValueError for anything that does not fit.

    `effects` is a list of `"503"`, `"504"`, `"reset"`, `"hang"`, `{"slow": seconds}` or objects with the members of
    Effect (`wire` is `"reset"`, `"hang"` or `{"slow": seconds}`). All other members are those of Fault.
    """
    body = dict(body)
    effects = body.pop("effects", ["503"])
    if not isinstance(effects, list) or not effects:
        raise Misfit("effects is a list of at least one effect")
    unknown = set(body) - {item.name for item in fields(Fault)}
    if unknown or not isinstance(body.get("operation"), str):
        raise Misfit(f"a fault needs an operation and knows no {', '.join(sorted(unknown)) or 'other member'}")
    if body.get("when", "after") not in ("before", "after"):
        raise Misfit("when is before or after")
    for name in ("tenant", "application", "caller"):
        if not isinstance(body.get(name), str | None):
            raise Misfit(f"{name} is text")
    _whole(body, "skip", 0)
    if body.get("times", 1) is not None:
        _whole(body, "times", 1)
    chosen_effects = tuple(_effect(item) for item in effects)
    if body.get("when", "after") == "after" and any(200 <= response.status <= 299 for response in chosen_effects):
        raise Misfit("a status from 200 to 299 hides nothing after the work: it needs when: before")
    body["probability"] = _number("probability", body.get("probability", 1.0), low=0.0)
    return Fault(effects=chosen_effects, **body)


def fault_as_json(fault: Fault) -> dict[str, Any]:
    """The fault as plain values, with its id."""
    return {"id": fault.id, **asdict(fault)}


def _whole(body: Mapping[str, Any], name: str, least: int) -> None:
    value = body.get(name, least)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise Misfit(f"{name} is a whole number of at least {least}")


def _effect(value: Any) -> Effect:
    if isinstance(value, str) and value in _NAMED:
        return _NAMED[value]
    if not isinstance(value, dict):
        raise Misfit(f"unknown effect: {value!r}"[:200])
    if set(value) == {"slow"}:
        return slow(_number("slow", value["slow"], low=0.0))
    unknown = set(value) - {item.name for item in fields(Effect)}
    if unknown:
        raise Misfit(f"an effect knows no {', '.join(sorted(unknown))}")
    status = value.get("status", 0)
    if (
        isinstance(status, bool)
        or not isinstance(status, int)
        or (status != 0 and not 200 <= status <= 299 and not 400 <= status <= 599)
    ):
        raise Misfit("status is 0, from 200 to 299 (with when: before, a success without effect), or from 400 to 599")
    wait = value.get("retry_after")
    return Effect(
        status=status,
        code=_text(value, "code"),
        message=_text(value, "message"),
        retry_after=None if wait is None else _number("retry_after", wait, low=0.0),
        wire=_wire(value.get("wire")),
        delay=_number("delay", value.get("delay", 0.0), low=0.0),
    )


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise Misfit(f"{name} is text")
    return value


def _wire(value: Any) -> Wire:
    if value is None:
        return Wire()
    if value == "reset":
        return Wire("reset")
    if value == "hang":
        return Wire("hang")
    if isinstance(value, dict) and set(value) == {"slow"}:
        return Wire("slow", _number("slow", value["slow"], low=0.0))
    raise Misfit("wire is reset, hang or an object with slow")


def _value(name: str, old: Any, value: Any) -> Any:
    if name in _CHOICES:
        if isinstance(value, (bool, float)) or value not in _CHOICES[name]:
            raise Misfit(f"{name} is one of {_CHOICES[name]}")
        return value
    if name in _BUDGETS:
        return _budget(name, value)
    if isinstance(old, bool):
        if not isinstance(value, bool):
            raise Misfit(f"{name} is true or false")
        return value
    if isinstance(old, tuple):
        return _range(name, value)
    if isinstance(old, int):
        _whole({name: value}, name, 1 if name in _AT_LEAST_ONE else 0)
        return value
    if name in _SHARES and not isinstance(value, bool) and isinstance(value, (int, float)) and value > 1:
        raise Misfit(f"{name} is a share, from 0 to 1")
    return _number(name, value, low=-_MOST if name in _SIGNED else 0.0)


def _number(name: str, value: Any, low: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= _MOST:
        raise Misfit(f"{name} is a number from {low:g} to {_MOST:g}")
    return float(value)


def _range(name: str, value: Any) -> tuple[float, float]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise Misfit(f"{name} is a pair: the least and the most seconds")
    low, high = (_number(name, item, low=0.0) for item in value)
    if low > high:
        raise Misfit(f"{name} begins above its end")
    return low, high


def _budget(name: str, value: Any) -> Budget | None:
    if value is None or isinstance(value, Budget):
        return value
    if not isinstance(value, dict) or set(value) != {"limit", "seconds"}:
        raise Misfit(f"{name} is null or an object with limit and seconds")
    _whole(value, "limit", 0)
    return Budget(value["limit"], _number("seconds", value["seconds"], low=0.001))
