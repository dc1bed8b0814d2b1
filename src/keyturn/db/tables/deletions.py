"""What was deleted and can be restored for a while: the rows that went, as they were, and their sealed values beside them."""

import sqlalchemy as sa

from keyturn.db.columns import at, key, ref, text, whole
from keyturn.db.tables.base import metadata
from keyturn.db.types import SealedText

deletions = sa.Table(
    "deletions",
    metadata,
    key(),
    ref("org_id", "organizations"),
    text("kind"),  # 'project', 'environment' or 'folder'
    sa.Column("subject_id", sa.String(36), nullable=False),
    sa.Column("project_id", sa.String(36), nullable=False, index=True),  # which may be gone, too
    sa.Column("environment_id", sa.String(36)),
    text("name"),
    text("environment", null=True),  # its slug at the time
    text("path", null=True),
    text("made_by_kind"),
    sa.Column("made_by_id", sa.String(36)),
    text("made_by_name"),
    at("deleted_at", null=False, index=True),
)

deleted_rows = sa.Table(
    "deleted_rows",
    metadata,
    key(),
    ref("deletion_id", "deletions", cascade=True),
    whole("number"),  # in which order they are put back
    text("of_table"),
    sa.Column("data", sa.JSON, nullable=False),  # some of that table, without sealed values
)

# Sealed for the place that they go back to, which is named here: whoever seals all values anew finds them like any other.
deleted_values = sa.Table(
    "deleted_values",
    metadata,
    key(),
    ref("deletion_id", "deletions", cascade=True),
    text("of_table"),
    sa.Column("of_row", sa.String(36), nullable=False),
    text("of_column"),
    whole("of_version", 1),
    sa.Column("value", SealedText, nullable=False),
)
