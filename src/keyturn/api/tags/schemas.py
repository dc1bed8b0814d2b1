"""JSON of tags. Older clients read ``workspaceTag`` where newer ones read ``tag``: answers have both."""

from typing import Annotated

from msgspec import Meta

from keyturn.web.schema.validate import Sentence, Trimmed, printable
from keyturn.web.schema.wire import ApiModel, Timestamp

TagSlug = Annotated[
    Trimmed,
    Sentence("Use letters, digits, hyphens and underscores"),
    Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$", max_length=64, examples=["payments"]),
]
TagName = Annotated[Trimmed, printable, Meta(max_length=64)]
Color = Annotated[Trimmed, printable, Meta(max_length=32)]


class CreateTag(ApiModel):
    """Without a name it is called by its slug."""

    slug: TagSlug
    name: TagName | None = None
    color: Color | None = None


class UpdateTag(ApiModel):
    """What is absent stays as it is."""

    slug: TagSlug | None = None
    name: TagName | None = None
    color: Color | None = None


class TagShown(ApiModel):
    id: str
    slug: str
    name: str
    color: str
    project_id: str
    created_at: Timestamp
    updated_at: Timestamp


class TagAnswer(ApiModel):
    tag: TagShown
    workspace_tag: TagShown


class TagList(ApiModel):
    tags: list[TagShown]
    workspace_tags: list[TagShown]
