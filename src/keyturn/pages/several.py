"""Something done with several things of a list: first a page that names them, then how it went for each."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from msgspec import Meta

from keyturn.errors import KeyturnError, NotFound
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.choices import NO_CHOICE, Choice
from keyturn.web.html.forms import EMPTY, FormState
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel

MOST = 100
"""As many as a page of a list has."""
_IN_FREEZE = "rotation.frozen"
GONE = "It was deleted since the list was opened, or you may not see it any more. Nothing has to be done."
_WORDS = {
    "rotate": ("Rotate now", "Each gets a new credential; what was used so far goes.", "The rotation has begun."),
    "pause": ("Pause rotation", "Nothing of these is rotated until it is resumed. Their secrets end when they end.", "Paused."),
    "resume": ("Resume rotation", "They rotate on their schedules again, at once what is due.", "Resumed."),
    "owner": ("Name the owner", "Who answers for them is told first of what needs somebody.", "Named."),
}  # fmt: skip


class SeveralForm(ApiModel, rename=None):
    """``act`` is what is to be done with those of these ids; ``back`` is the list, a path of this server.

    ``freeze_reason`` is why those that are in a freeze are rotated all the same.
    """

    act: Literal["rotate", "pause", "resume", "owner"] = "rotate"
    id: Annotated[list[Annotated[Trimmed, Meta(max_length=36)]], Meta(max_length=MOST)] = []  # noqa: RUF012 - a default of msgspec, copied
    back: Annotated[Trimmed, Meta(max_length=2000)] = "/overview"
    owner: Annotated[Trimmed, Meta(max_length=320)] = ""
    freeze_reason: Annotated[Trimmed, Meta(max_length=500)] = ""


@dataclass(frozen=True)
class Outcome:
    """How it went for one; nothing yet while ``done`` is None. ``in_freeze``: it was left as it is because of a freeze."""

    id: str
    name: str
    path: str
    done: bool | None = None
    message: str = ""
    fix: str = ""
    in_freeze: bool = False


@dataclass(frozen=True)
class Several:
    """``noun`` is what they are, ``action`` where the form goes; ``people`` are owners to choose from."""

    act: str
    noun: str
    action: str
    back: str
    outcomes: Sequence[Outcome]
    asked: bool
    """Whether it is still to be confirmed."""
    people: Choice = NO_CHOICE
    form_state: FormState = EMPTY

    @property
    def title(self) -> str:
        return _WORDS[self.act][0]

    @property
    def text(self) -> str:
        return _WORDS[self.act][1]

    @property
    def open(self) -> Sequence[Outcome]:
        """What the form is about: all, or afterwards those that are rotated only with a reason."""
        return [one for one in self.outcomes if (one.done is None if self.asked else one.in_freeze)]


def named(one_id: str, path: str, name_of: Callable[[str], str]) -> Outcome:
    """Name one. That it is gone meanwhile is told, and keeps nobody from the others. Raises Forbidden."""
    try:
        return Outcome(one_id, name_of(one_id), path)
    except NotFound as error:
        return Outcome(one_id, one_id, "", done=False, message=error.message, fix=GONE)


def done_with(one: Outcome, act: str, do: Callable[[], object]) -> Outcome:
    """Do it with one that is there. What is refused is told, and the others are done all the same."""
    if one.done is not None:
        return one
    try:
        do()
    except KeyturnError as error:
        told = replace(one, done=False, message=error.message, fix=error.fix or "")
        return replace(told, in_freeze=error.code == _IN_FREEZE)
    return replace(one, done=True, message=_WORDS[act][2])
