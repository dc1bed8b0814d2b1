"""Routes of the tags of a project."""

from keyturn.api.tags.schemas import CreateTag, TagAnswer, TagList, TagShown, UpdateTag
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.secrets.domain import Tag
from keyturn.secrets.tags import TagChange, Tags
from keyturn.web.routes import Routes, delete, get, group, patch, post

ROOTS = ("/api/v1/workspace/{project_id}/tags", "/api/v1/projects/{project_id}/tags")


def router(tags: Tags) -> Routes:
    def list_tags(actor: Actor, project_id: str) -> TagList:
        """List the tags of a project by slug."""
        views = [_shown(tag) for tag in tags.list(actor, project_id)]
        return TagList(views, views)

    def get_tag(actor: Actor, project_id: str, tag_id: str) -> TagAnswer:
        """Show a tag."""
        return _answer(tags.get(actor, project_id, tag_id))

    def get_by_slug(actor: Actor, project_id: str, slug: str) -> TagAnswer:
        """Show the tag with this slug."""
        return _answer(tags.by_slug(actor, project_id, slug))

    def create_tag(actor: Actor, project_id: str, data: CreateTag) -> TagAnswer:
        """Add a tag."""
        return _answer(tags.create(actor, project_id, data.slug, data.name, data.color))

    def update_tag(actor: Actor, project_id: str, tag_id: str, data: UpdateTag) -> TagAnswer:
        """Change what is given of a tag."""
        return _answer(tags.update(actor, project_id, tag_id, TagChange(data.slug, data.name, data.color)))

    def delete_tag(actor: Actor, project_id: str, tag_id: str) -> TagAnswer:
        """Remove a tag, from all secrets that have it as well."""
        return _answer(tags.delete(actor, project_id, tag_id))

    return group(
        "Tags",
        *(get(root)(list_tags) for root in ROOTS),
        *(post(root)(create_tag) for root in ROOTS),
        *(get(f"{root}/{{tag_id}}")(get_tag) for root in ROOTS),
        *(patch(f"{root}/{{tag_id}}")(update_tag) for root in ROOTS),
        *(delete(f"{root}/{{tag_id}}")(delete_tag) for root in ROOTS),
        *(get(f"{root}/slug/{{slug}}")(get_by_slug) for root in ROOTS),
    )


def _answer(tag: Tag) -> TagAnswer:
    view = _shown(tag)
    return TagAnswer(view, view)


def _shown(tag: Tag) -> TagShown:
    return TagShown(tag.id, tag.slug, tag.name, tag.color, tag.project_id, iso(tag.created_at), iso(tag.updated_at))
