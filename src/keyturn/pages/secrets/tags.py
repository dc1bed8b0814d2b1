"""The tags of a project."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.secrets.places import OF_PROJECT, PageOfSecrets, PlaceQuery, SecretPages
from keyturn.secrets.domain import Tag
from keyturn.web.pages import FormState, PageRoute, Redirect, get, post
from keyturn.web.schema.validate import Slug
from keyturn.web.schema.wire import ApiModel


class NewTagForm(ApiModel, rename=None):
    slug: Annotated[Slug, Meta(max_length=64)]


@dataclass(frozen=True)
class TagsPage(PageOfSecrets):
    template: ClassVar[str] = "secrets/tags.html"

    tags: Sequence[Tag]
    form_state: FormState


def routes(pages: SecretPages) -> list[PageRoute]:
    tags = pages.secrets.tags

    @get(f"{OF_PROJECT}/tags")
    def show_tags(actor: Actor, project_id: str, query: PlaceQuery, form_state: FormState) -> TagsPage:
        return TagsPage(pages.place(actor, project_id, query), tags.list(actor, project_id), form_state)

    @post(f"{OF_PROJECT}/tags", form_page=show_tags)
    def create_tag(actor: Actor, project_id: str, query: PlaceQuery, form: NewTagForm) -> Redirect:
        tag = tags.create(actor, project_id, form.slug, None, None)
        return Redirect(pages.place(actor, project_id, query).url("tags"), toast=f"The tag {tag.slug} was added.")

    @post(f"{OF_PROJECT}/tags/{{tag_id}}/delete", form_page=show_tags)
    def delete_tag(actor: Actor, project_id: str, tag_id: str, query: PlaceQuery) -> Redirect:
        tag = tags.delete(actor, project_id, tag_id)
        return Redirect(pages.place(actor, project_id, query).url("tags"), toast=f"The tag {tag.slug} was deleted.")

    return [show_tags, create_tag, delete_tag]
