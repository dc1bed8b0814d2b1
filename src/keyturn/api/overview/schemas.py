"""JSON of what needs somebody."""

from typing import Annotated

from msgspec import Meta

from keyturn.web.schema.validate import coerced
from keyturn.web.schema.wire import ApiModel, Timestamp


class OverviewQuery(ApiModel):
    """`limit` is how many conditions are listed, of which the most severe come first; the counts are of all."""

    project_id: str | None = None
    limit: Annotated[int, coerced, Meta(ge=0, le=10_000)] = 1000


class ConditionSubjectShown(ApiModel):
    """`type` is `app-connection`, `secret-rotation`, `rotation`, `identity` or `organization`."""

    type: str
    id: str
    name: str


class ConditionShown(ApiModel):
    """Something that needs somebody.

    `key` stays the same as long as it lasts. `cause` is a sentence, `fix` says what to do, `path` is the page of this server that
    does it. `severity` is `critical`, `warning` or `notice`, which needs nobody.
    """

    kind: str
    key: str
    severity: str
    subject: ConditionSubjectShown
    project_id: str | None
    environment: str | None
    secret_path: str | None
    cause: str
    fix: str
    path: str
    since: Timestamp | None
    ends_at: Timestamp | None
    owner_id: str | None


class ConditionCounts(ApiModel):
    critical: int
    warning: int
    notice: int


class ConnectionsTried(ApiModel):
    """`since` is when each connection was tried last, or later; `untried` is how many never were."""

    count: int
    untried: int
    since: Timestamp | None


class OverviewShown(ApiModel):
    needs_action: bool
    counts: ConditionCounts
    connections: ConnectionsTried
    conditions: list[ConditionShown]
