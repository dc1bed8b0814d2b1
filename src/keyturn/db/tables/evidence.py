"""What the provider reported of the use of credentials, for applications one of whose secrets is to be removed or just was."""

import sqlalchemy as sa

from keyturn.db.columns import at, at_or_first, text
from keyturn.db.tables.base import metadata

use_reports = sa.Table(
    "use_reports",
    metadata,
    sa.Column("rotation_id", sa.String(36), sa.ForeignKey("rotations.id", ondelete="CASCADE"), primary_key=True),
    text("tenant"),  # the cloud and the tenant: they share a budget of requests
    at_or_first("ask_at", index=True),  # none: nothing is to be asked
    at_or_first("busy_until"),  # so long the requests of the last ask count against the tenant's budget
    sa.Column("coverage", sa.JSON, nullable=False),
)

observed_uses = sa.Table(
    "observed_uses",
    metadata,
    sa.Column("credential_id", sa.String(36), sa.ForeignKey("credentials.id", ondelete="CASCADE"), primary_key=True),
    sa.Column(
        "rotation_id", sa.String(36), sa.ForeignKey("rotations.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    at("last_used_at"),
    at("refused_at", index=True),  # when somebody was last refused with it after its removal
    sa.Column("observed", sa.JSON, nullable=False),
)
