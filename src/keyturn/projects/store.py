"""SQL for projects and environments."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa

from keyturn.authz.authorize import no_project
from keyturn.db.tables import environments, projects
from keyturn.db.tables.views import app_connections, inventory_connections
from keyturn.db.unit import Tx
from keyturn.db.words import has_word
from keyturn.projects.domain import Environment, Project, ProjectRef

# --- projects ---------------------------------------------------------------------------------------------------------


def add_project(tx: Tx, project: Project) -> None:
    """Keep the project with its environments."""
    tx.run(
        sa.insert(projects).values(
            id=project.id,
            org_id=project.org_id,
            name=project.name,
            slug=project.slug,
            description=project.description,
            has_delete_protection=project.has_delete_protection,
            created_at=project.created_at,
            updated_at=project.updated_at,
            created_by=project.created_by,
        )
    )
    for environment in project.environments:
        add_environment(tx, environment)


def project(tx: Tx, org_id: str, project_id: str) -> Project | None:
    return _first(tx, projects.c.org_id == org_id, projects.c.id == project_id)


def project_by_slug(tx: Tx, org_id: str, slug: str) -> Project | None:
    return _first(tx, projects.c.org_id == org_id, projects.c.slug == slug)


def projects_of(tx: Tx, org_id: str, only: Iterable[str] | None) -> list[Project]:
    """Return the projects of the organization by name; ``only`` those with these ids, None: all."""
    where = [projects.c.org_id == org_id]
    if only is not None:
        where.append(projects.c.id.in_(sorted(only)))
    return _projects(tx, *where)


def page_of_projects(
    tx: Tx, org_id: str, only: Iterable[str] | None, words: Sequence[str], limit: int, offset: int
) -> tuple[list[Project], int]:
    """Return some of :func:`projects_of` that have all the words in name or slug, and how many there are in all."""
    where = [projects.c.org_id == org_id, *(_has(word) for word in words)]
    if only is not None:
        where.append(projects.c.id.in_(sorted(only)))
    count = tx.one(sa.select(sa.func.count().label("n")).where(*where))
    order = (sa.func.lower(projects.c.name), projects.c.id)
    query = sa.select(projects.c.id).where(*where).order_by(*order).limit(limit).offset(offset)
    ids = [row["id"] for row in tx.rows(query)]
    return (_projects(tx, projects.c.id.in_(ids)) if ids else []), int(count["n"]) if count else 0


def refs(tx: Tx, org_id: str, project_id: str | None) -> dict[str, ProjectRef]:
    """Return name and slug of the one project, or (None) of all projects of the organization, by id."""
    query = sa.select(projects.c.id, projects.c.name, projects.c.slug).where(projects.c.org_id == org_id)
    if project_id:
        query = query.where(projects.c.id == project_id)
    return {row["id"]: ProjectRef(row["id"], row["name"], row["slug"]) for row in tx.rows(query)}


def _has(word: str) -> sa.ColumnElement[bool]:
    return sa.or_(has_word(projects.c.name, word), has_word(projects.c.slug, word))


def made_by(tx: Tx, creator: str) -> int:
    """Count the projects that somebody made and that are still there."""
    row = tx.one(sa.select(sa.func.count().label("n")).where(projects.c.created_by == creator))
    return int(row["n"]) if row else 0


def slug_in_use(tx: Tx, slug: str) -> bool:
    return tx.one(sa.select(projects.c.id).where(projects.c.slug == slug)) is not None


def save_project(tx: Tx, project: Project) -> None:
    """Write what may change of a project itself."""
    tx.run(
        sa.update(projects)
        .where(projects.c.id == project.id)
        .values(
            name=project.name,
            slug=project.slug,
            description=project.description,
            has_delete_protection=project.has_delete_protection,
            audit_retention_days=project.audit_retention_days,
            version_limit=project.version_limit,
            updated_at=project.updated_at,
        )
    )


def remove_project(tx: Tx, project_id: str) -> None:
    tx.run(sa.delete(projects).where(projects.c.id == project_id))


def lock_project(tx: Tx, project_id: str) -> None:
    """Hold off others that lock it, until this transaction ends. SQLite has one writer at a time anyway.

    Raises NotFound when the project was deleted while it was waited for.
    """
    if tx.postgres and tx.one(_LOCKED, project=project_id) is None:
        raise no_project(project_id)


def lock_readings(tx: Tx, project_id: str) -> None:
    """Wait until what is being read through connections of the project is kept, and let nobody keep more: it is about to go."""
    if tx.postgres:
        tx.rows(_READINGS, project=project_id)


def lock_connections(tx: Tx, project_id: str) -> None:
    """Let nobody change connections of the project, which go with it. SQLite has one writer at a time anyway."""
    if tx.postgres:
        tx.rows(_CONNECTIONS, project=project_id)


_CONNECTIONS = (
    sa.select(app_connections.c.id)
    .where(app_connections.c.project_id == sa.bindparam("project"))
    .order_by(app_connections.c.id)
    .with_for_update(key_share=True)
)
_READINGS = (
    sa.select(inventory_connections.c.connection_id)
    .join(app_connections, app_connections.c.id == inventory_connections.c.connection_id)
    .where(app_connections.c.project_id == sa.bindparam("project"))
    .order_by(inventory_connections.c.connection_id)
    .with_for_update(of=inventory_connections)
)
_LOCKED = sa.select(projects.c.id).where(projects.c.id == sa.bindparam("project")).with_for_update()


def _first(tx: Tx, *where: sa.ColumnElement[bool]) -> Project | None:
    return next(iter(_projects(tx, *where)), None)


def _projects(tx: Tx, *where: sa.ColumnElement[bool]) -> list[Project]:
    rows = tx.rows(sa.select(projects).where(*where).order_by(sa.func.lower(projects.c.name), projects.c.id))
    inside: dict[str, list[Environment]] = {row["id"]: [] for row in rows}
    query = (
        sa.select(environments)
        .join(projects, projects.c.id == environments.c.project_id)
        .where(*where)
        .order_by(environments.c.position, environments.c.created_at, environments.c.id)
    )
    for row in tx.rows(query) if rows else ():
        inside.setdefault(row["project_id"], []).append(Environment(**row))
    return [
        Project(
            row["id"],
            row["org_id"],
            row["name"],
            row["slug"],
            row["description"],
            row["has_delete_protection"],
            tuple(inside[row["id"]]),
            row["created_at"],
            row["updated_at"],
            row["created_by"],
            row["audit_retention_days"],
            row["version_limit"],
        )
        for row in rows
    ]


# --- environments -----------------------------------------------------------------------------------------------------


def add_environment(tx: Tx, environment: Environment) -> None:
    tx.run(
        sa.insert(environments).values(
            id=environment.id,
            project_id=environment.project_id,
            name=environment.name,
            slug=environment.slug,
            position=environment.position,
            created_at=environment.created_at,
            updated_at=environment.updated_at,
        )
    )


def environment(tx: Tx, org_id: str, environment_id: str) -> Environment | None:
    """Return the environment wherever in the organization it is."""
    query = (
        sa.select(environments)
        .join(projects, projects.c.id == environments.c.project_id)
        .where(environments.c.id == environment_id, projects.c.org_id == org_id)
    )
    row = tx.one(query)
    return Environment(**row) if row else None


_NAMED = (
    sa.select(environments)
    .join(projects, projects.c.id == environments.c.project_id)
    .where(
        environments.c.project_id == sa.bindparam("project"),
        environments.c.slug == sa.bindparam("called"),
        projects.c.org_id == sa.bindparam("org"),
    )
)


def environment_named(tx: Tx, org_id: str, project_id: str, slug: str) -> Environment | None:
    """Return the environment of the organization's project that has this slug."""
    row = tx.one(_NAMED, org=org_id, project=project_id, called=slug)
    return Environment(**row) if row else None


def save_environment(tx: Tx, environment_id: str, name: str, slug: str, now: datetime) -> None:
    values = {"name": name, "slug": slug, "updated_at": now}
    tx.run(sa.update(environments).where(environments.c.id == environment_id).values(values))


def set_order(tx: Tx, order: Sequence[str]) -> None:
    """Number the environments of one project from 1 in this order."""
    for position, environment_id in enumerate(order, start=1):
        tx.run(sa.update(environments).where(environments.c.id == environment_id).values(position=position))


def remove_environment(tx: Tx, environment_id: str) -> None:
    tx.run(sa.delete(environments).where(environments.c.id == environment_id))
