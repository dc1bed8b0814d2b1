"""Names as parts of addresses."""

import re
import unicodedata


def slug_of(name: str, otherwise: str = "organization") -> str:
    """Return a name as lower-case letters, digits and single hyphens; ``otherwise`` for one without any of these."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:64].strip("-") or otherwise
