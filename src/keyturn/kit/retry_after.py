"""How long a server asks its clients to wait."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from keyturn.kit.clock_difference import read_date

LONGEST_WAIT = timedelta(hours=1)
"""A server that asks for more is not obeyed beyond this, as Microsoft's own libraries do it."""


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Read ``Retry-After``: whole seconds, a fraction of them, or an HTTP date. Never negative, at most an hour.

    A date is read by the clock of the server that wrote it, where its answer has a ``Date``: ours may be wrong.
    None when the header is missing or makes no sense.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,12}(\.\d{1,12})?", text):
        wait = timedelta(seconds=float(text))
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        wait = moment.replace(tzinfo=moment.tzinfo or UTC) - (read_date(headers.get("date")) or now)
    return min(max(wait, timedelta(0)), LONGEST_WAIT)
