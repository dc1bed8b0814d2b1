"""What folders can be called. Pure."""

import re

from keyturn.errors import Refused

DEEPEST_FOLDER = 20
_FOLDER_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def require_folder_path(path: str) -> None:
    """Raise Refused for a path that no folder can have."""
    names = [name for name in path.split("/") if name]
    if len(names) > DEEPEST_FOLDER:
        raise Refused(
            f"Folders can be {DEEPEST_FOLDER} deep; this path has {len(names)} names.",
            code="secrets.folder_too_deep",
            fix="Use a shorter path.",
        )
    for name in names:
        require_folder_name(name, "path")


def require_folder_name(name: str, field: str = "name") -> None:
    """Raise Refused for what no folder can be called. ``field`` is where it was given."""
    if not _FOLDER_NAME.fullmatch(name):
        raise Refused(
            "A folder's name has 1 to 64 letters (A to Z), digits, hyphens and underscores.",
            code="secrets.folder_name",
            fix="Choose another name.",
            field=field,
        )
