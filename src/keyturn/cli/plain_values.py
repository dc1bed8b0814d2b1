"""Values of the command line that are right at a glance, taken without the library by which Typer judges them.

Typer loads Pydantic for that, which takes longer than all else that ``keyturn run`` does before its program starts, and a
twentieth of what the start of a server does. Whatever is not plain is left to it, so every mistake is told in its words. Where
a later Typer keeps its judge elsewhere, this does nothing.
"""

from enum import Enum
from math import isfinite
from typing import Any, get_args, get_origin

_JUDGE = "_runtime_param"


def take_plain_values(command: Any, ctx: Any) -> None:
    """Let a command take plain values as they are."""
    for parameter in command.get_params(ctx):
        if getattr(parameter, _JUDGE, False) is None:
            setattr(parameter, _JUDGE, _Plain(parameter))


class _Plain:
    """Stands in the place of a parameter's judge until a value comes that is not plain."""

    def __init__(self, parameter: Any) -> None:
        self._annotation = parameter.type_descriptor.annotation
        self._bounds = parameter.type_descriptor.parameter_info

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value as its command wants it. Raises what Typer raises."""
        many = param.multiple or param.nargs == -1
        if value is None:
            return () if many else None
        if getattr(self._bounds, "parser", None) is None:
            if many and get_origin(self._annotation) is list and isinstance(value, list | tuple):
                [annotation] = get_args(self._annotation)
                items = [self._plain(item, annotation) for item in value]
                if None not in items:
                    return items
            elif not many and (plain := self._plain(value, self._annotation)) is not None:
                return plain
        setattr(param, _JUDGE, None)
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)

    def _plain(self, value: Any, annotation: Any) -> Any:
        """Return the value of this type; None when somebody else has to judge it."""
        if annotation is str:
            return value if isinstance(value, str) else None
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            return next((each for each in annotation if value in {each, each.value}), None)
        return self._number(value, annotation) if annotation in {int, float} else None

    def _number(self, value: Any, kind: type[int] | type[float]) -> int | float | None:
        try:
            number = kind(value)
            finite = isfinite(number)
        except (TypeError, ValueError, OverflowError):
            return None
        least, most = self._bounds.min, self._bounds.max
        right = finite and (least is None or number >= least) and (most is None or number <= most)
        return number if right and str(value).isascii() else None
