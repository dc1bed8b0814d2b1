"""What waits while this server's clock is wrong: a new credential, whose end would not be where it was meant to be, and the
end of a promise. What is under way is finished meanwhile, and dated by Entra's clock where others rely on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from keyturn.errors import Retryable, Upstream
from keyturn.kit.clock_difference import describe_difference, is_right, provider_time
from keyturn.providers.registry import Providers

CLOCK_WRONG = "rotation.clock_wrong"
NOTHING_NEW = "no new credential is asked for"
NOTHING_ENDS = "no credential that was replaced is removed, as its time may not have come"


def correct_time(now: datetime, ahead: timedelta | None) -> datetime:
    """Return what time it is: by Entra's clock where ours is known to be wrong."""
    return now if is_right(ahead) else provider_time(now, ahead)


@contextmanager
def compared(providers: Providers, so: str) -> Iterator[None]:
    """Whatever the provider answers within, raise Retryable if it shows that the clock is wrong: it goes on once it is right.

    A refusal, too: the wrong clock may be its cause.
    """
    try:
        yield
    except Upstream:
        require_right(providers.clock_ahead(), so)
        raise
    require_right(providers.clock_ahead(), so)


def require_right(ahead: timedelta | None, so: str) -> None:
    """Raise Retryable if the newest answer has shown that our clock is wrong; nothing known against it is right."""
    if ahead is None or is_right(ahead):
        return
    raise Retryable(
        f"The clock of this server is {describe_difference(ahead)}, so {so}.",
        code=CLOCK_WRONG,
        fix="Set the clock of the machine, e.g. with chrony or systemd-timesyncd (timedatectl set-ntp true), and check it with: "
        "keyturn doctor. The rotation goes on by itself then.",
    )
