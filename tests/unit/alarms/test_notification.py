"""What is left out of a text is said, with where to read it."""

from datetime import UTC, datetime

import pytest

from keyturn.alarms.domain import Message
from keyturn.alarms.message_store import Told
from keyturn.alarms.notification import Part, notification

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
SITE = "https://keyturn.example.test"


@pytest.mark.parametrize(("count", "shown"), [(5, 5), (40, 30), (70, 30)])
def test_a_text_that_may_not_be_longer_says_how_many_alarms_it_leaves_out(count: int, shown: int) -> None:
    message = Message("m", "o", "c", "", "alarm", NOW, NOW, None, None, 0)
    content = {"kind": "connection-refused", "severity": "critical", "fix": "Make it work.", "path": "/c"}
    told = [
        Told("opened", {**content, "subject": f"app-{number:02}", "cause": f"Reason {number:02}."})
        for number in range(count)
    ]
    whole = notification(message, told, SITE, Part())
    longest = len(notification(message, told[:shown], SITE, Part()).text()) + len(
        f"And {count} more: {SITE}/alarms\n\n"
    )
    text = whole.text(longest)
    assert (text.count("What to do"), len(text) <= longest) == (shown, True)
    assert (f"And {count - shown} more: {SITE}/alarms" in text) is (count > shown)
    assert text.endswith(f"All alarms: {SITE}/alarms\n")
    assert whole.text(10).count("What to do") == 1, "the first one in any case"
