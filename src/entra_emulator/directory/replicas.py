"""When each replica knows of a thing, and when it has forgotten it again.

Microsoft publishes no times. Observed of a new secret: 4 to 18 s in https://github.com/microsoftgraph/microsoft-graph-docs/issues/17966,
up to two minutes in https://github.com/Azure/ARO-HCP/issues/2723, and answers that flap in
https://github.com/hashicorp/vault-plugin-secrets-azure/issues/23. How long a removed one is accepted is assumed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from entra_emulator.faults.faults import NEVER_LATE, Range, Settings

Plane = Literal["token", "graph"]


@dataclass(slots=True)
class Presence:
    """From and until when the replicas of the token endpoint and of Graph know of one thing (POSIX seconds)."""

    token_from: tuple[float, ...]
    graph_from: tuple[float, ...]
    token_until: tuple[float, ...] | None = None
    graph_until: tuple[float, ...] | None = None

    def visible(self, plane: Plane, replica: int, now: float) -> bool:
        """Whether that replica knows of the thing now."""
        begins, ends = (self.token_from, self.token_until) if plane == "token" else (self.graph_from, self.graph_until)
        if begins[replica % len(begins)] > now:
            return False
        return ends is None or now < ends[replica % len(ends)]

    @property
    def removed(self) -> bool:
        """Whether the thing was removed, even if some replica still shows it."""
        return self.token_until is not None

    def gone(self, now: float) -> bool:
        """Whether no replica will ever show the thing again."""
        if self.token_until is None or self.graph_until is None:
            return False
        return max(self.token_until) <= now and max(self.graph_until) <= now

    def remove(self, now: float, settings: Settings, rng: random.Random) -> None:
        """The thing is removed now; each replica notices in its own time."""
        self.token_until = _draw(now, settings.token_vanish, settings.replicas, rng)
        self.graph_until = _draw(now, settings.graph_vanish, settings.replicas, rng)


def credential_presence(now: float, settings: Settings, rng: random.Random) -> Presence:
    """A credential added now."""
    return Presence(
        _draw(now, settings.token_appear, settings.replicas, rng),
        _draw(now, settings.graph_appear, settings.replicas, rng),
    )


def object_presence(now: float, settings: Settings, rng: random.Random) -> Presence:
    """An application, service principal or grant created now."""
    return Presence(
        _draw(now, settings.object_appear, settings.replicas, rng),
        _draw(now, settings.object_appear, settings.replicas, rng),
    )


def everywhere(now: float) -> Presence:
    """A thing that all replicas know of since `now`."""
    return Presence((now,), (now,))


def draw(bounds: Range, rng: random.Random) -> float:
    """A value of the range; costs no randomness where the range is one value."""
    low, high = bounds
    return low if low == high else rng.uniform(low, high)


def _draw(now: float, bounds: Range, replicas: int, rng: random.Random) -> tuple[float, ...]:
    if bounds == NEVER_LATE:
        return (now,)
    return tuple(now + draw(bounds, rng) for _ in range(max(1, replicas)))
