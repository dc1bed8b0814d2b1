"""JSON of reads that are made for programs: the value with the one before it, and many secrets at once."""

from typing import Annotated

from msgspec import Meta

from keyturn.api.secrets.schemas import EnvironmentSlug, Path, ProjectId, Reference, SecretName, SecretShown
from keyturn.secrets.domain import Address
from keyturn.web.schema.wire import ApiModel, Timestamp


class CurrentQuery(ApiModel):
    secret_name: SecretName
    environment: EnvironmentSlug
    secret_path: Path = "/"
    project_id: ProjectId | None = None
    project_slug: Reference | None = None

    def address(self) -> Address:
        return Address(self.project_id or None, self.project_slug or None, self.environment, self.secret_path)


class DeliveredSecret(SecretShown):
    """``keyId`` is that of the credential at Entra ID that the value is; ``usableUntil`` until when it may be relied on."""

    key_id: str | None
    usable_until: Timestamp | None


class CurrentAnswer(ApiModel):
    """``previous`` is the credential before, while it may still be used; ``refreshAfter`` in seconds."""

    current: DeliveredSecret
    previous: DeliveredSecret | None
    refresh_after: int


class BatchEntryWanted(ApiModel):
    secret_name: SecretName
    environment: EnvironmentSlug
    secret_path: Path = "/"
    project_id: ProjectId | None = None
    project_slug: Reference | None = None

    def address(self) -> Address:
        return Address(self.project_id or None, self.project_slug or None, self.environment, self.secret_path)


class ReadBatch(ApiModel):
    secrets: Annotated[list[BatchEntryWanted], Meta(min_length=1, max_length=100)]


class BatchEntryAnswer(ApiModel, omit_defaults=True):
    """``secret`` where ``status`` is 200; else what an error says."""

    status: int
    secret: SecretShown | None = None
    error: str | None = None
    message: str | None = None
    code: str | None = None
    fix: str | None = None


class BatchReadAnswer(ApiModel):
    """In the order of the request."""

    secrets: list[BatchEntryAnswer]
