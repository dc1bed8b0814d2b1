"""Importing a .env file: it is pasted, what would come of it is shown, and then done."""

from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.errors import Invalid
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext, Sealed
from keyturn.pages.secrets.places import OF_PROJECT, PageOfSecrets, PlaceQuery, SecretPages
from keyturn.secrets.dotenv_files import EntryStatus, ImportPlan
from keyturn.web.pages import FormState, PageRoute, Redirect, get, post
from keyturn.web.schema.wire import ApiModel


class DotenvForm(ApiModel, rename=None):
    secret_text: Plaintext = Plaintext("")


class DraftForm(ApiModel, rename=None):
    draft: Annotated[str, Meta(max_length=1_000_000)] = ""


@dataclass(frozen=True)
class DotenvPage(PageOfSecrets):
    template: ClassVar[str] = "secrets/dotenv.html"

    form_state: FormState
    plan: ImportPlan | None = None


def routes(pages: SecretPages) -> list[PageRoute]:
    @get(f"{OF_PROJECT}/dotenv")
    def show_dotenv(actor: Actor, project_id: str, query: PlaceQuery, form_state: FormState) -> DotenvPage:
        return DotenvPage(pages.place(actor, project_id, query), form_state)

    @post(f"{OF_PROJECT}/dotenv", form_page=show_dotenv, fields={"text": "secret_text"})
    def look_at_dotenv(actor: Actor, project_id: str, query: PlaceQuery, form: DotenvForm) -> DotenvPage:
        if not form.secret_text.reveal().strip():
            raise Invalid([{"code": "custom", "message": "Paste a file, or read one.", "path": ["secret_text"]}])
        place = pages.place(actor, project_id, query)
        return DotenvPage(place, FormState(), pages.dotenv.plan(actor, place.address, form.secret_text))

    @post(f"{OF_PROJECT}/dotenv/import", form_page=show_dotenv)
    def import_dotenv(actor: Actor, project_id: str, query: PlaceQuery, form: DraftForm) -> Redirect:
        place = pages.place(actor, project_id, query)
        counts = pages.dotenv.apply(actor, place.address, Sealed(form.draft)).counts
        changed = counts[EntryStatus.CHANGED] + counts[EntryStatus.OVERWRITTEN]
        return Redirect(place.url(), toast=f"Imported: {counts[EntryStatus.NEW]} new, {changed} changed.")

    return [show_dotenv, look_at_dotenv, import_dotenv]
