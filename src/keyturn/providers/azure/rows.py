"""The shape of the tables that lead from Microsoft's refusals to what this product does about them."""

from dataclasses import dataclass
from enum import StrEnum

from keyturn.providers.azure.answers import Answer


class Kind(StrEnum):
    AGAIN = "retryable"
    NOT_YET = "not yet"
    ACTION = "needs action"
    SIGN_IN_AGAIN = "sign in again"
    NEVER = "permanent"


class Source(StrEnum):
    SIGN_IN = "Entra ID"
    CONSENT = "Microsoft's sign-in"
    GRAPH = "Microsoft Graph"


@dataclass(frozen=True)
class Row:
    """``provider_code`` or ``status`` may be None: any. ``contains`` are lower-case parts of Microsoft's text: any of."""

    source: Source
    provider_code: str | None
    status: int | None
    kind: Kind
    code: str
    cause: str
    fix: str
    contains: tuple[str, ...] = ("",)

    def fits(self, source: Source, code: str | None, answer: Answer) -> bool:
        return (
            self.source is source
            and self.provider_code == code
            and self.status in {None, answer.status}
            and any(part in answer.text.lower() for part in self.contains)
        )
