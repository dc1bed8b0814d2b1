"""Guesses with a stolen session or token: they count as failed sign-ins, lock the account, and end what they came with."""

import pytest

from keyturn.audit.domain import AuditEvent, Filter
from keyturn.audit.events import SIGN_IN_FAILED, SIGN_IN_LOCKED
from keyturn.audit.service import newest
from keyturn.errors import Refused, Unauthenticated
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.people.proofs import MOST_GUESSES
from keyturn.people.sessions import BrowserInfo
from tests.features.accounts.conftest import GOOD_PASSWORD, HOME, AccessFixture

EMAIL = "ann@acme.test"
RIGHT, WRONG, NEW = Plaintext(GOOD_PASSWORD), Plaintext("not the password"), Plaintext("granite-teapot-violin-7")


def token(house: AccessFixture) -> Plaintext:
    return house.access.signin.login_person(EMAIL, RIGHT, HOME).token


def session(house: AccessFixture) -> Plaintext:
    return house.access.sessions.sign_in(EMAIL, RIGHT, BrowserInfo(HOME)).token


def events(house: AccessFixture, kind: AuditEvent) -> int:
    with house.database.read() as tx:
        return len(newest(tx, Filter(house.admin.org_id, event=kind.name), 100))


def guess(house: AccessFixture, actor: Actor, where: str) -> None:
    if where == "password":
        house.access.users.change_password(actor, WRONG, NEW)
    elif where == "begin":
        house.access.factors.begin(actor, WRONG)
    else:
        house.access.factors.remove(actor, WRONG, Plaintext("000000"))


@pytest.mark.parametrize("where", ["password", "begin", "remove"])
def test_guesses_lock_the_account_are_written_down_and_end_the_token(house: AccessFixture, where: str) -> None:
    stolen, other = token(house), token(house)
    actor = house.whoami(stolen)
    for _ in range(MOST_GUESSES):
        with pytest.raises(Unauthenticated):
            guess(house, actor, where)
    assert (events(house, SIGN_IN_FAILED), events(house, SIGN_IN_LOCKED)) == (1, 1)
    with pytest.raises(Unauthenticated, match="revoked"):
        house.whoami(stolen)
    assert house.whoami(other)
    with pytest.raises(Unauthenticated, match="locked"):
        token(house)
    with pytest.raises(Unauthenticated, match="locked"):
        house.access.users.change_password(house.whoami(other), RIGHT, NEW)


def test_slow_guesses_end_the_session_too_and_a_right_answer_begins_anew(house: AccessFixture) -> None:
    opened = session(house)

    def actor() -> Actor:
        return house.access.sessions.recall(opened, HOME.ip)

    def wrong(times: int) -> None:
        for _ in range(times):
            house.clock.advance(1800)  # too far apart to lock the account
            with pytest.raises(Unauthenticated):
                house.access.factors.begin(actor(), WRONG)

    wrong(MOST_GUESSES - 1)
    house.access.factors.begin(actor(), RIGHT)
    wrong(MOST_GUESSES - 1)
    with pytest.raises(Unauthenticated, match="this session has ended"):
        house.access.factors.begin(actor(), WRONG)
    with pytest.raises(Unauthenticated, match="has ended"):
        actor()
    assert events(house, SIGN_IN_LOCKED) == 0


def test_the_new_password_is_not_the_old_one(house: AccessFixture) -> None:
    with pytest.raises(Refused, match="the old one"):
        house.access.users.change_password(house.whoami(token(house)), RIGHT, RIGHT)
    house.access.users.change_password(house.whoami(token(house)), RIGHT, NEW)


def test_turning_the_second_factor_on_or_off_ends_whatever_else_is_signed_in(house: AccessFixture) -> None:
    from pyotp import TOTP  # noqa: PLC0415

    factors, sessions = house.access.factors, house.access.sessions
    own, thief, api = session(house), session(house), token(house)
    actor = sessions.recall(own, HOME.ip)
    with pytest.raises(Unauthenticated):
        factors.begin(sessions.recall(thief, HOME.ip), WRONG)
    factors.begin(actor, RIGHT)
    app = TOTP(factors.enrolment(actor).secret.reveal())
    recovery = factors.confirm(actor, Plaintext(app.at(house.clock.now())))
    for ended in (lambda: sessions.recall(thief, HOME.ip), lambda: house.whoami(api)):
        with pytest.raises(Unauthenticated):
            ended()
    assert sessions.recall(own, HOME.ip)
    with pytest.raises(Unauthenticated, match="code is not right"):
        factors.remove(actor, RIGHT, Plaintext("000000"))
    with pytest.raises(Refused, match="on already"):
        factors.begin(actor, RIGHT)
    house.clock.advance(30)
    second = house.access.signin.login_person(EMAIL, RIGHT, HOME, Plaintext(app.at(house.clock.now()))).token
    factors.remove(actor, RIGHT, Plaintext(recovery[0]))
    assert not factors.active(actor)
    with pytest.raises(Unauthenticated):
        house.whoami(second)
    assert sessions.recall(own, HOME.ip)
