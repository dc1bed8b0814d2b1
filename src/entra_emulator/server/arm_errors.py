"""How Azure Resource Manager refuses. Source: https://learn.microsoft.com/rest/api/azure/ (the envelope)."""

from __future__ import annotations


class ArmError(Exception):
    """A refusal; `headers` are added to the answer's own."""

    def __init__(self, status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers
