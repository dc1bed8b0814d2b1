"""The import itself: goes through what is there, compares it with what is here, and writes what is missing.

Nothing is remembered between two runs: each begins with what is here. So a repeat changes nothing, and a run that was
stopped at any moment is finished by the next one.
"""

from collections.abc import Callable

from keyturn.api.tags.schemas import CreateTag
from keyturn.errors import NotFound
from keyturn.importing import planning
from keyturn.importing.answers import EnvironmentThere, ProjectThere, TagThere
from keyturn.importing.contents import ContentsImport, ProjectPair
from keyturn.importing.ledger import ImportOptions, Ledger
from keyturn.importing.report import Kind, Report
from keyturn.importing.source import InfisicalSource
from keyturn.kit.actor import Actor
from keyturn.projects.domain import Environment, EnvironmentChange, NewEnvironment, NewProject, Project, ProjectChange
from keyturn.projects.service import Projects
from keyturn.secrets.domain import Tag
from keyturn.secrets.service import Secrets
from keyturn.secrets.tags import TagChange


class InfisicalImport:
    """One run, as ``actor``, whose permissions hold. ``tell`` is given a line for each folder. ``report`` grows meanwhile."""

    def __init__(
        self,
        source: InfisicalSource,
        projects: Projects,
        secrets: Secrets,
        actor: Actor,
        options: ImportOptions,
        tell: Callable[[str], None],
    ) -> None:
        self._source = source
        self._projects = projects
        self._tags = secrets.tags
        self._actor = actor
        self._options = options
        self.report = Report(source.url, options.dry_run)
        self._ledger = Ledger(options, self.report, tell)
        self._contents = ContentsImport(source, secrets, actor, self._ledger)

    def run(self) -> None:
        """Import. Raises SourceFailed when the other server ends it; what was written until then stays."""
        asked, there = self._options.projects, {project.slug: project for project in self._source.projects()}
        for slug, project in there.items():
            if not asked or slug in asked:
                self._project(project, asked.get(slug, slug))
        for slug in asked.keys() - there.keys():
            reason = "There is no such project there, or the machine identity is not a member of it."
            self._ledger.refuse(Kind.PROJECT, asked[slug], slug, reason)
        self.report.finished = True

    def _project(self, there: ProjectThere, slug: str) -> None:
        def change(here: Project, new: NewProject) -> Project:
            wanted = ProjectChange(new.name, description=new.description or "")
            return self._projects.update(self._actor, here.id, wanted)

        settled = self._ledger.settle(
            Kind.PROJECT,
            slug,
            there.name,
            here=lambda: self._here(slug),
            wanted=lambda: planning.new_project(there, slug),
            differences=planning.project_differences,
            create=lambda new: self._projects.create(self._actor, new),
            change=change,
            fix=f"Give it another slug here: --project {there.slug}=...",
        )
        if settled is None:
            return
        pair = ProjectPair(there.id, slug, settled.value)
        for environment in there.environments:
            self._environment(pair, environment)
        for tag in self._ledger.read(Kind.TAG, slug, lambda: self._source.tags(there.id)):
            self._tag(pair, tag)
        self._contents.bring(pair)
        for rotation in self._ledger.read(Kind.ROTATION, slug, lambda: self._source.rotations(there.id)):
            project_id = pair.here.id if pair.here else "ID of the project here"
            self._ledger.note(planning.rotation_entry(slug, project_id, rotation))

    def _here(self, slug: str) -> Project | None:
        try:
            return self._projects.by_slug(self._actor, slug)
        except NotFound:
            return None

    def _environment(self, pair: ProjectPair, there: EnvironmentThere) -> None:
        def change(here: Environment, new: NewEnvironment) -> Environment:
            wanted = EnvironmentChange(name=new.name)
            return self._projects.update_environment(self._actor, here.project_id, here.id, wanted)

        settled = self._ledger.settle(
            Kind.ENVIRONMENT,
            pair.slug,
            there.slug,
            here=lambda: pair.environment_here(there.slug),
            wanted=lambda: planning.new_environment(there),
            differences=planning.environment_differences,
            create=lambda new: self._projects.create_environment(self._actor, pair.project_id, new),
            change=change,
        )
        if settled is not None:
            pair.environments[there.slug] = settled.value is not None

    def _tag(self, pair: ProjectPair, there: TagThere) -> None:
        def change(here: Tag, new: CreateTag) -> Tag:
            return self._tags.update(self._actor, here.project_id, here.id, TagChange(name=new.name, color=new.color))

        settled = self._ledger.settle(
            Kind.TAG,
            pair.slug,
            there.slug,
            here=lambda: self._tag_here(pair, there.slug),
            wanted=lambda: planning.new_tag(there),
            differences=planning.tag_differences,
            create=lambda new: self._tags.create(self._actor, pair.project_id, new.slug, new.name, new.color),
            change=change,
        )
        if settled is not None:
            pair.tag_ids[there.slug] = settled.value.id if settled.value else there.slug

    def _tag_here(self, pair: ProjectPair, slug: str) -> Tag | None:
        if pair.here is None:
            return None
        try:
            return self._tags.by_slug(self._actor, pair.project_id, slug)
        except NotFound:
            return None
