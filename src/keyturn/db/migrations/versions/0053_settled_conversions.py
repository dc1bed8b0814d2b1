"""When what an application was asked to trust shows everywhere, and who still uses the credential that is given up."""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0050"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for column in ("settles_at", "used_at"):
        op.add_column("conversions", sa.Column(column, _MOMENT, nullable=True))
    op.add_column("conversions", sa.Column("used_by", sa.Text(), nullable=True))
