"""Patterns of paths, as roles have them. Pure.

A star stands for any part of a name, a question mark for one character, and ``**`` for any number of folders, none as well:
``/app/**`` is ``/app`` and all below it. Names are compared as they are, capitals and all. Matching takes time in proportion to
the length of the path for each star, whatever pattern somebody makes up: nothing is tried twice.
"""

import re
from functools import lru_cache

from keyturn.errors import Refused

LONGEST = 256
MOST_STARS = 12
"""Stars and double stars of one pattern."""
_REFUSED = re.compile(r"[\[\]{}()!\\\x00-\x1f\x7f]")
_RELATIVE = frozenset({".", ".."})
_NAME = "(?:[^/]+/)"


def require_glob(glob: str) -> None:
    """Raise Refused for what is no pattern here."""
    if len(glob) > LONGEST or glob.count("*") > 2 * MOST_STARS:
        raise Refused(
            f"A pattern has up to {LONGEST} characters and {MOST_STARS} stars.",
            code="roles.glob_too_long",
            field="permissions",
            fix="Use several permissions.",
        )
    if _REFUSED.search(glob):
        raise Refused(
            f"The pattern '{glob}' has a character that stands for nothing here.",
            code="roles.glob",
            field="permissions",
            fix="Use * for a part of a name, ? for one character and ** for any number of folders; name alternatives by $in.",
        )
    if any("**" in name and name != "**" for name in glob.split("/")):
        raise Refused(
            f"In the pattern '{glob}', ** is a part of a name.",
            code="roles.glob",
            field="permissions",
            fix="Write ** alone between slashes, as in /app/**.",
        )


def matches(glob: str, text: str) -> bool:
    """Say whether the pattern, which :func:`require_glob` admits, fits a path or a word.

    Slashes too many change nothing. A path with a step upwards fits nothing: what it names is not in it.
    """
    names = _names(text)
    return names is not None and _compiled(glob).fullmatch(names) is not None


@lru_cache(maxsize=4096)
def _names(text: str) -> str | None:
    """Return the names with a slash after each; None for a path with a step upwards."""
    names = [name for name in text.split("/") if name]
    return "".join(f"{name}/" for name in names) if _RELATIVE.isdisjoint(names) else None


@lru_cache(maxsize=4096)
def plain_path(path: str) -> str:
    """Return the path with one slash before each name and none at the end; the root is ``/``."""
    return "/" + "/".join(name for name in path.split("/") if name)


def narrower(glob: str, wide: str) -> bool:
    """Say whether whatever the one pattern fits is fitted by the other, where that can be seen."""
    head = wide.removesuffix("/**")
    # All that begins with the same names is within a pattern that lets anything follow them.
    return glob == wide or (
        head != wide and head == _head(head) and f"{_head(glob).rstrip('/')}/".startswith(f"{head}/")
    )


def apart(glob: str, other: str) -> bool:
    """Say whether no path is fitted by both, where that can be seen: they begin with different names."""
    names = zip(_head(glob).split("/"), _head(other).split("/"), strict=False)
    return any(one != another for one, another in names if one and another)


def _head(glob: str) -> str:
    """Return the names before the first one that has a star or a question mark."""
    names = []
    for name in glob.split("/"):
        if "*" in name or "?" in name:
            break
        names.append(name)
    return "/".join(names)


@lru_cache(maxsize=1024)
def _compiled(glob: str) -> re.Pattern[str]:
    """Return an expression for the path with a slash after each name, and none before the first."""
    names = [name for name in glob.split("/") if name]
    groups: list[list[str]] = [[]]
    for name in names:
        if name == "**":
            groups.append([])
        else:
            groups[-1].append(_one(name))
    first, *others = ("".join(group) for group in groups)
    if not others:
        return re.compile(first)
    # The first place where a group fits leaves most to those after it, so none but the last is ever tried again.
    middle = "".join(f"(?>{_NAME}*?{group})" for group in others[:-1] if group)
    return re.compile(f"{first}{middle}{_NAME}*{others[-1]}")


def _one(name: str) -> str:
    """Return an expression for one name of the pattern, with its slash; the same holds for its stars."""
    first, *others = (_literal(part) for part in re.split(r"\*+", name))
    if not others:
        return f"{first}/"
    middle = "".join(f"(?>[^/]*?{part})" for part in others[:-1] if part)
    return f"(?>{first}{middle}[^/]*{others[-1]}/)" if first or middle or others[-1] else "(?>[^/]+/)"


def _literal(part: str) -> str:
    return "".join("[^/]" if char == "?" else re.escape(char) for char in part)
