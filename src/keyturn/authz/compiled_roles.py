"""What custom roles permit, read once for each text that they are stored as: a large role takes longer to read than to ask."""

import hashlib
import json
import threading
from collections import OrderedDict

from keyturn.authz.permissions import Rules
from keyturn.authz.vocabulary import rules_of
from keyturn.errors import Refused

MOST_CHARACTERS = 8 * 1024 * 1024
"""Of the texts of all roles that are remembered. The largest role has some 200,000."""


class CompiledRoles:
    """Rules by the text of their permissions. Shared by all threads; forgets those that were not asked for the longest."""

    def __init__(self, most_characters: int = MOST_CHARACTERS) -> None:
        self._most = most_characters
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[Rules, int]] = OrderedDict()
        self._characters = 0

    def rules(self, text: str | None) -> Rules:
        """Return what the permissions, as JSON, permit; nothing where they cannot be read."""
        if text is None:
            return ()
        digest = hashlib.sha256(text.encode()).digest()
        with self._lock:
            if digest in self._known:
                self._known.move_to_end(digest)
                return self._known[digest][0]
        rules = _read(text)
        with self._lock:
            if digest not in self._known:
                self._known[digest] = rules, len(text)
                self._characters += len(text)
            while self._characters > self._most and self._known:
                self._characters -= self._known.popitem(last=False)[1][1]
        return rules


def _read(text: str) -> Rules:
    try:
        permissions = json.loads(text)
        return rules_of(permissions) if isinstance(permissions, list) else ()
    except (Refused, AttributeError, ValueError, RecursionError):
        return ()  # what cannot be read permits nothing: half of it might permit more than all of it
