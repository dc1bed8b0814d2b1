"""Numbers of things in words."""


def counted(number: int, one: str, several: str = "") -> str:
    """Return ``1 event`` or ``2 events``: ``several`` are the words for any number but one, where they are not ``one`` and an s.

    A verb may come along: ``counted(n, "event waits", "events wait")``.
    """
    return f"{number} {one if number == 1 else several or one + 's'}"
