"""Connections that are made to sign in without a secret, from the first intent to the end."""

import sqlalchemy as sa

from keyturn.db.columns import at_or_first, flag, key, ref, text, whole
from keyturn.db.tables.base import metadata

conversions = sa.Table(
    "conversions",
    metadata,
    key(),
    ref("connection_id", "app_connections", cascade=True),
    sa.Column("org_id", sa.String(36), nullable=False),
    sa.Column("object_id", sa.String(36), nullable=False),
    text("state"),
    text("source"),
    text("name"),  # of the federated credential: unique for ever, so it is found again
    text("issuer"),
    text("subject"),
    text("audience"),
    text("method_before"),
    text("hash_before"),
    flag("rotated_before"),  # whether the rotation was enabled, as it will be again
    whole("watch_seconds"),
    whole("tries"),  # in a row, of what the state is about
    at_or_first("tried_at"),
    at_or_first("since", null=False),  # when the state began
    at_or_first("wake_at", index=True),
    whole("version"),
    sa.Column("reason", sa.JSON),
    sa.Column("requested_by", sa.JSON),
    at_or_first("created_at", null=False),
    at_or_first("ended_at"),
    at_or_first("settles_at"),  # when every replica shows what was asked for last
    at_or_first("used_at"),  # when somebody else was last seen to sign in with the credential of before, and who
    sa.Column("used_by", sa.Text),
)
