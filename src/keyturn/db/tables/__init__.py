"""The tables. Stores write the SQL; nobody else imports this."""

from keyturn.db.tables.access import (
    access_tokens,
    client_secrets,
    environments,
    identities,
    organizations,
    project_members,
    projects,
    second_factors,
    sessions,
    setup_codes,
    token_auths,
    universal_auths,
    users,
)
from keyturn.db.tables.base import metadata
from keyturn.db.tables.connections import app_connections, oauth_flows, oauth_tokens
from keyturn.db.tables.records import audit_events, audit_floors, data_keys, fingerprint_keys
from keyturn.db.tables.rotations import credentials, leases, observed_keys, processes, rotations, run_steps, runs
from keyturn.db.tables.secret_rotations import application_claims, connection_applications, secret_rotations
from keyturn.db.tables.secrets import (
    changes,
    mapped_secrets,
    secret_folders,
    secret_imports,
    secret_tag_links,
    secret_tags,
    secret_versions,
    secrets,
)

__all__ = [
    "access_tokens",
    "app_connections",
    "application_claims",
    "audit_events",
    "audit_floors",
    "changes",
    "client_secrets",
    "connection_applications",
    "credentials",
    "data_keys",
    "environments",
    "fingerprint_keys",
    "identities",
    "leases",
    "mapped_secrets",
    "metadata",
    "oauth_flows",
    "oauth_tokens",
    "observed_keys",
    "organizations",
    "processes",
    "project_members",
    "projects",
    "rotations",
    "run_steps",
    "runs",
    "second_factors",
    "secret_folders",
    "secret_imports",
    "secret_rotations",
    "secret_tag_links",
    "secret_tags",
    "secret_versions",
    "secrets",
    "sessions",
    "setup_codes",
    "token_auths",
    "universal_auths",
    "users",
]
