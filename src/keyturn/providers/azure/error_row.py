"""The shape of the tables that lead from Microsoft's refusals to what this product does about them."""

from enum import StrEnum

from keyturn.errors import RefusalReason
from keyturn.kit.dataclasses import dataclass
from keyturn.providers.azure.responses import Answer


class ErrorKind(StrEnum):
    AGAIN = "retryable"
    NOT_YET = "not yet"
    ACTION = "needs action"
    SIGN_IN_AGAIN = "sign in again"
    NEVER = "permanent"


class ErrorSource(StrEnum):
    SIGN_IN = "Entra ID"
    CONSENT = "Microsoft's sign-in"
    PEOPLE = "the sign-in at Entra ID"
    GRAPH = "Microsoft Graph"


@dataclass(frozen=True)
class ErrorRow:
    """``provider_code`` or ``status`` may be None: any. ``contains`` are lower-case parts of Microsoft's text: any of.

    ``field`` is the one of a connection's credentials that it is about.
    """

    source: ErrorSource
    provider_code: str | None
    status: int | None
    kind: ErrorKind
    code: str
    cause: str
    fix: str
    contains: tuple[str, ...] = ("",)
    reason: RefusalReason | None = None
    field: str | None = None

    def matches(self, source: ErrorSource, code: str | None, answer: Answer) -> bool:
        return (
            self.source is source
            and self.provider_code == code
            and self.status in {None, answer.status}
            and any(part in answer.text.lower() for part in self.contains)
        )
