"""Projects, their environments and their members."""

import threading

import pytest

from keyturn.db.unit import Database, Tx
from keyturn.errors import Forbidden, NotFound, Refused
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.clock import MovableClock
from keyturn.projects.domain import EnvironmentChange, GivenRole, NewEnvironment, NewProject, Project, ProjectChange
from keyturn.projects.role_domain import NewRole
from keyturn.projects.service import Projects
from keyturn.projects.store import lock_project
from tests.features.accounts.people import IDS, machine, organization, person


@pytest.fixture
def projects(database: Database, clock: MovableClock) -> Projects:
    return Projects(database, clock, IDS)


@pytest.fixture
def org(database: Database) -> str:
    return organization(database)


@pytest.fixture
def admin(database: Database, org: str) -> Actor:
    return person(database, org, Role.ADMIN)


def slugs(project: Project) -> list[str]:
    return [environment.slug for environment in project.environments]


# --- projects ---------------------------------------------------------------------------------------------------------


def test_a_new_project_has_three_environments_and_its_maker_as_admin(
    database: Database, projects: Projects, org: str
) -> None:
    maker = machine(database, org, Role.MEMBER)
    project = projects.create(maker, NewProject(name="Payments", slug="payments"))
    assert slugs(project) == ["dev", "staging", "prod"]
    assert projects.by_slug(maker, "payments") == projects.get(maker, project.id) == project
    assert projects.members.get(maker, project.id, ActorKind.IDENTITY, maker.id or "").role_slugs == Role.ADMIN
    assert slugs(projects.create(maker, NewProject(name="Bare", default_environments=False))) == []


def test_a_project_without_a_slug_gets_one_from_its_name(projects: Projects, admin: Actor) -> None:
    first, second = (projects.create(admin, NewProject(name="Größe & Co. Payments")) for _ in range(2))
    assert first.slug.startswith("groe-co-payments-")
    assert first.slug != second.slug


def test_a_slug_is_used_once(projects: Projects, admin: Actor) -> None:
    projects.create(admin, NewProject(name="a", slug="payments"))
    other = projects.create(admin, NewProject(name="b", slug="billing"))
    for again in (
        lambda: projects.create(admin, NewProject(name="c", slug="payments")),
        lambda: projects.update(admin, other.id, ProjectChange(slug="payments")),
    ):
        with pytest.raises(Refused, match="already"):
            again()


def test_a_viewer_of_the_organization_cannot_make_a_project(database: Database, projects: Projects, org: str) -> None:
    with pytest.raises(Forbidden, match="create-project"):
        projects.create(machine(database, org, Role.VIEWER), NewProject(name="x"))


def test_lists_show_only_what_the_caller_may_see(
    database: Database, projects: Projects, org: str, admin: Actor
) -> None:
    maker = machine(database, org, Role.MEMBER)
    mine = projects.create(maker, NewProject(name="Mine"))
    theirs = projects.create(admin, NewProject(name="Theirs"))
    assert projects.list(maker) == [mine]
    assert projects.list(admin) == [mine, theirs]
    assert projects.list(machine(database, organization(database, "foreign"), Role.ADMIN)) == []
    with pytest.raises(Forbidden):
        projects.by_slug(maker, theirs.slug)
    with pytest.raises(Forbidden):
        projects.get(maker, theirs.id)


def test_a_project_changes_and_a_description_can_be_taken_away(projects: Projects, admin: Actor) -> None:
    project = projects.create(admin, NewProject(name="Payments", description="old"))
    assert projects.update(admin, project.id, ProjectChange(name="Pay")).description == "old"
    changed = projects.update(admin, project.id, ProjectChange(description="", slug="pay"))
    assert (changed.name, changed.slug, changed.description) == ("Pay", "pay", None)
    assert projects.get(admin, project.id).environments == project.environments


def test_a_protected_project_stays(projects: Projects, admin: Actor) -> None:
    project = projects.create(admin, NewProject(name="Payments", has_delete_protection=True))
    with pytest.raises(Refused, match="protected"):
        projects.delete(admin, project.id)
    projects.update(admin, project.id, ProjectChange(has_delete_protection=False))
    projects.delete_by_slug(admin, project.slug)
    with pytest.raises(NotFound):
        projects.get(admin, project.id)


def test_a_guard_keeps_a_project_from_being_deleted(database: Database, clock: MovableClock, admin: Actor) -> None:
    def refuse(tx: Tx, actor: Actor, project_id: str) -> None:
        raise Refused(f"{project_id} still rotates", code="test")

    projects = Projects(database, clock, IDS, delete_guards=[refuse])
    project = projects.create(admin, NewProject(name="Payments"))
    with pytest.raises(Refused, match="still rotates"):
        projects.delete(admin, project.id)
    assert projects.get(admin, project.id) == project


def test_nobody_adds_to_a_project_between_the_guard_and_its_end(
    database: Database, clock: MovableClock, admin: Actor
) -> None:
    happened: list[str] = []

    def add() -> None:
        try:
            with database.write() as tx:
                lock_project(tx, project.id)  # as everybody does who adds what a guard looks for
                happened.append("too late" if not tx.postgres else "added")
        except NotFound:
            happened.append("too late")

    other = threading.Thread(target=add)

    def let(_tx: Tx, _actor: Actor, _project_id: str) -> None:
        other.start()
        other.join(0.2)
        happened.append("guarded")

    projects = Projects(database, clock, IDS, delete_guards=[let])
    project = projects.create(admin, NewProject(name="Payments"))
    projects.delete(admin, project.id)
    other.join(60)
    assert happened == ["guarded", "too late"]


def test_members_do_not_change_the_project_itself(
    database: Database, projects: Projects, org: str, admin: Actor
) -> None:
    project = projects.create(admin, NewProject(name="Payments"))
    member = machine(database, org, Role.MEMBER)
    projects.members.add_identity(admin, project.id, member.id or "", [GivenRole(Role.MEMBER)])
    assert projects.get(member, project.id) == project
    for change in (
        lambda: projects.update(member, project.id, ProjectChange(name="x")),
        lambda: projects.delete(member, project.id),
        lambda: projects.create_environment(member, project.id, NewEnvironment(name="x", slug="x")),
        lambda: projects.delete_environment(member, project.id, project.environments[0].id),
        lambda: projects.members.add_identity(member, project.id, member.id or "", [GivenRole(Role.ADMIN)]),
    ):
        with pytest.raises(Forbidden):
            change()


# --- environments -----------------------------------------------------------------------------------------------------


def test_environments_are_added_moved_renamed_and_deleted(projects: Projects, admin: Actor) -> None:
    project = projects.create(admin, NewProject(name="Payments"))
    test = projects.create_environment(admin, project.id, NewEnvironment(name="Test", slug="test", position=2))
    assert (test.position, slugs(projects.get(admin, project.id))) == (2, ["dev", "test", "staging", "prod"])
    last = projects.create_environment(admin, project.id, NewEnvironment(name="Last", slug="last"))
    assert last.position == 5
    moved = projects.update_environment(admin, project.id, last.id, EnvironmentChange(position=1, name="First"))
    assert (moved.name, moved.slug, moved.position) == ("First", "last", 1)
    renamed = projects.update_environment(admin, project.id, test.id, EnvironmentChange(slug="qa"))
    assert (renamed.slug, renamed.position) == ("qa", 3)
    projects.delete_environment(admin, project.id, last.id)
    assert slugs(projects.get(admin, project.id)) == ["dev", "qa", "staging", "prod"]
    assert projects.environment(admin, test.id).position == 2
    assert projects.environment_by_slug(admin, project.id, "qa").id == test.id
    with pytest.raises(NotFound):
        projects.environment(admin, last.id)


def test_an_environment_slug_is_used_once_in_a_project(projects: Projects, admin: Actor) -> None:
    project, other = (
        projects.create(admin, NewProject(name="Payments")),
        projects.create(admin, NewProject(name="Billing")),
    )
    with pytest.raises(Refused, match="already"):
        projects.create_environment(admin, project.id, NewEnvironment(name="Dev", slug="dev"))
    with pytest.raises(Refused, match="already"):
        projects.update_environment(admin, project.id, project.environments[0].id, EnvironmentChange(slug="prod"))
    with pytest.raises(NotFound):
        projects.update_environment(admin, project.id, other.environments[0].id, EnvironmentChange(name="stolen"))


def test_environments_added_at_once_get_different_positions(projects: Projects, admin: Actor) -> None:
    project = projects.create(admin, NewProject(name="Payments"))
    threads = [
        threading.Thread(
            target=lambda n=n: projects.create_environment(admin, project.id, NewEnvironment(name="E", slug=f"e{n}"))
        )
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [environment.position for environment in projects.get(admin, project.id).environments] == [
        1,
        2,
        3,
        4,
        5,
        6,
        7,
    ]


# --- members ----------------------------------------------------------------------------------------------------------


def test_a_member_gains_and_loses_what_the_role_permits(
    database: Database, projects: Projects, org: str, admin: Actor
) -> None:
    project = projects.create(admin, NewProject(name="Payments"))
    robot = machine(database, org, Role.VIEWER)
    joined = projects.members.add_identity(admin, project.id, robot.id or "", [GivenRole(Role.VIEWER)])
    with pytest.raises(Refused, match="already"):
        projects.members.add_identity(admin, project.id, robot.id or "", [GivenRole(Role.VIEWER)])
    with pytest.raises(Forbidden):
        projects.update(robot, project.id, ProjectChange(name="x"))
    projects.members.change_roles(admin, project.id, joined.id, [GivenRole(Role.ADMIN)])
    projects.update(robot, project.id, ProjectChange(name="x"))
    projects.members.remove(admin, project.id, [joined.id])
    with pytest.raises(Forbidden):
        projects.get(robot, project.id)


def test_a_project_and_an_identity_go_with_the_roles_that_they_have(
    database: Database, projects: Projects, org: str, admin: Actor
) -> None:
    project, robot = projects.create(admin, NewProject(name="Payments")), machine(database, org, Role.VIEWER)
    role = projects.roles.create(
        admin, project.id, NewRole("reader", "Reader", "", ({"subject": "tags", "action": "read"},))
    )
    held = [GivenRole("reader", "1h"), GivenRole(Role.VIEWER)]
    joined = projects.members.add_identity(admin, project.id, robot.id or "", held)
    assert projects.members.get_by_row(admin, project.id, joined.id).roles == joined.roles
    assert {each.slug for each in joined.roles} == {"reader", "viewer"}
    with pytest.raises(Refused, match="has the role 'reader': robot"):
        projects.roles.delete(admin, project.id, role.id)
    projects.delete(admin, project.id)
    with pytest.raises(NotFound):
        projects.roles.find(admin, role.id)


def test_people_join_by_their_address_all_or_none(
    database: Database, projects: Projects, org: str, admin: Actor
) -> None:
    project = projects.create(admin, NewProject(name="Payments"))
    person(database, org, Role.MEMBER, "bob@acme.test")
    person(database, organization(database, "foreign"), Role.MEMBER, "eve@foreign.test")
    for unknown in ("nobody@acme.test", "eve@foreign.test"):
        with pytest.raises(NotFound):
            projects.members.add_people(admin, project.id, ["bob@acme.test", unknown], [GivenRole(Role.MEMBER)])
    assert [member.name for member in projects.members.list(admin, project.id, ActorKind.USER)] == ["ann@acme.test"]
    projects.members.add_people(admin, project.id, ["Bob@acme.test", "Bob@acme.test"], [GivenRole(Role.MEMBER)])
    assert projects.members.person(admin, project.id, "bob@acme.test").role_slugs == Role.MEMBER


def test_identities_of_another_organization_cannot_join(database: Database, projects: Projects, admin: Actor) -> None:
    project = projects.create(admin, NewProject(name="Payments"))
    stranger = machine(database, organization(database, "foreign"), Role.ADMIN)
    with pytest.raises(NotFound):
        projects.members.add_identity(admin, project.id, stranger.id or "", [GivenRole(Role.VIEWER)])
    for peek in (
        lambda: projects.get(stranger, project.id),
        lambda: projects.by_slug(stranger, project.slug),
        lambda: projects.environment(stranger, project.environments[0].id),
        lambda: projects.members.list(stranger, project.id, ActorKind.USER),
        lambda: projects.delete(stranger, project.id),
    ):
        with pytest.raises(NotFound):
            peek()


def test_a_membership_of_one_project_is_not_reached_through_another(
    database: Database, projects: Projects, org: str, admin: Actor
) -> None:
    boss = machine(database, org, Role.MEMBER)
    mine, other = projects.create(boss, NewProject(name="Mine")), projects.create(admin, NewProject(name="Other"))
    (theirs,) = projects.members.list(admin, other.id, ActorKind.USER)
    for change in (
        lambda: projects.members.change_roles(boss, mine.id, theirs.id, [GivenRole(Role.VIEWER)]),
        lambda: projects.members.remove(boss, mine.id, [theirs.id]),
    ):
        with pytest.raises(NotFound):
            change()
