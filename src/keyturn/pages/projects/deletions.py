"""Pages of deletions: what one would stop, before it is done, and what was deleted and can be restored."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.project_header import ProjectHeader, ProjectHeaders
from keyturn.projects.deletions import Deletion, PlaceKind
from keyturn.rotations.secret_rotations.place_deletion import DeletionPreview, PlaceDeletions
from keyturn.secrets.restoring import Restoring
from keyturn.web.html.forms import require_typed
from keyturn.web.pages import FormState, Page, PageRoute, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import Trimmed, Uuid
from keyturn.web.schema.wire import ApiModel


class PlaceQuery(ApiModel, rename=None):
    """Which environment or folder of the project; neither: the project itself."""

    environment_id: Uuid | None = None
    folder_id: Uuid | None = None


class DeleteForm(ApiModel, rename=None):
    confirm: Trimmed = ""
    end_rotations: bool = False


class RestoreForm(ApiModel, rename=None):
    name: Annotated[Trimmed, Meta(max_length=64)] = ""


@dataclass(frozen=True)
class DeletionPage(Page):
    template: ClassVar[str] = "projects/deletion.html"
    section: ClassVar[str] = "projects"

    project: ProjectHeader
    query: PlaceQuery
    preview: DeletionPreview
    form_state: FormState

    @property
    def tab(self) -> str:
        """Where one came from."""
        if self.query.folder_id:
            return "secrets"
        return "environments" if self.query.environment_id else "settings"


@dataclass(frozen=True)
class DeletedPage(Page):
    template: ClassVar[str] = "projects/deleted.html"
    section: ClassVar[str] = "projects"

    project: ProjectHeader
    deletions: Sequence[Deletion]
    form_state: FormState
    tab: str = "environments"


@dataclass(frozen=True)
class DeletedProjectsPage(Page):
    template: ClassVar[str] = "projects/deleted_projects.html"
    section: ClassVar[str] = "projects"

    deletions: Sequence[Deletion]
    form_state: FormState


def router(deletions: PlaceDeletions, restoring: Restoring, heads: ProjectHeaders) -> Pages:
    """Return the pages."""
    return group(*_deleting(deletions, heads), *_restoring(restoring, heads))


def _deleting(deletions: PlaceDeletions, heads: ProjectHeaders) -> list[PageRoute]:
    @get("/projects/{project_id}/deletion")
    def show_deletion(actor: Actor, project_id: str, query: PlaceQuery, form_state: FormState) -> DeletionPage:
        preview = deletions.preview(actor, project_id, query.environment_id, query.folder_id)
        return DeletionPage(heads.project(actor, project_id), query, preview, form_state)

    @post("/projects/{project_id}/deletion", form_page=show_deletion)
    def delete_place(actor: Actor, project_id: str, query: PlaceQuery, form: DeleteForm) -> Redirect:
        require_typed(form.confirm, deletions.preview(actor, project_id, query.environment_id, query.folder_id).name)
        deletion = deletions.delete(
            actor, project_id, query.environment_id, query.folder_id, end_rotations=form.end_rotations
        )
        whole = deletion.kind is PlaceKind.PROJECT
        return Redirect("/projects/deleted" if whole else f"/projects/{project_id}/deleted", toast=_gone(deletion))

    return [show_deletion, delete_place]


def _restoring(restoring: Restoring, heads: ProjectHeaders) -> list[PageRoute]:
    @get("/projects/deleted")
    def show_deleted_projects(actor: Actor, form_state: FormState) -> DeletedProjectsPage:
        return DeletedProjectsPage(restoring.list(actor, None), form_state)

    @post("/projects/deleted/{deletion_id}", form_page=show_deleted_projects)
    def restore_project(actor: Actor, deletion_id: str, form: RestoreForm) -> Redirect:
        deletion = restoring.restore(actor, deletion_id, form.name or None)
        return Redirect(f"/projects/{deletion.project_id}/integrations", toast=f"{deletion.name} is there again.")

    @get("/projects/{project_id}/deleted")
    def show_deleted(actor: Actor, project_id: str, form_state: FormState) -> DeletedPage:
        return DeletedPage(heads.project(actor, project_id), restoring.list(actor, project_id), form_state)

    @post("/projects/{project_id}/deleted/{deletion_id}", form_page=show_deleted)
    def restore_place(actor: Actor, project_id: str, deletion_id: str, form: RestoreForm) -> Redirect:
        deletion = restoring.restore(actor, deletion_id, form.name or None)
        return Redirect(f"/projects/{project_id}/deleted", toast=f"{deletion.name} is there again.")

    return [show_deleted_projects, restore_project, show_deleted, restore_place]


def _gone(deletion: Deletion) -> str:
    return f"{deletion.name} was deleted. For seven days it can be restored here."
