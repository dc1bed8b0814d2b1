"""The pages of roles and members of a project, and the page of an identity that adds it to a project."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.db.unit import Database
from keyturn.identities.domain import NewIdentity, UniversalAuthChanges
from keyturn.kit.actor import ActorKind, Role
from keyturn.kit.clock import MovableClock
from keyturn.pages.projects.role_lines import lines_of, permissions_of
from keyturn.projects.domain import GivenRole, NewProject
from keyturn.projects.role_domain import NewRole
from keyturn.projects.service import Projects
from tests.databases import sqlite_database
from tests.features.accounts.conftest import AccessFixture
from tests.features.accounts.people import IDS
from tests.features.accounts.test_browser_sessions import Tab
from tests.features.accounts.test_token_auth_pages import pages_of_identities

LINES = """secrets: describeSecret, readValue | environment = dev, staging | path = /app/**
not secrets: readValue | environment != dev | path = /app/private
app-connections: connect | connection = 5b2c
audit-logs: read"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with sqlite_database(tmp_path) as opened:
        yield opened


@pytest.fixture
def tab(database: Database, clock: MovableClock, house: AccessFixture, tmp_path: Path) -> Iterator[Tab]:
    with pages_of_identities(database, clock, house, tmp_path) as opened:
        yield opened


@pytest.fixture
def projects(database: Database, clock: MovableClock) -> Projects:
    return Projects(database, clock, IDS)


def shown(tab: Tab, path: str) -> str:
    answer = tab.get(path)
    assert answer.status_code == 200, answer.text
    ids = re.findall(r'\sid="([^"]+)"', answer.text)
    assert len(ids) == len(set(ids)), "each id is there once"
    return html.unescape(answer.text)


def test_lines_say_what_they_said() -> None:
    permissions = permissions_of(LINES)
    assert permissions[0]["conditions"] == {
        "environment": {"$in": ["dev", "staging"]},
        "secretPath": {"$glob": "/app/**"},
    }
    assert permissions[1]["inverted"]
    assert permissions[1]["conditions"] == {"environment": {"$ne": "dev"}, "secretPath": {"$eq": "/app/private"}}
    assert lines_of(permissions) == LINES
    both = {"environment": {"$in": ["dev", "prod"], "$eq": "dev"}}
    [line] = permissions_of(lines_of([{"subject": "secrets", "action": "read", "conditions": both}]) or "")
    assert line["conditions"] == both
    for beyond in ({"secretPath": {"$glob": "/app"}}, {"environment": {"$in": ["dev"]}}, {"later": {"$eq": "x"}}):
        assert lines_of([{"subject": "secrets", "action": "read", "conditions": beyond}]) is None


def test_a_role_is_made_shown_changed_given_for_a_time_and_deleted(
    house: AccessFixture, projects: Projects, tab: Tab
) -> None:
    project = projects.create(house.admin, NewProject(name="Payments"))
    page = f"/projects/{project.id}/roles"
    assert "No roles of its own yet" in shown(tab, page)
    form = {"name": "Reads the app", "slug": "reads-the-app", "permissions": LINES.replace("\n", "\r\n")}
    assert tab.post(page, form).headers["location"] == page
    text = shown(tab, page)
    assert f">{LINES}</textarea>" in text
    role = projects.roles.by_slug(house.admin, project.id, "reads-the-app")
    assert tab.post(f"{page}/{role.id}", form | {"permissions": "secrets: read"}).status_code == 303
    assert len(projects.roles.get(house.admin, project.id, role.id).permissions) == 1

    robot = house.access.identities.create(house.admin, NewIdentity("robot", Role.NO_ACCESS))
    members = f"/projects/{project.id}/members"
    assert "Reads the app" in shown(tab, members)
    tab.post(f"{members}/identities", {"identity": robot.id, "roles": "reads-the-app", "lasts": "8h"})
    member = projects.members.get(house.admin, project.id, ActorKind.IDENTITY, robot.id)
    assert [(held.slug, held.temporary_range) for held in member.roles] == [("reads-the-app", "8h")]
    assert "ends" in shown(tab, members)
    started = member.roles[0].starts_at
    tab.clock.advance(60)
    tab.post(f"{members}/{member.id}/role", {"roles": "reads-the-app", "lasts": "keep"})
    [held] = projects.members.get(house.admin, project.id, ActorKind.IDENTITY, robot.id).roles
    assert (held.temporary_range, held.starts_at) == ("8h", started), "a role for a time does not become one for good"
    in_use = tab.post(f"{page}/{role.id}/delete", {"confirm": "Reads the app"})
    assert (in_use.status_code, "robot" in in_use.text) == (400, True)
    assert tab.post(f"{members}/{member.id}/role", {}).status_code == 422
    assert tab.post(f"{members}/{member.id}/role", {"roles": "viewer"}).status_code == 303
    assert tab.post(f"{page}/{role.id}/delete", {"confirm": "Reads the app"}).status_code == 303
    assert "Reads the app" not in shown(tab, page).split("was deleted")[-1]


def test_a_form_that_is_refused_is_shown_again_with_why(house: AccessFixture, projects: Projects, tab: Tab) -> None:
    project = projects.create(house.admin, NewProject(name="Payments"))
    page = f"/projects/{project.id}/roles"
    for line, says in (
        ("secrets", "Line 1 is no permission"),
        ("\nsecrets: read | place = here", "Line 2 is no permission"),
        ("secrets: peek", "no action 'peek'"),
        ("tags: read | path = /app", "no condition on 'secretPath'"),
        ("secrets: read | path = /a[b]*", "stands for nothing"),
    ):
        refused = tab.post(page, {"name": "Odd", "slug": "odd", "permissions": line})
        text = html.unescape(refused.text)
        assert (refused.status_code, says in text, line.strip() in text) == (400, True, True), line
    assert [role.slug for role in projects.roles.list(house.admin, project.id) if not role.built_in] == []


def test_what_a_program_wrote_is_kept_when_the_page_cannot_say_it(
    house: AccessFixture, projects: Projects, tab: Tab
) -> None:
    project = projects.create(house.admin, NewProject(name="Payments"))
    where = {"secretPath": {"$glob": "/app"}}
    written = ({"subject": "secrets", "action": ["read"], "inverted": False, "conditions": where},)
    role = projects.roles.create(house.admin, project.id, NewRole("made", "Made", "", written))
    page = f"/projects/{project.id}/roles"
    assert "A program wrote the permissions" in shown(tab, page)
    assert tab.post(f"{page}/{role.id}", {"name": "Renamed", "slug": "made"}).status_code == 303
    after = projects.roles.get(house.admin, project.id, role.id)
    assert (after.name, after.permissions) == ("Renamed", written)


def test_the_page_of_an_identity_adds_it_to_a_project_and_shows_a_line_that_reads_there(
    house: AccessFixture, projects: Projects, tab: Tab
) -> None:
    project = projects.create(house.admin, NewProject(name="Payments"))
    robot = house.access.identities.create(house.admin, NewIdentity("robot", Role.NO_ACCESS))
    house.access.universal.attach(house.admin, robot.id, UniversalAuthChanges())
    page = f"/organization/identities/{robot.id}"
    text = shown(tab, page)
    assert "/api/v1/auth/universal-auth/login -d clientId=" in text
    assert "/api/v4/secrets?projectId=PROJECT_ID&environment=dev" in text
    refused = tab.post(f"{page}/projects", {"project": project.id, "role": "no-such"})
    assert (refused.status_code, "no role 'no-such'" in html.unescape(refused.text)) == (400, True)
    assert tab.post(f"{page}/projects", {"project": project.id, "role": "viewer"}).headers["location"] == page
    text = shown(tab, page)
    assert f"/api/v4/secrets?projectId={project.id}&environment=dev" in text
    assert "Add to project" not in text, "there is no other project"
    assert projects.members.get(house.admin, project.id, ActorKind.IDENTITY, robot.id).role_slugs == "viewer"


def test_a_page_shows_fifty_members_and_finds_the_others(house: AccessFixture, projects: Projects, tab: Tab) -> None:
    project = projects.create(house.admin, NewProject(name="Payments"))
    page = f"/projects/{project.id}/members"
    for number in range(51):
        robot = house.access.identities.create(house.admin, NewIdentity(f"robot-{number:02}", Role.NO_ACCESS))
        projects.members.add_identity(house.admin, project.id, robot.id, [GivenRole("viewer")])
        tab.clock.advance(1)
    text = shown(tab, page)
    assert ("1 to 50 of 52" in text, "robot-48" in text, "robot-49" in text) == (True, True, False), (
        "its maker is one, too"
    )
    later = shown(tab, f"{page}?identities=2")
    assert ("robot-48" in later, "robot-50" in later) == (False, True)
    found = shown(tab, f"{page}?q=ROBOT-50")
    assert ("robot-50" in found, "robot-49" in found) == (True, False)
    last = projects.members.get(house.admin, project.id, ActorKind.IDENTITY, robot.id)
    refused = tab.post(f"{page}/{last.id}/role", {})
    assert (refused.status_code, "Roles of robot-50" in refused.text) == (422, True), "the form is where it was"
    assert "robot-50" in shown(tab, f"{page}?identities=99"), "beyond the last page is the last one"
