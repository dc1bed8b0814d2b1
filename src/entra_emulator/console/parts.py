"""The style and the script of the page, which lie beside it and are sent within it."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources


def read_part(name: str) -> str:
    """The text of a file of this package."""
    return resources.files("entra_emulator.console").joinpath(name).read_text(encoding="utf-8")


def source(text: str) -> str:
    """How a Content-Security-Policy names this text: https://www.w3.org/TR/CSP3/#grammardef-hash-source."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
