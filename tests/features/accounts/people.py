"""Rows that the tests of this folder start from: organizations, projects, and actors with a role."""

from datetime import UTC, datetime

import sqlalchemy as sa

from keyturn.db.tables import identities, organizations, project_member_roles, project_members, projects, users
from keyturn.db.unit import Database
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.ids import SystemIds

START = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
IDS = SystemIds()
_STAMPS = {"created_at": START, "updated_at": START}


def organization(database: Database, name: str = "acme") -> str:
    org_id = IDS.new()
    with database.write() as tx:
        tx.run(sa.insert(organizations).values(id=org_id, name=name, slug=name, **_STAMPS))
    return org_id


def project(database: Database, org_id: str, slug: str = "payments") -> str:
    project_id = IDS.new()
    with database.write() as tx:
        tx.run(sa.insert(projects).values(id=project_id, org_id=org_id, name=slug, slug=slug, **_STAMPS))
    return project_id


def machine(database: Database, org_id: str, role: Role, name: str = "robot") -> Actor:
    identity_id = IDS.new()
    with database.write() as tx:
        tx.run(sa.insert(identities).values(id=identity_id, org_id=org_id, name=name, role=role.value, **_STAMPS))
    return Actor(ActorKind.IDENTITY, identity_id, name, org_id, role)


def person(database: Database, org_id: str, role: Role, email: str = "ann@acme.test") -> Actor:
    user_id = IDS.new()
    with database.write() as tx:
        tx.run(
            sa.insert(users).values(
                id=user_id,
                org_id=org_id,
                email=email,
                first_name="Ann",
                last_name="",
                password_hash="none",
                role=role.value,
                **_STAMPS,
            )
        )
    return Actor(ActorKind.USER, user_id, email, org_id, role)


def join(database: Database, actor: Actor, project_id: str, role: Role) -> None:
    """Make the actor a member of the project, with a built-in role."""
    column = "user_id" if actor.kind is ActorKind.USER else "identity_id"
    member_id = IDS.new()
    held = {"id": IDS.new(), "member_id": member_id, "role": role.value, "created_at": START}
    with database.write() as tx:
        tx.run(
            sa.insert(project_members).values({"id": member_id, "project_id": project_id, column: actor.id} | _STAMPS)
        )
        tx.run(sa.insert(project_member_roles).values(held))
