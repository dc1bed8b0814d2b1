"""Taking back a deletion: a project, an environment or a folder comes back with all that was in it, for a week."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from keyturn.audit import events, project_events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.audit.retention import ALONE, AT_ONCE
from keyturn.authz.authorize import Grants, Scope, grants_of, require, require_in
from keyturn.authz.domain import Action
from keyturn.changes import store as feed
from keyturn.changes.domain import Change, ChangeKind
from keyturn.connections import claims
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit.actor import Actor, Role
from keyturn.organizations.quotas import require_room
from keyturn.ports.clock import Clock
from keyturn.projects import deletion_store as deletions
from keyturn.projects import store as projects
from keyturn.projects.deletion_store import Row
from keyturn.projects.deletions import KEPT, Deletion, PlaceKind
from keyturn.projects.domain import RESERVED_SLUGS, Environment, Project, slug_taken
from keyturn.projects.service import named_in_roles
from keyturn.secrets import access
from keyturn.secrets.domain import MOST_FOLDERS, Place, below, parent_of
from keyturn.secrets.folder_names import require_folder_name
from keyturn.secrets.folders import Folders, folder_taken, note, require_no_gain, too_many_folders
from keyturn.secrets.store import folders as folder_store
from keyturn.settings.model import USUAL_QUOTAS, Quotas


class Restoring:
    """The use cases of what was deleted and is kept for a week. Restoring is audited and numbered in the project's feed.

    What is restored is as it was, also in views of the past: as if it had never been gone. Secret rotations that ended with the
    deletion stay ended, and members and connections that are no longer there stay away.
    """

    def __init__(self, database: Database, clock: Clock, folders: Folders, quotas: Quotas = USUAL_QUOTAS) -> None:
        self._database = database
        self._clock = clock
        self._folders = folders
        self._quotas = quotas

    def list(self, actor: Actor, project_id: str | None) -> Sequence[Deletion]:
        """Return what the actor may restore, the newest first: environments and folders of a project, or (None) projects."""
        with self._database.read() as tx:
            since = self._clock.now() - KEPT
            if project_id is None:
                return [each for each in deletions.of_organization(tx, actor.org_id, since) if _own(actor, each)]
            grants = grants_of(tx, actor, Scope(actor.org_id, project_id))
            return [each for each in deletions.of_project(tx, project_id, since) if _restores(grants, actor, each)]

    def restore(self, actor: Actor, deletion_id: str, name: str | None = None) -> Deletion:
        """Restore what a deletion took; return it with where it is now.

        With ``name``, a slug for projects and environments, it is called so from now on. Raises NotFound for what is not kept
        any more, Forbidden, and Refused where its name was taken meanwhile or what it was in is not there.
        """
        with self._database.write() as tx:
            deletion = deletions.get(tx, actor.org_id, deletion_id)
            if deletion is None or deletion.restorable_until <= self._clock.now():
                raise _not_kept(deletion_id)
            if deletion.kind is PlaceKind.PROJECT:
                return self._project(tx, actor, deletion, name)
            require(tx, actor, Action.READ_PROJECT, Scope(actor.org_id, deletion.project_id))
            projects.lock_project(tx, deletion.project_id)
            project = projects.project(tx, actor.org_id, deletion.project_id)
            if project is None:
                raise _not_kept(deletion_id)
            if deletion.kind is PlaceKind.ENVIRONMENT:
                return self._environment(tx, actor, deletion, project, name)
            return self._folder(tx, actor, deletion, project, name)

    # --- each kind ----------------------------------------------------------------------------------------------------

    def _project(self, tx: Tx, actor: Actor, deletion: Deletion, slug: str | None) -> Deletion:
        if not _own(actor, deletion):
            raise _not_kept(deletion.id)
        require(tx, actor, Action.CREATE_PROJECT, Scope(actor.org_id))

        def adapt(table: str, row: Row) -> Row:
            if table == "projects":
                row |= {"slug": slug or row["slug"], "updated_at": self._clock.now()}
                if row["slug"] in RESERVED_SLUGS or projects.slug_in_use(tx, row["slug"]):
                    raise _taken("a project", row["slug"])
            return row

        deletions.put_back(tx, deletion, adapt)
        project = projects.project(tx, actor.org_id, deletion.subject_id)
        if project is None:
            raise _not_kept(deletion.id)
        there, most = projects.made_by(tx, project.created_by or ""), self._quotas.projects_per_creator
        require_room(there - 1, most, "projects made by who made this one", "KEYTURN_MAX_PROJECTS")
        claims.take_again(tx, project.id)
        now = self._clock.now()
        for environment in project.environments:  # what was remembered of the project is out of date
            feed.append(tx, project.id, _made(environment), now)
        facts = {"name": project.name, "slug": project.slug, "deletionId": deletion.id}
        subject = Subject(SubjectKind.PROJECT, project.id, project.id)
        record(tx, actor, project_events.PROJECT_RESTORED, subject, now, **facts)
        return deletion

    def _environment(self, tx: Tx, actor: Actor, deletion: Deletion, project: Project, slug: str | None) -> Deletion:
        grants = grants_of(tx, actor, Scope(actor.org_id, project.id))
        require_in(grants, actor, Action.CREATE_ENVIRONMENTS, Scope(actor.org_id, project.id))
        before, now = deletion.environment or "", self._clock.now()
        after = slug or before
        if not grants.same_in(before, after):
            raise named_in_roles(before, after)
        if any(each.slug == after for each in project.environments):
            raise _taken("an environment", after)
        last = len(project.environments) + 1

        def adapt(table: str, row: Row) -> Row:
            return row | {"slug": after, "position": last, "updated_at": now} if table == "environments" else row

        deletions.put_back(tx, deletion, adapt)
        facts = {"environmentId": deletion.subject_id, "name": deletion.name, "slug": after, "deletionId": deletion.id}
        more = {"previousSlug": before} if after != before else {}
        subject = Subject(SubjectKind.PROJECT, project.id, project.id)
        record(tx, actor, project_events.ENVIRONMENT_RESTORED, subject, now, **facts, **more)
        change = Change(ChangeKind.ENVIRONMENT_CREATED, deletion.subject_id, after)
        feed.append(tx, project.id, change, now)
        return replace(deletion, environment=after)

    def _folder(self, tx: Tx, actor: Actor, deletion: Deletion, project: Project, name: str | None) -> Deletion:
        if name is not None:
            require_folder_name(name)
        environment = next((each for each in project.environments if each.id == deletion.environment_id), None)
        if environment is None:
            raise Refused(
                f"The environment '{deletion.environment}', in which the folder was, is not there.",
                code="deletions.environment_missing",
                fix="Restore the environment first.",
            )
        before, now = deletion.path or "", self._clock.now()
        path = below(parent_of(before), name or deletion.name)
        place = Place(project.id, environment.id, environment.slug, environment.name, path)
        grants = grants_of(tx, actor, Scope(actor.org_id, project.id))
        if folder_store.at(tx, environment.id, path):
            raise folder_taken(path)
        above = self._folders.ensure_all(tx, actor, replace(place, path=parent_of(path)))

        def adapt(table: str, row: Row) -> Row:
            if table == "secret_folders":
                was = replace(place, path=row["path"])
                row["path"] = path + row["path"].removeprefix(before)
                becomes = replace(place, path=row["path"])
                require_in(grants, actor, Action.CREATE_FOLDERS, access.scope_of(actor, becomes))
                require_no_gain(grants, actor, was, becomes)
                if row["id"] == deletion.subject_id:
                    row |= {"name": name or deletion.name, "parent_id": above.id, "updated_at": now}
            return row

        deletions.put_back(tx, deletion, adapt)
        folder = folder_store.at(tx, environment.id, path)
        if folder is None or folder_store.count(tx, environment.id) > MOST_FOLDERS:
            raise too_many_folders()
        kind = ChangeKind.FOLDER_CREATED
        note(tx, actor, events.FOLDER_RESTORED, kind, folder, place, now, deletionId=deletion.id)
        return replace(deletion, name=folder.name, environment=environment.slug, path=path)


def remove_for_good(database: Database, confirmed_at: datetime, stopped: Callable[[], bool]) -> bool:
    """Delete what can be restored no longer, part by part; return whether it was stopped, so that something may be left.

    Ages count from ``confirmed_at``, a moment that is certain to have come. Repeatable.
    """
    more = True
    while more:
        with database.write() as tx:
            tx.alone_with(ALONE)
            more = deletions.remove_parts(tx, confirmed_at - KEPT, AT_ONCE)
        if more and stopped():
            return True
    return False


def _made(environment: Environment) -> Change:
    return Change(ChangeKind.ENVIRONMENT_CREATED, environment.id, environment.slug)


def _own(actor: Actor, deletion: Deletion) -> bool:
    """Say whether the actor may restore a project: who deleted it, or an administrator of the organization."""
    made_by = (deletion.made_by_kind, deletion.made_by_id)
    return actor.role is Role.ADMIN or (actor.id is not None and made_by == (actor.kind.value, actor.id))


def _restores(grants: Grants, actor: Actor, deletion: Deletion) -> bool:
    if deletion.kind is PlaceKind.ENVIRONMENT:
        return grants.allow(Action.CREATE_ENVIRONMENTS, Scope(actor.org_id, deletion.project_id))
    scope = Scope(actor.org_id, deletion.project_id, deletion.environment, deletion.path)
    return grants.allow(Action.CREATE_FOLDERS, scope)


def _taken(what: str, slug: str) -> Refused:
    error = slug_taken(what, slug)
    return Refused(
        error.message, code=error.code, fix="Choose another: send it as the name under which it is to be restored."
    )


def _not_kept(deletion_id: str) -> NotFound:
    return NotFound(
        f"There is nothing to restore under '{deletion_id}': what was deleted is kept for {KEPT.days} days.",
        code="deletions.not_found",
        fix="GET /api/v1/deletions lists what you may restore.",
    )
