"""Triggers that move the access revision: a number that is another one after each write that may change who reads what.

Whoever keeps copies of what a token may read compares it. The database moves it itself, in the transaction of the write, so no
code can forget to; only what follows is no such write: counting uses of a token, failed sign-ins, names that nobody is shown.
"""

from keyturn.kit.dataclasses import dataclass


@dataclass(frozen=True)
class Watched:
    """A table of which some writes count. ``columns`` are those whose updates do."""

    table: str
    columns: tuple[str, ...]
    insert: bool = False
    delete: bool = True


_OF_TOKENS = (
    *("digest", "identity_id", "user_id", "client_secret_id", "token_auth_id"),
    *("uses_limit", "expires_at", "revoked_at"),
)
WATCHED = (
    Watched("access_tokens", _OF_TOKENS, delete=False),
    Watched("users", ("org_id", "email", "role", "disabled_at")),
    Watched("identities", ("org_id", "name", "role")),
    Watched("universal_auths", ("identity_id", "access_token_trusted_ips"), insert=True),
    Watched("token_auths", ("identity_id", "access_token_trusted_ips")),
    Watched("projects", ("org_id", "slug")),
    Watched("project_members", ("project_id", "identity_id", "user_id"), insert=True),
    Watched("project_roles", ("project_id", "permissions")),
    Watched("project_member_roles", ("member_id", "role", "role_id", "starts_at", "ends_at"), insert=True),
    Watched("mapped_secrets", ("secret_id",), insert=True),
)
"""A new row of the others gives nobody anything who had something before."""
OF_CREDENTIALS = ("value", "key_id", "revoke_after", "removed_at", "state", "ends_at")
"""What is told of a credential that is the value of a secret."""
OF_ROTATIONS = ("overlap", "enabled", "retired", "next_run_at", "paused_until")
"""What the promises are made of that readers of an application's secrets are given."""
TABLES = frozenset({*(each.table for each in WATCHED), "credentials", "rotations"})
"""A transaction that writes to one of these is announced in its process, unless all such statements say ``KEEPS_ACCESS``."""
KEEPS_ACCESS = {"keeps_access": True}
"""Execution options of a statement that moves no revision and is run often."""

# A token that is deleted long after its end was nobody's any more: sign-ins clear such tokens away all the time.
_LIVE_TOKEN_SQLITE = (
    "OLD.revoked_at IS NULL AND (OLD.expires_at IS NULL OR OLD.expires_at > datetime('now', '-1 hour'))"
)
_LIVE_TOKEN_POSTGRESQL = (
    "OLD.revoked_at IS NULL AND (OLD.expires_at IS NULL OR OLD.expires_at > now() - interval '1 hour')"
)
_MOVE_SQLITE = (
    "BEGIN INSERT INTO access_revisions (id, revision) VALUES (1, 1)"
    " ON CONFLICT (id) DO UPDATE SET revision = revision + 1; END"
)
_MOVE_POSTGRESQL = """
  EXECUTE 'INSERT INTO ' || quote_ident(TG_TABLE_SCHEMA) || '.access_revisions AS counter (id, revision) VALUES (1, 1)'
    || ' ON CONFLICT (id) DO UPDATE SET revision = counter.revision + 1';"""


def sqlite() -> tuple[str, ...]:
    changed, promised = (
        " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in names) for names in (OF_CREDENTIALS, OF_ROTATIONS)
    )
    published = "EXISTS (SELECT 1 FROM secret_versions WHERE credential_id = OLD.id)"
    return (
        *(
            f"CREATE TRIGGER access_{event.partition(' ')[0].lower()}_{each.table} AFTER {event} ON {each.table} {_MOVE_SQLITE}"
            for each in WATCHED
            for event in _events(each)
        ),
        f"CREATE TRIGGER access_delete_access_tokens AFTER DELETE ON access_tokens WHEN {_LIVE_TOKEN_SQLITE} {_MOVE_SQLITE}",
        f"CREATE TRIGGER access_update_credentials AFTER UPDATE ON credentials WHEN ({changed}) AND {published} {_MOVE_SQLITE}",
        (
            f"CREATE TRIGGER access_update_rotations AFTER UPDATE OF {', '.join(OF_ROTATIONS)} ON rotations"
            f" WHEN NEW.kind = 'application' AND ({promised}) {_MOVE_SQLITE}"
        ),
    )


def postgresql() -> tuple[str, ...]:
    """They act when the transaction is committed, so that nobody holds the counter's row for longer than a commit."""
    deferred = "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
    changed, promised = (
        " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in names)
        for names in (OF_CREDENTIALS, OF_ROTATIONS)
    )
    return (
        f"""CREATE FUNCTION keyturn_move_access() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN{_MOVE_POSTGRESQL}
  RETURN NULL;
END $$""",
        f"""CREATE FUNCTION keyturn_move_access_of_published() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE published boolean;
BEGIN
  EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || quote_ident(TG_TABLE_SCHEMA) || '.secret_versions WHERE credential_id = $1)'
    INTO published USING OLD.id;
  IF NOT published THEN
    RETURN NULL;
  END IF;{_MOVE_POSTGRESQL}
  RETURN NULL;
END $$""",  # noqa: S608 - the one part is the constant above
        *(
            f"CREATE CONSTRAINT TRIGGER access_{each.table} AFTER {' OR '.join(_events(each))} ON {each.table} {deferred}"
            " EXECUTE FUNCTION keyturn_move_access()"
            for each in WATCHED
        ),
        (
            f"CREATE CONSTRAINT TRIGGER access_delete_access_tokens AFTER DELETE ON access_tokens {deferred}"
            f" WHEN ({_LIVE_TOKEN_POSTGRESQL}) EXECUTE FUNCTION keyturn_move_access()"
        ),
        (
            f"CREATE CONSTRAINT TRIGGER access_credentials AFTER UPDATE ON credentials {deferred}"
            f" WHEN ({changed}) EXECUTE FUNCTION keyturn_move_access_of_published()"
        ),
        (
            f"CREATE CONSTRAINT TRIGGER access_rotations AFTER UPDATE OF {', '.join(OF_ROTATIONS)} ON rotations {deferred}"
            f" WHEN (NEW.kind = 'application' AND ({promised})) EXECUTE FUNCTION keyturn_move_access()"
        ),
    )


def _events(watched: Watched) -> list[str]:
    return [
        *(["INSERT"] if watched.insert else []),
        f"UPDATE OF {', '.join(watched.columns)}",
        *(["DELETE"] if watched.delete else []),
    ]
