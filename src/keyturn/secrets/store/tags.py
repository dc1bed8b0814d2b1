"""SQL of tags, and of which secrets have them."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from keyturn.db.tables import secret_tag_links, secret_tags, secrets
from keyturn.db.unit import Tx
from keyturn.secrets.domain import Tag
from keyturn.secrets.store.secrets import chunks


def add(tx: Tx, tag: Tag) -> None:
    tx.run(
        sa.insert(secret_tags),
        id=tag.id,
        project_id=tag.project_id,
        slug=tag.slug,
        name=tag.name,
        color=tag.color,
        created_at=tag.created_at,
        updated_at=tag.updated_at,
    )


def of_project(tx: Tx, project_id: str) -> list[Tag]:
    """Return the tags of the project by slug."""
    rows = tx.rows(sa.select(secret_tags).where(secret_tags.c.project_id == project_id))
    return sorted((Tag(**row) for row in rows), key=lambda tag: tag.slug)


def by_id(tx: Tx, project_id: str, tag_id: str) -> Tag | None:
    row = tx.one(sa.select(secret_tags).where(secret_tags.c.project_id == project_id, secret_tags.c.id == tag_id))
    return Tag(**row) if row else None


def by_slug(tx: Tx, project_id: str, slug: str) -> Tag | None:
    row = tx.one(sa.select(secret_tags).where(secret_tags.c.project_id == project_id, secret_tags.c.slug == slug))
    return Tag(**row) if row else None


def save(tx: Tx, tag: Tag) -> None:
    """Write what may change of a tag."""
    values = {"slug": tag.slug, "name": tag.name, "color": tag.color, "updated_at": tag.updated_at}
    tx.run(sa.update(secret_tags).where(secret_tags.c.id == tag.id).values(values))


def remove(tx: Tx, tag_id: str) -> None:
    tx.run(sa.delete(secret_tags).where(secret_tags.c.id == tag_id))


def of_secrets(tx: Tx, project_id: str, secret_ids: Sequence[str]) -> Mapping[str, list[Tag]]:
    """Return the tags of these secrets by slug, for those that have some."""
    tags_by_id = {tag.id: tag for tag in of_project(tx, project_id)}
    tags_of_secret: dict[str, list[Tag]] = {}
    for ids in chunks(secret_ids) if tags_by_id else ():
        for row in tx.rows(sa.select(secret_tag_links).where(secret_tag_links.c.secret_id.in_(ids))):
            tags_of_secret.setdefault(row["secret_id"], []).append(tags_by_id[row["tag_id"]])
    return {secret_id: sorted(tags, key=lambda tag: tag.slug) for secret_id, tags in tags_of_secret.items()}


def in_folders(tx: Tx, known_tags: Sequence[Tag], folder_ids: Sequence[str]) -> Mapping[str, list[Tag]]:
    """Return the tags of the secrets in these folders by slug, for those that have some."""
    tags_by_id = {tag.id: tag for tag in known_tags}
    tags_of_secret: dict[str, list[Tag]] = {}
    for ids in chunks(folder_ids):
        for secret_id, tag_id in tx.stream(_IN_FOLDERS, folders=ids):
            tags_of_secret.setdefault(secret_id, []).append(tags_by_id[tag_id])
    for tags in tags_of_secret.values():
        tags.sort(key=lambda tag: tag.slug)
    return tags_of_secret


_IN_FOLDERS = (
    sa.select(secret_tag_links.c.secret_id, secret_tag_links.c.tag_id)
    .join(secrets, secrets.c.id == secret_tag_links.c.secret_id)
    .where(secrets.c.folder_id.in_(sa.bindparam("folders", expanding=True)))
)


_TAKE_OFF = sa.delete(secret_tag_links).where(secret_tag_links.c.secret_id == sa.bindparam("secret"))


def put_on(tx: Tx, secret_id: str, tag_ids: Sequence[str]) -> None:
    """Let the secret have these tags and no others."""
    tx.run(_TAKE_OFF, secret=secret_id)
    for tag_id in tag_ids:
        tx.run(sa.insert(secret_tag_links), secret_id=secret_id, tag_id=tag_id)
