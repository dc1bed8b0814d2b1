"""Forms: what a browser sent, and the same form again with what is wrong with it."""

from collections.abc import Mapping
from dataclasses import field
from urllib.parse import parse_qsl

from keyturn.errors import Invalid, KeyturnError, Refused
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.repeat import may_repeat
from keyturn.kit.sentences import upper_first

MOST_FIELDS = 200
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class FormState:
    """A form as it was sent and refused: shown again with its values, each fault at its field, the rest on top.

    Secrets, and what may be one, are never shown again: ``dropped`` are the fields that held such.
    A page with several forms gives each only its own: ``form_state.of("/path/it/goes/to")``.
    """

    form: str = ""
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    errors: Mapping[str, str] = field(default_factory=dict)
    message: str | None = None
    fix: str | None = None
    dropped: frozenset[str] = frozenset()

    @property
    def sent(self) -> bool:
        return bool(self.form)

    @property
    def at_fields(self) -> bool:
        """Whether all that is wrong stands at fields: then the first of them is looked at, and not the message on top."""
        return self.message == LOOK_AT_FIELDS

    def of(self, form: str) -> "FormState":
        return self if self.form == form else EMPTY

    def value(self, name: str, default: str = "") -> str:
        """Return what stands in the field: what was sent, or the default when this form was not sent yet."""
        return self.values.get(name, "") if self.sent else default

    def error(self, name: str) -> str:
        return self.errors.get(name, "")

    def note(self, name: str) -> str:
        """Return what to say at a field whose text is gone: nothing typed is lost without a word."""
        return AGAIN if name in self.dropped else ""


LOOK_AT_FIELDS = "Some fields need another look."
LONGEST_AT_FIELD = 200
"""Signs of what to do that stand beside a field; more stands on top of the form."""
AGAIN = "Paste it again: what is secret, or may be, is not shown again."
EMPTY = FormState()


def repeatable_values(values: Mapping[str, str]) -> tuple[dict[str, str], frozenset[str]]:
    """Return what may be shown again, and the names of the fields that held something else."""
    repeatable = {name: text for name, text in values.items() if may_repeat(name, text)}
    return repeatable, frozenset(name for name, text in values.items() if name not in repeatable and text.strip())


def form_after_refusal(form: str, fields: Mapping[str, list[str]], error: KeyturnError, field: str = "") -> FormState:
    """Return the form as it is shown again after this error. ``field`` is the one of the form that it is about, if any is."""
    values, dropped = repeatable_values({name: values[-1] for name, values in fields.items()})
    if not isinstance(error, Invalid):
        if field and len(error.fix or "") <= LONGEST_AT_FIELD:
            return FormState(form, values, {field: error.diagnostics()}, LOOK_AT_FIELDS, None, dropped)
        return FormState(form, values, {field: error.message} if field else {}, error.message, error.fix, dropped)
    errors: dict[str, str] = {}
    for issue in error.issues:
        path = issue.get("path")
        name = str(path[0]) if isinstance(path, list) and path else ""
        errors.setdefault(name, sentence(issue))
    general = errors.pop("", None)
    return FormState(form, values, errors, general or LOOK_AT_FIELDS, None, dropped)


def sentence(issue: Mapping[str, object]) -> str:
    """Say a fault in words for people; those of the API speak to programs."""
    code, text = issue.get("code"), str(issue.get("message", ""))
    if text == "Required":
        return "This is needed."
    if code == "too_big" or (code == "too_small" and issue.get("type") != "array"):
        return _bound(issue)
    if code == "invalid_type" and issue.get("expected") == "number":
        return "A whole number."
    if code == "invalid_enum_value":
        return f"One of {', '.join(map(str, _listed(issue.get('options'))))}."
    if text == "Invalid uuid":
        return "This is not an ID, which looks like 0b5e8f6a-1c2d-4e3f-8a9b-0c1d2e3f4a5b."
    return upper_first(text) if text.endswith((".", "!", "?")) else f"{upper_first(text)}."


def _bound(issue: Mapping[str, object]) -> str:
    """Say how short or long a text may be, or how small or great a number."""
    is_text, least, most = issue.get("type") == "string", issue.get("minimum"), issue.get("maximum")
    if issue.get("code") == "too_big":
        return f"At most {most} characters." if is_text else f"{most} or less."
    if is_text:
        return "This is needed." if least == 1 else f"At least {least} characters."
    return f"{least} or more."


def _listed(options: object) -> list[object]:
    return options if isinstance(options, list) else []


def read_form(content_type: str, body: bytes) -> dict[str, list[str]]:
    """Return the values by name. A field left empty is absent. Raises Refused for anything that is no form."""
    if body and content_type.partition(";")[0].strip().lower() != FORM_TYPE:
        raise Refused("This page takes the form it shows, nothing else.", code="request.media_type")
    try:
        pairs = parse_qsl(body.decode(), max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as error:  # also what is not UTF-8
        raise Refused("The form could not be read.", code="request.malformed") from error
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return values


def require_typed(text: str, name: str) -> None:
    """Raise Invalid unless the name was typed, as a page asks before something is destroyed."""
    if text.strip() != name.strip():
        raise Invalid([{"code": "custom", "message": f"Type {name} exactly.", "path": ["confirm"]}])
