"""The list of an organization's users: what its words and states find, and its pages, for any number of them."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from keyturn.accounts.service import Access
from keyturn.db.tables import password_links, second_factors, users
from keyturn.db.unit import Database
from keyturn.errors import Forbidden
from keyturn.kit.actor import Actor, Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Sealed
from tests.features.accounts.conftest import AccessFixture
from tests.features.accounts.people import person

STATES = ("invited", "locked", "disabled", "secure", "invited-disabled")


@pytest.fixture
def ann(house: AccessFixture, database: Database, clock: MovableClock) -> Actor:
    """The only admin among one of each state, and twenty others who sign in without a second factor."""
    org_id, now = house.first.organization.id, clock.now()
    ids = {name: str(person(database, org_id, Role.MEMBER, f"{name}@acme.test").id) for name in STATES}
    for number in range(20):
        person(database, org_id, Role.MEMBER, f"many-{number:02}@acme.test")
    with database.write() as tx:
        for name in ("invited", "invited-disabled"):
            link = {"id": ids[name], "user_id": ids[name], "digest": name, "purpose": "invitation", "created_at": now}
            tx.run(sa.insert(password_links).values(link | {"expires_at": now + timedelta(days=7)}))
        for name, values in {
            "locked": {"locked_until": now + timedelta(minutes=5), "last_failure_at": now, "failures": 10},
            "disabled": {"disabled_at": now},
            "invited-disabled": {"disabled_at": now},
            "secure": {"first_name": "Käthe", "last_name": "100%"},
        }.items():
            tx.run(sa.update(users).where(users.c.id == ids[name]).values(values))
        factor = {
            "user_id": ids["secure"],
            "secret": Sealed("sealed"),
            "last_counter": 0,
            "recovery": [],
            "created_at": now,
        }
        tx.run(sa.insert(second_factors).values(factor | {"confirmed_at": now}))
    return house.admin


def test_words_and_states_find_people_page_by_page(ann: Actor, access: Access) -> None:
    def found(text: str = "", kind: str | None = None, page: int = 1) -> list[str]:
        people = access.administration.people(ann, text, kind, page, 10).people
        return [each.user.email.partition("@")[0] for each in people]

    everybody = access.administration.people(ann, "", None, 1, 10)
    assert (everybody.total, everybody.all, everybody.pages, len(everybody.people)) == (26, 26, 3, 10)
    assert found(page=3) == found(page=99)
    assert found(kind="admin") == ["ann"]
    for word in ("invited", "locked"):
        matches = access.administration.people(ann, "", word, 1, 10)
        assert [(each.user.email, each.word) for each in matches.people] == [(f"{word}@acme.test", word)]
    assert sorted(found(kind="disabled")) == ["disabled", "invited-disabled"]
    one_step = access.administration.people(ann, "", "one-step", 1, 100)
    assert (one_step.total, one_step.all) == (22, 26), "the admin, who is locked, and the twenty"
    assert found("many acme 07") == ["many-07"]
    assert found("KÄTHE") == found("käthe") == found("100%") == ["secure"]
    assert found("nobody") == []


def test_who_may_not_see_users_sees_no_list(access: Access, house: AccessFixture, database: Database) -> None:
    stranger = person(database, house.first.organization.id, Role.NO_ACCESS, "eve@acme.test")
    with pytest.raises(Forbidden):
        access.administration.people(stranger, "", None, 1, 10)
