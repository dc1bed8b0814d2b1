"""Who made a one-time link, and which people set up a machine identity: the audit log forgets it, where events are removed."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0044"
branch_labels = None
depends_on = None

_SET_UP = (
    "create-identity",
    "add-identity-universal-auth",
    "update-identity-universal-auth",
    "create-identity-universal-auth-client-secret",
    "add-identity-signed-token-auth",
    "update-identity-signed-token-auth",
)


def upgrade() -> None:
    op.add_column("password_links", sa.Column("made_by_kind", sa.Text(), nullable=True))
    op.add_column("password_links", sa.Column("made_by_id", sa.String(length=36), nullable=True))
    op.create_table(
        "identity_makers",
        sa.Column("identity_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["identity_id"], ["identities.id"], name=op.f("fk_identity_makers_identity_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identity_makers_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("identity_id", "user_id", name=op.f("pk_identity_makers")),
    )
    op.create_index(op.f("ix_identity_makers_user_id"), "identity_makers", ["user_id"])
    connection = op.get_bind()
    connection.execute(_FROM_EVENTS, {"events": _SET_UP})
    _fill_from_first_starts(connection)


_FROM_EVENTS = sa.text(
    "INSERT INTO identity_makers (identity_id, user_id)"
    " SELECT DISTINCT identities.id, users.id FROM identities"
    " JOIN audit_events ON audit_events.subject_id = identities.id"
    " JOIN users ON users.id = audit_events.actor_id"
    " WHERE audit_events.subject_kind = 'identity' AND audit_events.actor_kind = 'user' AND audit_events.event IN :events"
).bindparams(sa.bindparam("events", expanding=True))
_FIRST_STARTS = sa.text(
    "SELECT data FROM audit_events WHERE event = 'bootstrap' AND subject_id IN (SELECT id FROM organizations)"
)
_IF_BOTH_ARE_THERE = sa.text(
    "INSERT INTO identity_makers (identity_id, user_id)"
    " SELECT identities.id, users.id FROM identities, users"
    " WHERE identities.id = :identity AND users.id = :person AND NOT EXISTS"
    " (SELECT 1 FROM identity_makers WHERE identity_id = :identity AND user_id = :person)"
)


def _fill_from_first_starts(connection: sa.Connection) -> None:
    """The first user was given the token of the first machine identity."""
    for (data,) in connection.execute(_FIRST_STARTS).all():
        facts: Any = json.loads(data) if isinstance(data, str) else data
        both = {"identity": str(facts.get("identityId")), "person": str(facts.get("userId"))}
        connection.execute(_IF_BOTH_ARE_THERE, both)
