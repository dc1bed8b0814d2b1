"""The migration after which members of projects may have several roles, over members that had one each."""

import sqlalchemy as sa

from keyturn.db.unit import Database
from keyturn.kit.actor import ActorKind
from keyturn.projects import member_store
from tests.migration.test_migrations import empty, run_migrations_to, url  # noqa: F401 - fixtures

AT = "2026-03-01 00:00:00"


def test_every_member_keeps_the_role_that_they_had(empty: Database) -> None:  # noqa: F811
    run_migrations_to(empty, "0014")
    stamps = f"'{AT}', '{AT}'"
    with empty.engine.begin() as connection:
        for statement in (
            f"INSERT INTO organizations (id, name, slug, created_at, updated_at) VALUES ('o', 'O', 'o', {stamps})",
            (
                "INSERT INTO projects (id, org_id, name, slug, created_at, updated_at)"
                f" VALUES ('p', 'o', 'P', 'p', {stamps})"
            ),
            *(
                statement
                for role in ("admin", "member", "viewer", "xyzzy")
                for statement in (
                    (
                        "INSERT INTO identities (id, org_id, name, role, metadata, created_at, updated_at)"
                        f" VALUES ('i-{role}', 'o', '{role}', 'viewer', '[]', {stamps})"
                    ),
                    (
                        "INSERT INTO project_members (id, project_id, identity_id, role, created_at, updated_at)"
                        f" VALUES ('m-{role}', 'p', 'i-{role}', '{role}', {stamps})"
                    ),
                )
            ),
        ):
            connection.execute(sa.text(statement))
    run_migrations_to(empty, "head")
    with empty.read() as tx:
        members = {each.name: each for each in member_store.members(tx, "p", ActorKind.IDENTITY)}
    held = {name: [(role.id, role.slug, role.ends_at) for role in each.roles] for name, each in members.items()}
    assert held == {
        "admin": [("m-admin", "admin", None)],
        "member": [("m-member", "member", None)],
        "viewer": [("m-viewer", "viewer", None)],
        "xyzzy": [("m-xyzzy", "no-access", None)],
    }, "clients know a role by the id that its membership had"
    assert "xyzzy" in members["xyzzy"].fault
