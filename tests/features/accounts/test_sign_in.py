"""Signing in with client id and secret, and what happens to tokens afterwards."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from keyturn.accounts.service import Access
from keyturn.audit.service import AuditTrail
from keyturn.crypto.hashing import Hasher
from keyturn.errors import Forbidden, KeyturnError, Refused, TokenRefused, Unauthenticated
from keyturn.identities.domain import IdentityChange, NewClientSecret, NewIdentity, UniversalAuth, UniversalAuthChanges
from keyturn.kit.actor import ActorKind, Role
from keyturn.kit.secret import Plaintext
from keyturn.tokens.domain import Origin
from tests.features.accounts.conftest import GOOD_PASSWORD, HOME, AccessFixture
from tests.features.accounts.people import IDS

WRONG = Plaintext("a" * 52)


@dataclass
class Robot:
    """A machine identity with one client secret."""

    house: AccessFixture
    identity_id: str
    auth: UniversalAuth
    secret: Plaintext
    secret_id: str

    def login(self, secret: Plaintext | None = None, origin: Origin = HOME) -> Plaintext:
        return self.house.machine_login(self.auth.client_id, secret or self.secret, origin)


Make = Callable[..., Robot]


@pytest.fixture
def make(house: AccessFixture) -> Make:
    def robot(*, uses_limit: int = 0, ttl: int = 0, **changes: object) -> Robot:
        identity = house.access.identities.create(house.admin, NewIdentity(name="robot", role=Role.MEMBER))
        auth = house.access.universal.attach(house.admin, identity.id, UniversalAuthChanges(**changes))  # type: ignore[arg-type]
        secret, stored = house.access.universal.create_secret(
            house.admin, identity.id, NewClientSecret(uses_limit=uses_limit, ttl=ttl)
        )
        return Robot(house, identity.id, auth, secret, stored.id)

    return robot


# --- login ------------------------------------------------------------------------------------------------------------


def test_client_id_and_secret_give_a_token_of_this_identity(house: AccessFixture, make: Make) -> None:
    robot = make()
    issued = house.access.machines.login_machine(robot.auth.client_id, robot.secret, HOME)
    actor = house.whoami(issued.token)
    assert (actor.kind, actor.id, actor.role) == (ActorKind.IDENTITY, robot.identity_id, Role.MEMBER)
    assert (issued.expires_in, issued.max_ttl) == (2_592_000, 2_592_000)
    assert not issued.token.reveal().startswith("st.")


def test_an_unknown_client_id_and_a_wrong_secret_get_the_same_answer(house: AccessFixture, make: Make) -> None:
    answers = []
    for client_id in (make().auth.client_id, "11111111-2222-4333-8444-555555555555", "no uuid"):
        with pytest.raises(Unauthenticated) as caught:
            house.machine_login(client_id, WRONG)
        answers.append((caught.value.diagnostics(), caught.value.code))
    assert len(set(answers)) == 1


class CountingHasher(Hasher):
    """Counts the slow comparisons: they are what an attacker with a stopwatch would see."""

    compared = 0

    def verify(self, stored: str | None, secret: Plaintext) -> bool:
        self.compared += 1
        return super().verify(stored, secret)


def test_nobody_makes_the_server_hash_for_a_client_secret_and_everybody_alike_for_a_password(
    house: AccessFixture, make: Make
) -> None:
    robot = make()
    hasher = CountingHasher(memory_kib=8, passes=1)
    digests = house.access.setup.digests
    access = Access(house.database, house.clock, IDS, hasher, digests=digests)
    same_prefix = Plaintext(robot.secret.reveal()[:4] + "a" * 48)
    for client_id, secret in (("nobody", WRONG), (robot.auth.client_id, WRONG), (robot.auth.client_id, same_prefix)):
        before = hasher.compared
        with pytest.raises(Unauthenticated):
            access.machines.login_machine(client_id, secret, HOME)
        assert hasher.compared == before
    for email in ("ann@acme.test", "nobody@acme.test"):
        before = hasher.compared
        with pytest.raises(Unauthenticated):
            access.signin.login_person(email, WRONG, HOME)
        assert hasher.compared == before + 1


def test_three_wrong_secrets_lock_even_the_right_one_out_for_five_minutes(house: AccessFixture, make: Make) -> None:
    robot = make()
    for _ in range(3):
        with pytest.raises(Unauthenticated, match="Invalid credentials"):
            robot.login(WRONG)
    with pytest.raises(Unauthenticated, match="locked"):
        robot.login()
    house.clock.advance(299)
    with pytest.raises(Unauthenticated, match="locked"):
        robot.login()
    house.clock.advance(1)
    robot.login()


def test_failures_that_lie_apart_do_not_lock(house: AccessFixture, make: Make) -> None:
    robot = make()
    for _ in range(6):
        with pytest.raises(Unauthenticated, match="Invalid"):
            robot.login(WRONG)
        house.clock.advance(31)
    robot.login()


def test_a_success_forgets_the_failures_before_it(make: Make) -> None:
    robot = make()
    for _ in range(2):
        for _ in range(2):
            with pytest.raises(Unauthenticated):
                robot.login(WRONG)
        robot.login()


def test_wrong_secrets_sent_all_at_once_lock_as_well(house: AccessFixture, make: Make) -> None:
    robot = make()
    start = threading.Barrier(6)

    def guess() -> None:
        start.wait()
        with pytest.raises(Unauthenticated):
            robot.login(WRONG)

    threads = [threading.Thread(target=guess) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(Unauthenticated, match="locked"):
        robot.login()


def test_an_admin_clears_a_lock(house: AccessFixture, make: Make) -> None:
    robot = make()
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            robot.login(WRONG)
    assert house.access.universal.clear_lockouts(house.admin, robot.identity_id) == 1
    assert house.access.universal.clear_lockouts(house.admin, robot.identity_id) == 0
    robot.login()


def test_lockout_can_be_switched_off_and_tuned(make: Make) -> None:
    relaxed, strict = make(lockout_enabled=False), make(lockout_threshold=1, lockout_seconds=60)
    for _ in range(5):
        with pytest.raises(Unauthenticated, match="Invalid"):
            relaxed.login(WRONG)
    relaxed.login()
    with pytest.raises(Unauthenticated, match="Invalid"):
        strict.login(WRONG)
    with pytest.raises(Unauthenticated, match="locked for 6"):
        strict.login()


def test_failures_are_in_the_audit_trail_but_cannot_flood_it(house: AccessFixture, make: Make) -> None:
    robot = make(lockout_enabled=False)
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            robot.login(WRONG)
    house.clock.advance(60)
    with pytest.raises(Unauthenticated):
        robot.login(WRONG)
    trail = AuditTrail(house.database)
    assert len(trail.page(house.admin, event="fail-sign-in", subject_id=robot.identity_id).events) == 2
    strict = make()
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            strict.login(WRONG)
    assert len(trail.page(house.admin, event="lock-sign-in", subject_id=strict.identity_id).events) == 1


def test_strangers_can_neither_sign_in_nor_lock(make: Make) -> None:
    robot = make(client_secret_trusted_ips=("192.0.2.0/24",))
    stranger = Origin("198.51.100.1")
    for _ in range(5):
        with pytest.raises(Unauthenticated, match="Invalid"):
            robot.login(WRONG, stranger)
    with pytest.raises(Forbidden, match=r"198\.51\.100\.1"):
        robot.login(origin=stranger)
    robot.login()


def test_a_client_secret_ends_with_its_time_its_uses_or_its_revocation(house: AccessFixture, make: Make) -> None:
    short, twice, revoked = make(ttl=60), make(uses_limit=2), make()
    short.login()
    house.clock.advance(60)
    with pytest.raises(Unauthenticated, match="expired"):
        short.login()
    twice.login()
    twice.login()
    with pytest.raises(Unauthenticated, match="as often as it may"):
        twice.login()
    token = revoked.login()
    house.access.universal.revoke_secret(house.admin, revoked.identity_id, revoked.secret_id)
    with pytest.raises(Unauthenticated, match="Invalid"):
        revoked.login()
    with pytest.raises(Unauthenticated, match="revoked"):
        house.whoami(token)


def test_uses_of_a_client_secret_are_counted_once_each_under_concurrency(make: Make) -> None:
    robot = make(uses_limit=3)
    results: list[bool] = []

    def attempt() -> None:
        try:
            robot.login()
            results.append(True)
        except KeyturnError:
            results.append(False)

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 3 + [True] * 3


# --- tokens -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "x", "st.something", "eyJhbGciOi.eyJh.c2ln", "ktn_" + "a" * 59, "ktn_" + "ä" * 59]
)
def test_text_that_is_no_token_is_refused_as_malformed(house: AccessFixture, text: str) -> None:
    with pytest.raises(TokenRefused) as caught:
        house.whoami(Plaintext(text))
    assert caught.value.code == "access.token_malformed"


def test_a_mistyped_token_is_malformed_and_an_unknown_one_is_not(house: AccessFixture, make: Make) -> None:
    token = make().login().reveal()
    with pytest.raises(TokenRefused):
        house.whoami(Plaintext(token[:10] + ("a" if token[10] != "a" else "b") + token[11:]))
    house.access.tokens.revoke(Plaintext(token), HOME)
    with pytest.raises(Unauthenticated):
        house.whoami(Plaintext(token))


def test_a_token_expires_and_a_renewed_one_lives_up_to_the_maximum(house: AccessFixture, make: Make) -> None:
    robot = make(access_token_ttl=100, access_token_max_ttl=250)
    token = robot.login()
    for expected in (100, 70):
        house.clock.advance(90)
        assert house.access.tokens.renew(token, HOME).expires_in == expected
    house.clock.advance(69)
    house.whoami(token)
    house.clock.advance(1)
    with pytest.raises(TokenRefused, match="expired"):
        house.whoami(token)
    with pytest.raises(Unauthenticated, match="maximum lifetime"):
        house.access.tokens.renew(token, HOME)


def test_an_expired_token_cannot_be_renewed(house: AccessFixture, make: Make) -> None:
    token = make(access_token_ttl=100, access_token_max_ttl=1000).login()
    house.clock.advance(100)
    with pytest.raises(TokenRefused, match="expired"):
        house.access.tokens.renew(token, HOME)


def test_a_periodic_token_is_renewable_for_ever(house: AccessFixture, make: Make) -> None:
    token = make(access_token_period=60, access_token_ttl=10, access_token_max_ttl=10).login()
    for _ in range(20):
        house.clock.advance(59)
        assert house.access.tokens.renew(token, HOME).expires_in == 60
    house.whoami(token)


def test_a_token_may_be_used_as_often_as_agreed(house: AccessFixture, make: Make) -> None:
    token = make(access_token_uses_limit=2).login()
    house.whoami(token)
    house.whoami(token)
    with pytest.raises(Unauthenticated, match="as often as it may"):
        house.whoami(token)
    with pytest.raises(Refused, match="as often as it may"):
        house.access.tokens.renew(token, HOME)


def test_a_token_is_bound_to_trusted_addresses_as_they_are_now(house: AccessFixture, make: Make) -> None:
    robot = make(access_token_trusted_ips=("192.0.2.0/24", "2001:db8::/32"))
    token = robot.login()
    house.whoami(token, "::ffff:192.0.2.9")
    house.whoami(token, "2001:db8::1")
    for ip in ("198.51.100.1", "2001:db9::1", "unknown"):
        with pytest.raises(Forbidden):
            house.whoami(token, ip)
    house.access.universal.update(
        house.admin, robot.identity_id, UniversalAuthChanges(access_token_trusted_ips=("198.51.100.1",))
    )
    house.whoami(token, "198.51.100.1")


def test_revoking_is_final_and_repeatable(house: AccessFixture, make: Make) -> None:
    token = make().login()
    for _ in range(2):
        house.access.tokens.revoke(token, HOME)
    with pytest.raises(Unauthenticated):
        house.whoami(token)
    with pytest.raises(Unauthenticated):
        house.access.tokens.renew(token, HOME)


def test_taking_universal_auth_away_ends_its_tokens(house: AccessFixture, make: Make) -> None:
    robot = make()
    token = robot.login()
    house.access.universal.detach(house.admin, robot.identity_id)
    with pytest.raises(Unauthenticated):
        house.whoami(token)
    with pytest.raises(Unauthenticated, match="Invalid"):
        robot.login()


def test_a_changed_role_holds_at_once_and_a_deleted_identity_is_gone(house: AccessFixture, make: Make) -> None:
    robot = make()
    token = robot.login()
    house.access.identities.update(house.admin, robot.identity_id, IdentityChange(role=Role.VIEWER))
    assert house.whoami(token).role is Role.VIEWER
    house.access.identities.delete(house.admin, robot.identity_id)
    with pytest.raises(Unauthenticated):
        house.whoami(token)


def test_tokens_that_ended_long_ago_are_cleared_away(house: AccessFixture, make: Make) -> None:
    robot = make(access_token_ttl=60, access_token_max_ttl=60)
    for _ in range(5):
        robot.login()
    house.clock.advance(2 * 86_400)
    robot.login()
    with house.database.read() as tx:
        count = tx.connection.exec_driver_sql("SELECT count(*) FROM access_tokens").scalar_one()
    assert count == 2  # the new one, and the admin's


# --- people -----------------------------------------------------------------------------------------------------------


def test_a_person_signs_in_and_is_locked_out_like_a_machine(house: AccessFixture) -> None:
    def login(password: str, email: str = " Ann@Acme.TEST ") -> Plaintext:
        return house.access.signin.login_person(email, Plaintext(password), HOME).token

    assert house.whoami(login(GOOD_PASSWORD)).kind is ActorKind.USER
    with pytest.raises(Unauthenticated) as unknown:
        login(GOOD_PASSWORD, "bob@acme.test")
    for _ in range(5):
        with pytest.raises(Unauthenticated) as wrong:
            login("wrong wrong wrong")
    assert unknown.value.diagnostics() == wrong.value.diagnostics()
    with pytest.raises(Unauthenticated, match="locked"):
        login(GOOD_PASSWORD)
    house.access.users.unlock("ann@acme.test")
    login(GOOD_PASSWORD)
