"""SQL for machine identities, their Universal Auth and its client secrets."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.db import unread
from keyturn.db.tables import client_secrets, identities, identity_makers, token_auths, universal_auths
from keyturn.db.tables.views import users
from keyturn.db.unit import Tx
from keyturn.db.words import has_word
from keyturn.identities.bindings import METHODS
from keyturn.identities.domain import Identity, IdentityClientSecret, Label, UniversalAuth, UniversalAuthSettings
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.lockout.domain import Attempts, LockoutPolicy, attempt_columns
from keyturn.tokens.addresses import readable
from keyturn.tokens.domain import TokenRules
from keyturn.tokens.store import holds_given_token

_CANDIDATES = 8

# --- identities -------------------------------------------------------------------------------------------------------

_HAS_UNIVERSAL = sa.exists().where(universal_auths.c.identity_id == identities.c.id).label("has_universal")
_HAS_TOKEN = holds_given_token(identities.c.id).label("has_token")


def _has(method: str) -> sa.Label[bool]:
    mine = token_auths.c.identity_id == identities.c.id
    return sa.exists().where(mine, token_auths.c.method == method).label(f"has_{method}")


IDENTITIES = identities
"""For statements of rooms above that join them with WAYS."""
WAYS = (_HAS_UNIVERSAL, *(_has(method) for method in METHODS), _HAS_TOKEN)
"""Columns of a query over ``identities``, from which :func:`auth_methods` reads."""
_IDENTITY = sa.select(identities, *WAYS)


def add_identity(tx: Tx, identity: Identity) -> None:
    tx.run(
        sa.insert(identities).values(
            id=identity.id,
            org_id=identity.org_id,
            name=identity.name,
            role=identity.role.value,
            has_delete_protection=identity.has_delete_protection,
            metadata=_labels(identity.metadata),
            created_at=identity.created_at,
            updated_at=identity.updated_at,
        )
    )


def note_maker(tx: Tx, identity_id: str, actor: Actor) -> None:
    """Note who knows how the identity signs in: a person, or whoever set up the machine identity that acts. Repeatable.

    Who was deleted while they acted is not noted: they approve nothing any more. Who is being deleted is waited for.
    """
    is_machine = actor.kind is ActorKind.IDENTITY and actor.id is not None
    makers = makers_of(tx, str(actor.id)) if is_machine else {actor.id} if actor.kind is ActorKind.USER else ()
    people = sa.select(users.c.id).where(users.c.id.in_(makers)).order_by(users.c.id)
    for row in tx.rows(people.with_for_update(read=True, key_share=True)):
        tx.add_new(identity_makers, identity_id=identity_id, user_id=row["id"])


def makers_of(tx: Tx, identity_id: str) -> frozenset[str]:
    """Return the ids of the people who made the identity or a way for it to sign in."""
    query = sa.select(identity_makers.c.user_id).where(identity_makers.c.identity_id == identity_id)
    return frozenset(row["user_id"] for row in tx.rows(query))


def identity(tx: Tx, org_id: str, identity_id: str) -> Identity | None:
    row = tx.one(_IDENTITY.where(identities.c.id == identity_id, identities.c.org_id == org_id))
    return _identity(row) if row else None


_MACHINE = sa.select(identities.c.name, identities.c.org_id, identities.c.role).where(
    identities.c.id == sa.bindparam("identity")
)


def machine(tx: Tx, identity_id: str) -> Actor:
    """Return an identity that another row refers to, as an actor."""
    row = tx.rows(_MACHINE, identity=identity_id)[0]
    return Actor(
        ActorKind.IDENTITY, identity_id, row["name"], row["org_id"], unread.word(row, "role", Role.NO_ACCESS, [])
    )


def identities_of(tx: Tx, org_id: str) -> list[Identity]:
    """Return the identities, by name."""
    query = _IDENTITY.where(identities.c.org_id == org_id).order_by(sa.func.lower(identities.c.name), identities.c.id)
    return [_identity(row) for row in tx.rows(query)]


def page_of_identities(tx: Tx, org_id: str, words: Sequence[str], page: int, size: int) -> tuple[list[Identity], int]:
    """Return a page of the identities whose names have all these words, by name, and how many have.

    Pages count from 1; one beyond the last is the last one.
    """
    matching = _named(org_id, words)
    query = _IDENTITY.where(*matching).order_by(sa.func.lower(identities.c.name), identities.c.id)
    counted = tx.one(sa.select(sa.func.count().label("n")).select_from(identities).where(*matching))
    total = int(counted["n"]) if counted else 0
    number = min(page, max(1, -(-total // size)))
    return [_identity(row) for row in tx.rows(query.limit(size).offset((number - 1) * size))], total


def _named(org_id: str, words: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    return [identities.c.org_id == org_id, *(has_word(identities.c.name, word) for word in words)]


def count_identities(tx: Tx, org_id: str) -> int:
    row = tx.one(sa.select(sa.func.count().label("n")).where(identities.c.org_id == org_id))
    return int(row["n"]) if row else 0


def lock_identity(tx: Tx, identity_id: str) -> None:
    """Hold off others that change this identity or sign it in, until this transaction ends."""
    # Always in this order, which is also that of a sign-in: two that wait for each other would both fail.
    for ways in (universal_auths, token_auths):
        tx.rows(sa.select(ways.c.id).where(ways.c.identity_id == identity_id).order_by(ways.c.id).with_for_update())
    tx.one(sa.select(identities.c.id).where(identities.c.id == identity_id).with_for_update(key_share=True))


def save_identity(tx: Tx, identity: Identity) -> None:
    """Write what may change of an identity."""
    tx.run(
        sa.update(identities)
        .where(identities.c.id == identity.id)
        .values(
            name=identity.name,
            role=identity.role.value,
            has_delete_protection=identity.has_delete_protection,
            metadata=_labels(identity.metadata),
            updated_at=identity.updated_at,
        )
    )


def remove_identity(tx: Tx, identity_id: str) -> None:
    tx.run(sa.delete(identities).where(identities.c.id == identity_id))


def _labels(labels: Sequence[Label]) -> list[dict[str, str]]:
    return [asdict(label) for label in labels]


def _identity(row: Mapping[str, Any]) -> Identity:
    faults: list[str] = []
    role = unread.word(row, "role", Role.NO_ACCESS, faults)
    labels, readable_all = _labels_of(row["metadata"])
    if not readable_all:
        faults.append("metadata is no list of pairs")
    return Identity(
        row["id"],
        row["org_id"],
        row["name"],
        role,
        row["has_delete_protection"],
        labels,
        auth_methods(row),
        row["created_at"],
        row["updated_at"],
        unread.sentence("identity", faults),
    )


def _labels_of(stored: Any) -> tuple[tuple[Label, ...], bool]:
    """Return the pairs that can be read, and whether those are all."""
    try:
        return tuple(Label(**label) for label in stored), True
    except TypeError:
        return (), False


def auth_methods(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ways to sign in, of a row with the columns WAYS."""
    others = ((method, row[f"has_{method}"]) for method in METHODS)
    methods = (("universal-auth", row["has_universal"]), *others, ("token-auth", row["has_token"]))
    return tuple(name for name, present in methods if present)


# --- universal auth ---------------------------------------------------------------------------------------------------


def add_universal_auth(tx: Tx, auth: UniversalAuth) -> None:
    fixed = {"id": auth.id, "identity_id": auth.identity_id, "client_id": auth.client_id}
    stamps = {"created_at": auth.created_at, "updated_at": auth.updated_at}
    tx.run(sa.insert(universal_auths).values(fixed | _settings_columns(auth.settings) | stamps))


def universal_auth(tx: Tx, identity_id: str) -> UniversalAuth | None:
    row = tx.one(sa.select(universal_auths).where(universal_auths.c.identity_id == identity_id))
    return _universal_auth(row) if row else None


# The statements of a sign-in are built once: programs sign in hundreds of times a second.
_BY_CLIENT_ID = sa.select(universal_auths).where(universal_auths.c.client_id == sa.bindparam("client"))
_LOCKED_BY_CLIENT_ID = _BY_CLIENT_ID.with_for_update()


def universal_auth_by_client_id(tx: Tx, client_id: str, *, lock: bool = False) -> UniversalAuth | None:
    row = tx.one(_LOCKED_BY_CLIENT_ID if lock else _BY_CLIENT_ID, client=client_id)
    return _universal_auth(row) if row else None


def save_universal_auth(tx: Tx, auth: UniversalAuth) -> None:
    values = _settings_columns(auth.settings) | {"updated_at": auth.updated_at}
    tx.run(sa.update(universal_auths).where(universal_auths.c.id == auth.id).values(values))


def set_universal_attempts(tx: Tx, auth_id: str, attempts: Attempts, failed_from: Sequence[str] = ()) -> None:
    """Keep the failures, and the networks that they came from."""
    values = attempt_columns(attempts) | {"failed_from": list(failed_from)}
    tx.run(sa.update(universal_auths).where(universal_auths.c.id == auth_id).values(**values))


def remove_universal_auth(tx: Tx, auth_id: str) -> None:
    tx.run(sa.delete(universal_auths).where(universal_auths.c.id == auth_id))


def _settings_columns(settings: UniversalAuthSettings) -> dict[str, Any]:
    return {
        "access_token_ttl": settings.rules.ttl,
        "access_token_max_ttl": settings.rules.max_ttl,
        "access_token_uses_limit": settings.rules.uses_limit,
        "access_token_period": settings.rules.period,
        "client_secret_trusted_ips": list(settings.client_secret_trusted_ips),
        "access_token_trusted_ips": list(settings.access_token_trusted_ips),
        "lockout_enabled": settings.lockout.enabled,
        "lockout_threshold": settings.lockout.threshold,
        "lockout_seconds": int(settings.lockout.duration.total_seconds()),
        "lockout_reset_seconds": int(settings.lockout.reset.total_seconds()),
    }


def _universal_auth(row: Mapping[str, Any]) -> UniversalAuth:
    settings = UniversalAuthSettings(
        TokenRules(
            row["access_token_ttl"],
            row["access_token_max_ttl"],
            row["access_token_uses_limit"],
            row["access_token_period"],
        ),
        readable(row["client_secret_trusted_ips"]),
        readable(row["access_token_trusted_ips"]),
        LockoutPolicy(
            row["lockout_enabled"],
            row["lockout_threshold"],
            timedelta(seconds=row["lockout_seconds"]),
            timedelta(seconds=row["lockout_reset_seconds"]),
        ),
    )
    attempts = Attempts(row["failures"], row["last_failure_at"], row["locked_until"])
    return UniversalAuth(
        row["id"],
        row["identity_id"],
        row["client_id"],
        settings,
        attempts,
        row["created_at"],
        row["updated_at"],
        unread.texts(row["failed_from"]),
    )


# --- client secrets ---------------------------------------------------------------------------------------------------


def add_client_secret(tx: Tx, secret: IdentityClientSecret) -> None:
    tx.run(sa.insert(client_secrets).values(**asdict(secret)))


def client_secret(tx: Tx, auth_id: str, secret_id: str) -> IdentityClientSecret | None:
    mine = (client_secrets.c.id == secret_id, client_secrets.c.universal_auth_id == auth_id)
    row = tx.one(sa.select(client_secrets).where(*mine))
    return IdentityClientSecret(**row) if row else None


def client_secrets_of(tx: Tx, auth_id: str) -> list[IdentityClientSecret]:
    """Return the client secrets that were not revoked, newest first."""
    query = (
        sa.select(client_secrets)
        .where(client_secrets.c.universal_auth_id == auth_id, client_secrets.c.revoked.is_(False))
        .order_by(client_secrets.c.created_at.desc(), client_secrets.c.id)
    )
    return [IdentityClientSecret(**row) for row in tx.rows(query)]


_LIKELY = (
    sa.select(client_secrets)
    .where(client_secrets.c.universal_auth_id == sa.bindparam("auth"), client_secrets.c.prefix == sa.bindparam("start"))
    .where(client_secrets.c.revoked.is_(False))
    .order_by(client_secrets.c.created_at.desc())
    .limit(_CANDIDATES)
)
_USE = (
    sa.update(client_secrets)
    .where(client_secrets.c.id == sa.bindparam("secret"), client_secrets.c.revoked.is_(False))
    .where(sa.or_(client_secrets.c.uses_limit == 0, client_secrets.c.uses < client_secrets.c.uses_limit))
    .values(uses=client_secrets.c.uses + 1, updated_at=sa.bindparam("now"))
)


def candidates(tx: Tx, auth_id: str, prefix: str) -> list[IdentityClientSecret]:
    """Return the secrets that a given text may be: hardly ever more than one."""
    return [IdentityClientSecret(**row) for row in tx.rows(_LIKELY, auth=auth_id, start=prefix)]


def use_client_secret(tx: Tx, secret_id: str, now: datetime) -> bool:
    """Count one use, in one statement; False when the secret was revoked or is used up."""
    return tx.run(_USE, secret=secret_id, now=now) == 1


def renew_hash(tx: Tx, secret: IdentityClientSecret, renewed: str) -> None:
    """Keep another digest of the same client secret, unless somebody else just did so."""
    same = (client_secrets.c.id == secret.id, client_secrets.c.hash == secret.hash)
    tx.run(sa.update(client_secrets).where(*same).values(hash=renewed))


def revoke_client_secret(tx: Tx, secret_id: str, now: datetime) -> None:
    tx.run(sa.update(client_secrets).where(client_secrets.c.id == secret_id).values(revoked=True, updated_at=now))
