"""Sentences put together from words."""


def upper_first(text: str) -> str:
    """Return the text with its first letter in upper case and all else as it is: it may hold names that people typed."""
    return text[:1].upper() + text[1:]
