"""Tags of answers, by which a caller says what they have already."""

import re
from collections.abc import Iterable

_TAG = re.compile(r'[ \t,]*(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|$)')
_COMPRESSED = '-gzip"'
"""What some proxies put to the end of the tag of an answer that they compress."""


def matches(etag: str, lines: Iterable[str]) -> bool:
    """Say whether the lines of ``If-None-Match`` name the tag. Compares weakly, as is right for GET.

    A field that is no list of tags matches nothing: a wrong 304 hides a change.
    """
    text = ",".join(lines).strip(" \t,")
    if text == "*":
        return True
    tags, place = set(), 0
    while place < len(text):
        match = _TAG.match(text, place)
        if match is None:
            return False
        tags |= {match[1], match[1].removesuffix(_COMPRESSED) + '"'} if match[1].endswith(_COMPRESSED) else {match[1]}
        place = match.end()
    return etag in tags
