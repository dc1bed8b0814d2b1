"""Numbers of things in words."""


def counted(number: float, one: str, several: str = "") -> str:
    """Return ``1 event`` or ``2 events``; ``several`` is the word for any number but one, where that is not ``one`` with an s."""
    return f"{number} {one if number == 1 else several or one + 's'}"
