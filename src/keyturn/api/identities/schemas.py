"""What the JSON API takes and answers about machine identities."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from keyturn.api.fields import Name
from keyturn.api.people.schemas import OrganizationShown
from keyturn.identities.domain import LONGEST_TTL, IdentityChange, NewClientSecret, NewIdentity, UniversalAuthChanges
from keyturn.kit.actor import Role
from keyturn.web.schema.validate import Fault, NonEmpty, Trimmed, coerced
from keyturn.web.schema.wire import ApiModel, Timestamp

Ttl = Annotated[int, coerced, Meta(ge=0, le=LONGEST_TTL)]
Uses = Annotated[int, coerced, Meta(ge=0, le=2_000_000_000)]


class Pair(ApiModel):
    key: Annotated[NonEmpty, Meta(max_length=255)]
    value: Annotated[str, Meta(max_length=1020)]


class CreateIdentity(ApiModel):
    name: Name
    organization_id: str | None = None
    role: Role = Role.NO_ACCESS
    has_delete_protection: Annotated[bool, coerced] = False
    metadata: Annotated[list[Pair], Meta(max_length=100)] | None = None

    def command(self) -> NewIdentity:
        return NewIdentity(
            self.name, self.role, self.has_delete_protection, _pairs(self.metadata), self.organization_id or None
        )


class UpdateIdentity(ApiModel):
    name: Name | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    has_delete_protection: Annotated[bool, coerced] | UnsetType = UNSET
    metadata: Annotated[list[Pair], Meta(max_length=100)] | UnsetType | None = UNSET

    def command(self) -> IdentityChange:
        return IdentityChange(
            name=None if self.name is UNSET else self.name,
            role=None if self.role is UNSET else self.role,
            has_delete_protection=None if self.has_delete_protection is UNSET else self.has_delete_protection,
            metadata=None if self.metadata is UNSET else _pairs(self.metadata),
        )


def _pairs(metadata: list[Pair] | None) -> list[tuple[str, str]]:
    return [(pair.key, pair.value) for pair in metadata or ()]


class LabelShown(ApiModel):
    id: str
    key: str
    value: str


class IdentityShown(ApiModel):
    id: str
    name: str
    org_id: str
    project_id: str | None
    has_delete_protection: bool
    auth_method: str | None
    auth_methods: list[str]
    metadata: list[LabelShown]
    created_at: Timestamp
    updated_at: Timestamp


class IdentityAnswer(ApiModel):
    identity: IdentityShown


class CustomRole(ApiModel):
    id: str
    name: str
    slug: str
    description: str | None = None


class MemberIdentity(ApiModel):
    """An identity together with its role in the organization."""

    id: str
    identity_id: str
    role: Role
    org_id: str
    custom_role: CustomRole | None
    metadata: list[LabelShown]
    identity: IdentityShown
    created_at: Timestamp
    updated_at: Timestamp


class MemberIdentityAnswer(ApiModel):
    identity: MemberIdentity


class MemberIdentityList(ApiModel):
    identities: list[MemberIdentity]
    total_count: int


class IdentityDetails(ApiModel):
    organization: OrganizationShown


class IdentityDetailsAnswer(ApiModel):
    identity_details: IdentityDetails


class TrustedIp(ApiModel):
    ip_address: NonEmpty


TrustedIps = Annotated[list[TrustedIp], Meta(min_length=1, max_length=100)]


class UniversalAuthBody(ApiModel):
    """Absent keys have their default on creation and stay as they are on update."""

    access_token_ttl: Ttl | None = field(default=None, name="accessTokenTTL")
    access_token_max_ttl: Ttl | None = field(default=None, name="accessTokenMaxTTL")
    access_token_num_uses_limit: Uses | None = None
    access_token_period: Ttl | None = None
    client_secret_trusted_ips: TrustedIps | None = None
    access_token_trusted_ips: TrustedIps | None = None
    lockout_enabled: Annotated[bool, coerced] | None = None
    lockout_threshold: Annotated[int, coerced, Meta(ge=1, le=30)] | None = None
    lockout_duration_seconds: Annotated[int, coerced, Meta(ge=30, le=86_400)] | None = None
    lockout_counter_reset_seconds: Annotated[int, coerced, Meta(ge=5, le=3_600)] | None = None

    def check(self) -> Iterator[Fault]:
        ttl, longest = self.access_token_ttl, self.access_token_max_ttl
        if ttl is not None and longest and ttl > longest:
            yield Fault("The access token's TTL cannot be longer than its maximum TTL", path=("accessTokenTTL",))

    def command(self) -> UniversalAuthChanges:
        return UniversalAuthChanges(
            access_token_ttl=self.access_token_ttl,
            access_token_max_ttl=self.access_token_max_ttl,
            access_token_uses_limit=self.access_token_num_uses_limit,
            access_token_period=self.access_token_period,
            client_secret_trusted_ips=trusted_addresses(self.client_secret_trusted_ips),
            access_token_trusted_ips=trusted_addresses(self.access_token_trusted_ips),
            lockout_enabled=self.lockout_enabled,
            lockout_threshold=self.lockout_threshold,
            lockout_seconds=self.lockout_duration_seconds,
            lockout_reset_seconds=self.lockout_counter_reset_seconds,
        )


def trusted_addresses(entries: list[TrustedIp] | None) -> tuple[str, ...] | None:
    return None if entries is None else tuple(entry.ip_address for entry in entries)


class TrustedIpShown(ApiModel, omit_defaults=True):
    ip_address: str
    type: str
    prefix: int | None = None


class UniversalAuthShown(ApiModel):
    id: str
    client_id: str
    identity_id: str
    access_token_ttl: int = field(name="accessTokenTTL")
    access_token_max_ttl: int = field(name="accessTokenMaxTTL")
    access_token_num_uses_limit: int
    access_token_period: int
    client_secret_trusted_ips: list[TrustedIpShown]
    access_token_trusted_ips: list[TrustedIpShown]
    lockout_enabled: bool
    lockout_threshold: int
    lockout_duration_seconds: int
    lockout_counter_reset_seconds: int
    created_at: Timestamp
    updated_at: Timestamp


class UniversalAuthAnswer(ApiModel):
    identity_universal_auth: UniversalAuthShown


class CreateClientSecret(ApiModel):
    description: Annotated[Trimmed, Meta(max_length=1024)] = ""
    num_uses_limit: Uses = 0
    ttl: Ttl = 0

    def command(self) -> NewClientSecret:
        return NewClientSecret(self.description, self.num_uses_limit, self.ttl)


class ClientSecretShown(ApiModel):
    id: str
    description: str
    client_secret_prefix: str
    client_secret_num_uses: int
    client_secret_num_uses_limit: int
    client_secret_ttl: int = field(name="clientSecretTTL")
    identity_ua_id: str = field(name="identityUAId")
    is_client_secret_revoked: bool
    created_at: Timestamp
    updated_at: Timestamp


class ClientSecretAnswer(ApiModel):
    client_secret_data: ClientSecretShown


class ClientSecretList(ApiModel):
    client_secret_data: list[ClientSecretShown]


class ClientSecretCreated(ApiModel):
    client_secret: str
    client_secret_data: ClientSecretShown


class Deleted(ApiModel):
    deleted: int
