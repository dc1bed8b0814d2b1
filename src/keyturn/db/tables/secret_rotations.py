"""Secrets of applications that are rotated into secrets of projects, and which applications may be."""

import sqlalchemy as sa

from keyturn.db.columns import at_or_first, flag, key, ref, text, whole
from keyturn.db.tables.base import metadata

# Several of them may share one rotation: an application is rotated once, whoever reads its secret.
secret_rotations = sa.Table(
    "secret_rotations",
    metadata,
    key(),
    ref("rotation_id", "rotations"),
    ref("org_id", "organizations"),
    ref("project_id", "projects"),
    ref("environment_id", "environments"),
    sa.Column("folder_id", sa.String(36), sa.ForeignKey("secret_folders.id"), nullable=False),
    ref("connection_id", "app_connections"),
    text("name"),
    text("description", null=True),
    whole("interval_days", 30),
    whole("at_hour"),
    whole("at_minute"),
    text("time_zone"),
    flag("enabled", default=True),
    text("overlap"),
    at_or_first("created_at", null=False),
    at_or_first("updated_at", null=False),
    whole("weekdays", 127),
    sa.UniqueConstraint("folder_id", "name"),
)

# A client id names one application object of one home tenant, worldwide in its cloud.
application_claims = sa.Table(
    "application_claims",
    metadata,
    sa.Column("cloud", sa.Text, primary_key=True),
    sa.Column("app_id", sa.Text, primary_key=True),  # in lower case
    text("use"),  # 'sign-in' of connections, or 'target' of a rotation
)

connection_applications = sa.Table(
    "connection_applications",
    metadata,
    sa.Column(
        "connection_id", sa.String(36), sa.ForeignKey("app_connections.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("object_id", sa.String(36), primary_key=True),  # of an application that may be rotated through it
)
