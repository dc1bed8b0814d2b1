"""What tells one running program from others that read as the same identity."""

import contextlib
import os
import re
import secrets
from pathlib import Path

from keyturn.client.files import read_own, write_file

_NAME = re.compile(r"[!-~]{1,128}")


def new_instance() -> str:
    """Return a name that no other program has, and by which people know the machine."""
    host = re.sub(r"[^A-Za-z0-9.-]", "-", os.uname().nodename)[:100]
    return f"{host}/{secrets.token_hex(6)}"


def kept_instance(path: Path) -> str:
    """Return the name that is noted in the file, so that it stays that of the next start; makes it at first.

    Where it cannot be noted, it is a new one with each start.
    """
    with contextlib.suppress(OSError, ValueError):
        known = read_own(path).decode("ascii").strip()
        if _NAME.fullmatch(known):
            return known
    made = new_instance()
    with contextlib.suppress(OSError):
        write_file(path, made.encode(), mode=0o600)
    return made
