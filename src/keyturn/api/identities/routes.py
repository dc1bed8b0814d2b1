"""Routes of machine identities and their Universal Auth."""

from keyturn.accounts.service import Access
from keyturn.api.identities.schemas import (
    ClientSecretAnswer,
    ClientSecretCreated,
    ClientSecretList,
    ClientSecretShown,
    CreateClientSecret,
    CreateIdentity,
    Deleted,
    IdentityAnswer,
    IdentityDetails,
    IdentityDetailsAnswer,
    IdentityShown,
    LabelShown,
    MemberIdentity,
    MemberIdentityAnswer,
    MemberIdentityList,
    UniversalAuthAnswer,
    UniversalAuthBody,
    UniversalAuthShown,
    UpdateIdentity,
)
from keyturn.api.identities.views import shown_addresses
from keyturn.api.people.schemas import OrganizationShown
from keyturn.identities.domain import Identity, IdentityClientSecret, UniversalAuth
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.web.routes import Routes, delete, get, group, patch, post
from keyturn.web.schema.paging import Window

_UNIVERSAL = "/api/v1/auth/universal-auth/identities/{identity_id}"
_SECRETS = f"{_UNIVERSAL}/client-secrets"


def identities_router(access: Access) -> Routes:
    """Routes of identities themselves."""
    identities = access.identities

    @post("/api/v1/identities")
    def create_identity(actor: Actor, data: CreateIdentity) -> IdentityAnswer:
        """Add a machine identity. It can do nothing until it gets Universal Auth."""
        return IdentityAnswer(_identity(identities.create(actor, data.command())))

    @get("/api/v1/identities", compressed=True)
    def list_identities(actor: Actor, query: Window) -> MemberIdentityList:
        """List the machine identities of the organization: all of them, or ``limit`` from ``offset`` on."""
        matches = identities.list(actor)
        return MemberIdentityList([_member(identity) for identity in query.part_of(matches)], len(matches))

    @get("/api/v1/identities/details")
    def get_details(actor: Actor) -> IdentityDetailsAnswer:
        """Show the organization that the caller belongs to."""
        org = identities.organization_of(actor)
        return IdentityDetailsAnswer(IdentityDetails(OrganizationShown(org.id, org.name, org.slug)))

    @get("/api/v1/identities/{identity_id}")
    def get_identity(actor: Actor, identity_id: str) -> MemberIdentityAnswer:
        """Show a machine identity and its role."""
        return MemberIdentityAnswer(_member(identities.get(actor, identity_id)))

    @patch("/api/v1/identities/{identity_id}")
    def update_identity(actor: Actor, identity_id: str, data: UpdateIdentity) -> IdentityAnswer:
        """Change what is given of a machine identity."""
        return IdentityAnswer(_identity(identities.update(actor, identity_id, data.command())))

    @delete("/api/v1/identities/{identity_id}")
    def delete_identity(actor: Actor, identity_id: str) -> IdentityAnswer:
        """Remove a machine identity with its tokens and memberships."""
        return IdentityAnswer(_identity(identities.delete(actor, identity_id)))

    return group(
        "Machine identities",
        create_identity,
        list_identities,
        get_details,
        get_identity,
        update_identity,
        delete_identity,
    )


def universal_router(access: Access) -> Routes:
    """Routes of Universal Auth and its client secrets."""
    universal = access.universal

    @post(_UNIVERSAL)
    def attach(actor: Actor, identity_id: str, data: UniversalAuthBody) -> UniversalAuthAnswer:
        """Let an identity sign in with client id and client secrets."""
        return UniversalAuthAnswer(_universal(universal.attach(actor, identity_id, data.command())))

    @get(_UNIVERSAL)
    def get_universal(actor: Actor, identity_id: str) -> UniversalAuthAnswer:
        """Show how an identity signs in."""
        return UniversalAuthAnswer(_universal(universal.get(actor, identity_id)))

    @patch(_UNIVERSAL)
    def update_universal(actor: Actor, identity_id: str, data: UniversalAuthBody) -> UniversalAuthAnswer:
        """Change what is given of how an identity signs in."""
        return UniversalAuthAnswer(_universal(universal.update(actor, identity_id, data.command())))

    @delete(_UNIVERSAL)
    def detach(actor: Actor, identity_id: str) -> UniversalAuthAnswer:
        """Take Universal Auth away: its client secrets and tokens end."""
        return UniversalAuthAnswer(_universal(universal.detach(actor, identity_id)))

    @post(f"{_UNIVERSAL}/clear-lockouts")
    def clear_lockouts(actor: Actor, identity_id: str) -> Deleted:
        """End a sign-in lock."""
        return Deleted(universal.clear_lockouts(actor, identity_id))

    @post(_SECRETS)
    def create_secret(actor: Actor, identity_id: str, data: CreateClientSecret) -> ClientSecretCreated:
        """Make a client secret. It is shown in this answer and never again."""
        secret, client_secret = universal.create_secret(actor, identity_id, data.command())
        return ClientSecretCreated(secret.reveal(), _secret(client_secret))

    @get(_SECRETS)
    def list_secrets(actor: Actor, identity_id: str) -> ClientSecretList:
        """List the client secrets that were not revoked."""
        return ClientSecretList([_secret(secret) for secret in universal.list_secrets(actor, identity_id)])

    @get(f"{_SECRETS}/{{secret_id}}")
    def get_secret(actor: Actor, identity_id: str, secret_id: str) -> ClientSecretAnswer:
        """Show what is known of a client secret."""
        return ClientSecretAnswer(_secret(universal.get_secret(actor, identity_id, secret_id)))

    @post(f"{_SECRETS}/{{secret_id}}/revoke")
    def revoke_secret(actor: Actor, identity_id: str, secret_id: str) -> ClientSecretAnswer:
        """End a client secret, and the access tokens got with it."""
        return ClientSecretAnswer(_secret(universal.revoke_secret(actor, identity_id, secret_id)))

    return group(
        "Universal Auth",
        attach,
        get_universal,
        update_universal,
        detach,
        clear_lockouts,
        create_secret,
        list_secrets,
        get_secret,
        revoke_secret,
    )


# --- shapes -----------------------------------------------------------------------------------------------------------


def _identity(identity: Identity) -> IdentityShown:
    return IdentityShown(
        id=identity.id,
        name=identity.name,
        org_id=identity.org_id,
        project_id=None,
        has_delete_protection=identity.has_delete_protection,
        auth_method=identity.auth_methods[0] if identity.auth_methods else None,
        auth_methods=list(identity.auth_methods),
        metadata=[LabelShown(label.id, label.key, label.value) for label in identity.metadata],
        created_at=iso(identity.created_at),
        updated_at=iso(identity.updated_at),
    )


def _member(identity: Identity) -> MemberIdentity:
    identity_shown = _identity(identity)
    return MemberIdentity(
        id=identity.id,
        identity_id=identity.id,
        role=identity.role,
        org_id=identity.org_id,
        custom_role=None,
        metadata=identity_shown.metadata,
        identity=identity_shown,
        created_at=identity_shown.created_at,
        updated_at=identity_shown.updated_at,
    )


def _universal(auth: UniversalAuth) -> UniversalAuthShown:
    rules, lockout = auth.settings.rules, auth.settings.lockout
    return UniversalAuthShown(
        id=auth.id,
        client_id=auth.client_id,
        identity_id=auth.identity_id,
        access_token_ttl=rules.ttl,
        access_token_max_ttl=rules.max_ttl,
        access_token_num_uses_limit=rules.uses_limit,
        access_token_period=rules.period,
        client_secret_trusted_ips=shown_addresses(auth.settings.client_secret_trusted_ips),
        access_token_trusted_ips=shown_addresses(auth.settings.access_token_trusted_ips),
        lockout_enabled=lockout.enabled,
        lockout_threshold=lockout.threshold,
        lockout_duration_seconds=int(lockout.duration.total_seconds()),
        lockout_counter_reset_seconds=int(lockout.reset.total_seconds()),
        created_at=iso(auth.created_at),
        updated_at=iso(auth.updated_at),
    )


def _secret(secret: IdentityClientSecret) -> ClientSecretShown:
    return ClientSecretShown(
        id=secret.id,
        description=secret.description,
        client_secret_prefix=secret.prefix,
        client_secret_num_uses=secret.uses,
        client_secret_num_uses_limit=secret.uses_limit,
        client_secret_ttl=secret.ttl,
        identity_ua_id=secret.universal_auth_id,
        is_client_secret_revoked=secret.revoked,
        created_at=iso(secret.created_at),
        updated_at=iso(secret.updated_at),
    )
