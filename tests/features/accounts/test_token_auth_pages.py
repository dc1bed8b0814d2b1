"""The page of an identity shows and changes the ways to sign in without a stored secret."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from keyturn.accounts.service import Access
from keyturn.crypto.keyring import Keyring, KeyringDigests
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.unit import Database
from keyturn.identities.domain import NewIdentity
from keyturn.kit.actor import Role
from keyturn.kit.clock import MovableClock
from keyturn.pages import TEMPLATES
from keyturn.pages import identities as identity_pages
from keyturn.pages.people import sign_in as sign_in_pages
from keyturn.pages.project_header import ProjectHeaders
from keyturn.pages.projects import members as member_pages
from keyturn.pages.projects import roles as role_pages
from keyturn.projects.service import Projects
from keyturn.settings.model import Settings
from keyturn.web.cookies import SessionCookie
from keyturn.web.html.keeping import Keeper
from keyturn.web.html.render import Renderer
from keyturn.web.pages import Site
from keyturn.web.ratelimit import Limiter
from keyturn.web.server.app import build
from tests.client import Client
from tests.features.accounts.conftest import AccessFixture
from tests.features.accounts.people import IDS
from tests.features.accounts.test_browser_sessions import Tab

RULES = {"ttl": "600", "max_ttl": "1200", "uses_limit": "0", "addresses": "0.0.0.0/0\r\n::/0"}
OIDC = RULES | {
    "discovery_url": "https://token.actions.githubusercontent.com",
    "issuer": "https://token.actions.githubusercontent.com",
    "subject": "repo:acme/shop:**",
    "claims": "repository = acme/shop\r\n\r\nenvironment=staging, production",
}
AZURE = RULES | {
    "tenant": "11111111-2222-4333-8444-555555555555",
    "resource": "https://management.azure.com/",
    "principals": "11111111-2222-4333-8444-666666666666",
}
KUBERNETES = RULES | {"host": "https://10.0.0.1:6443", "namespaces": "shop", "reviewer_token": "canary.canary.canary"}
FORMS = {"oidc-auth": OIDC, "azure-auth": AZURE, "kubernetes-auth": KUBERNETES}


@pytest.fixture
def tab(database: Database, clock: MovableClock, house: AccessFixture, tmp_path: Path) -> Iterator[Tab]:
    with pages_of_identities(database, clock, house, tmp_path) as opened:
        yield opened


@contextmanager
def pages_of_identities(database: Database, clock: MovableClock, house: AccessFixture, folder: Path) -> Iterator[Tab]:
    """A browser of the admin with the pages of machine identities, and those of the members and roles of projects."""
    access, cookie, projects = house.access, SessionCookie(secure=False), Projects(database, clock, IDS)
    ring = Keyring.open(database, GivenRoot(RootKeys(RootKey(bytes(32)))), clock)
    heads = ProjectHeaders(access, projects)
    app = build(
        [
            sign_in_pages.router(access, Limiter(clock, per_minute=1000), cookie),
            identity_pages.router(access, projects, clock, "https://keyturn.acme.test"),
            member_pages.router(projects, access, heads, clock),
            role_pages.router(projects, heads),
        ],
        authenticate=access.authenticate,
        settings=Settings(data_dir=folder, database_url="sqlite://"),
        clock=clock,
        ids=IDS,
        site=Site(
            Renderer(clock, folders=(TEMPLATES,)),
            access.sessions.recall,
            heads.shell,
            cookie,
            None,
            Keeper(KeyringDigests(ring), clock),
        ),
    )
    with Client(app) as client:
        opened = Tab(client, clock)
        opened.sign_in()
        yield opened


@pytest.fixture
def robot(house: AccessFixture) -> str:
    return house.access.identities.create(house.admin, NewIdentity(name="robot", role=Role.MEMBER)).id


def text_of(tab: Tab, robot: str) -> str:
    answer = tab.get(f"/organization/identities/{robot}")
    assert answer.status_code == 200
    ids = re.findall(r'\sid="([^"]+)"', answer.text)
    assert len(ids) == len(set(ids)), "each id is there once"
    return html.unescape(answer.text)


@pytest.mark.parametrize("method", FORMS)
def test_a_method_is_set_up_shown_with_its_curl_line_changed_and_removed(
    house: AccessFixture, tab: Tab, robot: str, method: str
) -> None:
    page = f"/organization/identities/{robot}"
    login = f"curl -sS https://keyturn.acme.test/api/v1/auth/{method}/login -d identityId={robot}"
    assert login not in text_of(tab, robot)
    assert tab.post(f"{page}/{method}", FORMS[method]).headers["location"] == page
    text = text_of(tab, robot)
    assert f'{login} -d jwt="$TOKEN"' in text
    for name, value in FORMS[method].items():
        if name in {"subject", "issuer", "principals", "host", "namespaces"}:
            assert f'value="{value}"' in text or f">{value}</textarea>" in text, name
    before = house.access.token_auths.get(house.admin, robot, method)
    assert (before.rules.ttl, before.rules.max_ttl) == (600, 1200)
    assert tab.post(f"{page}/{method}", FORMS[method] | {"ttl": "60"}).status_code == 303
    after = house.access.token_auths.get(house.admin, robot, method)
    assert (after.id, after.binding, after.rules.ttl) == (before.id, before.binding, 60)
    assert "exactly" in tab.post(f"{page}/{method}/remove", {"confirm": "another"}).text
    assert tab.post(f"{page}/{method}/remove", {"confirm": "robot"}).status_code == 303
    assert house.access.token_auths.list(house.admin, robot) == []


def test_claims_are_written_one_to_a_line(house: AccessFixture, tab: Tab, robot: str) -> None:
    path = f"/organization/identities/{robot}/oidc-auth"
    tab.post(path, OIDC)
    binding = house.access.token_auths.get(house.admin, robot, "oidc-auth").binding
    assert binding.claims == {"repository": "acme/shop", "environment": "staging, production"}
    assert "repository = acme/shop\nenvironment = staging, production</textarea>" in text_of(tab, robot)
    refused = tab.post(path, OIDC | {"claims": "repository"})
    assert (refused.status_code, "name = value" in refused.text) == (422, True)
    assert house.access.token_auths.get(house.admin, robot, "oidc-auth").binding == binding


def test_a_form_that_is_refused_is_shown_again_with_why(house: AccessFixture, tab: Tab, robot: str) -> None:
    page = f"/organization/identities/{robot}"
    for method, changes, words in (
        ("oidc-auth", {"subject": "", "claims": ""}, "whose tokens may sign in"),
        ("azure-auth", {"principals": ""}, "whose tokens may sign in"),
        ("azure-auth", {"tenant": "common"}, "is no tenant ID"),
        ("kubernetes-auth", {"namespaces": ""}, "whose tokens may sign in"),
        ("kubernetes-auth", {"ca": "nothing"}, "not a certificate"),
        ("oidc-auth", {"addresses": "everywhere"}, "neither an IP address nor a range"),
    ):
        answer = tab.post(f"{page}/{method}", FORMS[method] | changes)
        assert answer.status_code == 400, (method, changes)
        assert words in html.unescape(answer.text), (method, changes)
        assert f'id="{method}"' in answer.text
    assert house.access.token_auths.list(house.admin, robot) == []


def test_the_token_of_the_reviewer_is_never_shown_and_stays_until_it_is_taken_away(
    house: AccessFixture, tab: Tab, robot: str
) -> None:
    path = f"/organization/identities/{robot}/kubernetes-auth"
    texts = [tab.post(path, KUBERNETES | {"host": "http://x"}).text]
    tab.post(path, KUBERNETES)
    texts.append(text_of(tab, robot))
    assert "canary" not in "".join(texts)
    assert "Forget the token of the reviewer" in texts[-1]

    def stored_token() -> bool:
        return house.access.token_auths.get(house.admin, robot, "kubernetes-auth").reviewer_token is not None

    tab.post(path, KUBERNETES | {"reviewer_token": "", "own_token": "false"})
    assert stored_token()
    tab.post(path, KUBERNETES | {"reviewer_token": "", "own_token": "true"})
    assert not stored_token()


def test_those_who_may_not_manage_it_see_which_ways_there_are_and_no_more(
    house: AccessFixture, access: Access, tab: Tab
) -> None:
    robot = access.identities.create(house.admin, NewIdentity(name="robot", role=Role.MEMBER)).id
    tab.post(f"/organization/identities/{robot}/oidc-auth", OIDC)
    with house.database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE users SET role = 'viewer'")
    text = text_of(tab, robot)
    assert "oidc-auth" in text
    assert "githubusercontent" not in text
    assert tab.post(f"/organization/identities/{robot}/oidc-auth", OIDC).status_code == 403
