"""How much there may be, names that can be read, and lists in parts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.accounts.service import Access
from keyturn.crypto.hashing import Hasher
from keyturn.db.unit import Database
from keyturn.errors import Refused
from keyturn.identities.domain import NewIdentity
from keyturn.kit.actor import Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.people.domain import NewUser
from keyturn.projects.domain import NewProject
from keyturn.projects.service import Projects
from keyturn.settings.model import Quotas
from tests.features.accounts.conftest import GOOD_PASSWORD
from tests.features.accounts.people import IDS, machine, organization, person
from tests.features.accounts.site import SiteFixture, site


def test_each_creator_may_make_so_many_projects(database: Database, clock: MovableClock) -> None:
    org = organization(database)
    first, second = person(database, org, Role.MEMBER), machine(database, org, Role.MEMBER)
    projects = Projects(database, clock, IDS, quotas=Quotas(projects_per_creator=2))
    projects_of_first = [projects.create(first, NewProject(f"Project {number}")) for number in range(2)]
    with pytest.raises(Refused) as caught:
        projects.create(first, NewProject(name="One more"))
    assert caught.value.code == "access.quota"
    assert "KEYTURN_MAX_PROJECTS" in (caught.value.fix or "")
    projects.create(second, NewProject(name="Of another"))
    projects.delete(first, projects_of_first[0].id)
    projects.create(first, NewProject(name="In its place"))
    unlimited = Projects(database, clock, IDS, quotas=Quotas(projects_per_creator=0))
    unlimited.create(first, NewProject("Without limit"))


def test_there_may_be_so_many_users_and_identities(database: Database, clock: MovableClock) -> None:
    quotas = Quotas(identities=1, users=2)
    access = Access(database, clock, IDS, Hasher(memory_kib=8, passes=1), quotas=quotas)
    org = organization(database)
    admin = person(database, org, Role.ADMIN)
    access.identities.create(admin, NewIdentity(name="robot", role=Role.VIEWER))
    access.users.create(admin, NewUser(email="bob@acme.test", password=Plaintext(GOOD_PASSWORD), role=Role.VIEWER))
    for add in (
        lambda: access.identities.create(admin, NewIdentity(name="another", role=Role.VIEWER)),
        lambda: access.users.create(
            admin, NewUser(email="eve@acme.test", password=Plaintext(GOOD_PASSWORD), role=Role.VIEWER)
        ),
    ):
        with pytest.raises(Refused) as caught:
            add()
        assert caught.value.code == "access.quota"


def test_a_page_of_projects_is_found_by_words(database: Database, clock: MovableClock) -> None:
    org = organization(database)
    admin, guest = person(database, org, Role.ADMIN), person(database, org, Role.MEMBER, "guest@acme.test")
    projects = Projects(database, clock, IDS)
    for number in range(7):
        projects.create(admin, NewProject(name=f"Team {number}", slug=f"team-{number}"))
    projects.create(guest, NewProject(name="100% Mine_", slug="own"))
    page, total = projects.page(admin, "", 3, 3)
    assert ([project.name for project in page], total) == (["Team 2", "Team 3", "Team 4"], 8)
    assert [len(project.environments) for project in page] == [3, 3, 3]
    assert [project.slug for project in projects.page(admin, "TEAM 5", 20)[0]] == ["team-5"]
    assert [project.slug for project in projects.page(admin, "0% e_", 20)[0]] == ["own"]
    assert [project.slug for project in projects.page(guest, "", 20)[0]] == ["own"], "the others are not theirs to see"
    assert projects.page(admin, "nowhere", 20) == ([], 0)


@pytest.fixture
def server(database: Database, clock: MovableClock, access: Access, tmp_path: Path) -> Iterator[SiteFixture]:
    first = access.bootstrap("ann@acme.test", Plaintext(GOOD_PASSWORD), "Acme GmbH")
    with site(database, clock, access, tmp_path) as opened:
        opened.token = first.token.reveal()
        yield opened


@pytest.mark.parametrize("name", ["pay\u202estnem", "a\x1b[31mb", "two\nlines", "\u3164", "ad\u200bmin"])
def test_names_hold_printable_characters_only(server: SiteFixture, name: str) -> None:
    project = server.ask("POST", "/api/v1/projects", {"projectName": "Payments"})["project"]
    environment = f"/api/v1/workspace/{project['id']}/environments"
    user = {"email": "bob@acme.test", "password": GOOD_PASSWORD, "firstName": name}
    for method, path, body, field in (
        ("POST", "/api/v1/projects", {"projectName": name}, "projectName"),
        ("PATCH", f"/api/v1/projects/{project['id']}", {"name": name}, "name"),
        ("POST", environment, {"name": name, "slug": "x"}, "name"),
        ("POST", "/api/v1/identities", {"name": name, "role": "viewer"}, "name"),
        ("POST", "/api/v1/users", user, "firstName"),
    ):
        (issue,) = server.ask(method, path, body, expect=422)["message"]
        assert issue["path"] == [field]
        assert name not in issue["message"]


def test_lists_come_in_parts_for_those_who_ask(server: SiteFixture) -> None:
    for number in range(3):
        server.ask("POST", "/api/v1/projects", {"projectName": f"Team {number}"})
    listed = server.ask("GET", "/api/v1/projects")["projects"]
    assert len(listed) == 3
    assert server.ask("GET", "/api/v1/projects?limit=1&offset=1")["projects"] == listed[1:2]
    assert server.ask("GET", "/api/v1/workspace?offset=2")["workspaces"] == listed[2:]
    assert server.ask("GET", "/api/v1/projects?limit=&offset=")["projects"] == listed
    server.ask("GET", "/api/v1/projects?limit=0", expect=422)
    identities = server.ask("GET", "/api/v1/identities?limit=1&offset=5")
    assert (identities["identities"], identities["totalCount"]) == ([], 1)
    assert len(server.ask("GET", "/api/v1/users?limit=1")["users"]) == 1


def test_a_slug_that_is_a_part_of_an_address_is_not_given(server: SiteFixture) -> None:
    body = {"projectName": "x", "slug": "identity-memberships"}
    assert server.ask("POST", "/api/v1/projects", body, expect=400)["code"] == "projects.slug_taken"
