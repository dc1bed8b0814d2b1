"""What rooms show of their tables to the SQL of other rooms: columns to be read, and no more.

A statement names a table in one way only, by itself or by its view: a database would take the two for two tables.
"""

import sqlalchemy as sa

from keyturn.db import tables


def _view(table: sa.Table, *columns: str) -> sa.TableClause:
    return sa.table(table.name, *(sa.column(name, table.c[name].type) for name in columns))


organizations = _view(tables.organizations, "id", "name", "second_factor_required")
projects = _view(tables.projects, "id", "org_id", "name", "slug", "version_limit")
environments = _view(tables.environments, "id", "project_id", "slug", "name")
project_members = _view(tables.project_members, "id", "project_id", "user_id", "identity_id")
project_member_roles = _view(tables.project_member_roles, "member_id", "role", "role_id", "starts_at", "ends_at")
project_roles = _view(tables.project_roles, "id", "slug", "permissions")
app_connections = _view(
    tables.app_connections,
    "id", "org_id", "project_id", "name", "checked_at", "check_result", "created_at", "ends_at", "look_at", "refused_at",
    "secret_ends_at",
)  # fmt: skip
inventory_connections = _view(tables.inventory_connections, "connection_id", "next_at")
oauth_tokens = _view(
    tables.oauth_tokens, "connection_id", "refreshed_at", "refresh_due_at", "signed_in_by", "signed_in_email"
)
secret_folders = _view(tables.secret_folders, "id", "path")
secret_rotations = _view(
    tables.secret_rotations,
    "id", "rotation_id", "org_id", "project_id", "environment_id", "folder_id", "connection_id", "name",
)  # fmt: skip
mapped_secrets = _view(tables.mapped_secrets, "secret_rotation_id", "name", "which")
owners = _view(tables.owners, "org_id", "user_id", "email", "connection_id", "secret_rotation_id")
secrets = _view(tables.secrets, "id", "folder_id")
secret_versions = _view(tables.secret_versions, "secret_id", "credential_id")
journal_entries = _view(tables.credentials, "id", "rotation_id", "org_id", "key_id", "state", "ends_at")
users = _view(tables.users, "id", "email", "first_name", "last_name", "org_id", "role", "disabled_at", "locked_until")
identities = _view(tables.identities, "id", "name", "org_id", "role")
universal_auths = _view(
    tables.universal_auths,
    "id", "identity_id", "access_token_trusted_ips", "access_token_max_ttl", "failures", "last_failure_at", "locked_until",
)  # fmt: skip
client_secrets = _view(tables.client_secrets, "id", "universal_auth_id", "description", "ttl", "revoked", "created_at")
token_auths = _view(tables.token_auths, "id", "access_token_trusted_ips", "access_token_max_ttl")
access_revisions = _view(tables.access_revisions, "revision")
processes = _view(tables.processes, "id", "seen_at")
rotations = _view(
    tables.rotations,
    "id", "kind", "connection_id", "org_id", "project_id", "name", "cloud", "tenant_id", "app_id", "application_name",
    "credential_kind", "interval_days", "enabled", "retired", "status", "next_run_at", "paused_until", "last_rotated_at",
    "created_at",
)  # fmt: skip
runs = _view(tables.runs, "rotation_id", "reason", "finished_at")
run_steps = _view(tables.run_steps, "id", "rotation_id", "credential_id", "outcome", "message")
observed_keys = _view(tables.observed_keys, "rotation_id", "key_id", "name", "hint", "ours", "first_seen_at", "gone_at")
observed_uses = _view(tables.observed_uses, "credential_id", "rotation_id", "refused_at", "observed")
conversions = _view(tables.conversions, "wake_at")
use_reports = _view(tables.use_reports, "ask_at")
webhooks = _view(tables.webhooks, "enabled", "wake_at", "failing_since")
audit_streams = _view(tables.audit_streams, "wake_at", "failing_since")
webhook_deliveries = _view(tables.webhook_deliveries, "next_at")
alarms = _view(tables.alarms, "severity", "resolved_at")
alarm_evaluations = _view(tables.alarm_evaluations, "due_at")
alarm_channels = _view(tables.alarm_channels, "enabled", "failing_since")
alarm_messages = _view(tables.alarm_messages, "created_at", "due_at", "given_up_at", "tries")
data_keys = _view(tables.data_keys, "created_at", "retired_at")
OF_OWN_CREDENTIAL = sa.and_(rotations.c.kind == "connection", rotations.c.retired.is_(False))
"""Of the rotations that name a connection: that of its own credential. It may sign in for the rotation of another application."""

wake_ups = _view(tables.rotations, "id", "kind", "connection_id", "retired", "wake_at", "wake_set_at")
"""When a rotation is looked at again: written by those who know that something changed which its next step depends on."""

project_revisions = _view(tables.projects, "id", "revision")
"""The number of a project's last change. The feed writes it, in the project's row so that whoever writes locks the project."""
