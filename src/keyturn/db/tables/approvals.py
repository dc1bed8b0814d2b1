"""What waits for the approval of another person, and where that is needed."""

import sqlalchemy as sa

from keyturn.db.columns import at_or_first, flag, key, ref, text, whole
from keyturn.db.tables.base import metadata
from keyturn.db.types import SealedText

approval_settings = sa.Table(
    "approval_settings",
    metadata,
    key(),  # of the organization, or of the project
    ref("org_id", "organizations"),
    ref("project_id", "projects", null=True, cascade=True),
    flag("required"),
    flag("emergency", default=True),
    whole("hours", 24),
    at_or_first("updated_at", null=False),
)

approval_requests = sa.Table(
    "approval_requests",
    metadata,
    key(),
    ref("org_id", "organizations"),
    sa.Column("project_id", sa.String(36)),  # which may be deleted meanwhile
    text("kind"),
    sa.Column("subject_id", sa.String(36), nullable=False),
    text("subject_name"),
    text("action"),
    sa.Column("scope", sa.JSON, nullable=False),
    sa.Column("parameters", sa.JSON, nullable=False),
    text("seen"),
    text("reason"),
    text("state"),
    text("asked_by_kind"),
    sa.Column("asked_by_id", sa.String(36), nullable=False),
    text("asked_by_name"),
    at_or_first("asked_at", null=False, index=True),
    at_or_first("expires_at", null=False),
    sa.Column("decided_by_id", sa.String(36)),
    text("decided_by_name", null=True),
    at_or_first("decided_at"),
    text("note", null=True),
    sa.Column("value", SealedText),
    sa.Index(
        "ix_approval_requests_pending",
        "org_id",
        "expires_at",
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    ),
)
