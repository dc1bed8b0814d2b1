"""What needs a second person is said where it is switched on, all of it."""

import pytest

from keyturn.approvals.domain import ChangeKind, all_changes, describe_change


@pytest.mark.parametrize("kind", list(ChangeKind))
def test_each_change_that_needs_two_persons_is_named(kind: ChangeKind) -> None:
    verb = describe_change(kind, "x").split()[0].lower()
    assert verb in all_changes().lower()
    assert "sign in without a secret" in all_changes()
    assert all_changes().endswith(" and loosening these rules")
