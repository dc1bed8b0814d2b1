"""The passwords that most people choose: guessing begins with them."""

from functools import cache
from pathlib import Path


@cache
def common_passwords() -> frozenset[str]:
    """Return the commonest ones, in small letters and without the digits at their end."""
    lines = Path(__file__).with_name("common_passwords.txt").read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
