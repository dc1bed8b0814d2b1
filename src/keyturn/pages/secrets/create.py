"""A new secret."""

from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.pages.secrets.places import OF_PROJECT, PageOfSecrets, PlaceQuery, SecretPages
from keyturn.pages.secrets.texts import LineBreaks, Value, metadata_of, tag_ids, value_of
from keyturn.secrets.domain import LONGEST_NAME, Details, NewSecret
from keyturn.web.pages import FormState, PageRoute, Redirect, get, post
from keyturn.web.schema.validate import NonEmpty
from keyturn.web.schema.wire import ApiModel

Name = Annotated[NonEmpty, Meta(max_length=LONGEST_NAME)]
Comment = Annotated[str, Meta(max_length=10_000)]
MetadataText = Annotated[str, Meta(max_length=80_000)]
TagText = Annotated[str, Meta(max_length=5_000)]


class NewSecretForm(ApiModel, rename=None):
    secret_name: Name
    secret_value: Value = Plaintext("")
    line_breaks: LineBreaks = "lf"
    comment: Comment = ""
    metadata: MetadataText = ""
    tags: TagText = ""


@dataclass(frozen=True)
class NewSecretPage(PageOfSecrets):
    template: ClassVar[str] = "secrets/new.html"

    tag_slugs: list[str]
    form_state: FormState


def routes(pages: SecretPages) -> list[PageRoute]:
    @get(f"{OF_PROJECT}/new")
    def show_new(actor: Actor, project_id: str, query: PlaceQuery, form_state: FormState) -> NewSecretPage:
        place = pages.place(actor, project_id, query)
        return NewSecretPage(place, [tag.slug for tag in pages.tags(actor, place.project)], form_state)

    @post(f"{OF_PROJECT}/new", form_page=show_new, fields={"secretName": "secret_name", "secretValue": "secret_value"})
    def create_secret(actor: Actor, project_id: str, query: PlaceQuery, form: NewSecretForm) -> Redirect:
        place = pages.place(actor, project_id, query)
        new = NewSecret(
            form.secret_name,
            value_of(form.secret_value, form.line_breaks),
            details=Details(form.comment, metadata_of(form.metadata) or ()),
            tag_ids=tag_ids(form.tags, pages.tags(actor, place.project)) or (),
        )
        secret = pages.secrets.create(actor, place.address, new)
        return Redirect(place.url(), toast=f"{secret.stored.name} was created.")

    return [show_new, create_secret]
