"""What happened, in order: the last lines for people, and a hash of everything to tell whether a replay was exact."""

import hashlib
from collections import deque
from collections.abc import Callable

from keyturn.ports.clock import Clock

KEPT = 200


class Trace:
    """``echo`` is given every line as it comes."""

    def __init__(self, clock: Clock, echo: Callable[[str], None] | None = None) -> None:
        self._clock = clock
        self._echo = echo
        self._digest = hashlib.sha256()
        self.last: deque[str] = deque(maxlen=KEPT)
        self.length = 0

    def note(self, who: str, what: str) -> None:
        """Add a line. It must hold nothing that differs between two runs of the same seed, and no secret."""
        line = f"{self._clock.now():%Y-%m-%d %H:%M:%S.%f} {who:10} {what}"
        self._digest.update(line.encode())
        self.last.append(line)
        self.length += 1
        if self._echo:
            self._echo(line)

    def fingerprint(self) -> str:
        """Return the hash of all lines so far."""
        return self._digest.hexdigest()
