"""JSON of the applications that may be rotated through a connection."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from keyturn.connections.allowed import AllowedApplications, FoundApplication, FoundApplications
from keyturn.kit.clock import iso_or_none
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel, Timestamp


class FindApplications(ApiModel):
    search: Annotated[Trimmed, Meta(max_length=200)] = ""
    cursor: Annotated[str, Meta(max_length=4000)] | None = None


class ChangeAllowedApplications(ApiModel):
    all_owned: bool


class FoundApplicationShown(ApiModel):
    """``owners``: empty where not told. ``livingSecrets`` have not ended; ``firstEndsAt`` is when the first of them will."""

    object_id: str
    client_id: str
    name: str
    owners: list[str]
    living_secrets: int
    first_ends_at: Timestamp | None
    is_allowed: bool


class FoundApplicationsShown(ApiModel):
    """``cursor`` asks for the next page; null: there is none."""

    applications: list[FoundApplicationShown]
    cursor: str | None
    all_owned: bool


class AllowedApplicationsShown(ApiModel):
    """``allOwned``: beside those of ``objectIds``, every application that the connection's principal owns."""

    object_ids: list[str]
    all_owned: bool


def present_found_applications(result: FoundApplications, now: datetime) -> FoundApplicationsShown:
    shown = [_application(each, now) for each in result.applications]
    return FoundApplicationsShown(shown, result.cursor, result.all_owned)


def _application(each: FoundApplication, now: datetime) -> FoundApplicationShown:
    listing = each.listing
    ends = listing.living_ends(now)
    return FoundApplicationShown(
        listing.object_id,
        listing.app_id,
        listing.name,
        list(listing.owners),
        len(ends),
        iso_or_none(ends[0] if ends else None),
        each.allowed,
    )


def present_allowed_applications(result: AllowedApplications) -> AllowedApplicationsShown:
    return AllowedApplicationsShown(list(result.object_ids), result.all_owned)
