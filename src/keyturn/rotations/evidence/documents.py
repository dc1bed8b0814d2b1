"""What was reported of the use of credentials as JSON, and back. Pure. What cannot be understood was never reported."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from keyturn.db import unread
from keyturn.kit.clock import iso_or_none
from keyturn.ports.use_reports import ReportTrouble, Unobservable
from keyturn.rotations.evidence.domain import Coverage, ObservedUse, ObservedUser, Pace, RefusedUser

T = TypeVar("T")


def of_coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "since": iso_or_none(coverage.since),
        "until": iso_or_none(coverage.until),
        "moreBefore": coverage.more_before,
        "activityAt": iso_or_none(coverage.activity_at),
        "askedAt": iso_or_none(coverage.asked_at),
        "logTrouble": _of_trouble(coverage.log_trouble),
        "activityTrouble": _of_trouble(coverage.activity_trouble),
    }


def coverage(document: object) -> Coverage:
    return _read(document, _coverage) or Coverage()


def of_use(use: ObservedUse) -> dict[str, Any]:
    users = [{"address": each.address, "resource": each.resource, "pace": _of_pace(each.pace)} for each in use.users]
    refused = [
        {
            "address": each.address,
            "resource": each.resource,
            "error": each.error,
            "firstAt": iso_or_none(each.first_at),
            "lastAt": iso_or_none(each.last_at),
            "certain": each.certain,
        }
        for each in use.refused
    ]
    return {
        "pace": _of_pace(use.pace) if use.pace else None,
        "reportedAt": iso_or_none(use.reported_at),
        "credentialKind": use.credential_kind,
        "users": users,
        "refused": refused,
    }


def use(credential_id: str, document: object) -> ObservedUse:
    return _read(document, lambda read: _use(credential_id, read)) or ObservedUse(credential_id)


def _read(document: object, reader: Callable[[Mapping[str, Any]], T]) -> T | None:
    mapping = unread.mapping(document)
    try:
        return reader(mapping) if mapping else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _coverage(document: Mapping[str, Any]) -> Coverage:
    return Coverage(
        _moment(document["since"]),
        _moment(document["until"]),
        bool(document["moreBefore"]),
        _moment(document["activityAt"]),
        _trouble(document["logTrouble"]),
        _trouble(document["activityTrouble"]),
        _moment(document["askedAt"]),
    )


def _use(credential_id: str, document: Mapping[str, Any]) -> ObservedUse:
    return ObservedUse(
        credential_id,
        _pace(document["pace"]) if document["pace"] else None,
        _moment(document["reportedAt"]),
        tuple(ObservedUser(each["address"], each["resource"], _pace(each["pace"])) for each in document["users"]),
        tuple(
            RefusedUser(
                each["address"],
                each["resource"],
                int(each["error"]),
                datetime.fromisoformat(each["firstAt"]),
                datetime.fromisoformat(each["lastAt"]),
                bool(each["certain"]),
            )
            for each in document["refused"]
        ),
        str(document.get("credentialKind", "")),  # older versions did not write it
    )


def _of_pace(pace: Pace) -> dict[str, Any]:
    return {
        "firstAt": iso_or_none(pace.first_at),
        "lastAt": iso_or_none(pace.last_at),
        "longestGapSeconds": int(pace.longest_gap.total_seconds()),
    }


def _pace(document: Mapping[str, Any]) -> Pace:
    return Pace(
        datetime.fromisoformat(document["firstAt"]),
        datetime.fromisoformat(document["lastAt"]),
        timedelta(seconds=int(document["longestGapSeconds"])),
    )


def _of_trouble(trouble: ReportTrouble | None) -> dict[str, Any] | None:
    return {"reason": trouble.reason.value, "message": trouble.message, "fix": trouble.fix} if trouble else None


def _trouble(document: Mapping[str, Any] | None) -> ReportTrouble | None:
    return ReportTrouble(Unobservable(document["reason"]), document["message"], document["fix"]) if document else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
