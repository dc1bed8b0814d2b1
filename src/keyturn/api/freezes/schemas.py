"""JSON of freeze windows."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated

from msgspec import Meta, field

from keyturn.kit import zones
from keyturn.kit.clock import iso, iso_or_none
from keyturn.rotations.freezes.domain import FreezeWindow, next_freeze
from keyturn.rotations.freezes.service import FreezeChange, MovedRun, NewFreeze
from keyturn.web.schema.validate import Fault, NonEmpty, Sentence, Tests, Trimmed, Uuid, printable, trimmed
from keyturn.web.schema.wire import ApiModel, Timestamp

Day = Annotated[
    str,
    trimmed,
    Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", examples=["2026-12-20"]),
    Sentence("Write the day as YYYY-MM-DD"),
]


def _unknown_zone(name: str) -> str | None:
    return None if name in zones.names() else zones.refusal(name)


class FreezeBody(ApiModel):
    """``from`` and ``to`` are days on the clocks of ``timeZone``, both included; ``yearly``: each year again."""

    name: Annotated[NonEmpty, printable, Meta(max_length=64, examples=["Year end"])]
    first: Day = field(name="from")
    last: Annotated[Day, Meta(examples=["2027-01-06"])] = field(name="to")
    reason: Annotated[Trimmed, printable, Meta(max_length=500)] = ""
    time_zone: Annotated[str, trimmed, Tests(_unknown_zone)] = "UTC"
    yearly: bool = False

    def check(self) -> Iterator[Fault]:
        for name, text in (("from", self.first), ("to", self.last)):
            if _day(text) is None:
                yield Fault("There is no such day", path=(name,))

    def command(self, project_id: str | None = None) -> NewFreeze:
        first, last = date.fromisoformat(self.first), date.fromisoformat(self.last)
        return NewFreeze(self.name, self.reason, first, last, self.time_zone, self.yearly, project_id)


class CreateFreeze(FreezeBody):
    """``projectId``: in that project alone; without it in all of the organization."""

    project_id: Uuid | None = None


class ListFreezes(ApiModel):
    project_id: Uuid | None = None


class DryRun(ApiModel):
    """``dryRun``: the answer is the same, and nothing is written."""

    dry_run: bool = False


class FreezeShown(ApiModel):
    """``beginsAt`` and ``endsAt`` are those of the freeze that is under way, or of the next one; null: it is over."""

    id: str
    name: str
    reason: str
    first: str = field(name="from")
    last: str = field(name="to")
    time_zone: str
    yearly: bool
    project_id: str | None
    begins_at: Timestamp | None
    ends_at: Timestamp | None


class MovedRunShown(ApiModel):
    """``before`` is when it was to run, ``at`` when it will."""

    rotation_id: str
    name: str
    project_id: str | None
    before: Timestamp | None
    at: Timestamp


class FreezeAnswer(ApiModel):
    """``movedRuns`` are those that this moves, of rotations that the caller may see: the first 500 of ``movedRunCount``."""

    freeze_window: FreezeShown
    moved_runs: list[MovedRunShown]
    moved_run_count: int


class FreezeList(ApiModel):
    freeze_windows: list[FreezeShown]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


MOST_RUNS = 500


def present_answer(change: FreezeChange, now: datetime) -> FreezeAnswer:
    runs = [_moved(run) for run in change.moved[:MOST_RUNS]]
    return FreezeAnswer(present_window(change.window, now), runs, len(change.moved))


def _moved(run: MovedRun) -> MovedRunShown:
    return MovedRunShown(run.rotation_id, run.name, run.project_id, iso_or_none(run.before), iso(run.at))


def present_window(window: FreezeWindow, now: datetime) -> FreezeShown:
    coming = next_freeze(window, now)
    return FreezeShown(
        id=window.id,
        name=window.name,
        reason=window.reason,
        first=window.first.isoformat(),
        last=window.last.isoformat(),
        time_zone=window.time_zone,
        yearly=window.yearly,
        project_id=window.project_id,
        begins_at=iso(coming.begins) if coming else None,
        ends_at=iso(coming.ends) if coming else None,
    )
