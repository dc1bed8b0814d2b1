"""One secret: what it is called, what is written about it, its versions, and everything that can be done with it."""

from collections.abc import Sequence
from dataclasses import field, replace
from typing import Annotated, ClassVar

from markupsafe import Markup
from msgspec import Meta

from keyturn.api.secrets.schemas import VersionNumber
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.pages.consumers import UsedSecret, used_secrets
from keyturn.pages.secrets.create import Comment, MetadataText, Name, TagText
from keyturn.pages.secrets.listing import DeleteForm, json_of
from keyturn.pages.secrets.places import ONE, PageOfSecrets, PlaceQuery, SecretPages, secret_path
from keyturn.pages.secrets.texts import (
    LineBreaks,
    Value,
    line_breaks_of,
    metadata_of,
    metadata_text,
    tag_ids,
    value_of,
    verbatim,
)
from keyturn.secrets.domain import Address, Secret, SecretChange, Version
from keyturn.secrets.listing import ShownSecret
from keyturn.web.html.forms import require_typed
from keyturn.web.pages import File, FormState, PageRoute, Redirect, get, post
from keyturn.web.schema.wire import ApiModel

VERSIONS_ON_A_PAGE = 20


class VersionQuery(ApiModel, rename=None):
    page: Annotated[int, Meta(ge=1, le=100_000)] = 1


class RevealVersionForm(ApiModel, rename=None):
    version: VersionNumber | None = None
    as_json: bool = False


class ValueForm(ApiModel, rename=None):
    secret_value: Value = Plaintext("")
    line_breaks: LineBreaks = "lf"


class DetailsForm(ApiModel, rename=None):
    secret_name: Name
    comment: Comment = ""
    metadata: MetadataText = ""
    tags: TagText = ""


class RollbackForm(ApiModel, rename=None):
    version: VersionNumber


@dataclass(frozen=True)
class ShownValue:
    """A value that was just asked for, as HTML. ``line_breaks`` None: a form could not send it back as it is."""

    version: int
    html: Markup = field(repr=False)
    line_breaks: LineBreaks | None


@dataclass(frozen=True)
class OneSecretPage(PageOfSecrets):
    template: ClassVar[str] = "secrets/one.html"

    shown: ShownSecret
    versions: Sequence[Version]
    more_versions: bool
    query: VersionQuery
    tag_slugs: Sequence[str]
    metadata: str
    form_state: FormState
    consumed: Sequence[UsedSecret] = ()
    """Who uses the secrets of the application that it comes from."""
    value: ShownValue | None = None

    @property
    def secret(self) -> Secret:
        return self.shown.secret

    def path(self, action: str = "") -> str:
        return secret_path(self.secret.stored.id, action)


def routes(pages: SecretPages) -> list[PageRoute]:
    @get(ONE)
    def show_secret(actor: Actor, secret_id: str, query: VersionQuery, form_state: FormState) -> OneSecretPage:
        return _page(pages, actor, secret_id, query, form_state)

    @post(f"{ONE}/reveal", form_page=show_secret)
    def reveal_secret(
        actor: Actor, secret_id: str, query: VersionQuery, form: RevealVersionForm
    ) -> OneSecretPage | File:
        secret = pages.listing.reveal_version(actor, secret_id, form.version)
        value = secret.value or Plaintext("")
        if form.as_json:
            return json_of({str(secret.stored.version): value})
        shown = ShownValue(secret.stored.version, verbatim(value), line_breaks_of(value))
        return replace(_page(pages, actor, secret_id, query, FormState()), value=shown)

    return [show_secret, reveal_secret, *_changes(pages, show_secret)]


def _changes(pages: SecretPages, page: PageRoute) -> list[PageRoute]:
    @post(f"{ONE}/value", form_page=page, fields={"secretValue": "secret_value"})
    def change_value(actor: Actor, secret_id: str, form: ValueForm) -> Redirect:
        change = SecretChange(value=value_of(form.secret_value, form.line_breaks))
        before, after = _changed(pages, actor, secret_id, change)
        same = before.stored.version == after.stored.version
        return _back(secret_id, "It has this value already." if same else "The value was changed.")

    @post(f"{ONE}/details", form_page=page, fields={"secretName": "secret_name"})
    def change_details(actor: Actor, secret_id: str, form: DetailsForm) -> Redirect:
        secret = pages.listing.one(actor, secret_id).secret
        tags = pages.tags(actor, pages.heads.project(actor, secret.place.project_id))
        change = SecretChange(
            # What a form cannot send back as it is stays when it looks the same.
            new_name=None if form.secret_name == secret.stored.name.strip() else form.secret_name,
            comment=None if form.comment == _as_sent(secret.details.comment) else form.comment,
            metadata=metadata_of(form.metadata, secret.details.metadata),
            tag_ids=tag_ids(form.tags, tags, secret.tags),
        )
        _changed(pages, actor, secret_id, change)
        return _back(secret_id, "The secret was saved.")

    @post(f"{ONE}/rollback", form_page=page)
    def roll_back(actor: Actor, secret_id: str, form: RollbackForm) -> Redirect:
        pages.secrets.rollback(actor, secret_id, form.version)
        return _back(secret_id, f"What version {form.version} said is current again.")

    @post(f"{ONE}/delete", form_page=page)
    def delete_secret(actor: Actor, secret_id: str, form: DeleteForm) -> Redirect:
        secret = pages.listing.one(actor, secret_id).secret
        require_typed(form.confirm, secret.stored.name)
        pages.secrets.delete(actor, _address(secret), secret.stored.name, secret.stored.type)
        place = pages.place(actor, secret.place.project_id, PlaceQuery(secret.place.environment, secret.place.path))
        return Redirect(place.url(), toast=f"{secret.stored.name} was deleted.")

    return [change_value, change_details, roll_back, delete_secret]


def _page(
    pages: SecretPages, actor: Actor, secret_id: str, query: VersionQuery, form_state: FormState
) -> OneSecretPage:
    shown = pages.listing.one(actor, secret_id)
    secret, rotation_id = shown.secret, shown.secret.stored.secret_rotation_id
    offset = (query.page - 1) * VERSIONS_ON_A_PAGE
    versions = pages.secrets.reader.versions(actor, secret_id, VERSIONS_ON_A_PAGE + 1, offset)
    place = pages.place(actor, secret.place.project_id, PlaceQuery(secret.place.environment, secret.place.path))
    return OneSecretPage(
        place,
        shown,
        versions[:VERSIONS_ON_A_PAGE],
        len(versions) > VERSIONS_ON_A_PAGE,
        query,
        [tag.slug for tag in pages.tags(actor, place.project)],
        metadata_text(secret.details.metadata),
        form_state,
        used_secrets(pages.consumers.visible(actor, rotation_id)) if rotation_id else (),
    )


def _changed(pages: SecretPages, actor: Actor, secret_id: str, change: SecretChange) -> tuple[Secret, Secret]:
    """Change a secret, and return it as it was and as it is."""
    secret = pages.listing.one(actor, secret_id).secret
    change = replace(change, type=secret.stored.type)
    return secret, pages.secrets.update(actor, _address(secret), secret.stored.name, change)


def _address(secret: Secret) -> Address:
    return Address(secret.place.project_id, None, secret.place.environment, secret.place.path)


def _as_sent(text: str) -> str:
    """Return a text as a browser's field sends it back, when nobody touches it."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _back(secret_id: str, toast: str) -> Redirect:
    return Redirect(secret_path(secret_id), toast=toast)
