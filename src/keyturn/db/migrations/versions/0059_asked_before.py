"""What older versions may have asked for, to make a connection sign in without a secret, is removed where it goes back.

These versions did not write down that they had asked for a federated credential.
"""

from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE conversions SET settles_at = since WHERE state = 'trusting' AND settles_at IS NULL")
