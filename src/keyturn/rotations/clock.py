"""No new credential is planned while this server's clock is wrong: its end would not be where it was meant to be."""

from datetime import timedelta

from keyturn.errors import Retryable
from keyturn.kit.clock_difference import WRONG, told

CLOCK_WRONG = "rotation.clock_wrong"


def is_right(ahead: timedelta | None) -> bool:
    """Whether nothing is known against the clock."""
    return ahead is None or abs(ahead) <= WRONG


def require_right(ahead: timedelta | None) -> None:
    """Raise Retryable while the clock is known to be wrong: the run goes on by itself once it is right."""
    if ahead is None or is_right(ahead):
        return
    raise Retryable(
        f"The clock of this server is {told(ahead)}, so no new credential is asked for.",
        code=CLOCK_WRONG,
        fix="Set the clock of the machine, e.g. with chrony or systemd-timesyncd (timedatectl set-ntp true), and check it with: "
        "keyturn doctor. The rotation goes on by itself then.",
    )
