"""OIDC Auth: a machine signs in with a token of its platform, and nobody else does.

POST   /api/v1/auth/oidc-auth/login                     {identityId, jwt}      -> {accessToken, expiresIn, ...}
POST   /api/v1/auth/oidc-auth/identities/:identityId    {oidcDiscoveryUrl, boundIssuer, boundSubject, ...}
GET, PATCH, DELETE the same                             -> {identityOidcAuth: {...}}
"""

import io
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keyturn.accounts.service import Access
from keyturn.audit.service import AuditTrail
from keyturn.crypto.hashing import Hasher
from keyturn.db.unit import Database
from keyturn.errors import Unauthenticated
from keyturn.identities.domain import NewIdentity
from keyturn.identities.issuer_keys import AGAIN, FRESH, STALE, IssuerKeys
from keyturn.identities.oidc import OidcProof
from keyturn.identities.token_auth import TokenAuthChanges
from keyturn.kit.actor import Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.people.domain import NewUser
from keyturn.ports.http import HttpRequest, HttpResponse
from keyturn.tokens.domain import Origin
from tests.features.accounts.conftest import HOME, AccessFixture
from tests.features.accounts.issuer import (
    DISCOVERY,
    EC_KEY,
    ED_KEY,
    KEYS,
    URL,
    Issuer,
    Json,
    hmac_token,
    public_jwk,
    rsa_key,
    segment,
    unsigned,
)
from tests.features.accounts.people import IDS
from tests.features.accounts.site import SiteFixture, site

METHOD = "oidc-auth"
LOGIN = "/api/v1/auth/oidc-auth/login"
BINDING = {"discovery_url": URL, "issuer": URL, "audiences": "keyturn", "subject": "repo:acme/shop:ref:refs/**"}


def _welcome() -> None:
    """Nobody is too many."""


class Robot:
    """A machine identity that signs in with tokens of the issuer."""

    def __init__(self, house: AccessFixture, issuer: Issuer, **binding: object) -> None:
        self.house, self.issuer = house, issuer
        self.id = house.access.identities.create(house.admin, NewIdentity(name="robot", role=Role.MEMBER)).id
        changes = TokenAuthChanges(BINDING | binding)
        self.auth = house.access.token_auths.attach(house.admin, self.id, METHOD, changes)

    def sign_in(self, token: str | None = None, origin: Origin = HOME) -> Plaintext:
        jwt = Plaintext(self.issuer.token() if token is None else token)
        return self.house.access.token_machines.login(METHOD, self.id, jwt, origin, _welcome).token

    def refused(self, token: str) -> Json:
        """Try it, see it refused in the usual words, and return what the audit trail says of it."""
        self.house.clock.advance(60)  # one event a minute and reason
        with pytest.raises(Unauthenticated, match=r"^Invalid credentials\.$"):
            self.sign_in(token)
        (event, *_) = AuditTrail(self.house.database).page(self.house.admin, limit=1).events
        assert event.name == "refuse-identity-signed-token"
        return dict(event.data)


@pytest.fixture
def issuer(clock: MovableClock) -> Issuer:
    return Issuer(clock)


@pytest.fixture
def access(database: Database, clock: MovableClock, issuer: Issuer) -> Access:
    proofs = {METHOD: OidcProof(IssuerKeys(clock, _welcome), issuer)}
    return Access(database, clock, IDS, Hasher(memory_kib=8, passes=1), proofs=proofs)


@pytest.fixture
def robot(house: AccessFixture, issuer: Issuer) -> Robot:
    return Robot(house, issuer)


# --- signing in -------------------------------------------------------------------------------------------------------


def test_a_right_token_is_exchanged_for_an_access_token_of_the_identity(house: AccessFixture, robot: Robot) -> None:
    actor = house.whoami(robot.sign_in())
    assert (actor.id, actor.name, actor.role) == (robot.id, "robot", Role.MEMBER)
    assert house.access.identities.get(house.admin, robot.id).auth_methods == (METHOD,)
    event = AuditTrail(house.database).page(house.admin, limit=1).events[0]
    assert event.name == "login-identity-signed-token"
    assert event.actor_id == robot.id
    assert event.data == {"method": METHOD, "tokenSubject": "repo:acme/shop:ref:refs/heads/main", "ip": HOME.ip}


def test_the_rules_of_the_method_hold_for_its_access_tokens(house: AccessFixture, robot: Robot) -> None:
    changes = TokenAuthChanges(access_token_ttl=60, access_token_max_ttl=90, access_token_uses_limit=2)
    house.access.token_auths.update(house.admin, robot.id, METHOD, changes)
    token = robot.sign_in()
    house.whoami(token)
    issued = house.access.tokens.renew(token, HOME)
    assert (issued.expires_in, issued.max_ttl) == (60, 90)
    house.whoami(token)
    with pytest.raises(Unauthenticated, match="as often as it may be"):
        house.whoami(token)


def test_trusted_addresses_hold_at_sign_in_and_at_once_for_tokens_that_are_out(
    house: AccessFixture, robot: Robot
) -> None:
    token = robot.sign_in()
    changes = TokenAuthChanges(access_token_trusted_ips=("198.51.100.0/24",))
    house.access.token_auths.update(house.admin, robot.id, METHOD, changes)
    for attempt in (lambda: house.whoami(token), robot.sign_in):
        with pytest.raises(Exception, match="not among the trusted addresses"):
            attempt()
    assert house.whoami(robot.sign_in(origin=Origin("198.51.100.3")), "198.51.100.4").id == robot.id


def test_without_the_method_its_tokens_end_and_others_stay(house: AccessFixture, robot: Robot) -> None:
    other, token = Robot(house, robot.issuer), robot.sign_in()
    other_token = other.sign_in()
    house.access.token_auths.detach(house.admin, robot.id, METHOD)
    with pytest.raises(Unauthenticated):
        house.whoami(token)
    with pytest.raises(Unauthenticated, match="Invalid credentials"):
        robot.sign_in()
    assert house.whoami(other_token).id == other.id
    assert house.access.identities.get(house.admin, robot.id).auth_methods == ()


def test_an_identity_that_is_deleted_signs_in_no_more(house: AccessFixture, robot: Robot) -> None:
    token = robot.sign_in()
    house.access.identities.delete(house.admin, robot.id)
    for attempt in (lambda: house.whoami(token), robot.sign_in):
        with pytest.raises(Unauthenticated):
            attempt()


def test_what_is_changed_while_a_token_is_being_proven_counts(house: AccessFixture, robot: Robot) -> None:
    published = robot.issuer.pages[KEYS]

    def meanwhile() -> HttpResponse:
        narrower = TokenAuthChanges({"subject": "repo:acme/other:**"})
        house.access.token_auths.update(house.admin, robot.id, METHOD, narrower)
        return published()

    robot.issuer.pages[KEYS] = meanwhile
    with pytest.raises(Unauthenticated, match="Invalid credentials"):
        robot.sign_in()


# --- tokens that are not right ----------------------------------------------------------------------------------------

PUBLIC_PEM = rsa_key("first").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
Make = Callable[[Issuer], str]

HOSTILE: dict[str, tuple[Make, str]] = {
    "no token at all": (lambda _: "nothing", "malformed"),
    "four parts": (lambda at: at.token() + ".more", "malformed"),
    "an encrypted one": (lambda at: at.token() + ".more.still", "malformed"),
    "no signature": (lambda at: unsigned(at.claims()), "malformed"),
    "no signature, but something there": (lambda at: unsigned(at.claims()) + "AAAA", "algorithm"),
    "algorithm None in another case": (lambda at: unsigned(at.claims(), "nOnE") + "AAAA", "algorithm"),
    "the public key as a shared secret": (
        lambda at: hmac_token(at.claims(), PUBLIC_PEM, {"kid": "first"}),
        "algorithm",
    ),
    "an algorithm that the key is not for": (
        lambda at: at.signed(EC_KEY, "ES256", {"kid": "first"}, at.claims()),
        "key",
    ),
    "another algorithm of the same family": (
        lambda at: at.signed(rsa_key("stranger"), "PS256", {"kid": "first"}, at.claims()),
        "signature",
    ),
    "a key of one's own under the right name": (
        lambda at: at.signed(rsa_key("stranger"), "RS256", {"kid": "first"}, at.claims()),
        "signature",
    ),
    "a key that is brought along": (
        lambda at: at.token("stranger", header={"jwk": public_jwk(rsa_key("stranger"), "RS256", "stranger")}),
        "key",
    ),
    "a place of keys that is brought along": (
        lambda at: at.token("stranger", header={"jku": "https://evil.test/keys", "x5u": "https://evil.test/x"}),
        "key",
    ),
    "a key's name that is a path": (
        lambda at: at.signed(rsa_key("stranger"), "RS256", {"kid": "../../../../dev/null"}, at.claims()),
        "key",
    ),
    "a key's name that is no text": (
        lambda at: at.signed(rsa_key("first"), "RS256", {"kid": ["first"]}, at.claims()),
        "malformed",
    ),
    "a key's name of a kilobyte": (
        lambda at: at.signed(rsa_key("first"), "RS256", {"kid": "k" * 1000}, at.claims()),
        "malformed",
    ),
    "an extension that must be understood": (lambda at: at.token(header={"crit": ["b64"], "b64": False}), "malformed"),
    "a token of 16 kB": (lambda at: at.token(filler="x" * 16_000), "too-long"),
    "claims that are a list": (lambda at: at.signed(rsa_key("first"), "RS256", {"kid": "first"}, b"[1]"), "malformed"),
    "nesting without end": (
        lambda at: at.signed(rsa_key("first"), "RS256", {"kid": "first"}, b'{"a":' * 1500 + b"1" + b"}" * 1500),
        "malformed",
    ),
    "a claim that is there twice": (
        lambda at: at.signed(
            rsa_key("first"), "RS256", {"kid": "first"}, b'{"iss":"https://issuer.test","sub":"a","sub":"b"}'
        ),
        "malformed",
    ),
    "another issuer": (lambda at: at.token(iss="https://other.test"), "issuer"),
    "an issuer that begins like ours": (lambda at: at.token(iss=f"{URL}.evil.test"), "issuer"),
    "an issuer with a slash more": (lambda at: at.token(iss=f"{URL}/"), "issuer"),
    "no issuer": (lambda at: at.token(iss=None), "issuer"),
    "an old token": (lambda at: at.token(exp=int(at.clock.now().timestamp()) - 61), "expired"),
    "one that never ends": (lambda at: at.token(exp=None), "times"),
    "an end that is text": (lambda at: at.token(exp="4102444800"), "times"),
    "an end that is true": (lambda at: at.token(exp=True), "times"),
    "an end beyond all years": (lambda at: at.token(exp=10**300), "times"),
    "one made in the future": (lambda at: at.token(iat=int(at.clock.now().timestamp()) + 121), "early"),
    "one that holds from the future on": (lambda at: at.token(nbf=int(at.clock.now().timestamp()) + 121), "early"),
    "another audience": (lambda at: at.token(aud="somebody"), "audience"),
    "a list of other audiences": (lambda at: at.token(aud=["somebody", "keyturn.evil", ["keyturn"], None]), "audience"),
    "no audience": (lambda at: at.token(aud=None), "audience"),
    "another subject": (lambda at: at.token(sub="repo:acme/shop-evil:ref:refs/heads/main"), "subject"),
    "another case": (lambda at: at.token(sub="repo:ACME/shop:ref:refs/heads/main"), "subject"),
    "no subject": (lambda at: at.token(sub=None), "subject"),
    "a subject that is a list": (lambda at: at.token(sub=["repo:acme/shop:ref:refs/heads/main"]), "subject"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_any_other_token_is_refused_in_the_same_words_and_the_trail_says_why(robot: Robot, name: str) -> None:
    make, reason = HOSTILE[name]
    assert robot.refused(make(robot.issuer))["reason"] == reason
    assert robot.sign_in(), "and the right one goes on to work"


def test_what_an_unproven_token_says_is_in_no_event_and_what_a_proven_one_says_is(robot: Robot) -> None:
    forged = robot.issuer.claims(sub="forged", aud="forged", iss="forged")
    for token in (
        robot.issuer.signed(rsa_key("stranger"), "RS256", {"kid": "first"}, robot.issuer.claims(sub="forged")),
        robot.issuer.signed(rsa_key("first"), "RS256", {"kid": "first"}, forged),
    ):
        assert robot.refused(token)["found"] == ""
    assert robot.refused(robot.issuer.token(sub="repo:acme/\u202ehop\n"))["found"] == "repo:acme/?hop?"
    assert robot.refused(robot.issuer.token(aud=["a", "b"]))["found"] == "a, b"


def test_a_subject_that_no_database_keeps_does_no_harm(house: AccessFixture, issuer: Issuer) -> None:
    robot = Robot(house, issuer, subject="", audiences="", claims={"repository": "acme/shop"})
    for subject in ("a\x00b", "\ud800", "\u202etxt", "x" * 5000, ["list"], {"a": 1}, None):
        assert robot.sign_in(issuer.token(sub=subject))
    subjects = [each.data["tokenSubject"] for each in AuditTrail(house.database).page(house.admin, limit=4).events]
    assert subjects[::-1][:1] == ["x" * 200]
    assert robot.refused(issuer.token(repository="a\x00\ud800"))["found"] == "a??"


def test_refusals_cannot_fill_the_trail(house: AccessFixture, robot: Robot) -> None:
    def count() -> int:
        events = AuditTrail(house.database).page(house.admin, event="refuse-identity-signed-token").events
        return len(events)

    for token in [robot.issuer.token(aud=f"a{number}") for number in range(20)]:
        with pytest.raises(Unauthenticated):
            robot.sign_in(token)
    assert count() == 1
    robot.refused(robot.issuer.token(aud="another"))
    assert count() == 2


def test_a_leeway_of_a_minute_is_given_to_clocks(robot: Robot, clock: MovableClock) -> None:
    now = int(clock.now().timestamp())
    assert robot.sign_in(robot.issuer.token(exp=now - 59))
    assert robot.sign_in(robot.issuer.token(iat=now + 59, nbf=now + 59))
    assert robot.sign_in(robot.issuer.token(iat=None, nbf=None))


# --- bindings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("binding", "changes"),
    [
        ({"audiences": "other, keyturn"}, {}),
        ({"audiences": "key*"}, {}),
        ({}, {"aud": ["other", "keyturn"]}),
        ({"subject": "", "audiences": "", "claims": {"repository": "acme/shop"}}, {}),
        ({"claims": {"repository": "acme/*", "environment": "staging, production"}}, {"environment": "production"}),
        ({"claims": {"groups": "deployers"}}, {"groups": ["readers", "deployers"]}),
        ({"claims": {"protected": "true", "project_id": "42"}}, {"protected": True, "project_id": 42}),
        ({"subject": "repo:acme/sho?:ref:**"}, {}),
    ],
)
def test_a_binding_is_met(
    house: AccessFixture, issuer: Issuer, binding: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert Robot(house, issuer, **binding).sign_in(issuer.token(**changes))


@pytest.mark.parametrize(
    ("binding", "changes", "reason"),
    [
        ({"subject": "repo:acme/*"}, {}, "subject"),
        ({"subject": "repo:acme/shop"}, {}, "subject"),
        ({"subject": "*"}, {}, "subject"),
        ({"subject": "repo:acme/sho?ref:**"}, {}, "subject"),
        ({"subject": "repo:acme/[s]hop:ref:**"}, {}, "subject"),
        ({"claims": {"repository": "acme/*"}}, {"repository": "acme/shop/evil"}, "claim repository"),
        ({"claims": {"repository": "acme/shop"}}, {"repository": None}, "claim repository"),
        ({"claims": {"repository": "acme/shop"}}, {"repository": {"acme/shop": 1}}, "claim repository"),
        ({"claims": {"protected": "true"}}, {"protected": False}, "claim protected"),
        ({"claims": {"n": "1"}}, {"n": 1.0}, "claim n"),
        ({"subject": "a*" * 16 + "b"}, {"sub": "a" * 4000}, "subject"),
    ],
)
def test_a_binding_is_not_met(
    house: AccessFixture, issuer: Issuer, binding: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    assert Robot(house, issuer, **binding).refused(issuer.token(**changes))["reason"] == reason


# --- keys -------------------------------------------------------------------------------------------------------------


def test_other_kinds_of_keys_work(robot: Robot) -> None:
    issuer = robot.issuer
    issuer.keys += [public_jwk(EC_KEY, "ES256", "ec"), public_jwk(ED_KEY, "EdDSA", "ed")]
    assert robot.sign_in(issuer.signed(EC_KEY, "ES256", {"kid": "ec"}, issuer.claims()))
    assert robot.sign_in(issuer.signed(ED_KEY, "EdDSA", {"kid": "ed"}, issuer.claims()))
    assert robot.sign_in(issuer.signed(rsa_key("first"), "PS512", {"kid": "first"}, issuer.claims()))


def test_keys_are_asked_for_once_and_again_after_an_hour(robot: Robot, clock: MovableClock) -> None:
    for _ in range(5):
        robot.sign_in()
    assert robot.issuer.asked() == 1
    clock.advance(FRESH.total_seconds())
    robot.sign_in()
    assert robot.issuer.asked() == 2


def test_a_new_key_is_found_and_one_that_was_taken_back_ends(robot: Robot, clock: MovableClock) -> None:
    robot.sign_in()
    robot.issuer.keys[:] = [public_jwk(rsa_key("second"), "RS256", "second")]
    clock.advance(AGAIN.total_seconds())
    assert robot.sign_in(robot.issuer.token("second"))
    assert robot.refused(robot.issuer.token("first"))["reason"] == "key"


def test_strangers_do_not_make_the_server_ask_an_issuer_more_often(robot: Robot, clock: MovableClock) -> None:
    for number in range(50):
        with pytest.raises(Unauthenticated):
            robot.sign_in(robot.issuer.signed(rsa_key("first"), "RS256", {"kid": f"k{number}"}, robot.issuer.claims()))
    assert robot.issuer.asked() == 1
    clock.advance(AGAIN.total_seconds())
    for number in range(50):
        with pytest.raises(Unauthenticated):
            robot.sign_in(robot.issuer.signed(rsa_key("first"), "RS256", {"kid": f"k{number}"}, robot.issuer.claims()))
    assert robot.issuer.asked() == 2
    assert robot.sign_in()


def test_a_token_of_another_issuer_or_identity_asks_nobody(house: AccessFixture, robot: Robot) -> None:
    with pytest.raises(Unauthenticated):
        robot.sign_in(robot.issuer.token(iss="https://other.test"))
    with pytest.raises(Unauthenticated, match=r"^Invalid credentials\.$"):
        house.access.token_machines.login(METHOD, "nobody", Plaintext(robot.issuer.token()), HOME, _welcome)
    assert robot.issuer.asked() == 0


def test_an_issuer_that_is_silent_for_a_while_stops_nobody(robot: Robot, clock: MovableClock) -> None:
    robot.sign_in()
    robot.issuer.silent()
    clock.advance((STALE - timedelta(minutes=1)).total_seconds())
    assert robot.sign_in()
    clock.advance(60)
    refusal = robot.refused(robot.issuer.token())
    assert (refusal["reason"], "did not answer in time" in refusal["found"]) == ("keys", True)


def test_a_clock_that_is_set_back_does_not_stop_the_look_for_keys(robot: Robot, clock: MovableClock) -> None:
    robot.sign_in()
    clock.advance(-86_400)
    robot.issuer.keys[:] = [public_jwk(rsa_key("second"), "RS256", "second")]
    assert robot.sign_in(robot.issuer.token("second"))


Spoil = Callable[[Issuer], None]


def _many(issuer: Issuer) -> None:
    entry = issuer.keys[0]
    issuer.keys += [entry | {"kid": f"k{number}"} for number in range(5000)]


def _page(url: str, body: bytes, status: int = 200) -> Spoil:
    return lambda issuer: issuer.answer_bytes(url, body, status)


BAD_ISSUERS: dict[str, tuple[Spoil, str, str]] = {
    "thousands of keys": (_many, "keys", "5001 keys"),
    "a redirect": (_page(DISCOVERY, b"", 302), "keys", "status 302"),
    "an error": (_page(KEYS, b"{}", 503), "keys", "status 503"),
    "no JSON": (_page(DISCOVERY, b"<html>"), "keys", "JSON"),
    "JSON without an end": (_page(KEYS, b'{"keys":' * 50_000), "keys", "JSON"),
    "a list": (_page(DISCOVERY, b"[]"), "keys", "JSON"),
    "no place of keys": (_page(DISCOVERY, b'{"issuer": "x"}'), "keys", "jwks_uri"),
    "a place that is a number": (_page(DISCOVERY, b'{"jwks_uri": 7}'), "keys", "jwks_uri"),
    "no list of keys": (_page(KEYS, b'{"keys": {}}'), "keys", "keys"),
    "no keys": (_page(KEYS, b'{"keys": []}'), "key", "no such key"),
    "keys that are none": (_page(KEYS, b'{"keys": [7, null, "first"]}'), "key", "no such key"),
    "a shared secret": (_page(KEYS, b'{"keys": [{"kty": "oct", "kid": "first", "k": "c2VjcmV0"}]}'), "key", "no such"),
    "two keys of one name": (lambda at: at.keys.append(at.keys[0]), "key", "no such key"),
    "a key to encrypt with": (lambda at: at.keys[0].update(use="enc"), "key", "no such key"),
    "a key for another algorithm": (lambda at: at.keys[0].update(alg="RS512"), "key", "no such key"),
    "half a key": (lambda at: at.keys[0].pop("n"), "key", "cannot be used"),
    "a small key": (
        lambda at: at.keys[0].update(public_jwk(rsa_key("small", 1024), "RS256", "first")),
        "key",
        "1024 bits",
    ),
    "a gigantic key": (lambda at: at.keys[0].update(n=segment(b"\xff" * 4096)), "key", ""),
}


@pytest.mark.parametrize("name", BAD_ISSUERS)
def test_an_issuer_that_misbehaves_lets_nobody_in(robot: Robot, name: str) -> None:
    spoil, reason, words = BAD_ISSUERS[name]
    spoil(robot.issuer)
    refusal = robot.refused(robot.issuer.token())
    assert refusal["reason"] == reason
    assert words in refusal["found"]


def test_a_token_without_a_key_s_name_needs_the_only_key_that_fits(robot: Robot) -> None:
    token = robot.issuer.signed(rsa_key("first"), "RS256", {}, robot.issuer.claims())
    robot.issuer.keys.append(public_jwk(EC_KEY, "ES256", "ec"))
    assert robot.sign_in(token)
    robot.issuer.keys.append(public_jwk(rsa_key("second"), "RS256", "second"))
    robot.house.clock.advance(FRESH.total_seconds())
    now = robot.issuer.claims()
    assert robot.refused(robot.issuer.signed(rsa_key("first"), "RS256", {}, now))["reason"] == "key"


def test_a_slow_issuer_is_asked_by_one_at_a_time(house: AccessFixture, robot: Robot) -> None:
    begun, go = threading.Event(), threading.Event()
    published = robot.issuer.pages[DISCOVERY]

    def slow() -> HttpResponse:
        begun.set()
        assert go.wait(60)
        return published()

    robot.issuer.pages[DISCOVERY] = slow
    results: list[Plaintext] = []
    workers = [threading.Thread(target=lambda: results.append(robot.sign_in())) for _ in range(4)]
    for worker in workers:
        worker.start()
    assert begun.wait(60)
    go.set()
    for worker in workers:
        worker.join(60)
    assert (len(results), robot.issuer.asked()) == (4, 1)


def test_whose_key_is_known_does_not_wait_while_a_slow_issuer_is_asked_again(robot: Robot, clock: MovableClock) -> None:
    robot.sign_in()
    begun, go = threading.Event(), threading.Event()
    published = robot.issuer.pages[DISCOVERY]

    def slow() -> HttpResponse:
        begun.set()
        assert go.wait(60)
        return published()

    robot.issuer.pages[DISCOVERY] = slow
    clock.advance(FRESH.total_seconds())
    token, results = robot.issuer.token(), []
    asking = threading.Thread(target=lambda: results.append(robot.sign_in(token)))
    asking.start()
    assert begun.wait(60)
    assert robot.sign_in(token)
    assert not results
    go.set()
    asking.join(60)
    assert len(results) == 1


def test_each_certificate_of_a_ca_has_keys_of_its_own(house: AccessFixture, robot: Robot, ca: str) -> None:
    robot.sign_in()
    Robot(house, robot.issuer, ca=ca).sign_in()
    assert robot.issuer.trust == ["", "", ca, ca]


@pytest.fixture(scope="module")
def ca() -> str:
    import trustme  # noqa: PLC0415

    return trustme.CA().cert_pem.bytes().decode()


# --- over HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture
def served(
    database: Database, clock: MovableClock, house: AccessFixture, tmp_path: Path, log: io.StringIO
) -> Iterator[SiteFixture]:
    assert log is not None
    with site(database, clock, house.access, tmp_path, per_minute=3, per_identity=20) as server:
        server.token = house.first.token.reveal()
        yield server


BODY: Json = {"oidcDiscoveryUrl": URL, "boundIssuer": URL, "boundSubject": "repo:acme/shop:**"}


def _attached(served: SiteFixture, **changes: object) -> str:
    identity_id: str = served.ask("POST", "/api/v1/identities", {"name": "robot", "role": "viewer"})["identity"]["id"]
    served.ask("POST", f"/api/v1/auth/oidc-auth/identities/{identity_id}", BODY | changes)
    return identity_id


def test_the_method_is_attached_read_changed_and_taken_away(served: SiteFixture, ca: str) -> None:
    identity_id = served.ask("POST", "/api/v1/identities", {"name": "robot", "role": "viewer"})["identity"]["id"]
    path = f"/api/v1/auth/oidc-auth/identities/{identity_id}"
    assert served.ask("GET", path, expect=404)["message"] == (
        "This identity does not have OIDC Auth. Add it with POST on the same path."
    )
    # As the Terraform provider sends it, with what it repeats from the path and what this server does not know.
    body = {
        "identityId": identity_id,
        "oidcDiscoveryUrl": URL,
        "caCert": ca,
        "boundIssuer": URL,
        "boundAudiences": "keyturn,other",
        "boundClaims": {"repository": "acme/*, acme/shop"},
        "claimMetadataMapping": {},
        "boundSubject": "repo:acme/shop:**",
        "accessTokenTTL": 3600,
    }
    settings = served.ask("POST", path, body)["identityOidcAuth"]
    assert (
        settings.items()
        >= {
            "identityId": identity_id,
            "oidcDiscoveryUrl": URL,
            "caCert": ca.strip(),
            "boundIssuer": URL,
            "boundAudiences": "keyturn,other",
            "boundSubject": "repo:acme/shop:**",
            "accessTokenTTL": 3600,
            "accessTokenMaxTTL": 2592000,
            "accessTokenNumUsesLimit": 0,
        }.items()
    )
    assert settings["boundClaims"] == {"repository": "acme/*, acme/shop"}
    assert settings["accessTokenTrustedIps"][0] == {"ipAddress": "0.0.0.0", "type": "ipv4", "prefix": 0}
    assert served.ask("POST", path, body, expect=400)["error"] == "BadRequest"
    changed = served.ask("PATCH", path, {"caCert": "", "boundAudiences": "", "accessTokenNumUsesLimit": 5})
    expected = settings | {"caCert": "", "boundAudiences": "", "accessTokenNumUsesLimit": 5}
    assert changed["identityOidcAuth"].items() >= {k: v for k, v in expected.items() if k != "updatedAt"}.items()
    assert served.ask("GET", path) == changed
    assert served.ask("GET", f"/api/v1/identities/{identity_id}")["identity"]["identity"]["authMethods"] == [METHOD]
    assert served.ask("DELETE", path, {"identityId": identity_id})["identityOidcAuth"]["id"] == settings["id"]
    served.ask("GET", path, expect=404)
    events = served.ask("GET", "/api/v1/organization/audit-logs")["auditLogs"]
    assert [event["event"]["type"] for event in events[:3]] == [
        "revoke-identity-signed-token-auth",
        "update-identity-signed-token-auth",
        "add-identity-signed-token-auth",
    ]
    assert ca.split("\n")[1] not in repr(events)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"boundSubject": ""}, 400),
        ({"boundSubject": "*a" * 17}, 400),
        ({"boundSubject": "", "boundAudiences": " , ", "boundClaims": {"a": ","}}, 400),
        ({"oidcDiscoveryUrl": "http://issuer.test"}, 400),
        ({"oidcDiscoveryUrl": "https://user:pass@issuer.test"}, 400),
        ({"oidcDiscoveryUrl": "https://issuer.test/#x"}, 400),
        ({"oidcDiscoveryUrl": "https://issuer.test/\r\nhost: x"}, 400),
        ({"oidcDiscoveryUrl": "https://issuer.test:99999"}, 400),
        ({"oidcDiscoveryUrl": "file:///etc/passwd"}, 400),
        ({"oidcDiscoveryUrl": ""}, 422),
        ({"oidcDiscoveryUrl": None}, 422),
        ({"boundIssuer": " "}, 422),
        ({"boundClaims": {"a": 1}}, 422),
        ({"boundClaims": ["a"]}, 422),
        ({"caCert": "no certificate"}, 400),
        ({"accessTokenTTL": 10, "accessTokenMaxTTL": 5}, 422),
        ({"accessTokenMaxTTL": 5}, 400),
        ({"accessTokenTrustedIps": [{"ipAddress": "everywhere"}]}, 400),
        ({"accessTokenTrustedIps": []}, 422),
    ],
)
def test_what_cannot_work_or_lets_in_everybody_is_refused(
    served: SiteFixture, changes: dict[str, object], status: int
) -> None:
    identity_id = served.ask("POST", "/api/v1/identities", {"name": "robot", "role": "viewer"})["identity"]["id"]
    path = f"/api/v1/auth/oidc-auth/identities/{identity_id}"
    served.ask("POST", path, BODY | changes, expect=status)
    served.ask("GET", path, expect=404)
    if status == 400:
        served.ask("POST", path, BODY)
        before = served.ask("GET", path)
        served.ask("PATCH", path, changes, expect=status)
        assert served.ask("GET", path) == before


def test_a_client_signs_in_with_json_and_the_github_action_with_a_form(served: SiteFixture, issuer: Issuer) -> None:
    robot = _attached(served)
    login = {"identityId": robot, "jwt": issuer.token(), "organizationSlug": ""}
    answer = served.ask("POST", LOGIN, login)
    assert answer | {"accessToken": "..."} == {
        "accessToken": "...",
        "expiresIn": 2592000,
        "accessTokenMaxTTL": 2592000,
        "tokenType": "Bearer",
    }
    assert served.ask("GET", "/api/v1/identities/details", token=answer["accessToken"])
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = urlencode({"identityId": robot, "jwt": issuer.token()}).encode()
    status, token_answer = served.raw("POST", LOGIN, body, form)
    assert (status, token_answer["tokenType"]) == (200, "Bearer")
    foreign = form | {"origin": "https://evil.test", "sec-fetch-site": "cross-site"}
    assert served.raw("POST", LOGIN, body, foreign)[0] == 415
    assert served.raw("POST", LOGIN, b"identityId=x&jwt=%ff", form)[0] == 400
    assert served.raw("POST", f"{LOGIN}?x=1", b"", form)[0] == 422


def test_failures_are_limited_like_those_of_universal_auth_and_right_tokens_are_not(
    served: SiteFixture, issuer: Issuer, clock: MovableClock
) -> None:
    robot = _attached(served)
    right = {"identityId": robot, "jwt": issuer.token()}
    for _ in range(10):
        served.ask("POST", LOGIN, right)
    wrong = right | {"jwt": issuer.token(sub="other")}
    universal: Json = {"clientId": "nobody", "clientSecret": "a" * 52}
    refusals = [
        served.ask("POST", LOGIN, wrong, expect=401),
        served.ask("POST", LOGIN, wrong | {"identityId": "nobody"}, expect=401),
        served.ask("POST", "/api/v1/auth/universal-auth/login", universal, expect=401),
    ]
    assert len({refusal["message"] for refusal in refusals}) == 1, "a stranger learns nothing"
    requests = issuer.asked()
    clock.advance(1)
    assert served.ask("POST", LOGIN, wrong, expect=429)["error"] == "RateLimitExceeded"
    assert issuer.asked() == requests
    clock.advance(60)
    for _ in range(9):
        served.ask("POST", LOGIN, {"identityId": robot, "jwt": issuer.token()})


def test_one_identity_has_a_limit_of_its_own_however_right_its_tokens_are(served: SiteFixture, issuer: Issuer) -> None:
    login = {"identityId": _attached(served), "jwt": issuer.token()}
    statuses = [served.status("POST", LOGIN, login) for _ in range(22)]
    assert statuses.count(200) == 20
    assert set(statuses) == {200, 429}


def test_a_token_shows_nowhere(served: SiteFixture, issuer: Issuer, log: io.StringIO) -> None:
    robot = _attached(served)
    tokens = [issuer.token(), issuer.token(sub="other"), issuer.signed(rsa_key("x"), "RS256", {}, issuer.claims())]
    texts = [repr(served.ask("POST", LOGIN, {"identityId": robot, "jwt": tokens[0]}))]
    texts += [repr(served.ask("POST", LOGIN, {"identityId": robot, "jwt": token}, expect=401)) for token in tokens[1:]]
    texts += [repr(served.ask("GET", "/api/v1/organization/audit-logs")), log.getvalue()]
    parts = {part for token in tokens for part in token.split(".")[1:]}
    assert "keyturn.access" in log.getvalue()
    assert not [part for part in parts if part in "".join(texts)]


def test_only_those_who_manage_identities_see_or_change_the_method(served: SiteFixture, house: AccessFixture) -> None:
    robot = _attached(served)
    viewer = house.access.users.create(
        house.admin, NewUser(email="vic@acme.test", password=Plaintext("vellum-orbit-pickle-94"), role=Role.VIEWER)
    )
    assert viewer
    path = f"/api/v1/auth/oidc-auth/identities/{robot}"
    login = {"email": "vic@acme.test", "password": "vellum-orbit-pickle-94", "newPassword": "vellum-orbit-pickle-95"}
    token = served.ask("POST", "/api/v1/auth/login", login)["accessToken"]
    for method, body in (("GET", None), ("POST", BODY), ("PATCH", {}), ("DELETE", {})):
        assert served.ask(method, path, body, token=token, expect=403)["error"] == "PermissionDenied", method


def test_a_stored_binding_that_cannot_be_read_lets_nobody_in(
    served: SiteFixture, database: Database, clock: MovableClock, issuer: Issuer
) -> None:
    robot = _attached(served)
    for stored in ("7", '{"more": 1}', '"text"', "[]"):
        with database.write() as tx:
            clock.advance(60)
            tx.connection.exec_driver_sql(f"UPDATE token_auths SET binding = '{stored}'")
        served.ask("POST", LOGIN, {"identityId": robot, "jwt": issuer.token()}, expect=401)
        served.ask("GET", "/api/v1/identities")


def test_requests_go_to_the_documents_of_the_issuer_and_nowhere_else(robot: Robot) -> None:
    robot.sign_in()
    assert [(each.method, each.url, each.body) for each in robot.issuer.requests] == [
        ("GET", DISCOVERY, b""),
        ("GET", KEYS, b""),
    ]
    assert HttpRequest("GET", KEYS, {"accept": "application/json"}).headers == robot.issuer.requests[1].headers
