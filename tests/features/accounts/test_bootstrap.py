"""The first start: once, and only once."""

import threading

import pytest

from keyturn.accounts.service import Access
from keyturn.db.unit import Database
from keyturn.errors import KeyturnError, Refused
from keyturn.kit.actor import Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from tests.features.accounts.conftest import GOOD_PASSWORD, HOME, AccessFixture


def test_it_makes_an_admin_an_organization_and_a_token_that_never_expires(house: AccessFixture) -> None:
    assert house.first.organization.slug == "acme-gmbh"
    assert house.first.user.super_admin
    assert house.first.user.role is Role.ADMIN
    house.clock.advance(20 * 365 * 86_400)
    actor = house.whoami(house.first.token)
    assert (actor.role, actor.name, actor.org_id) == (Role.ADMIN, "Admin identity", house.first.organization.id)
    assert house.access.signin.login_person("ann@acme.test", Plaintext(GOOD_PASSWORD), HOME).expires_in > 0


def test_the_second_time_it_is_refused_with_what_to_do(house: AccessFixture) -> None:
    assert house.access.bootstrapped()
    with pytest.raises(Refused, match="set up already") as caught:
        house.access.bootstrap("eve@acme.test", Plaintext(GOOD_PASSWORD), "Eve")
    assert "reset-password" in str(caught.value.fix)
    assert [user.email for user in house.access.users.list(house.admin)] == ["ann@acme.test"]


def test_of_many_at_the_same_moment_one_succeeds(access: Access) -> None:
    results: list[object] = []
    start = threading.Barrier(5)

    def attempt(number: int) -> None:
        start.wait()
        try:
            results.append(access.bootstrap(f"ann{number}@acme.test", Plaintext(GOOD_PASSWORD), f"Acme {number}"))
        except KeyturnError as error:
            results.append(error)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(result, Refused) for result in results) == 4
    assert len(results) == 5


@pytest.mark.parametrize(
    ("email", "password", "code"),
    [
        ("ann@acme.test", "Password1234!", "access.password_weak"),
        ("not an address", GOOD_PASSWORD, "access.email_invalid"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(access: Access, email: str, password: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        access.bootstrap(email, Plaintext(password), "Acme")
    assert caught.value.code == code
    assert not access.bootstrapped()


def test_no_secret_is_stored_in_the_clear(house: AccessFixture, database: Database, clock: MovableClock) -> None:
    with database.read() as tx:
        for table in ("users", "access_tokens", "audit_events", "identities"):
            text = repr(tx.connection.exec_driver_sql(f"SELECT * FROM {table}").all())
            assert GOOD_PASSWORD not in text
            assert house.first.token.reveal() not in text
