"""What the agent delivered, in words and as metrics. Names, versions and times, and no value. Pure."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from keyturn.client.agent_state import SetState

_MOST = 20
"""Secrets of a set that are named."""
_METRICS: Mapping[str, tuple[str, Callable[[SetState, datetime], float | None]]] = {
    "keyturn_agent_age_seconds": (
        "For how long nobody confirmed what the files hold.",
        lambda state, now: (now - state.read_at).total_seconds() if state.read_at else None,
    ),
    "keyturn_agent_usable_seconds": (
        "For how long what the files hold is promised to work; negative when it is not any more.",
        lambda state, now: (state.usable_until - now).total_seconds() if state.usable_until else None,
    ),
    "keyturn_agent_trouble": ("Whether something is wrong.", lambda state, _now: float(bool(state.trouble))),
    "keyturn_agent_untold": (
        "Whether the program was not told yet of what was delivered.",
        lambda state, _now: float(state.told != state.delivered),
    ),
}


def status_lines(states: Mapping[str, SetState], now: datetime) -> Iterator[str]:
    """Yield lines for people."""
    if not states:
        yield "The agent has delivered nothing yet."
    for name, state in sorted(states.items()):
        yield f"{name}: {_shown(state, now)}"
        if state.delivered is None:
            continue
        for secret, version in sorted(state.versions.items())[:_MOST]:
            yield f"  {secret} version {version}"
        if len(state.versions) > _MOST:
            yield f"  and {len(state.versions) - _MOST} more"
        for key_id in state.key_ids:
            yield f"  key id {key_id}"
        if state.usable_until is not None:
            ended = "NOT USABLE SINCE" if state.usable_until <= now else "usable until"
            yield f"  {ended} {state.usable_until:%Y-%m-%d %H:%M} UTC"


def metric_lines(states: Mapping[str, SetState], now: datetime) -> Iterator[str]:
    """Yield lines as https://prometheus.io/docs/instrumenting/exposition_formats/ says, one gauge after the other."""
    for metric, (meaning, value_of) in _METRICS.items():
        yield f"# HELP {metric} {meaning}"
        yield f"# TYPE {metric} gauge"
        for name, state in sorted(states.items()):
            value = value_of(state, now)
            if value is not None:
                label = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
                yield f'{metric}{{set="{label}"}} {value:g}'


def _shown(state: SetState, now: datetime) -> str:
    if state.delivered_at is None or state.read_at is None:
        return state.trouble or "nothing delivered"
    words = [f"as of {_ago(now, state.read_at)} ago, changed {_ago(now, state.delivered_at)} ago"]
    if state.told != state.delivered:
        words.append("its program was not told yet")
    return "; ".join([*words, *([state.trouble] if state.trouble else [])])


def _ago(now: datetime, moment: datetime) -> str:
    seconds = max(int((now - moment).total_seconds()), 0)
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
