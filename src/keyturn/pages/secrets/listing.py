"""The secrets of a folder: a page of them, of their values when somebody asks, and what can be done with the folder."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Annotated, ClassVar

import msgspec
from markupsafe import Markup
from msgspec import Meta

from keyturn.authz.domain import Action
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.pages.secrets.places import OF_PROJECT, PageOfSecrets, PlaceQuery, SecretPages, SecretPlace
from keyturn.pages.secrets.texts import verbatim
from keyturn.secrets.domain import parent_of
from keyturn.secrets.folders import FolderChange
from keyturn.secrets.imports import ImportChange, PlacedImport
from keyturn.secrets.listing import SecretPage
from keyturn.secrets.store.listing import NamesOfFolder
from keyturn.web.html.forms import require_typed
from keyturn.web.pages import File, FormState, PageRoute, Redirect, get, post
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel

ON_A_PAGE = 50


class ListQuery(PlaceQuery, rename=None):
    q: Annotated[Trimmed, Meta(max_length=200)] = ""
    page: Annotated[int, Meta(ge=1, le=100_000)] = 1


class RevealForm(ApiModel, rename=None):
    """``ids`` are those to show, or ``all`` of the page. ``as_json`` is what the script of these pages asks for."""

    ids: Annotated[list[str], Meta(max_length=100)] = msgspec.field(default_factory=list)
    all: bool = False
    as_json: bool = False


class FolderForm(ApiModel, rename=None):
    folder: Trimmed = ""
    description: Annotated[Trimmed, Meta(max_length=255)] = ""


class DeleteForm(ApiModel, rename=None):
    confirm: str = ""


class ExportForm(ApiModel, rename=None):
    resolved: bool = False


class ImportForm(ApiModel, rename=None):
    source: Annotated[Trimmed, Meta(max_length=64)] = ""
    source_path: Annotated[Trimmed, Meta(max_length=2000)] = "/"


class MoveForm(ApiModel, rename=None):
    position: Annotated[int, Meta(ge=1, le=1000)]


@dataclass(frozen=True)
class ShownImport:
    """An import of the folder, and what it brings right from the folder that it names."""

    row: PlacedImport
    held: NamesOfFolder


@dataclass(frozen=True)
class SecretsPage(PageOfSecrets):
    """``values`` are those that were just asked for, by id, as HTML. ``replaced`` are the ids of those whose value a rotation
    replaces by itself before it ends."""

    template: ClassVar[str] = "secrets/list.html"

    query: ListQuery
    found: SecretPage | None
    imports: Sequence[ShownImport]
    form_state: FormState
    values: Mapping[str, Markup] = field(default_factory=dict, repr=False)
    replaced: frozenset[str] = frozenset()

    @property
    def first(self) -> int:
        return (self.query.page - 1) * ON_A_PAGE + 1

    @property
    def pages(self) -> int:
        return max(1, -(-self.found.total // ON_A_PAGE)) if self.found else 1

    def at(self, number: int) -> str:
        """Return the address of a page of this list."""
        return self.place.url(q=self.query.q, page=number if number > 1 else "")


def routes(pages: SecretPages) -> list[PageRoute]:
    @get(OF_PROJECT)
    def show_secrets(actor: Actor, project_id: str, query: ListQuery, form_state: FormState) -> SecretsPage:
        return _page(pages, actor, pages.place(actor, project_id, query), query, form_state)

    @post(f"{OF_PROJECT}/reveal", form_page=show_secrets)
    def reveal(actor: Actor, project_id: str, query: ListQuery, form: RevealForm) -> SecretsPage | File:
        page = None if form.as_json else _page(pages, actor, pages.place(actor, project_id, query), query, FormState())
        ids = sorted(page.found.readable) if form.all and page and page.found else form.ids
        secrets = pages.listing.reveal(actor, project_id, ids)
        values = {secret.stored.id: secret.value for secret in secrets if secret.value is not None}
        if page is None:
            return json_of(values)
        shown = {secret_id: verbatim(value) for secret_id, value in values.items()}
        return replace(page, values=shown)

    @post(f"{OF_PROJECT}/export", form_page=show_secrets)
    def export(actor: Actor, project_id: str, query: ListQuery, form: ExportForm) -> File:
        place = pages.place(actor, project_id, query)
        written = pages.dotenv.export(actor, place.address, resolved=form.resolved)
        name = place.environment.slug if place.environment else "secrets"
        headers = {"content-disposition": f'attachment; filename="{name}.env"', "cache-control": "no-store"}
        return File(written.text.reveal().encode(), "text/plain; charset=utf-8", headers)

    return [show_secrets, reveal, export, *_folders(pages, show_secrets), *_imports(pages, show_secrets)]


def _folders(pages: SecretPages, page: PageRoute) -> list[PageRoute]:
    folders = pages.secrets.folders

    @post(f"{OF_PROJECT}/folders", form_page=page, fields={"name": "folder"})
    def create_folder(actor: Actor, project_id: str, query: ListQuery, form: FolderForm) -> Redirect:
        place = pages.place(actor, project_id, query)
        new = folders.create(actor, place.address, form.folder, form.description or None).folder
        return Redirect(place.url(path=new.path), toast=f"The folder {new.name} was made.")

    @post(f"{OF_PROJECT}/folders/{{folder_id}}", form_page=page, fields={"name": "folder"})
    def change_folder(actor: Actor, project_id: str, folder_id: str, query: ListQuery, form: FolderForm) -> Redirect:
        place = pages.place(actor, project_id, query)
        change = FolderChange(form.folder or None, form.description)
        folder = folders.update(actor, folder_id, change).folder
        return Redirect(place.url(path=folder.path), toast="The folder was saved.")

    @post(f"{OF_PROJECT}/folders/{{folder_id}}/delete", form_page=page)
    def delete_folder(actor: Actor, project_id: str, folder_id: str, query: ListQuery, form: DeleteForm) -> Redirect:
        place = pages.place(actor, project_id, query)
        require_typed(form.confirm, folders.get(actor, folder_id).folder.name)
        folder = folders.delete(actor, place.address, folder_id).folder
        return Redirect(place.url(path=parent_of(folder.path)), toast=f"The folder {folder.name} was deleted.")

    return [create_folder, change_folder, delete_folder]


def _imports(pages: SecretPages, page: PageRoute) -> list[PageRoute]:
    imports = pages.secrets.imports

    @post(f"{OF_PROJECT}/imports", form_page=page, fields={"path": "source_path"})
    def add_import(actor: Actor, project_id: str, query: ListQuery, form: ImportForm) -> Redirect:
        place = pages.place(actor, project_id, query)
        new = imports.create(actor, place.address, form.source, form.source_path)
        return Redirect(
            place.url(), toast=f"This folder imports {new.source.environment_name} {new.source.path} from now on."
        )

    @post(f"{OF_PROJECT}/imports/{{import_id}}/move", form_page=page)
    def move_import(actor: Actor, project_id: str, import_id: str, query: ListQuery, form: MoveForm) -> Redirect:
        imports.update(actor, import_id, ImportChange(position=form.position))
        return Redirect(pages.place(actor, project_id, query).url())

    @post(f"{OF_PROJECT}/imports/{{import_id}}/delete", form_page=page)
    def delete_import(actor: Actor, project_id: str, import_id: str, query: ListQuery) -> Redirect:
        gone = imports.delete(actor, import_id)
        return Redirect(
            pages.place(actor, project_id, query).url(),
            toast=f"This folder imports {gone.source.environment_name} {gone.source.path} no more.",
        )

    return [add_import, move_import, delete_import]


def _page(pages: SecretPages, actor: Actor, place: SecretPlace, query: ListQuery, form_state: FormState) -> SecretsPage:
    if place.environment is None:
        return SecretsPage(place, query, None, (), form_state)
    offset = (query.page - 1) * ON_A_PAGE
    found = pages.listing.page(actor, place.address, query.q, ON_A_PAGE, offset)
    sees_imports = Action.READ_IMPORTS in found.can and not query.q
    rows = pages.secrets.imports.list(actor, place.address) if sees_imports else []
    held = pages.listing.names_at(actor, [row.source for row in rows])
    shown = [ShownImport(*each) for each in zip(rows, held, strict=True)]
    return SecretsPage(place, query, found, shown, form_state, replaced=_replaced(pages, found))


def _replaced(pages: SecretPages, found: SecretPage) -> frozenset[str]:
    ending = [one.stored for one in found.secrets if one.stored.id in found.ends]
    if not ending:
        return frozenset()
    credential_ids = [str(row.credential_id) for row in ending]
    replaced = pages.overviews.replaced_in_time(credential_ids, pages.clock.now())
    return frozenset(row.id for row in ending if row.credential_id in replaced)


def json_of(values: Mapping[str, Plaintext]) -> File:
    """Return values for the script of these pages, which keeps them in the memory of the page alone."""
    text = msgspec.json.encode({"values": {key: value.reveal() for key, value in values.items()}})
    return File(text, "application/json")
