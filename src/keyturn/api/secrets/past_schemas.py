"""JSON of the past of a folder."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from keyturn.api.secrets.schemas import SecretShown
from keyturn.secrets.past import When
from keyturn.web.schema.validate import Fault, coerced
from keyturn.web.schema.wire import ApiModel

Revision = Annotated[int, coerced, Meta(ge=0, examples=[1])]


class _When(ApiModel):
    """``at`` is a moment, ``revision`` the number of a change of the project: one of them."""

    revision: Revision | None = None
    at: datetime | None = None

    def check(self) -> Iterator[Fault]:
        if (self.revision is None) == (self.at is None):
            yield Fault("Send either revision or at", path=("revision",))

    def when(self) -> When:
        return When(self.at, self.revision)


class AtTime(_When):
    pass


class PastSecrets(_When):
    view_secret_value: bool = True


class RollBackFolder(_When):
    pass


class PastSecretsAnswer(ApiModel):
    revision: int
    secrets: list[SecretShown]


class DifferenceAnswer(ApiModel):
    """Names as they were then; of those that have been added since, as they are now."""

    revision: int
    added: list[str]
    changed: list[str]
    removed: list[str]
    kept: list[str]
