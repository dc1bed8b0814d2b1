"""``dataclass`` as in the standard library, for a twelfth of the processor's time. See docs/adr/0044.

The standard library writes the text of up to six methods for each class and compiles them when the module is imported. Here
those that differ in nothing but the names of the fields are closures, and ``__init__`` is compiled, by the standard library,
when the first object is made: until then ``inspect.signature`` does not show the parameters. To type checkers, and to
``fields``, ``replace`` and ``asdict``, these are dataclasses like all others. It is the type checker that refuses a frozen class
that inherits from one that is not, and the other way round. A frozen class that has other options stands in no such line.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import FrozenInstanceError, InitVar, fields
from functools import partial
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type[Any] | None = None, /, *, frozen: bool = False, **others: bool) -> Any:
        """Make a class a dataclass. What has other options than ``frozen`` is left to the standard library."""
        if cls is None:
            return partial(dataclass, frozen=frozen, **others)
        if others:
            return dataclasses.dataclass(frozen=frozen, **others)(cls)
        return _with_methods(cls, frozen=frozen)


def _with_methods(cls: type[Any], *, frozen: bool) -> type[Any]:
    own = {
        name for name, value in vars(cls).items() if (name, value) != ("__hash__", None)
    }  # which __eq__ alone leaves
    cls.__doc__ = cls.__doc__ or cls.__name__  # or the standard library would show an ``__init__`` without parameters
    dataclasses.dataclass(init=False, repr=False, eq=False)(cls)  # not frozen: that alone is two methods to compile
    methods = {
        "__init__": _first_init(cls, frozen=frozen),
        "__repr__": _repr_of(cls),
        **_comparison_of(cls, frozen=frozen),
    }
    if frozen:
        methods |= _refusals_of(cls)
    for name, method in methods.items():
        if name not in own:
            setattr(cls, name, method)
    return cls


def _first_init(cls: Any, *, frozen: bool) -> Callable[..., None]:
    """Return an ``__init__`` that puts the compiled one in its place. Threads that come at once each put the same there."""

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        compiled_init = _compiled_init(cls, frozen=frozen)
        cls.__init__ = compiled_init
        compiled_init(self, *args, **kwargs)

    return init


def _compiled_init(cls: type[Any], *, frozen: bool) -> Any:
    kept = fields(cls)
    parameters = [
        field for field in cls.__dataclass_fields__.values() if field in kept or isinstance(field.type, InitVar)
    ]
    alike: Any = dataclasses.make_dataclass(
        cls.__name__,
        [(field.name, field.type, field) for field in parameters],
        # With ``__doc__``, as the standard library would make one of the parameters.
        namespace={name: getattr(cls, name) for name in ("__doc__", "__post_init__") if hasattr(cls, name)},
        repr=False,
        eq=False,
        frozen=frozen,
    )
    alike.__init__.__qualname__ = f"{cls.__qualname__}.__init__"  # which a missing argument is told with
    return alike.__init__


def _repr_of(cls: type[Any]) -> Callable[[Any], str]:
    names = [field.name for field in fields(cls) if field.repr]

    @recursive_repr()
    def text(self: Any) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({values})"

    return text


def _comparison_of(cls: type[Any], *, frozen: bool) -> dict[str, Any]:
    # With the class it is a tuple for one field, too.
    key = attrgetter("__class__", *(field.name for field in fields(cls) if field.compare))
    hashed = (field for field in fields(cls) if (field.compare if field.hash is None else field.hash))
    hash_key = attrgetter("__class__", *(field.name for field in hashed))

    def equals(self: Any, other: object) -> Any:
        return key(self) == key(other) if type(other) is type(self) else NotImplemented

    def digest(self: Any) -> int:
        return hash(hash_key(self))

    return {"__eq__": equals, "__hash__": digest if frozen else None}


def _refusals_of(cls: type[Any]) -> dict[str, Any]:
    names = frozenset(field.name for field in fields(cls))

    def assign(self: Any, name: str, value: object) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def delete(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return {"__setattr__": assign, "__delattr__": delete}
