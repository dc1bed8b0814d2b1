"""Rows for the measurement of pages: ten thousand secret rotations of one project, and as many of other things."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.app.core import Core
from keyturn.db import tables
from keyturn.kit.actor import Actor
from keyturn.projects.domain import NewProject
from keyturn.projects.service import Projects

PROJECT = "Warehouse"


def add_rotations(core: Core, projects: Projects, actor: Actor, connection_id: str, count: int) -> str:
    """Add a project with so many secret rotations, all of which wait for their next run; return its id."""
    project = projects.create(actor, NewProject(PROJECT))
    environment, now = project.environments[0].id, core.clock.now()
    stamps = {"created_at": now, "updated_at": now}
    folder = core.ids.new()
    rotations: list[dict[str, Any]] = []
    mappings: list[dict[str, Any]] = []
    names: list[dict[str, Any]] = []
    credentials: list[dict[str, Any]] = []
    for number in range(count):
        rotation_id, mapping_id, object_id = core.ids.new(), core.ids.new(), core.ids.new()
        schedule = {"interval_days": 30, "time_zone": "UTC"}
        rotations.append(
            {
                "id": rotation_id, "kind": "application", "org_id": actor.org_id, "name": f"app-{number}", "cloud": "global",
                "tenant_id": object_id, "app_id": object_id, "object_id": object_id, "application_name": f"App {number}",
                "credential_kind": "client-secret", "overlap": "until-next-rotation", "generation": 1, "status": "success",
                "next_run_at": now + timedelta(days=20, minutes=number), **schedule, **stamps,
            }
        )  # fmt: skip
        mappings.append(
            {
                "id": mapping_id, "rotation_id": rotation_id, "org_id": actor.org_id, "project_id": project.id,
                "environment_id": environment, "folder_id": folder, "connection_id": connection_id, "name": f"app-{number}",
                "overlap": "until-next-rotation", **schedule, **stamps,
            }
        )  # fmt: skip
        names += [
            {"secret_rotation_id": mapping_id, "which": which, "folder_id": folder, "name": f"{which}_{number}"}
            for which in ("clientId", "clientSecret")
        ]
        credentials.append(
            {
                "id": core.ids.new(), "rotation_id": rotation_id, "org_id": actor.org_id, "object_id": object_id,
                "generation": 1, "state": "current", "marker": f"keyturn app-{number} g1", "key_id": core.ids.new(),
                "planned_at": now, "published_at": now, "ends_at": now + timedelta(days=70, minutes=number),
            }
        )  # fmt: skip
    place = {"id": folder, "environment_id": environment, "path": "/", "name": "", **stamps}
    with core.database.write() as tx:
        tx.connection.execute(sa.insert(tables.secret_folders), [place])
        for table, rows in (
            (tables.rotations, rotations),
            (tables.secret_rotations, mappings),
            (tables.mapped_secrets, names),
            (tables.credentials, credentials),
        ):
            tx.connection.execute(sa.insert(table), rows)
    return str(project.id)


def add_events(core: Core, org_id: str, subjects: list[str], count: int) -> None:
    """Add so many audit events of these connections."""
    now = core.clock.now()
    rows = [
        {
            "at": now, "org_id": org_id, "actor_kind": "platform", "actor_name": "Keyturn", "event": "test-app-connection",
            "subject_kind": "app-connection", "subject_id": subjects[number % len(subjects)], "data": {"ok": True},
        }
        for number in range(count)
    ]  # fmt: skip
    with core.database.write() as tx:
        tx.connection.execute(sa.insert(tables.audit_events), rows)


def add_alarms(core: Core, org_id: str, subjects: list[str]) -> None:
    """Add an open alarm of each of these connections."""
    now = core.clock.now()
    rows = [
        {
            "id": core.ids.new(), "org_id": org_id, "kind": "connection-refused", "condition_key": f"connection-refused:{number}",
            "severity": "warning" if number % 3 else "critical", "subject_kind": "app-connection", "subject_id": subject,
            "subject": f"entra-{number}", "place": {"connectionId": subject}, "path": f"/app-connections/{subject}",
            "cause": "Entra ID does not accept the client secret (AADSTS7000215).", "fix": "Enter a new client secret.",
            "opened_at": now - timedelta(minutes=number), "reminded_at": now,
        }
        for number, subject in enumerate(subjects)
    ]  # fmt: skip
    with core.database.write() as tx:
        tx.connection.execute(sa.insert(tables.alarms), rows)


def let_all_fail(core: Core) -> None:
    """Have the provider refuse all connections at once, of which the tables were told just now."""
    refusal = {"code": "azure.app_disabled", "message": "Entra ID does not take it.", "fix": "Look there."}
    columns = {"checked_at": core.clock.now(), "check_result": {"ok": False, **refusal}}
    columns |= {"refused_at": core.clock.now(), "refusal": refusal, "look_at": core.clock.now() + timedelta(hours=1)}
    with core.database.write() as tx:
        tx.connection.execute(sa.update(tables.app_connections).values(columns))
        tx.connection.exec_driver_sql("ANALYZE")


def add_people(core: Core, org_id: str, count: int) -> None:
    """Add so many users, and as many machine identities."""
    now = core.clock.now()
    stamps = {"org_id": org_id, "created_at": now, "updated_at": now}
    users = [
        {
            "id": core.ids.new(), "email": f"person-{number}@example.com", "first_name": "Person", "last_name": str(number),
            "password_hash": "x", "role": "member", **stamps,
        }
        for number in range(count)
    ]  # fmt: skip
    robots = [
        {"id": core.ids.new(), "name": f"robot-{number}", "role": "viewer", "metadata": [], **stamps}
        for number in range(count)
    ]
    with core.database.write() as tx:
        tx.connection.execute(sa.insert(tables.users), users)
        tx.connection.execute(sa.insert(tables.identities), robots)


def demote(core: Core, user_id: str) -> None:
    """Make a member of an administrator."""
    with core.database.write() as tx:
        tx.connection.execute(sa.update(tables.users).where(tables.users.c.id == user_id).values(role="member"))
