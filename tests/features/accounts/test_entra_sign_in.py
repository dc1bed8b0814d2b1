"""People sign in through the local Entra ID: the way there and back, what is believed, and what their groups give.

GET    /sign-in/entra?next=                -> 303 to Entra ID, with a cookie
GET    /sign-in/entra/callback?code&state  -> 303 to where the person wanted to go, with a session
POST   /api/v1/group-roles                 {groupId, groupName, role, projectId}
PUT    /api/v1/users/:userId/entra-identity {objectId}
"""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PublicFormat, pkcs12

from entra_emulator import Effect, Fault
from entra_emulator.directory.keys import SigningKey
from keyturn.accounts.service import Access
from keyturn.cli.context import CommandContext
from keyturn.cli.finding import CheckupFinding
from keyturn.cli.sso_checkup import examine_sso
from keyturn.errors import Unauthenticated
from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.organizations import store as organization_store
from keyturn.people import external_store
from keyturn.people import store as people_store
from keyturn.people.domain import PROVISIONING, ExternalIdentity
from keyturn.people.password_policy import PasswordPolicy
from keyturn.ports.people_sign_in import SignInCertificate
from keyturn.providers.azure.assertions import audience_of
from keyturn.providers.azure.certificate_file import CertificateFile
from keyturn.providers.token_sources import TokenFile, TokenSources
from keyturn.settings.reader import read_settings
from tests.features.accounts.conftest import GOOD_PASSWORD, HOME, AccessFixture
from tests.features.accounts.entra import SIGNING, Claims, Office, office, query_of
from tests.features.accounts.people import IDS, START
from tests.features.methods.certificates import pair, rsa_key

ANN = "ann@acme.test"
KEY = rsa_key(2)


@pytest.fixture
def at(house: AccessFixture, tmp_path: Path) -> Iterator[Office]:
    with office(house, tmp_path) as opened:
        opened.give("operators", "member")
        yield opened


# --- the way there and back -------------------------------------------------------------------------------------------


def test_a_person_signs_in_and_lands_where_they_wanted_to_go(at: Office) -> None:
    browser = at.browser()
    assert "Sign in through Entra ID" in browser.get("/sign-in?next=/projects").text
    url = at.go(browser, "/sign-in/entra?next=/settings/sessions")
    asked = query_of(url)
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert "offline_access" not in asked["scope"], "nothing lasting is asked for"
    answer = browser.get(at.back(url), ours=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/sessions")
    assert browser.is_in()
    for page in ("/settings", "/settings/two-step"):
        assert "you have none here" in browser.get(page).text.lower(), "no form that cannot be filled in"
    user = at.user()
    assert (user.role, user.password_hash) == (Role.MEMBER, "")
    made, signed_in = at.events("create-user")[0], at.events("login-user-entra")[0]
    assert made.subject_id == signed_in.subject_id == user.id
    assert signed_in.data["objectId"] == at.people["ada"]
    assert signed_in.data["groups"] == 2
    at.sign_in("ada")
    assert len(at.users()) == 2, "the same person is the same user"


def test_a_session_lasts_as_any_other_and_is_ended_by_signing_out(at: Office) -> None:
    browser = at.browser()
    at.sign_in("ada", browser)
    at.house.clock.advance(8 * 3600)
    assert not browser.is_in(), "eight hours without use"
    at.sign_in("ada", browser)
    assert browser.is_in()
    browser.post("/sign-out", {})
    assert not browser.is_in()


def test_nobody_is_led_to_another_site_afterwards(at: Office) -> None:
    for elsewhere in (
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/x\r\nX: y",
    ):
        answer = at.sign_in("ada", next_page=quote(elsewhere, safe=""))
        assert answer.headers["location"] == "/overview", elsewhere
        page = at.browser().get(f"/sign-in?next={quote(elsewhere, safe='')}").text
        assert "evil.example" not in page


def test_an_answer_is_worth_something_in_the_browser_that_asked_alone_once_and_for_ten_minutes(at: Office) -> None:
    mine, other = at.browser(), at.browser()
    back = at.back(at.go(mine))
    assert "This browser did not start this sign-in" in at.stopped(other.get(back, ours=False))
    at.go(other)
    assert "another sign-in than the one that this browser started last" in at.stopped(other.get(back, ours=False))
    assert at.events("refuse-user-entra") == [], "strangers write nothing"
    kept = {cookie.name: cookie.value for cookie in mine.client.cookies.jar}
    assert mine.get(back, ours=False).status_code == 303
    of_entra = at.wire.last
    mine.client.cookies = kept  # type: ignore[assignment]  # as somebody who kept a copy of both
    at.refused(mine.get(back, ours=False), "sso.code_used")
    mine.client.cookies = kept  # type: ignore[assignment]
    at.wire.again = of_entra
    at.refused(mine.get(back, ours=False), "sso.used")
    at.wire.again = None
    late = at.browser()
    back = at.back(at.go(late))
    at.house.clock.advance(600)
    at.refused(late.get(back, ours=False), "sso.too_late")
    forged = at.browser()
    at.go(forged)
    [cookie] = forged.client.cookies.jar
    forged.client.cookies = {cookie.name: str(cookie.value).replace("~", "A~")}  # type: ignore[assignment]
    assert "did not start" in at.stopped(forged.get(at.back(at.go(at.browser())), ours=False))


def test_an_answer_of_another_issuer_and_one_without_a_code_are_refused(at: Office) -> None:
    browser = at.browser()
    back = at.back(at.go(browser))
    at.refused(browser.get(f"{back}&iss=https://evil.example/v2.0", ours=False), "sso.other_issuer")
    right = quote(f"https://entra.test/{at.tenant}/v2.0", safe="")
    assert browser.get(f"{at.back(at.go(browser))}&iss={right}", ours=False).status_code == 303
    state = query_of(at.go(browser))["state"]
    at.refused(browser.get(f"/sign-in/entra/callback?state={state}", ours=False), "sso.code_missing")
    assert "You were not signed in" in at.browser().get("/sign-in/entra/callback", ours=False).text


def test_a_code_of_another_flow_does_not_fit_its_verifier(at: Office) -> None:
    victim, attacker = at.browser(), at.browser()
    code = query_of(at.back(at.go(attacker), "ben"))["code"]
    state = query_of(at.go(victim))["state"]
    answer = victim.get(f"/sign-in/entra/callback?code={code}&state={state}", ours=False)
    at.refused(answer, "sso.code_of_another_sign_in")


# --- what is believed -------------------------------------------------------------------------------------------------


def unsigned(claims: Claims) -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join((*texts, "AA"))


def by_public_key(claims: Claims) -> str:
    """Signed with what everybody can read, for those who take the algorithm from the token."""
    return jwt.encode(claims, "the key that the issuer publishes, as text", "HS256", {"kid": SIGNING.kid})


def saying(**changes: object) -> Callable[[Claims], str]:
    return lambda claims: SIGNING.sign({name: value for name, value in (claims | changes).items() if value is not None})


SOMEBODY = "99999999-2222-4333-8444-555555555555"
FORGERIES: dict[str, tuple[Callable[[Claims], str], str]] = {
    "unsigned": (unsigned, "algorithm"),
    "signed with a shared key": (by_public_key, "algorithm"),
    "signed by somebody else under the issuer's key id": (
        lambda claims: _under(SIGNING.kid, SigningKey(), claims),
        "signature",
    ),
    "for another application": (saying(aud=SOMEBODY), "audience"),
    "for several applications": (lambda claims: saying(aud=[claims["aud"], SOMEBODY])(claims), "audience"),
    "authorized for another application": (saying(azp=SOMEBODY), "audience"),
    "of another tenant's issuer": (saying(iss=f"https://entra.test/{SOMEBODY}/v2.0"), "issuer"),
    "of the tenant in version 1.0": (
        lambda claims: saying(iss=f"https://sts.windows.net/{claims['tid']}/")(claims),
        "issuer",
    ),
    "of a person of another tenant": (saying(tid=SOMEBODY), "tenant"),
    "with another nonce": (saying(nonce="n"), "nonce"),
    "without a nonce": (saying(nonce=None), "nonce"),
    "over": (lambda claims: saying(exp=claims["iat"])(claims), "expired"),
    "without an end": (saying(exp=None), "times"),
    "of the future": (lambda claims: saying(nbf=claims["exp"] + 900)(claims), "early"),
    "about nobody": (saying(oid=None), "subject"),
}


def _under(kid: str, key: SigningKey, claims: Claims) -> str:
    head, body, _ = SIGNING.sign(claims).split(".")
    assert jwt.get_unverified_header(f"{head}.{body}.AA")["kid"] == kid
    return f"{head}.{body}.{key.sign(claims).rpartition('.')[2]}"


def test_a_token_that_is_not_the_tenants_for_this_application_now_signs_nobody_in(at: Office) -> None:
    for what, (forge, reason) in FORGERIES.items():
        at.wire.token = forge
        page = at.refused(at.sign_in("ben"), "sso.token_refused")
        assert f"({reason})" in page, what
        assert at.events("refuse-user-entra")[0].data["found"].startswith(f"{reason}:"), what
    at.wire.token = None
    assert list(at.users()) == [ANN], "nobody was made a user"
    assert at.sign_in("ada").status_code == 303


def test_a_person_is_known_by_tenant_and_object_id_and_never_by_their_address(at: Office) -> None:
    at.sign_in("ada")
    at.wire.token = saying(email="renamed@acme.test", preferred_username="renamed@acme.test")
    assert at.sign_in("ada").status_code == 303
    assert len(at.users()) == 2
    at.wire.token = saying(oid=SOMEBODY)  # the address of ada, who left
    at.refused(at.sign_in("ada"), "sso.email_taken")


def test_a_key_that_the_issuer_just_began_to_use_is_fetched_and_an_unknown_one_at_most_once_a_minute(
    at: Office,
) -> None:
    assert at.sign_in("ada").status_code == 303
    assert at.wire.count("/keys") == 1
    at.house.clock.advance(61)
    at.emulator.admin.change_signing_key(SigningKey())
    assert at.sign_in("ada").status_code == 303
    assert at.wire.count("/keys") == 2
    stranger = SigningKey()
    at.wire.token = stranger.sign
    for _ in range(3):
        answer = at.sign_in("ada")
        assert answer.status_code == 401
    assert at.wire.count("/keys") == 2, "a minute is not over yet"
    at.wire.token = None
    assert at.sign_in("ada").status_code == 303


# --- what Entra ID refuses --------------------------------------------------------------------------------------------


def test_the_page_of_a_refusal_names_cause_and_fix(at: Office) -> None:
    admin, browser = at.emulator.admin, at.browser()
    at.refused(browser.get(at.back(at.go(browser), cancel=True), ours=False), "sso.cancelled")
    admin.withdraw_consent(at.app.object_id)
    page = at.refused(browser.get(at.back(at.go(browser), decline=True), ours=False), "sso.consent_declined")
    assert "Choose Accept" in page
    assert 'href="/sign-in/entra?account=other"' in page
    assert query_of(at.go(browser, "/sign-in/entra?account=other"))["prompt"] == "select_account"
    state = query_of(at.go(browser))["state"]
    words = quote("AADSTS90094: An administrator must grant consent. <script>alert(1)</script>")
    missing = f"/sign-in/entra/callback?state={state}&error=access_denied&error_description={words}"
    page = at.refused(browser.get(missing, ours=False), "sso.consent_missing")
    assert f"az ad app permission admin-consent --id {at.app.app_id}" in page
    assert "<script>alert" not in page
    admin.consent(at.app.object_id, "User.Read", "openid", "profile", "email")
    admin.remove_secret(at.app.object_id, at.app.secrets[0].key_id)
    page = at.refused(browser.get(at.back(at.go(browser)), ours=False), "sso.credential_refused")
    assert "KEYTURN_SSO_CLIENT_SECRET" in page


def test_somebody_without_a_group_that_has_a_role_is_refused_and_told_what_to_ask_for(at: Office) -> None:
    page = at.refused(at.sign_in("ben"), "sso.group_not_mapped")
    assert "&#39;ben@contoso.onmicrosoft.com&#39; is in no group that has a role here" in page
    assert list(at.users()) == [ANN]


# --- what groups give -------------------------------------------------------------------------------------------------


def test_groups_give_roles_in_organization_and_projects_and_take_them_at_the_next_sign_in(at: Office) -> None:
    at.give("admins", "admin")
    at.give("readers", "viewer", at.project_id)
    browser = at.browser()
    at.sign_in("ada", browser)
    assert at.user().role is Role.MEMBER
    [member] = at.api("GET", f"/api/v1/projects/{at.project_id}/memberships").json()["memberships"]
    assert [role["role"] for role in member["roles"]] == ["viewer"]
    at.emulator.admin.set_members(at.groups["admins"], at.people["ada"])
    at.emulator.admin.set_members(at.groups["readers"])
    assert at.user().role is Role.MEMBER, "until the next sign-in"
    at.sign_in("ada")
    assert at.user().role is Role.ADMIN
    assert not browser.is_in(), "the sessions of before end"
    assert at.api("GET", f"/api/v1/projects/{at.project_id}/memberships").json()["memberships"] == []
    at.emulator.admin.set_members(at.groups["admins"])
    at.sign_in("ada", browser)
    assert at.user().role is Role.MEMBER
    at.emulator.admin.set_members(at.groups["operators"])
    other = at.browser()
    at.refused(at.sign_in("ada", other), "sso.group_not_mapped")
    assert at.user().role is Role.NO_ACCESS
    assert not browser.is_in(), "whoever may not come in any more is out"
    names = [event.name for event in (at.events("add-project-member") + at.events("remove-project-member"))]
    assert names == ["add-project-member", "remove-project-member"]


def test_what_somebody_gave_by_hand_in_a_project_stays_and_what_a_group_gives_stays_the_groups(at: Office) -> None:
    at.give("operators", "member", at.project_id)
    at.sign_in("ada")
    path = f"/api/v1/projects/{at.project_id}/memberships"
    [member] = at.api("GET", path).json()["memberships"]
    both = {"roles": [{"role": "viewer", "isTemporary": False}, {"role": "member", "isTemporary": False}]}
    assert at.api("PATCH", f"{path}/{member['id']}", both).status_code == 200
    at.give("readers", "viewer")
    at.emulator.admin.set_members(at.groups["operators"])
    assert at.sign_in("ada").status_code == 303
    [member] = at.api("GET", path).json()["memberships"]
    assert [role["role"] for role in member["roles"]] == ["viewer"], "the group's role went with the group"


def test_groups_that_a_token_has_no_room_for_are_read_from_graph_and_refused_clearly_where_that_fails(
    at: Office,
) -> None:
    admin = at.emulator.admin
    for number in range(200):
        admin.create_group(at.tenant, f"g{number}", members=(at.people["ada"],))
    assert at.sign_in("ada").status_code == 303
    assert at.wire.count("/me/transitiveMemberOf") == 1
    admin.set_group_claims(at.app.object_id, None)
    admin.set_members(at.groups["operators"], at.groups["readers"])  # through another group
    assert at.sign_in("ben").status_code == 303, "a token that tells no groups at all"
    denied = Effect(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    at.emulator.faults.add(Fault("listMyRoles", (denied,)))
    page = at.refused(at.sign_in("ada"), "sso.groups_unreadable")
    assert "Add groups claim" in page


def test_people_without_a_group_have_the_default_role_until_groups_decide(house: AccessFixture, tmp_path: Path) -> None:
    with office(house, tmp_path, default=Role.VIEWER) as at:
        assert at.sign_in("kim").status_code == 303
        assert at.user("kim").role is Role.VIEWER
        house.access.users.change_role(house.admin, at.user("kim").id, Role.MEMBER)
        at.sign_in("kim")
        assert at.user("kim").role is Role.MEMBER, "no group has a role: what an administrator gave stays"
        at.give("operators", "member")
        at.sign_in("kim")
        assert at.user("kim").role is Role.VIEWER, "now groups decide"


def test_a_user_who_was_provisioned_is_met_by_object_id(house: AccessFixture, tmp_path: Path) -> None:
    with office(house, tmp_path, default=Role.VIEWER) as at:
        new = {"email": "ada.provisioned@acme.test", "password": GOOD_PASSWORD, "role": "no-access"}
        user_id = at.api("POST", "/api/v1/users", new).json()["user"]["id"]
        with house.database.write() as tx:
            link = ExternalIdentity(house.first.user.id, user_id, PROVISIONING, at.people["ada"], house.clock.now())
            external_store.link(tx, link)
        for _ in range(2):
            assert at.sign_in("ada").status_code == 303
            [user] = [each for each in at.users().values() if each.email != ANN]
            assert (user.id, user.role) == (user_id, Role.VIEWER)


def test_who_provisions_does_not_become_an_administrator_nor_somebody_who_signs_in_already(
    house: AccessFixture, tmp_path: Path
) -> None:
    with office(house, tmp_path, default=Role.VIEWER) as at:
        at.sign_in("ben")
        house.access.users.change_role(house.admin, at.user("ben").id, Role.ADMIN)
        for victim in (at.users()[ANN].id, at.user("ben").id):
            with house.database.write() as tx:
                external_store.unlink(tx, house.first.user.id, PROVISIONING)
                external_store.link(tx, ExternalIdentity(IDS.new(), victim, PROVISIONING, at.people["ada"], START))
            page = at.refused(at.sign_in("ada"), "sso.link_needed")
            assert at.people["ada"] in page, "what the administrator needs"
        assert at.sign_in("ben").status_code == 303, "who signed in as them still does"
        at.link_on_page(ANN, ANN)
        assert at.sign_in("ada").status_code == 303


_WAITING = sa.text("SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")


def test_who_signs_in_and_who_manages_them_do_not_wait_for_each_other(at: Office) -> None:
    at.sign_in("ada")
    user, statuses = at.user("ada"), list[int]()
    browser = threading.Thread(target=lambda: statuses.append(at.sign_in("ada").status_code))
    with at.house.database.write() as tx:
        organization_store.organization(tx, user.org_id, lock=True)
        browser.start()
        for _ in range(1000):
            if not tx.postgres or tx.rows(_WAITING):
                break
            browser.join(0.01)
        people_store.user_by_id(tx, user.id, lock=True)
    browser.join()
    assert statuses == [303]


def test_only_members_of_the_groups_of_the_setting_come_in(house: AccessFixture, tmp_path: Path) -> None:
    with office(house, tmp_path, only=("readers",), default=Role.VIEWER) as at:
        assert at.sign_in("ben").status_code == 303
        page = at.refused(at.sign_in("kim"), "sso.group_not_allowed")
        assert at.groups["readers"] in page
        browser = at.browser()
        at.sign_in("ben", browser)
        at.emulator.admin.set_members(at.groups["readers"])
        at.refused(at.sign_in("ben"), "sso.group_not_allowed")
        assert not browser.is_in()


def test_who_is_disabled_here_stays_out(at: Office) -> None:
    browser = at.browser()
    at.sign_in("ada", browser)
    assert at.api("POST", f"/api/v1/users/{at.user().id}/disable", {}).status_code == 200
    assert not browser.is_in()
    at.refused(at.sign_in("ada"), "access.user_disabled")


# --- who is here already ----------------------------------------------------------------------------------------------


def test_a_user_with_the_same_address_is_not_taken_over_until_an_administrator_links_them(at: Office) -> None:
    new = {"email": "ada@contoso.onmicrosoft.com", "password": GOOD_PASSWORD, "role": "viewer"}
    local = at.api("POST", "/api/v1/users", new).json()["user"]["id"]
    page = at.refused(at.sign_in("ada"), "sso.email_taken")
    assert at.people["ada"] in page, "what the administrator needs"
    path = f"/api/v1/users/{local}/entra-identity"
    assert at.api("PUT", path, {"objectId": "nobody"}).status_code == 422
    at.link_on_page(ANN, "ada@contoso.onmicrosoft.com")
    assert at.api("PUT", path, {"objectId": at.people["ada"]}).status_code == 200, "safe to repeat"
    assert at.sign_in("ada").status_code == 303
    assert at.user().id == local
    taken = at.api("PUT", f"/api/v1/users/{at.users()[ANN].id}/entra-identity", {"objectId": at.people["ada"]})
    assert (taken.status_code, taken.json()["code"]) == (400, "sso.link_taken")
    browser = at.browser()
    at.sign_in("ada", browser)
    assert at.api("DELETE", path).json() == {"userId": local, "objectId": None}
    assert not browser.is_in()
    assert at.events("link-user-entra")[0].data["objectId"] == at.events("unlink-user-entra")[0].data["objectId"]


def test_a_server_with_an_identity_of_its_own_needs_no_client_secret(house: AccessFixture, tmp_path: Path) -> None:
    issuer, subject = "https://cluster.example/", "system:serviceaccount:keyturn:server"
    sources = TokenSources({"aks": TokenFile("aks", tmp_path / "token")})
    with office(house, tmp_path, default=Role.VIEWER, sources=sources) as at:
        now = int(house.clock.now().timestamp())
        told = {"iss": issuer, "sub": subject, "aud": [audience_of("global")], "iat": now, "exp": now + 600}
        (tmp_path / "token").write_text(jwt.encode(told, KEY, "RS256", {"kid": "k1"}))
        public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        at.emulator.admin.trust_issuer(issuer, "k1", public)
        at.refused(at.sign_in("ada"), "sso.credential_refused")
        at.emulator.admin.trust_identity(at.app.object_id, issuer, subject)
        assert at.sign_in("ada").status_code == 303


def test_a_certificate_signs_for_the_server_and_a_renewed_file_counts_at_once(
    house: AccessFixture, tmp_path: Path
) -> None:
    file, clock = tmp_path / "sso", house.clock
    first, second = pair(), pair(rsa_key(1), ends=clock.now() + timedelta(days=40), name="second")
    file.write_text(first.pem + first.key_pem)
    certificate = CertificateFile(file, Plaintext("pass"), clock)
    with office(house, tmp_path, default=Role.ADMIN, certificate=certificate) as at:
        at.refused(at.sign_in("ada"), "sso.credential_refused")
        old = at.emulator.admin.add_certificate(at.app.object_id, first.pem.encode())
        ada = at.browser()
        assert at.sign_in("ada", ada).status_code == 303
        assert first.sha1 in ada.get("/organization/entra").text

        at.emulator.admin.add_certificate(at.app.object_id, second.pem.encode())
        written = pkcs12.serialize_key_and_certificates(
            b"sso", rsa_key(1), second.certificate, None, BestAvailableEncryption(b"pass")
        )
        file.write_bytes(written[:500])
        assert at.sign_in("ben").status_code == 303, "with the one before, while the file is half written"
        page = ada.get("/organization/entra").text
        assert "The file of the certificate cannot be used" in page
        assert str(file) not in page
        later = pair(rsa_key(2), begins=clock.now() + timedelta(days=1), ends=clock.now() + timedelta(days=99))
        file.write_text(later.pem + later.key_pem)
        assert at.sign_in("ben").status_code == 303, "nor does one that begins tomorrow take its place"
        assert "valid only from" in certificate.look().fault
        file.write_bytes(written)
        at.emulator.admin.remove_certificate(at.app.object_id, old)
        assert at.sign_in("kim").status_code == 303, "without a restart"
        assert certificate.look() == SignInCertificate(second.sha1, second.certificate.not_valid_after_utc)

        clock.advance(41 * 24 * 3600)
        page = at.refused(at.sign_in("kim"), "sso.certificate_unusable")
        assert "It ended on" in page
        file.unlink()
        page = at.refused(at.sign_in("kim"), "sso.certificate_unusable")
        assert "Its file cannot be read: No such file or directory." in page
        assert not any(line in page for line in (*first.key_lines, *second.key_lines))


def test_the_settings_and_the_calls_of_the_how_to_are_understood(at: Office, tmp_path: Path) -> None:
    paper = (Path(__file__).parents[3] / "docs" / "how-to" / "sign-in-through-entra.md").read_text()
    (tmp_path / "keyturn-sso").write_text("a secret")
    [settings] = re.findall(r"```ini\n(.*?)```", paper, re.DOTALL)
    lines = dict(line.split("=", 1) for line in settings.replace("/run/secrets", str(tmp_path)).splitlines())
    read = read_settings(lines | {"KEYTURN_DATA_DIR": str(tmp_path)})
    assert read.sso is not None
    assert read.sso.client_secret is not None
    at.sign_in("ada")
    calls = re.findall(r"^api -X (\w+) \"\$URL(\S+)\" -d '(.*?)'$", paper, re.DOTALL | re.MULTILINE)
    assert len(calls) == 2
    for method, path, body in calls:
        answer = at.api(method, path.replace("$USER_ID", at.user().id), json.loads(body))
        assert answer.status_code == 200, answer.text
    codes = set(re.findall(r"`(sso\.\w+)`", paper))
    errors = (Path(__file__).parents[3] / "docs" / "reference" / "errors.md").read_text()
    assert codes
    assert sorted(code for code in codes if f"`{code}`" not in errors) == []


def test_the_doctor_signs_in_as_the_application_and_says_what_is_wrong(at: Office, tmp_path: Path) -> None:
    environ = {
        "KEYTURN_DATA_DIR": str(tmp_path),
        "KEYTURN_AUTHORITY": "https://entra.test",
        "KEYTURN_GRAPH": "https://entra.test",
        "SITE_URL": "https://keyturn.example.com",
        "KEYTURN_SSO_TENANT_ID": at.tenant,
        "KEYTURN_SSO_CLIENT_ID": at.app.app_id,
        "KEYTURN_SSO_CLIENT_SECRET": at.app.secrets[0].value,
    }

    def found(**more: str) -> list[CheckupFinding]:
        return list(examine_sso(CommandContext(environ | more, at.house.clock), at.wire, at.wire))

    [fine] = found()
    assert fine.level == "ok"
    assert "https://keyturn.example.com/sign-in/entra/callback" in fine.message
    near = pair(ends=at.house.clock.now() + timedelta(days=20, hours=1))
    at.emulator.admin.add_certificate(at.app.object_id, near.pem.encode())
    (tmp_path / "sso.pem").write_text(near.key_pem + near.pem)
    by_file = {"KEYTURN_SSO_CLIENT_SECRET": "", "KEYTURN_SSO_CERTIFICATE_FILE": str(tmp_path / "sso.pem")}
    soon, fine = found(**by_file)
    assert (soon.level, fine.level) == ("warn", "ok")
    assert f"{near.sha1} ends in 20 days" in soon.message
    assert len(found(**(by_file | {"KEYTURN_SSO_CERTIFICATE_FILE": "", "KEYTURN_SSO_CERTIFICATE": near.key_pem}))) == 2
    (tmp_path / "sso.pem").write_text(near.pem)
    refused, unusable = found(**by_file)
    assert (refused.level, unusable.level) == ("fail", "fail")
    assert "The private key is missing." in unusable.message
    [wrong] = found(KEYTURN_SSO_CLIENT_SECRET="no secret of it")
    assert (wrong.level, bool(wrong.fix)) == ("fail", True)
    assert "no secret of it" not in f"{wrong.message}{wrong.fix}"
    assert found(KEYTURN_SSO_TENANT_ID="") == [], "settings that cannot be read are told elsewhere"


def test_a_session_that_began_at_entra_id_ends_when_nobody_signs_in_there_any_more(at: Office) -> None:
    browser = at.browser()
    assert at.sign_in("ada", browser).status_code == 303
    token = Plaintext(browser.client.cookies["keyturn_session"])
    database, clock = at.house.database, at.house.clock
    assert Access(database, clock, IDS).sessions.recall(token, HOME.ip).name == "ada@contoso.onmicrosoft.com"
    without = Access(database, clock, IDS, passwords=PasswordPolicy(through_entra=False))
    with pytest.raises(Unauthenticated):
        without.sessions.recall(token, HOME.ip)
