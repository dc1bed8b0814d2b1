"""What a sign-in method asks a user for. Form, JSON schema and documentation of a connection are made from it."""

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum

from keyturn.kit import pasted
from keyturn.kit.dataclasses import dataclass


class AskedWhere(StrEnum):
    """Which part of a form asks for a field."""

    CREDENTIALS = "credentials"
    ROTATION = "rotation"
    """Only what is to be rotated needs it."""
    SIGN_IN = "sign-in"
    """No form: the browser brings it from the provider."""


def as_it_is(text: str) -> str:
    """Leave a text alone, of which every character counts."""
    return text


@dataclass(frozen=True)
class Field:
    """One input of a method. ``name`` is its key in JSON; ``label`` and ``help`` are for people who fill in a form.

    A text is made ``plain`` first, then ``fault`` says what is wrong with it: a sentence, which programs know by
    ``validation``. ``shape`` is what JSON schema says beside. A field that is not ``required`` may be left out.
    """

    name: str
    label: str = ""
    help: str = ""
    secret: bool = False
    guarded: bool = False
    """No secret itself, but one may have been pasted with it: programs treat it as one."""
    required: bool = True
    longest: int = 255
    """What a form lets people type."""
    multiline: bool = False
    asked: AskedWhere = AskedWhere.CREDENTIALS
    plain: Callable[[str], str] = pasted.trim_blanks
    fault: Callable[[str], str | None] | None = None
    validation: str | None = None
    description: str | None = None
    shape: Mapping[str, object] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    """What a form offers to choose from; programs may send other texts, which are then judged like these."""
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    sentence: str | None = None
    """What to say where a limit or the pattern is not met."""
    empty_if_absent: bool = False
    """Whether a request may leave it out although a form calls it required: another field may hold it, too."""


@dataclass(frozen=True)
class FieldFault:
    """What is wrong with a field in the light of the others."""

    field: str
    message: str
