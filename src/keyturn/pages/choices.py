"""What a form lets one choose from: all of a few, or some of many and whatever else is typed."""

from collections.abc import Sequence

from keyturn.kit.dataclasses import dataclass

MOST = 100
"""So many are shown to choose from. A page with all people or connections of a large organization weighs megabytes."""


@dataclass(frozen=True)
class Choice:
    """``options`` are values and texts. ``more``: they are the first of many, and any other value may be typed."""

    options: Sequence[tuple[str, str]] = ()
    more: bool = False


NO_CHOICE = Choice()


def choice_of(found: Sequence[tuple[str, str]]) -> Choice:
    """Return the first of what was found; whoever looks for one more than ``MOST`` knows whether there are more."""
    return Choice(found[:MOST], len(found) > MOST)
