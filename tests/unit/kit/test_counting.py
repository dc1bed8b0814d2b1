"""Numbers of things agree with their words."""

from keyturn.kit.counting import counted


def test_one_is_the_only_singular() -> None:
    assert [counted(number, "event") for number in (0, 1, 2)] == ["0 events", "1 event", "2 events"]
    assert [counted(number, "try waits", "tries wait") for number in (1, 2)] == ["1 try waits", "2 tries wait"]
