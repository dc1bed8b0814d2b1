"""Kubernetes Auth: a pod signs in with the token of its service account, which the API server is asked about.

POST   /api/v1/auth/kubernetes-auth/login                     {identityId, jwt}      -> {accessToken, expiresIn, ...}
POST   /api/v1/auth/kubernetes-auth/identities/:identityId    {kubernetesHost, caCert, tokenReviewerJwt, allowedNamespaces, ...}
GET, PATCH, DELETE the same                                   -> {identityKubernetesAuth: {...}}
"""

import io
import json
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn.accounts.service import Access
from keyturn.audit.service import AuditTrail
from keyturn.crypto.hashing import Hasher
from keyturn.crypto.keyring import Keyring, KeyringSealer
from keyturn.crypto.rewrap import sealed_columns
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.tables import token_auths
from keyturn.db.unit import Database
from keyturn.errors import Refused, Unauthenticated
from keyturn.identities.domain import NewIdentity
from keyturn.identities.kubernetes import KubernetesProof
from keyturn.identities.token_auth import TokenAuthChanges
from keyturn.kit.actor import Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext, Sealed
from keyturn.providers.pinned import PinnedTransport
from tests.features.accounts.cluster import ITSELF, PEM, Cluster, running
from tests.features.accounts.conftest import HOME, AccessFixture
from tests.features.accounts.issuer import Issuer, Json, rsa_key, segment
from tests.features.accounts.people import IDS
from tests.features.accounts.site import SiteFixture, site

METHOD = "kubernetes-auth"
LOGIN = "/api/v1/auth/kubernetes-auth/login"


def _welcome() -> None:
    """Nobody is too many."""


@pytest.fixture
def cluster(clock: MovableClock) -> Iterator[Cluster]:
    with running(clock) as opened:
        yield opened


@pytest.fixture
def access(database: Database, clock: MovableClock) -> Access:
    sealer = KeyringSealer(Keyring.open(database, GivenRoot(RootKeys(RootKey(bytes(32)))), clock))
    hosts = PinnedTransport(networks=(ip_network("127.0.0.0/8"),))
    proofs = {METHOD: KubernetesProof(hosts, sealer)}
    return Access(database, clock, IDS, Hasher(memory_kib=8, passes=1), sealer=sealer, proofs=proofs)


class Robot:
    def __init__(self, house: AccessFixture, cluster: Cluster, reviewer: str | None = None, **binding: object) -> None:
        self.house, self.cluster = house, cluster
        self.id = house.access.identities.create(house.admin, NewIdentity(name="robot", role=Role.MEMBER)).id
        usual = {"host": cluster.host, "ca": PEM, "namespaces": "shop, tools", "names": "web"}
        token = Plaintext(cluster.reviewer() if reviewer is None else reviewer)
        self.change = lambda changes: house.access.token_auths.update(house.admin, self.id, METHOD, changes)
        changes = TokenAuthChanges(usual | binding, reviewer_token=token)
        house.access.token_auths.attach(house.admin, self.id, METHOD, changes)

    def sign_in(self, token: str) -> Plaintext:
        return self.house.access.token_machines.login(METHOD, self.id, Plaintext(token), HOME, _welcome).token

    def refused(self, token: str) -> Json:
        self.house.clock.advance(60)  # one event a minute and reason
        with pytest.raises(Unauthenticated, match=r"^Invalid credentials\.$"):
            self.sign_in(token)
        event = AuditTrail(self.house.database).page(self.house.admin, limit=1).events[0]
        assert (event.name, event.data["method"]) == ("refuse-identity-signed-token", METHOD)
        return dict(event.data)


@pytest.fixture
def robot(house: AccessFixture, cluster: Cluster) -> Robot:
    return Robot(house, cluster)


def test_a_pod_signs_in_with_the_token_of_its_service_account(
    house: AccessFixture, cluster: Cluster, robot: Robot
) -> None:
    token = cluster.token("shop/web")
    assert house.whoami(robot.sign_in(token)).id == robot.id
    assert cluster.reviews == [
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    ]
    assert house.access.identities.get(house.admin, robot.id).auth_methods == (METHOD,)
    event = AuditTrail(house.database).page(house.admin, limit=1).events[0]
    assert event.data == {"method": METHOD, "tokenSubject": "shop/web", "ip": HOME.ip}


def test_a_service_account_that_may_review_tokens_needs_no_other_reviewer(
    house: AccessFixture, cluster: Cluster
) -> None:
    robot, token = Robot(house, cluster, reviewer=""), cluster.token("shop/web")
    refusal = robot.refused(token)
    assert (refusal["reason"], "the service account itself" in refusal["found"]) == ("review", True)
    cluster.delegators.add("shop/web")
    assert robot.sign_in(token)


def test_a_pod_that_is_gone_signs_in_no_more(cluster: Cluster, robot: Robot) -> None:
    token = cluster.token("shop/web")
    robot.sign_in(token)
    cluster.accounts.discard("shop/web")
    assert robot.refused(token)["found"] == "[invalid bearer token]"


def test_an_audience_is_asked_for_and_has_to_be_confirmed(house: AccessFixture, cluster: Cluster) -> None:
    robot = Robot(house, cluster, audience="keyturn")
    assert robot.sign_in(cluster.token("shop/web", "keyturn"))
    assert cluster.reviews[-1]["spec"]["audiences"] == ["keyturn"]
    assert robot.refused(cluster.token("shop/web"))["reason"] == "review"
    user = {"username": "system:serviceaccount:shop:web"}
    for audiences in ([], ["other"], "keyturn", None):
        answer = {"status": {"authenticated": True, "user": user, "audiences": audiences}}
        cluster.answer = (201, json.dumps(answer).encode())
        assert robot.refused(cluster.token("shop/web", "keyturn"))["reason"] == "audience"


@pytest.mark.parametrize(
    ("account", "binding", "reason"),
    [
        ("other/web", {}, "namespace"),
        ("shop/other", {}, "service-account"),
        ("other/web", {"names": ""}, "namespace"),
        ("shop/web2", {"namespaces": ""}, "service-account"),
        ("shop/web", {"namespaces": "sho*"}, "namespace"),
    ],
)
def test_an_account_that_is_not_named_is_refused_without_asking(
    house: AccessFixture, cluster: Cluster, account: str, binding: dict[str, str], reason: str
) -> None:
    robot = Robot(house, cluster, **binding)
    refusal = robot.refused(cluster.token(account))
    assert (refusal["reason"], refusal["found"]) == (reason, "")
    assert not cluster.reviews


def test_what_the_api_server_says_counts_and_not_what_the_token_says(cluster: Cluster, robot: Robot) -> None:
    forged = Issuer.signed(rsa_key("stranger"), "RS256", {}, {"iss": ITSELF, "sub": "system:serviceaccount:shop:web"})
    assert robot.refused(forged)["reason"] == "review"
    token = cluster.token("shop/web")
    for name, reason in (
        ("system:serviceaccount:kube-system:web", "namespace"),
        ("system:serviceaccount:shop:admin", "service-account"),
        ("system:node:shop", "service-account"),
        ("system:serviceaccount:shop:web:more", "service-account"),
        ("system:admin", "service-account"),
        (["system:serviceaccount:shop:web"], "service-account"),
        (None, "service-account"),
    ):
        answer = {"status": {"authenticated": True, "user": {"username": name}}}
        cluster.answer = (201, json.dumps(answer).encode())
        assert robot.refused(token)["reason"] == reason, name


BAD: dict[str, tuple[Callable[[Cluster], str], str]] = {
    "no token": (lambda _: "nothing", "malformed"),
    "no algorithm": (
        lambda _: f"{segment({'alg': 'none'})}.{segment({'sub': 'system:serviceaccount:shop:web'})}.AA",
        "algorithm",
    ),
    "an old one": (lambda at: at.token("shop/web", seconds=-61), "expired"),
    "of a person": (lambda _: Issuer.signed(rsa_key("x"), "RS256", {}, {"sub": "ann"}), "service-account"),
    "of nobody": (lambda _: Issuer.signed(rsa_key("x"), "RS256", {}, {}), "service-account"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_token_that_cannot_be_right_asks_nobody(cluster: Cluster, robot: Robot, name: str) -> None:
    make, reason = BAD[name]
    assert robot.refused(make(cluster))["reason"] == reason
    assert not cluster.reviews


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, b"{}", "does not let the reviewer"),
        (500, b"{}", "status 500"),
        (302, b"", "status 302"),
        (201, b"<html>", "did not answer with a TokenReview"),
        (201, b"[]", "did not answer with a TokenReview"),
        (201, b'{"status": "ok"}', "did not answer with a TokenReview"),
        (201, b'{"status": {"authenticated": "true"}}', "does not know the token"),
        (201, b'{"status": {"authenticated": 1}}', "does not know the token"),
        (201, b'{"status": {}}', "does not know the token"),
        (201, b"[" * 100_000, "did not answer with a TokenReview"),
    ],
)
def test_an_api_server_that_misbehaves_lets_nobody_in(
    cluster: Cluster, robot: Robot, status: int, body: bytes, words: str
) -> None:
    cluster.answer = (status, body)
    refusal = robot.refused(cluster.token("shop/web"))
    assert refusal["reason"] == "review"
    assert words in refusal["found"]


def test_an_api_server_that_is_not_the_right_one_gets_no_token(house: AccessFixture, cluster: Cluster) -> None:
    for binding, words in (
        ({"ca": ""}, "certificate is not trusted"),
        ({"host": f"localhost:{cluster.port}"}, "certificate is not trusted"),
        ({"host": "127.0.0.1:9"}, "cannot connect"),
        ({"host": "10.255.255.1"}, "KEYTURN_IDENTITY_NETWORKS"),
    ):
        refusal = Robot(house, cluster, **binding).refused(cluster.token("shop/web"))
        assert words in refusal["found"], binding
    assert not cluster.reviews


def test_the_token_of_the_reviewer_is_not_sent_to_another_host_than_it_was_entered_for(
    house: AccessFixture, cluster: Cluster
) -> None:
    robot, token, elsewhere = Robot(house, cluster), cluster.token("shop/web"), {"host": "cluster.attacker.example"}
    for change in (elsewhere, {"ca": ""}):
        with pytest.raises(Refused, match="entered for another API server") as refusal:
            robot.change(TokenAuthChanges(change))
        assert "tokenReviewerJwt" in str(refusal.value.fix)
    assert robot.sign_in(token), "and nothing was changed"
    robot.change(TokenAuthChanges({"host": cluster.host, "namespaces": "shop"}))
    robot.change(TokenAuthChanges(elsewhere, reviewer_token=Plaintext("")))
    robot.change(TokenAuthChanges({"host": cluster.host}, reviewer_token=Plaintext(cluster.reviewer())))
    assert robot.sign_in(token)


def test_the_token_of_the_reviewer_is_kept_sealed_and_can_be_changed_and_taken_away(
    house: AccessFixture, cluster: Cluster, robot: Robot
) -> None:
    def stored() -> Sealed | None:
        with house.database.read() as tx:
            value: Sealed | None = tx.rows(sa.select(token_auths.c.reviewer_token))[0]["reviewer_token"]
            return value

    first = stored()
    assert first is not None
    assert first.text.startswith("k1.")
    assert ("token_auths", "reviewer_token") in {(each.table.name, each.value.name) for each in sealed_columns()}
    token = cluster.token("shop/web")
    robot.change(TokenAuthChanges(access_token_ttl=60))
    assert stored() == first
    robot.change(TokenAuthChanges(reviewer_token=Plaintext("no token of the cluster")))
    assert "does not let the reviewer" in robot.refused(token)["found"]
    robot.change(TokenAuthChanges(reviewer_token=Plaintext("")))
    assert stored() is None
    cluster.delegators.add("shop/web")
    assert robot.sign_in(token)
    with house.database.write() as tx:
        tx.run(sa.update(token_auths).values(reviewer_token=Sealed(first.text[:-4] + "AAAA")))
    assert "set it again" in robot.refused(token)["found"]


# --- over HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture
def served(
    database: Database, clock: MovableClock, house: AccessFixture, tmp_path: Path, log: io.StringIO
) -> Iterator[SiteFixture]:
    assert log is not None
    with site(database, clock, house.access, tmp_path, per_minute=3) as server:
        server.token = house.first.token.reveal()
        yield server


def test_it_is_set_up_used_and_taken_away_and_its_tokens_show_nowhere(
    served: SiteFixture, cluster: Cluster, log: io.StringIO
) -> None:
    robot = served.ask("POST", "/api/v1/identities", {"name": "robot", "role": "viewer"})["identity"]["id"]
    path = f"/api/v1/auth/kubernetes-auth/identities/{robot}"
    reviewer, answers = cluster.reviewer(), []
    # As the Terraform provider sends it.
    body = {
        "identityId": robot,
        "kubernetesHost": f"https://{cluster.host}",
        "caCert": PEM,
        "tokenReviewerJwt": reviewer,
        "tokenReviewMode": "api",
        "gatewayId": None,
        "allowedNamespaces": "shop,tools",
        "allowedNames": "web",
        "allowedAudience": "",
        "accessTokenTTL": 600,
    }
    answers.append(served.ask("POST", path, body))
    settings = answers[0]["identityKubernetesAuth"]
    assert settings["hasTokenReviewerJwt"] is True
    assert (settings["allowedNamespaces"], settings["allowedNames"], settings["tokenReviewMode"]) == (
        "shop,tools",
        "web",
        "api",
    )
    assert (settings["kubernetesHost"], settings["caCert"]) == (body["kubernetesHost"], PEM.strip())
    token = cluster.token("shop/web")
    answers.append(served.ask("POST", LOGIN, {"identityId": robot, "jwt": f"{token}\n", "organizationSlug": ""}))
    assert answers[-1]["expiresIn"] == 600
    answers.append(served.ask("POST", LOGIN, {"identityId": robot, "jwt": cluster.token("x/y")}, expect=401))
    answers.append(served.ask("PATCH", path, {"allowedNames": ""}))
    answers.append(served.ask("PATCH", path, {"tokenReviewerJwt": None}))
    assert answers[-1]["identityKubernetesAuth"]["hasTokenReviewerJwt"] is False
    answers.append(served.ask("GET", path))
    answers.append(served.ask("GET", "/api/v1/organization/audit-logs"))
    answers.append(served.ask("DELETE", path))
    served.ask("GET", path, expect=404)
    shown_text = repr(answers) + log.getvalue()
    assert not [part for secret in (reviewer, token) for part in secret.split(".")[1:] if part in shown_text]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"allowedNamespaces": "", "allowedNames": " ,"}, 400),
        ({"kubernetesHost": "http://10.0.0.1"}, 400),
        ({"kubernetesHost": "10.0.0.1/x#y"}, 400),
        ({"kubernetesHost": "user@10.0.0.1"}, 400),
        ({"kubernetesHost": "10.0.0.1\r\nx: y"}, 400),
        ({"kubernetesHost": ""}, 422),
        ({"kubernetesHost": None}, 422),
        ({"caCert": "nothing"}, 400),
        ({"tokenReviewerJwt": "x" * 20_000}, 422),
    ],
)
def test_what_cannot_work_or_lets_in_the_whole_cluster_is_refused(
    served: SiteFixture, changes: dict[str, object], status: int
) -> None:
    robot = served.ask("POST", "/api/v1/identities", {"name": "robot", "role": "viewer"})["identity"]["id"]
    path = f"/api/v1/auth/kubernetes-auth/identities/{robot}"
    served.ask("POST", path, {"kubernetesHost": "10.0.0.1", "allowedNames": "web"} | changes, expect=status)
    served.ask("GET", path, expect=404)


def test_a_stranger_makes_the_server_ask_no_more_often_than_failures_are_let_through(
    served: SiteFixture, cluster: Cluster
) -> None:
    robot = served.ask("POST", "/api/v1/identities", {"name": "robot", "role": "viewer"})["identity"]["id"]
    body = {
        "kubernetesHost": cluster.host,
        "caCert": PEM,
        "allowedNames": "web",
        "tokenReviewerJwt": cluster.reviewer(),
    }
    served.ask("POST", f"/api/v1/auth/kubernetes-auth/identities/{robot}", body)
    forged = Issuer.signed(rsa_key("stranger"), "RS256", {}, {"sub": "system:serviceaccount:shop:web"})
    statuses = [served.status("POST", LOGIN, {"identityId": robot, "jwt": forged}) for _ in range(8)]
    assert statuses == [401] * 3 + [429] * 5
    assert len(cluster.reviews) == 3
