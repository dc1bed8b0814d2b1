"""References between secrets: ``${NAME}`` is a secret of the same folder, ``${environment.folder.NAME}`` one elsewhere.

Pure. What a reference leads to is asked for level by level, so that each level is one look into the database for each folder.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from keyturn.errors import Refused

MOST_LEVELS = 32
"""References are followed so deep; what lies deeper stays as it is written."""
MOST_TARGETS = 10_000
LONGEST = 1024 * 1024
"""Characters of one value. One that would be longer stays as it is written."""
MOST_CHARACTERS = 32 * 1024 * 1024
"""Characters of all values of one answer together."""

_REFERENCE = re.compile(r"\$\{([^${}]{1,1000})\}")


class Target(NamedTuple):
    """A secret by where it is: the slug of its environment, the path of its folder, its name."""

    environment: str
    path: str
    name: str


Values = Mapping[Target, str]
Load = Callable[[Iterable[Target]], Values]
"""Return the values of those that are there."""


def has_references(text: str) -> bool:
    """Say whether the value names other secrets, whether or not they are there."""
    return _REFERENCE.search(text) is not None


def targets_of(text: str, home: Target) -> Sequence[Target]:
    """Return what the references in the value of ``home`` name, each once."""
    return list(dict.fromkeys(_target(match[1], home) for match in _REFERENCE.finditer(text)))


def _target(words: str, home: Target) -> Target:
    if "." not in words:
        return Target(home.environment, home.path, words)
    environment, *folders, name = words.split(".")
    return Target(environment, "/" + "/".join(folders), name)


def closure(start: Values, load: Load) -> Values:
    """Return the values together with all that they lead to, as far as it is there.

    Raises Refused when that is too much for one answer.
    """
    texts, missing = dict(start), set[Target]()
    newest: Values = start
    for _ in range(MOST_LEVELS):
        to_load = (
            {target for home, text in newest.items() for target in targets_of(text, home)} - texts.keys() - missing
        )
        if not to_load:
            break
        if len(texts) - len(start) + len(to_load) > MOST_TARGETS:
            raise _too_much(f"refer to more than {MOST_TARGETS} others")
        newest = load(sorted(to_load))
        texts |= newest
        missing |= to_load - newest.keys()
    return texts


def expand_references(values: Values) -> Values:
    """Return the values with every reference replaced by the value it leads to.

    A reference stays as it is written when it leads to nothing, or into a circle: whatever is asked first, each value comes
    out the same. Raises Refused when the values would be too large for one answer.
    """
    waiting = {home: [target for target in targets_of(text, home) if target in values] for home, text in values.items()}
    users: dict[Target, list[Target]] = {}
    for home, targets in waiting.items():
        for target in targets:
            users.setdefault(target, []).append(home)
    open_targets = {home: len(targets) for home, targets in waiting.items()}
    ready = [home for home, count in open_targets.items() if count == 0]
    done: dict[Target, str] = {}
    size = 0
    while ready:
        home = ready.pop()
        done[home] = _replaced(values[home], home, done)
        size += len(done[home]) if done[home] is not values[home] else 0
        if size > MOST_CHARACTERS:
            raise _too_much(f"have more than {MOST_CHARACTERS} characters when their references are replaced")
        for user in users.get(home, ()):
            open_targets[user] -= 1
            if open_targets[user] == 0:
                ready.append(user)
    # Those left over lead into a circle. What they refer to besides is replaced.
    return done | {home: _replaced(text, home, done) for home, text in values.items() if home not in done}


def closes_circle(home: Target, values: Values) -> bool:
    """Say whether the references of a value lead back to it."""
    visited, ahead = set[Target](), [home]
    while ahead:
        current = ahead.pop()
        for target in targets_of(values.get(current, ""), current):
            if target == home:
                return True
            if target not in visited:
                visited.add(target)
                ahead.append(target)
    return False


def _replaced(text: str, home: Target, done: Values) -> str:
    """Return the text with the references to what is done replaced; the text itself when that would be too long."""
    parts, place, length = [], 0, 0
    for match in _REFERENCE.finditer(text):
        value = done.get(_target(match[1], home))
        if value is None:
            continue
        parts += [text[place : match.start()], value]
        length += match.start() - place + len(value)
        place = match.end()
        if length > LONGEST:  # at once: what comes on top may be thousands of times as much
            return text
    if not parts or length + len(text) - place > LONGEST:
        return text
    return "".join([*parts, text[place:]])


def _too_much(why: str) -> Refused:
    return Refused(
        f"The secrets of this answer {why}.",
        code="secrets.references_too_large",
        fix="Read fewer at once, or with expandSecretReferences=false.",
    )
