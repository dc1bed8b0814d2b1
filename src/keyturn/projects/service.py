"""Projects and their environments."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import sqlalchemy.exc

from keyturn.audit import project_events as events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.authorize import Grants, Scope, grants_of, no_project, projects_with, require, require_in
from keyturn.authz.domain import Action
from keyturn.changes import store as feed
from keyturn.changes.domain import Change, ChangeKind
from keyturn.db.unit import Database, Tx
from keyturn.errors import Forbidden, Refused
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.slugs import slug_of
from keyturn.organizations.quotas import require_room
from keyturn.ports.clock import Clock, Ids
from keyturn.projects import deletion_store as deletions
from keyturn.projects import member_store, store
from keyturn.projects.deletions import PlaceKind
from keyturn.projects.domain import (
    DEFAULT_ENVIRONMENTS,
    RESERVED_SLUGS,
    Environment,
    EnvironmentChange,
    MemberRole,
    NewEnvironment,
    NewProject,
    Project,
    ProjectChange,
    no_environment,
    place_at,
    slug_taken,
)
from keyturn.projects.members import Members
from keyturn.projects.role_domain import BUILT_IN
from keyturn.projects.roles import Roles
from keyturn.settings.model import USUAL_QUOTAS, Quotas

MOST_WORDS = 10
Guard = Callable[[Tx, Actor, str], None]
"""Given who is about to delete a project or an environment with this id: raises Refused when it must stay."""


class Projects:
    """The use cases of projects and environments. Changes are audited. The guards may refuse a deletion, given an id."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        *,
        delete_guards: Sequence[Guard] = (),
        environment_guards: Sequence[Guard] = (),
        quotas: Quotas = USUAL_QUOTAS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._delete_guards = tuple(delete_guards)
        self._environment_guards = tuple(environment_guards)
        self._quotas = quotas
        self.members = Members(database, clock, ids)
        self.roles = Roles(database, clock, ids)

    # --- projects -----------------------------------------------------------------------------------------------------

    def require_create(self, actor: Actor) -> None:
        """Return when the caller may add a project. Raises Forbidden, so that nobody fills in a form in vain."""
        with self._database.read() as tx:
            require(tx, actor, Action.CREATE_PROJECT, Scope(actor.org_id))

    def create(self, actor: Actor, new: NewProject) -> Project:
        """Add a project and make the caller its admin. Raises Refused for a slug in use."""
        now = self._clock.now()
        project_id = self._ids.new()
        environments = tuple(
            Environment(self._ids.new(), project_id, title, short, position, now, now)
            for position, (title, short) in enumerate(DEFAULT_ENVIRONMENTS if new.default_environments else (), start=1)
        )
        slug = new.slug or f"{slug_of(new.name)[:53]}-{self._ids.nonce()}"
        project = Project(
            id=project_id,
            org_id=actor.org_id,
            name=new.name,
            slug=slug,
            description=new.description or None,
            has_delete_protection=new.has_delete_protection,
            environments=environments,
            created_at=now,
            updated_at=now,
            created_by=actor.id,
        )
        with self._database.write() as tx:
            require(tx, actor, Action.CREATE_PROJECT, Scope(actor.org_id))
            there, most = store.made_by(tx, actor.id or ""), self._quotas.projects_per_creator
            require_room(there, most, f"projects made by {actor.name}", "KEYTURN_MAX_PROJECTS")
            if slug in RESERVED_SLUGS or store.slug_in_use(tx, slug):
                raise slug_taken("a project", slug)
            try:
                store.add_project(tx, project)
            except sqlalchemy.exc.IntegrityError as error:  # another server took the slug just now
                raise slug_taken("a project", slug) from error
            if actor.id and actor.kind is not ActorKind.PLATFORM:
                admin = MemberRole(self._ids.new(), Role.ADMIN.value, BUILT_IN[Role.ADMIN][0])
                member_store.add_member(tx, self._ids.new(), project.id, actor.kind, actor.id, [admin], now)
            record(tx, actor, events.PROJECT_CREATED, _subject(project), now, name=new.name, slug=slug)
        return project

    def get(self, actor: Actor, project_id: str) -> Project:
        with self._database.read() as tx:
            require(tx, actor, Action.READ_PROJECT, Scope(actor.org_id, project_id))
            return _found(store.project(tx, actor.org_id, project_id), project_id)

    def grants(self, actor: Actor, project_id: str) -> tuple[Grants, Sequence[str]]:
        """Return what the caller may do in the project, and by which roles. Raises NotFound or Forbidden."""
        scope = Scope(actor.org_id, project_id)
        with self._database.read() as tx:
            grants = grants_of(tx, actor, scope)
            require_in(grants, actor, Action.READ_PROJECT, scope)
            if actor.role is Role.ADMIN or actor.id is None:
                return grants, [BUILT_IN[Role.ADMIN][0]]
            member = member_store.member(tx, project_id, actor.kind, actor.id)
            held = member.roles if member else ()
            return grants, [role.name for role in held if actor.at is None or not role.ended(actor.at)]

    def by_slug(self, actor: Actor, slug: str) -> Project:
        with self._database.read() as tx:
            project = _found(store.project_by_slug(tx, actor.org_id, slug), slug)
            require(tx, actor, Action.READ_PROJECT, Scope(actor.org_id, project.id))
            return project

    def list(self, actor: Actor) -> Sequence[Project]:
        """Return the projects that the actor may see, by name."""
        with self._database.read() as tx:
            return store.projects_of(tx, actor.org_id, projects_with(tx, actor, Action.READ_PROJECT))

    def page(
        self, actor: Actor, text: str, limit: int, offset: int = 0, action: Action = Action.READ_PROJECT
    ) -> tuple[Sequence[Project], int]:
        """Return some of :meth:`list` that have all the words of the text, and how many there are in all.

        With another ``action`` only those in which the actor may do that somewhere.
        """
        with self._database.read() as tx:
            only = projects_with(tx, actor, action, partly=True)
            return store.page_of_projects(tx, actor.org_id, only, text.split()[:MOST_WORDS], limit, offset)

    def set_retention(self, actor: Actor, slug: str, days: int) -> Project:
        """Note for how many days a client wants audit events kept. It is answered again, and removes nothing."""
        with self._database.write() as tx:
            project = _found(store.project_by_slug(tx, actor.org_id, slug), slug)
            before = self._permitted(tx, actor, Action.EDIT_PROJECT, project.id)
            after = replace(before, audit_retention_days=days, updated_at=self._clock.now())
            if days != before.audit_retention_days:
                store.save_project(tx, after)
                facts = {"name": after.name, "auditLogsRetentionDays": days}
                record(tx, actor, events.PROJECT_UPDATED, _subject(after), after.updated_at, **facts)
        return after if days != before.audit_retention_days else before

    def update(self, actor: Actor, project_id: str, change: ProjectChange) -> Project:
        """Change what is given. Raises Refused for a slug in use."""
        with self._database.write() as tx:
            before = self._permitted(tx, actor, Action.EDIT_PROJECT, project_id)
            after = replace(
                before,
                name=change.name or before.name,
                slug=change.slug or before.slug,
                description=before.description if change.description is None else change.description or None,
                has_delete_protection=(
                    before.has_delete_protection
                    if change.has_delete_protection is None
                    else change.has_delete_protection
                ),
                version_limit=before.version_limit if change.version_limit is None else change.version_limit or None,
                updated_at=self._clock.now(),
            )
            if after.slug != before.slug and (after.slug in RESERVED_SLUGS or store.slug_in_use(tx, after.slug)):
                raise slug_taken("a project", after.slug)
            try:
                store.save_project(tx, after)
            except sqlalchemy.exc.IntegrityError as error:
                raise slug_taken("a project", after.slug) from error
            facts = {"name": after.name, "slug": after.slug, "hasDeleteProtection": after.has_delete_protection}
            if after.slug != before.slug:
                facts["previousSlug"] = before.slug
            if after.version_limit != before.version_limit:
                facts["pitVersionLimit"] = after.version_limit
            record(tx, actor, events.PROJECT_UPDATED, _subject(after), after.updated_at, **facts)
        return after

    def delete(self, actor: Actor, project_id: str) -> Project:
        """Remove the project and all in it. Raises Refused while it is protected, or a guard says no.

        It can be restored for a while; until then its slug is free.
        """
        with self._database.write() as tx:
            return self.delete_in(tx, actor, project_id)

    def delete_in(self, tx: Tx, actor: Actor, project_id: str) -> Project:
        """As :meth:`delete`, in a transaction of the caller."""
        project = self.deletable(tx, actor, project_id)
        store.lock_readings(tx, project.id)
        store.lock_connections(tx, project.id)
        store.lock_project(tx, project.id)  # what a guard looks for is added by those who have locked it
        for guard in self._delete_guards:
            guard(tx, actor, project.id)
        now = self._clock.now()
        kept = deletions.keep(tx, self._ids, actor, now, PlaceKind.PROJECT, project.id, project.id, project.name)
        store.remove_project(tx, project.id)
        facts = {"name": project.name, "slug": project.slug, "deletionId": kept.id}
        record(tx, actor, events.PROJECT_DELETED, _subject(project), now, **facts)
        return project

    def deletable(self, tx: Tx, actor: Actor, project_id: str) -> Project:
        """Return a project that the actor may delete and that is not protected. Raises Refused, Forbidden or NotFound."""
        project = self._permitted(tx, actor, Action.DELETE_PROJECT, project_id)
        if project.has_delete_protection:
            raise Refused(
                f"The project '{project.name}' is protected against deletion.",
                code="projects.protected",
                fix="Set hasDeleteProtection to false first.",
            )
        return project

    def delete_by_slug(self, actor: Actor, slug: str) -> Project:
        """As :meth:`delete`, for the project with this slug."""
        return self.delete(actor, self.by_slug(actor, slug).id)

    # --- environments -------------------------------------------------------------------------------------------------

    def environment(self, actor: Actor, environment_id: str, project_id: str | None = None) -> Environment:
        """Return the environment, of this project where one is named. Raises NotFound."""
        with self._database.read() as tx:
            environment = store.environment(tx, actor.org_id, environment_id)
            if environment is None or environment.project_id != (project_id or environment.project_id):
                raise no_environment(environment_id)
            require(tx, actor, Action.READ_PROJECT, Scope(actor.org_id, environment.project_id))
            return environment

    def environment_by_slug(self, actor: Actor, project_id: str, slug: str) -> Environment:
        return _in(self.get(actor, project_id), slug=slug)

    def create_environment(self, actor: Actor, project_id: str, new: NewEnvironment) -> Environment:
        """Add an environment. Raises Refused for a slug in use there."""
        now = self._clock.now()
        with self._database.write() as tx:
            project = self._editable(tx, actor, Action.CREATE_ENVIRONMENTS, project_id, new.slug)
            environment = Environment(self._ids.new(), project.id, new.name, new.slug, 0, now, now)
            store.add_environment(tx, environment)
            kind = ChangeKind.ENVIRONMENT_CREATED
            return self._ordered(tx, actor, project, environment.id, new.position, events.ENVIRONMENT_CREATED, kind)

    def update_environment(
        self, actor: Actor, project_id: str, environment_id: str, change: EnvironmentChange
    ) -> Environment:
        """Change what is given. Raises Refused for a slug in use, Forbidden for one by which the actor may do other things."""
        with self._database.write() as tx:
            action = Action.EDIT_ENVIRONMENTS
            project = self._editable(tx, actor, action, project_id, change.slug, besides=environment_id)
            before = _in(project, environment_id=environment_id)
            name, slug = change.name or before.name, change.slug or before.slug
            if not grants_of(tx, actor, Scope(actor.org_id, project_id)).same_in(before.slug, slug):
                raise named_in_roles(before.slug, slug)
            store.save_environment(tx, before.id, name, slug, self._clock.now())
            order = [environment.id for environment in project.environments]
            new_position = order.index(before.id) + 1 if change.position is None else change.position
            event, kind = events.ENVIRONMENT_UPDATED, ChangeKind.ENVIRONMENT_UPDATED
            more = {"previousSlug": before.slug} if slug != before.slug else {}
            return self._ordered(tx, actor, project, before.id, new_position, event, kind, **more)

    def delete_environment(self, actor: Actor, project_id: str, environment_id: str) -> Environment:
        """Remove an environment and all in it. Raises Refused when a guard says no.

        It can be restored for a while; until then its slug is free.
        """
        with self._database.write() as tx:
            return self.delete_environment_in(tx, actor, project_id, environment_id)

    def delete_environment_in(self, tx: Tx, actor: Actor, project_id: str, environment_id: str) -> Environment:
        """As :meth:`delete_environment`, in a transaction of the caller."""
        project = self._editable(tx, actor, Action.DELETE_ENVIRONMENTS, project_id, None)
        environment = _in(project, environment_id=environment_id)
        for guard in self._environment_guards:
            guard(tx, actor, environment.id)
        now = self._clock.now()
        kept = deletions.keep(
            tx,
            self._ids,
            actor,
            now,
            PlaceKind.ENVIRONMENT,
            environment.id,
            project.id,
            environment.name,
            environment_id=environment.id,
            environment=environment.slug,
        )
        store.remove_environment(tx, environment.id)
        store.set_order(tx, [each.id for each in project.environments if each.id != environment.id])
        facts = {"environmentId": environment.id, "slug": environment.slug, "deletionId": kept.id}
        record(tx, actor, events.ENVIRONMENT_DELETED, _subject(project), now, **facts)
        feed.append(tx, project.id, Change(ChangeKind.ENVIRONMENT_DELETED, environment.id, environment.slug), now)
        return environment

    # --- parts --------------------------------------------------------------------------------------------------------

    def _permitted(self, tx: Tx, actor: Actor, action: Action, project_id: str) -> Project:
        require(tx, actor, action, Scope(actor.org_id, project_id))
        return _found(store.project(tx, actor.org_id, project_id), project_id)

    def _editable(
        self, tx: Tx, actor: Actor, action: Action, project_id: str, slug: str | None, besides: str | None = None
    ) -> Project:
        require(tx, actor, action, Scope(actor.org_id, project_id))
        store.lock_project(tx, project_id)  # two that add or move at once must not mix their numbers or slugs
        project = _found(store.project(tx, actor.org_id, project_id), project_id)
        if any(environment.slug == slug and environment.id != besides for environment in project.environments):
            raise slug_taken("an environment", slug or "")
        return project

    def _ordered(
        self,
        tx: Tx,
        actor: Actor,
        project: Project,
        environment_id: str,
        position: int | None,
        event: AuditEvent,
        kind: ChangeKind,
        **more: str,
    ) -> Environment:
        store.set_order(
            tx, place_at([environment.id for environment in project.environments], environment_id, position)
        )
        now = _found(store.project(tx, project.org_id, project.id), project.id)
        changed = _in(now, environment_id=environment_id)
        facts = {"environmentId": changed.id, "name": changed.name, "slug": changed.slug, "position": changed.position}
        record(tx, actor, event, _subject(project), self._clock.now(), **facts, **more)
        feed.append(tx, project.id, Change(kind, changed.id, changed.slug), self._clock.now())
        return changed


def _subject(project: Project) -> Subject:
    return Subject(SubjectKind.PROJECT, project.id, project.id)


def _found(project: Project | None, id_or_slug: str) -> Project:
    if project is None:
        raise no_project(id_or_slug)
    return project


def _in(project: Project, *, environment_id: str | None = None, slug: str | None = None) -> Environment:
    for environment in project.environments:
        if environment_id == environment.id or slug == environment.slug:
            return environment
    raise no_environment(environment_id or slug or "")


def named_in_roles(before: str, slug: str) -> Forbidden:
    """Return what to say to somebody whose roles name one of the slugs, so that they would permit other things there."""
    return Forbidden(
        f"Your roles do not permit the same in environments with the slugs '{before}' and '{slug}'.",
        code="projects.slug_in_roles",
        fix="Ask an admin of the project to change the slug.",
    )
