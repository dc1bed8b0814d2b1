"""The table of routes: which endpoint answers a method and a path."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Generic, TypeVar

from keyturn.kit.dataclasses import dataclass

_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")
_SLASHES = re.compile(r"//+")
Endpoint = TypeVar("Endpoint")


class NoRoute(Exception):
    """No route has this path."""


class WrongMethod(Exception):
    """Routes have this path, for the ``methods`` only."""

    def __init__(self, methods: Sequence[str]) -> None:
        super().__init__(", ".join(methods))
        self.methods = methods


def path_params(path: str) -> tuple[str, ...]:
    """Return the names of the parameters in a route's path."""
    return tuple(name for name, _ in _PARAMETER.findall(path))


def filled_in(path: str, values: Mapping[str, str]) -> str:
    """Return the path with the values of its parameters; of one that is unknown, nothing."""
    return _PARAMETER.sub(lambda parameter: values.get(parameter[1], ""), path)


def normal(path: str) -> str:
    """Return the path with one slash before each segment, and none after the last."""
    return _SLASHES.sub("/", f"/{path.strip('/')}")


_Entries = dict[str, tuple[Endpoint, tuple[str, ...]]]


@dataclass
class _Node(Generic[Endpoint]):
    """A place in the paths that have parameters. One that ``takes_rest`` has a value of several segments."""

    takes_rest: bool = False
    fixed: "dict[str, _Node[Endpoint]]" = field(default_factory=dict)
    parameter: "_Node[Endpoint] | None" = None
    entries: "_Entries[Endpoint]" = field(default_factory=dict)


class Table(Generic[Endpoint]):
    """Routes by path and method.

    In a route's path ``{name}`` stands for one segment and ``{name:path}`` for all that follows, which begins with a slash.
    A path without parameters wins; else, from left to right, a fixed segment wins over a parameter, and no choice is taken
    back. So a look-up takes time in proportion to the length of the path.
    """

    def __init__(self) -> None:
        self._plain: dict[str, _Entries[Endpoint]] = {}
        self._root: _Node[Endpoint] = _Node()

    def add(self, method: str, path: str, endpoint: Endpoint) -> None:
        """Raises ValueError when the place is taken, or two parameters at one place differ in what they take."""
        names = path_params(path)
        entries = self._entries_of(path) if names else self._plain.setdefault(normal(path), {})
        if method in entries:
            raise ValueError(f"{method} {path} has a route already")
        entries[method] = (endpoint, names)

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """Return what answers, and the values of the path's parameters. ``path`` is normal. Raises NoRoute, WrongMethod."""
        values: list[str] = []
        entries = self._plain.get(path)
        if entries is None:
            entries, values = self._walk([segment for segment in path.split("/") if segment])
        if method not in entries:
            raise WrongMethod(tuple(entries))
        endpoint, names = entries[method]
        return endpoint, dict(zip(names, values, strict=True))

    def _entries_of(self, path: str) -> "_Entries[Endpoint]":
        """Return the entries of a path with parameters, after making its place."""
        node = self._root
        for segment in normal(path).split("/")[1:]:
            parameter = _PARAMETER.fullmatch(segment)
            if node.takes_rest or (parameter is None and "{" in segment):
                raise ValueError(f"{path}: a parameter is a whole segment, and the last one when it takes the rest")
            if parameter is None:
                node = node.fixed.setdefault(segment, _Node())
                continue
            takes_rest = parameter[2] is not None
            if node.parameter is None:
                node.parameter = _Node(takes_rest=takes_rest)
            node = node.parameter
            if node.takes_rest != takes_rest:
                raise ValueError(f"{path}: another route has a parameter of the other kind there")
        return node.entries

    def _walk(self, segments: Sequence[str]) -> "tuple[_Entries[Endpoint], list[str]]":
        node, values = self._root, []
        for index, segment in enumerate(segments):
            if segment in node.fixed:
                node = node.fixed[segment]
                continue
            if node.parameter is None:
                raise NoRoute
            node = node.parameter
            if node.takes_rest:
                values.append(normal("/".join(segments[index:])))
                break
            values.append(segment)
        if not node.entries:
            raise NoRoute
        return node.entries, values
