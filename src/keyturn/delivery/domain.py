"""Reads as values: who has which version, and what a program says about itself."""

import re
from collections.abc import Sequence
from datetime import datetime

from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.secrets.domain import ReadValue

LONGEST_INSTANCE = 128
OTHERS = "others"
"""What instances of an identity are called together when it has too many to tell them apart."""
LONGEST_INTERVAL = 31 * 24 * 3600
MOST_IN_USE = 20
_KEY_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True)
class Read:
    """That somebody was given values, or told that what they have is still right (``unchanged``), at this moment last.

    ``refresh_interval`` in seconds; ``in_use`` are ids of keys that the caller says to sign in with.
    """

    actor: Actor
    ip: str
    instance: str | None
    refresh_interval: int | None
    in_use: tuple[str, ...]
    values: Sequence[ReadValue]
    at: datetime
    unchanged: bool = False


def instance_of(text: str) -> str | None:
    """Return the id that a program gives itself; None for none. Raises Refused for what is none."""
    instance = text.strip()
    if len(instance) > LONGEST_INSTANCE or not instance.isprintable():
        raise Refused(
            f"An instance id has at most {LONGEST_INSTANCE} printable characters.",
            code="delivery.instance",
            fix="Send X-Keyturn-Instance with the name of the machine or pod, or without control characters.",
        )
    return instance or None


def refresh_interval_of(text: str) -> int | None:
    """Return the seconds after which a program reads again; None for none. Raises Refused for what is no such number."""
    text = text.strip()
    if not text:
        return None
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= seconds <= LONGEST_INTERVAL:
        raise Refused(
            f"A refresh interval is a whole number of seconds from 1 to {LONGEST_INTERVAL}.",
            code="delivery.refresh_interval",
            fix="Send X-Keyturn-Refresh-Interval with such a number, e.g. 300, or leave it out.",
        )
    return seconds


def key_ids_of(text: str) -> tuple[str, ...]:
    """Return the ids of keys of a list with commas, each once. Raises Refused for what is no such list."""
    key_ids = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if len(key_ids) > MOST_IN_USE or not all(_KEY_ID.fullmatch(each) for each in key_ids):
        raise Refused(
            f"These are not at most {MOST_IN_USE} key ids with commas between them.",
            code="delivery.in_use",
            fix="Send X-Keyturn-In-Use with the key ids of X-Keyturn-Key-Id that are signed in with.",
        )
    return key_ids
