"""Time zones: the names of the IANA database, the same on every machine, and what somebody may have meant by another one."""

import difflib
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from keyturn.kit.repeat import may_repeat
from keyturn.kit.zone_names import ABBREVIATIONS, WINDOWS

LONGEST = 64
_NO_PLACE = frozenset({"Factory"})
"""In the database for programs that were never told a zone."""
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])\s*(\d{1,2})(?::?(\d\d))?", re.IGNORECASE)
_MOST_SUGGESTED = 3
ADVICE = "Use a name of the IANA time zone database, such as Europe/Oslo, or UTC."


class UnknownZone(LookupError):
    """This process cannot load the zone."""


@cache
def names() -> frozenset[str]:
    """Return the names that may be chosen: those of the IANA database as it comes with this server.

    Not what the machine has: names such as ``localtime`` or ``posix/Europe/Oslo`` mean nothing, or something else, elsewhere.
    """
    text = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8")
    return frozenset(text.split()) - _NO_PLACE


@lru_cache(maxsize=1024)
def load(name: str) -> ZoneInfo:
    """Return the zone, also one that may not be chosen any more. Raises UnknownZone when this process has no such zone."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError, TypeError):
        raise UnknownZone(name[:LONGEST]) from None


def exists(name: str) -> bool:
    """Whether this process knows the zone, be it one that may not be chosen any more."""
    try:
        return load(name) is not None
    except UnknownZone:
        return False


def display_zone(name: str) -> ZoneInfo:
    """Return the zone to show moments in: UTC where the zone cannot be loaded."""
    try:
        return load(name)
    except UnknownZone:
        return load("UTC")


def refusal(name: str) -> str:
    """Say that there is no such zone, what may have been meant, and what to type. Quotes no text that may be a secret."""
    if not name or len(name) > LONGEST or not name.isprintable() or not may_repeat("timeZone", name):
        return f"There is no such time zone. {ADVICE}"
    suggestions = list(_suggestions(name))[:_MOST_SUGGESTED]
    question = (
        f" Did you mean {' or '.join([', '.join(suggestions[:-1]), suggestions[-1]] if suggestions[1:] else suggestions)}?"
        if suggestions
        else ""
    )
    return f"There is no time zone '{name}'.{question} {ADVICE}"


def _suggestions(name: str) -> Iterator[str]:
    """What is meant for sure, else what is spelt nearly so. An abbreviation is never near to another one."""
    plain = " ".join(name.split()).casefold()
    # "GMT+2" is two hours ahead of UTC for whoever writes it, and the end of the name of a zone four hours from there.
    sure = [*_by_table(plain)] if _OFFSET.fullmatch(plain) else [*_by_table(plain), *_by_place(plain)]
    if sure:
        yield from dict.fromkeys(sure)
        return
    by_lower = {zone.lower(): zone for zone in names() if "/" in zone}
    if "/" in name:
        yield from (by_lower[near] for near in difflib.get_close_matches(plain, by_lower, n=1, cutoff=0.8))
    else:
        cities = {zone.rpartition("/")[2].lower(): zone for zone in sorted(by_lower.values(), reverse=True)}
        long_enough = len(plain) > 4
        near_city = difflib.get_close_matches(plain.replace(" ", "_"), cities, n=1, cutoff=0.8) if long_enough else []
        yield from (cities[near] for near in near_city)


def _by_table(plain: str) -> Iterator[str]:
    yield from ABBREVIATIONS.get(plain.upper(), ())
    windows = {title.casefold(): zone for title, zone in WINDOWS.items()}
    if plain in windows:
        yield windows[plain]
    offset = _OFFSET.fullmatch(plain)
    # The names of this kind count westwards: Etc/GMT-2 is two hours ahead of UTC.
    if offset and offset[3] in {None, "00"} and f"Etc/GMT{'-' if offset[1] == '+' else '+'}{int(offset[2])}" in names():
        yield f"Etc/GMT{'-' if offset[1] == '+' else '+'}{int(offset[2])}"


def _by_place(plain: str) -> Iterator[str]:
    """The same name in other letters, with a prefix of the machine's own folders, or without its region."""
    place = plain.replace(" ", "_").removeprefix("posix/").removeprefix("right/")
    for zone in sorted(names()):
        if zone.lower() == place or ("/" not in place and "/" in zone and zone.lower().endswith(f"/{place}")):
            yield zone
