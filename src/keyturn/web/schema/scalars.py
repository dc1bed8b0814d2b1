"""The checks of single values: texts, numbers, moments, choices. ``web.validate`` puts them together."""

import enum
import re
import typing
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from keyturn.kit import pasted
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ids import is_uuid
from keyturn.kit.secret import Plaintext
from keyturn.web.schema import issues as say
from keyturn.web.schema.issues import Issue, Path

Check = Callable[[object, Path, list[Issue]], Any]
"""Return the clean value, or add to the issues (then the result means nothing)."""

LARGEST_INT = 2**53 - 1
"""The largest whole number that every JSON client can hold."""


class Marker(enum.Enum):
    """What ``Meta`` cannot say about a value; used inside ``Annotated``."""

    TRIMMED = "trimmed"
    UUID = "uuid"
    SLUG = "slug"
    COERCED = "coerced"
    JSON_OBJECT = "json-object"
    """Of a Plaintext: a JSON object whose shape is told later, kept as its JSON text until then."""


@dataclass(frozen=True)
class Sentence:
    """The sentence to give when a limit, a pattern or a marker of this field is not met."""

    message: str


@dataclass(frozen=True)
class Normalized:
    """How the text of this field is made plain before it is checked, instead of only being trimmed."""

    function: Callable[[str], str]


@dataclass(frozen=True)
class Tests:
    """A check of this field's text that says what is wrong, None when nothing is. ``validation`` names it to programs."""

    function: Callable[[str], str | None]
    validation: str | None = None


@dataclass(frozen=True)
class FieldRules:
    """What the annotations of one field ask for."""

    meta: tuple[msgspec.Meta, ...]
    markers: frozenset[Marker]
    says: str | None
    reads: Callable[[str], str] | None = None
    tests: tuple[Tests, ...] = ()

    def plain(self, text: str) -> str:
        if self.reads:
            return self.reads(text)
        return pasted.trim_blanks(text) if self.markers & {Marker.TRIMMED, Marker.SLUG} else text


NOT_A_SLUG = "Use lower-case letters, digits and single hyphens between them, such as prod-entra"
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_WHOLE = re.compile(r"[+-]?[0-9]{1,16}(?:\.0{1,16})?")
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def scalar(kind: type, rules: FieldRules) -> Check | None:
    """Return the check for a plain type, None when it is not one."""
    makers: dict[type, Callable[[FieldRules], Check]] = {
        str: _string,
        Plaintext: _plaintext,
        bool: _boolean,
        int: _integer,
        float: _float,
        datetime: lambda _: _moment,
    }
    if kind in makers:
        return makers[kind](rules)
    return choice(kind) if issubclass(kind, enum.Enum) else None


def text_fault(text: str) -> str | None:
    """Say what keeps a text from being stored: PostgreSQL holds no NUL, UTF-8 no lone surrogate."""
    if "\x00" in text:
        return "must not contain the NUL character"
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        return "must be valid Unicode text"
    return None


def _string(rules: FieldRules) -> Check:
    if Marker.SLUG in rules.markers:
        rules = replace(rules, meta=(*rules.meta, msgspec.Meta(min_length=1, max_length=64)))
    limits = _lengths("string", rules)
    patterns = [re.compile(meta.pattern) for meta in rules.meta if meta.pattern is not None]

    def check(value: object, path: Path, issues: list[Issue]) -> object:
        if not isinstance(value, str):
            issues.append(say.wrong_type("string", value, path))
            return None
        text = rules.plain(value)
        if fault := text_fault(text):
            issues.append(say.custom(fault, path))
            return None
        before = len(issues)
        limits(text, path, issues)
        if not all(pattern.search(text) for pattern in patterns):
            issues.append(say.invalid_string("regex", rules.says or "Invalid", path))
        return _marked(text, rules, path, issues) if len(issues) == before else None

    return check


def _plaintext(rules: FieldRules) -> Check:
    """Check a secret as any text. One that was read before, from a form, is checked as what it holds."""
    check_text = _string(rules)

    def check(value: object, path: Path, issues: list[Issue]) -> object:
        before = len(issues)
        text = check_text(value.reveal() if isinstance(value, Plaintext) else value, path, issues)
        return Plaintext(text) if len(issues) == before else None

    return check


def _marked(text: str, rules: FieldRules, path: Path, issues: list[Issue]) -> str:
    if Marker.UUID in rules.markers:
        if not is_uuid(text):
            issues.append(say.invalid_string("uuid", rules.says or "Invalid uuid", path))
        return text.lower()
    if Marker.SLUG in rules.markers and not _SLUG.fullmatch(text):
        unseen = pasted.unseen(text)
        note = f". It holds {unseen}, which cannot be seen" if unseen else ""
        issues.append(say.custom(rules.says or f"{NOT_A_SLUG}{note}", path))
    for test in rules.tests:
        if sentence := test.function(text):
            wrong = (
                say.invalid_string(test.validation, sentence, path) if test.validation else say.custom(sentence, path)
            )
            issues.append(wrong)
    return text


def _boolean(rules: FieldRules) -> Check:
    def check(value: object, path: Path, issues: list[Issue]) -> object:
        if Marker.COERCED in rules.markers and isinstance(value, str):
            value = _TRUTHS.get(value.strip().lower(), value)
        if not isinstance(value, bool):
            issues.append(say.wrong_type("boolean", value, path))
        return value

    return check


def _integer(rules: FieldRules) -> Check:
    limits = _bounds(rules)

    def check(value: object, path: Path, issues: list[Issue]) -> object:
        if Marker.COERCED in rules.markers and isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
            value = int(value.strip().split(".")[0])
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON makes no difference between 5 and 5.0
        if isinstance(value, bool) or not isinstance(value, int | float):
            received = "nan" if Marker.COERCED in rules.markers and isinstance(value, str) else None
            issues.append(say.wrong_type("number", value, path, received=received))
        elif isinstance(value, float):
            issues.append(say.wrong_type("integer", value, path, received="float"))
        elif abs(value) > LARGEST_INT:
            limit = (
                say.too_big("number", LARGEST_INT, path) if value > 0 else say.too_small("number", -LARGEST_INT, path)
            )
            issues.append(limit)
        else:
            limits(value, path, issues)
        return value

    return check


def _float(rules: FieldRules) -> Check:
    limits = _bounds(rules)

    def check(value: object, path: Path, issues: list[Issue]) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LARGEST_INT:
            issues.append(say.wrong_type("number", value, path))
            return None
        limits(value, path, issues)
        return float(value)

    return check


def _moment(value: object, path: Path, issues: list[Issue]) -> object:
    if not isinstance(value, str):
        issues.append(say.wrong_type("string", value, path))
        return None
    try:
        # Some moments have no date in UTC: 9999-12-31T23:59:59-14:00 would be in the year 10000.
        local = datetime.fromisoformat(value.strip())
        moment = local.astimezone(UTC) if local.tzinfo else None
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        issues.append(say.invalid_string("datetime", "Invalid datetime: write it as 2026-03-04T05:06:07Z", path))
    return moment


def null(value: object, path: Path, issues: list[Issue]) -> object:
    if value is not None:
        issues.append(say.wrong_type("null", value, path))
    return None


def one_of(options: tuple[object, ...]) -> Check:
    def check(value: object, path: Path, issues: list[Issue]) -> object:
        for option in options:
            if type(option) is type(value) and option == value:
                return option
        issues.append(
            say.invalid_literal(options[0], path) if len(options) == 1 else say.invalid_enum(options, value, path)
        )
        return None

    return check


def choice(kind: type[enum.Enum]) -> Check:
    members = {member.value: member for member in kind}

    def check(value: object, path: Path, issues: list[Issue]) -> object:
        if isinstance(value, str | int) and not isinstance(value, bool) and value in members:
            return members[value]
        if isinstance(value, str):
            issues.append(say.invalid_enum(list(members), value, path))
        else:
            issues.append(say.wrong_type("string", value, path))
        return None

    return check


# --- limits -----------------------------------------------------------------------------------------------------------


def _lengths(kind: str, rules: FieldRules) -> Callable[[typing.Sized, Path, list[Issue]], None]:
    least = max((meta.min_length for meta in rules.meta if meta.min_length is not None), default=None)
    most = min((meta.max_length for meta in rules.meta if meta.max_length is not None), default=None)
    exact = least is not None and least == most

    def check(value: typing.Sized, path: Path, issues: list[Issue]) -> None:
        issue = None
        if least is not None and len(value) < least:
            issue = say.too_small(kind, least, path, exact=exact)
        elif most is not None and len(value) > most:
            issue = say.too_big(kind, most, path, exact=exact)
        if issue:
            issues.append({**issue, "message": rules.says or issue["message"]})

    return check


def limit_check(check: Check, kind: str, rules: FieldRules) -> Check:
    limits = _lengths(kind, rules)

    def both(value: object, path: Path, issues: list[Issue]) -> object:
        if isinstance(value, typing.Sized):
            limits(value, path, issues)
        return check(value, path, issues)

    return both


def _bounds(rules: FieldRules) -> Callable[[float, Path, list[Issue]], None]:
    def faults(value: float, path: Path) -> Iterator[Issue]:
        for meta in rules.meta:
            if meta.ge is not None and value < meta.ge:
                yield say.too_small("number", meta.ge, path)
            if meta.gt is not None and value <= meta.gt:
                yield say.too_small("number", meta.gt, path, inclusive=False)
            if meta.le is not None and value > meta.le:
                yield say.too_big("number", meta.le, path)
            if meta.lt is not None and value >= meta.lt:
                yield say.too_big("number", meta.lt, path, inclusive=False)
            if meta.multiple_of is not None and value % meta.multiple_of:
                yield say.not_multiple_of(meta.multiple_of, path)

    def check(value: float, path: Path, issues: list[Issue]) -> None:
        issues.extend({**issue, "message": rules.says or issue["message"]} for issue in faults(value, path))

    return check
