"""What is made of a class is what the standard library makes of it."""

import copy
import dataclasses
import pickle
import threading
from collections.abc import Callable
from dataclasses import FrozenInstanceError, InitVar, asdict, field, fields, is_dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from keyturn.kit.dataclasses import dataclass

T = TypeVar("T")
BOTH = pytest.mark.parametrize("frozen", [True, False])


def plain() -> type[Any]:
    class Plain:
        number: int
        text: str = "none"
        names: list[str] = field(default_factory=list, kw_only=True)
        hidden: str = field(default="hidden", repr=False)
        told: int = field(default=0, compare=False)
        shared: ClassVar[int] = 7

        def __post_init__(self) -> None:
            if self.number < 0:
                raise ValueError("a number is not negative")

    return Plain


def own() -> type[Any]:
    class Own:
        number: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 5

    return Own


def equal() -> type[Any]:
    class Equal:  # noqa: PLW1641 -- what a dataclass is hashed by is what is asked here
        number: int
        given: InitVar[int] = 3

        def __post_init__(self, given: int) -> None:
            self.__dict__["kept"] = given

        def __eq__(self, other: object) -> bool:
            return True

    return Equal


def pair(make: Callable[[], type[Any]], frozen: bool) -> tuple[type[Any], type[Any]]:
    """Return what the standard library and what we make of the same class."""
    return dataclasses.dataclass(frozen=frozen)(make()), dataclass(frozen=frozen)(make())


def outcome(attempt: Callable[..., Any], *args: Any, **named: Any) -> str:
    try:
        return repr(attempt(*args, **named))
    except (TypeError, ValueError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"


def _same_hash(cls: type[Any]) -> bool:
    return hash(cls(1)) == hash(cls(1))


ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    ((1, "a"), {"names": ["b"]}),
    ((1,), {"hidden": "c", "told": 2}),
    ((), {}),
    ((1, "a", "b", 3, 4), {}),
    ((1,), {"unknown": 1}),
    ((-1,), {}),
]


@BOTH
def test_objects_are_made_shown_compared_and_refused_alike(frozen: bool) -> None:
    theirs, ours = pair(plain, frozen)
    for args, named in ARGUMENTS:
        assert outcome(ours, *args, **named) == outcome(theirs, *args, **named)

    def facts(cls: type[Any]) -> list[object]:
        first, same, other = cls(1), cls(1, told=5), cls(2)
        return [
            (first == same, first == other, first == "1", first != same),
            outcome(set, [first, same, other]).count("Plain("),
            outcome(replace, first, number=4, names=["d"]),
            outcome(replace, first, number=-4),
            asdict(first),
            [(each.name, each.type, each.default, each.kw_only) for each in fields(cls)],
            cls.__match_args__,
            is_dataclass(cls),
            outcome(setattr, first, "number", 9),
            outcome(setattr, first, "unknown", 9),
            outcome(delattr, first, "text"),
            repr(first),
            repr(copy.deepcopy(other)),
            (cls.text, cls.shared, hasattr(cls, "names")),
        ]

    assert facts(ours) == facts(theirs)


@BOTH
def test_what_a_class_says_itself_stays(frozen: bool) -> None:
    for cls in pair(own, frozen):
        assert (repr(cls(1)), cls(1) == cls(2), hash(cls(1))) == ("own", True, 5)


@BOTH
def test_what_is_only_a_parameter_is_passed_on_and_equality_of_its_own_leaves_the_hash(frozen: bool) -> None:
    theirs, ours = (
        [outcome(cls, 1, given=5), cls(1, 6).kept, cls(1).kept, cls(1) == cls(2), outcome(_same_hash, cls)]
        for cls in pair(equal, frozen)
    )
    assert ours == theirs


def test_a_class_inherits_the_fields_of_another_and_adds_its_own() -> None:
    @dataclass(frozen=True)
    class Base:
        number: int

    @dataclass(frozen=True)
    class Derived(Base):
        text: str = "a"

    class Undecorated(Derived):
        more = 0

    assert repr(Derived(1)).endswith("Derived(number=1, text='a')")
    assert (Base(1) == Derived(1), Derived(1) == Derived(1, "a"), Base(1) == Base(1)) == (False, True, True)
    made = Undecorated(1, "b")
    made.more = 3  # as the standard library has it: only fields are frozen there
    with pytest.raises(FrozenInstanceError, match="number"):
        made.number = 2  # type: ignore[misc]


@pytest.mark.parametrize("make", [dataclass, dataclasses.dataclass])
def test_a_field_that_is_compared_may_be_left_out_of_the_hash(
    make: Callable[..., Callable[[type[T]], type[T]]],
) -> None:
    class Channel:
        name: str
        config: dict[str, int] = field(hash=False)

    cls: Any = make(frozen=True)(Channel)
    assert (hash(cls("a", {})) == hash(cls("a", {"b": 1})), len({cls("a", {}), cls("a", {"b": 1})})) == (True, 2)


def test_a_class_with_one_field_or_none_compares_as_all_others() -> None:
    @dataclass(frozen=True)
    class Nothing:
        pass

    @dataclass(frozen=True)
    class One(Generic[T]):
        value: T

    nan = float("nan")
    assert Nothing() == Nothing()
    assert len({Nothing(), Nothing()}) == 1
    assert (One(nan) == One(nan), One[int](1) == One(1)) == (True, True)


@dataclass
class Tree:
    children: "list[Tree]" = field(default_factory=list)


def test_a_value_that_holds_itself_is_shown_and_one_is_pickled() -> None:
    tree = Tree()
    assert pickle.loads(pickle.dumps(tree)) == tree
    tree.children.append(tree)
    assert repr(tree) == "Tree(children=[...])"


def test_threads_that_make_the_first_objects_of_a_class_all_get_theirs() -> None:
    def made_at_once() -> list[int]:
        _, cls = pair(plain, frozen=True)
        together, made = threading.Barrier(4), list[int]()

        def make(number: int) -> None:
            together.wait()
            made.append(cls(number).number)

        threads = [threading.Thread(target=make, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(made)

    assert [made_at_once() for _ in range(30)] == [[0, 1, 2, 3]] * 30
