"""What durable work may leave in the engine's tables: small JSON, sealed; and of errors the kind, never the words."""

import json
import re
import traceback
from collections.abc import Callable
from pathlib import PurePath

from keyturn.db.trouble import trouble_of
from keyturn.errors import KeyturnError
from keyturn.kit.dataclasses import dataclass

_CODE = re.compile(r"[a-z0-9_.]{1,80}")
_FRAMES = 3


class WorkFailed(Exception):
    """Work ended with an error: its class and, for the product's own errors, its code. Never the message."""

    def __init__(self, kind: str, code: str | None = None) -> None:
        super().__init__(f"{kind} {code}" if code else kind)
        self.kind = kind
        self.code = code


def scrub_error(error: BaseException) -> WorkFailed:
    """Return what may be stored and logged about the error."""
    if isinstance(error, WorkFailed):
        return error
    code = error.code if isinstance(error, KeyturnError) and _CODE.fullmatch(error.code) else None
    return WorkFailed(type(error).__name__, code)


def describe_error(error: BaseException) -> dict[str, str | None]:
    """Return what may be logged about the error: of trouble with the database also what it is, in words."""
    trouble, failure = trouble_of(error), scrub_error(error)
    if trouble is None:
        return {"error": failure.kind, "code": failure.code}
    return {"error": failure.kind, "code": trouble.code, "reason": trouble.message, "fix": trouble.fix}


def whereabouts(error: BaseException) -> str:
    """Return the innermost places of the error's traceback, ``file:line function``: enough to find it, and no values."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return " > ".join(f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)


@dataclass(frozen=True)
class SealedJson:
    """Encodes values as JSON and seals the text. Anything JSON has no form for is refused with TypeError."""

    seal: Callable[[str], str]
    open: Callable[[str], str]

    def encode(self, value: object) -> str:
        """Return the sealed form of plain data or of an error."""
        if isinstance(value, BaseException):
            failure = scrub_error(value)
            content: dict[str, object] = {"error": [failure.kind, failure.code]}
        else:
            content = {"value": value}
        return self.seal(json.dumps(content, separators=(",", ":")))

    def decode(self, text: str) -> object:
        """Return what was encoded; an error comes back as WorkFailed. Raises what ``open`` raises."""
        content = json.loads(self.open(text))
        return WorkFailed(*content["error"]) if "error" in content else content["value"]
